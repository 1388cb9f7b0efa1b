"""An officer has done with an alert or a consumption warning, and says what was found.

What warnings were closed with is what their rules are worth in the field: precision is `theft` and `faulty_meter` over
all that were closed.
"""

from datetime import datetime

from bahal.domains.protection.operations import close_alert as close_one_alert
from bahal.domains.protection.operations import close_warning as close_one_warning
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def close_alert(*, alert: int, outcome: str, officer: str, at: datetime, business_at: datetime) -> None:
    """Close an alert.

    :raises OfficerUnknown: no such officer.
    :raises OutcomeUnknown: not an outcome of alerts.
    :raises AlertUnknown: there is none.
    :raises AlertClosed: it was closed before.
    """
    with transaction():
        find_officer(login=officer)
        meter, connection = close_one_alert(
            alert=alert, outcome=outcome, officer=officer, at=at, business_at=business_at
        )
        record(
            actor=officer,
            act="protection.alert_closed",
            subject=f"meter {meter}",
            connection=connection,
            data={"meter": meter, "alert": alert, "outcome": outcome},
            at=at,
            business_at=business_at,
        )


def close_warning(*, warning: int, outcome: str, note: str, officer: str, at: datetime, business_at: datetime) -> None:
    """Close a consumption warning with what was found.

    :raises OfficerUnknown: no such officer.
    :raises OutcomeUnknown: not an outcome of warnings.
    :raises WarningUnknown: there is none.
    :raises WarningClosed: it was closed before.
    """
    with transaction():
        find_officer(login=officer)
        meter, connection = close_one_warning(warning=warning, outcome=outcome, note=note, officer=officer, at=at)
        record(
            actor=officer,
            act="protection.warning_closed",
            subject=f"meter {meter}",
            connection=connection,
            data={"meter": meter, "warning": warning, "outcome": outcome},
            at=at,
            business_at=business_at,
        )
