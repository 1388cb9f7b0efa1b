"""A reading schedule for an office and a make: one officer proposes it, another accepts it."""

from datetime import datetime

from bahal.domains.offices.queries import get_office
from bahal.domains.readings import operations as readings
from bahal.domains.readings.errors import OfficerMayNotSchedule
from bahal.domains.readings.operations import NewSchedule
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction

SCHEDULE_ROLES = ("executive_engineer", "superintending_engineer")


def propose_schedule(new: NewSchedule, *, officer: str, at: datetime, business_at: datetime) -> int:
    """Propose a schedule; its id. Nothing is read by it before it is accepted.

    :raises ScheduleWrong: no such kind, a number out of its bounds, or no source.
    :raises OfficeUnknown: there is no such office.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSchedule: his role sets no schedules.
    """
    with transaction():
        _may_schedule(officer)
        if new.office is not None:
            get_office(office=new.office)
        made = readings.propose_schedule(new, made_by=officer, at=at)
        data = {
            "kind": new.kind, "office": new.office or "-", "make": new.make or "-", "minutes": new.every_s // 60,
            "effective_from": new.effective_from,
        }  # fmt: skip
        record(
            actor=officer, act="readings.schedule_proposed", subject=f"schedule {made}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return made


def accept_schedule(*, schedule: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed schedule. What it takes the place of ends the day before.

    :raises ScheduleReasonMissing: no reason.
    :raises ScheduleUnknown: there is none of this number.
    :raises ScheduleAccepted: it was accepted before.
    :raises ScheduleOfOne: its maker accepts it himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSchedule: his role sets no schedules.
    """
    with transaction():
        _may_schedule(officer)
        found = readings.accept_schedule(schedule=schedule, accepted_by=officer, reason=reason, at=at)
        data = {
            "kind": found.kind, "office": found.office or "-", "make": found.make or "-",
            "minutes": found.every_s // 60, "effective_from": found.effective_from, "made_by": found.made_by,
            "reason": reason.strip(),
        }  # fmt: skip
        record(
            actor=officer, act="readings.scheduled", subject=f"schedule {schedule}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip


def _may_schedule(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in SCHEDULE_ROLES:
        raise OfficerMayNotSchedule(login=login, role=officer.role)
