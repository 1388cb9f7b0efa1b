"""An officer withdraws the order for a clock, alone, before the interlock takes it in hand."""

from datetime import datetime

from bahal.domains.meters.clocks import withdraw
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def withdraw_clock(*, meter: str, officer: str, at: datetime, business_at: datetime) -> int:
    """Withdraw it; which order it was. For a day nothing is proposed for this clock.

    :raises OfficerUnknown: no such officer.
    :raises NoClockOrder: there is none, or the interlock has it in hand.
    """
    with transaction():
        find_officer(login=officer)
        order = withdraw(meter=meter, at=business_at)
        data = {"meter": meter, "order": order}
        record(
            actor=officer, act="clock.withdrawn", subject=f"meter {meter}", data=data, at=at, business_at=business_at
        )
    return order
