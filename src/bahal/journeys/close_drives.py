"""Drives come to an end by themselves: finished when every cut of theirs is, expired when their time is over."""

from datetime import datetime

from bahal.domains.supply.operations import expire_waiting, step_drive
from bahal.domains.supply.queries import drive_locked, drives_under_way
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def close_drives(*, at: datetime, business_at: datetime) -> int:
    """Close every drive that is over; how many. Cuts that wait when a warrant's time ends expire unsent."""
    with transaction():
        due = [drive for drive, expires_at, open_ in drives_under_way() if business_at >= expires_at or not open_]
        return sum(_close(drive, at, business_at) for drive in due)


def _close(drive: int, at: datetime, business_at: datetime) -> bool:
    found = drive_locked(drive=drive)
    if found.state not in ("proposed", "authorised", "running", "paused"):
        return False
    expired = expire_waiting(drive=drive) if business_at >= found.expires_at else 0
    if any(open_ for each, _, open_ in drives_under_way() if each == drive):
        return False  # what is sent or unknown is read back first
    ran = found.state in ("running", "paused")
    state = "finished" if ran else "expired"
    step_drive(found, state, reason="", at=at)
    data = {"drive": drive, "state": state, "expired": expired}
    record(
        actor="worker", act="supply.drive.closed", subject=f"drive {drive}", data=data, at=at, business_at=business_at
    )
    return True
