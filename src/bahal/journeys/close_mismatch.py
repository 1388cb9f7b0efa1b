"""A person has looked into a mismatch of a relay's truths, and says what it was."""

from datetime import datetime

from bahal.domains.meters import operations as meters
from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.errors import ReasonMissing
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def close_mismatch(*, mismatch: int, officer: str, outcome: str, at: datetime, business_at: datetime) -> None:
    """Take a mismatch off the queue with what was found. If the truths still disagree it is queued anew.

    :raises OfficerUnknown: no such officer.
    :raises MismatchUnknown: it is not open, or is a report's.
    :raises ReasonMissing: nothing is said of what it was.
    """
    if not outcome.strip():
        raise ReasonMissing()
    with transaction():
        find_officer(login=officer)
        meter, connection = meters.close_mismatch(mismatch=mismatch, officer=officer, outcome=outcome, at=at)
        data = {"meter": meter, "mismatch": mismatch, "outcome": outcome}
        record(
            actor=officer, act="relay.mismatch.closed", subject=f"meter {meter}", connection=connection, data=data,
            at=at, business_at=business_at,
        )  # fmt: skip
