"""A provider reports what became of messages. A reminder counts towards a cut only once it was delivered."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.notices.operations import Report, hold_chain, mark_reported
from bahal.foundation.transactions import transaction


def take_delivery_reports(
    reports: Sequence[Report], *, actor: str = "sms", at: datetime | None = None, business_at: datetime | None = None
) -> int:
    """Note a batch of reports; how many were news. Repeated and unknown ones change nothing.

    `actor` is the provider. The instants are those of the call; of the latest report unless given.
    """
    if not reports:
        return 0
    latest = max(each.at for each in reports)
    with transaction():
        hold_chain()
        return mark_reported(
            reports,
            actor=actor,
            at=at or latest,
            business_at=business_at or max(each.business_at or each.at for each in reports),
        )
