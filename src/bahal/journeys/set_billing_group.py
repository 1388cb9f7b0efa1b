"""When a distribution centre's bills go out: groups are staggered, so that counters and couriers are not flooded."""

from datetime import datetime

from bahal.domains.billing.errors import GroupMalformed
from bahal.domains.billing.operations import set_group
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction

LATEST_DAY = 28


def set_billing_group(
    *, centre: int, issue_day: int, days_to_pay: int, actor: str, at: datetime, business_at: datetime
) -> None:
    """Say on which day of the next month a centre's bills go out, and how many days they leave to pay.

    :raises GroupMalformed: no day that every month has, or no day to pay.
    """
    if not 1 <= issue_day <= LATEST_DAY or days_to_pay < 1:
        raise GroupMalformed(centre=centre, issue_day=issue_day, days_to_pay=days_to_pay)
    with transaction():
        set_group(centre=centre, issue_day=issue_day, days_to_pay=days_to_pay)
        record(
            actor=actor,
            act="bill.group_set",
            subject=f"office {centre}",
            data={"centre": centre, "issue_day": issue_day, "days_to_pay": days_to_pay},
            at=at,
            business_at=business_at,
        )
