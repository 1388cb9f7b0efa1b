"""A reading schedule comes into force for an office and a make, made by one person and accepted by another."""

from datetime import datetime

from bahal.domains.readings.operations import NewSchedule, add_schedule
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.wanted import wanted_of


def set_schedule(new: NewSchedule, *, at: datetime, business_at: datetime) -> int:
    """Set a schedule; its id. What it takes the place of ends the day before.

    :raises ScheduleOfOne: its maker accepts it himself.
    :raises KeyError: no such kind.
    """
    with transaction():
        made = add_schedule(new, bits=wanted_of(new.kind))
        data = {
            "kind": new.kind,
            "office": new.office or "-",
            "make": new.make or "-",
            "minutes": new.every_s // 60,
            "effective_from": new.effective_from,
            "made_by": new.made_by,
        }
        record(
            actor=new.accepted_by, act="readings.scheduled", subject=f"schedule {made}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return made
