"""Values of a day's intervals are put in by hand: one officer proposes with a reason, another accepts; what stood there
is kept, and the next run over the day takes them, marked for ever."""

from collections.abc import Sequence
from datetime import date, datetime

from bahal.domains.readings import edits
from bahal.domains.readings.errors import EditWrong, OfficerMayNotEdit
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import intervals_of

EDIT_ROLES = ("executive_engineer", "superintending_engineer", "revenue_officer")


def propose_edit(
    *,
    lake: Lake,
    meter: str,
    day: date,
    first: int,
    wh: Sequence[int],
    reason: str,
    officer: str,
    at: datetime,
    business_at: datetime,
) -> int:
    """Propose Wh for the intervals of a validated day from `first` on (0: from midnight in India); the edit's id.

    :raises EditWrong: the day was not validated, or the values cannot stand there.
    :raises EditReasonMissing: no reason.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotEdit: his role edits no readings.
    """
    stands = intervals_of(lake, meter=meter, day=day)
    if stands is None:
        raise EditWrong(meter=meter, day=day, why="जाँचा नहीं गया / not validated")
    with transaction():
        _may_edit(officer)
        made = edits.propose_edit(
            meter=meter, day=day, first=first, wh=wh, stands=stands, reason=reason, proposed_by=officer, at=at
        )
        data = {
            "meter": meter, "day": day, "edit": made, "intervals": len(wh), "wh": sum(wh),
            "was_wh": sum(stands[first : first + len(wh)]), "reason": reason.strip(),
        }  # fmt: skip
        record(
            actor=officer, act="readings.edit_proposed", subject=f"meter {meter}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return made


def accept_edit(*, edit: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept an edit: the worker validates its day again with it.

    :raises EditUnknown, EditAccepted, EditOfOne, EditReasonMissing: as they say.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotEdit: his role edits no readings.
    """
    with transaction():
        _may_edit(officer)
        found = edits.accept_edit(edit=edit, accepted_by=officer, reason=reason, at=at)
        data = {
            "meter": found.meter, "day": found.day, "edit": edit, "proposed_by": found.proposed_by,
            "reason": reason.strip(),
        }  # fmt: skip
        record(
            actor=officer, act="readings.edited", subject=f"meter {found.meter}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip


def _may_edit(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in EDIT_ROLES:
        raise OfficerMayNotEdit(login=login, role=officer.role)
