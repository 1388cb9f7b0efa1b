"""A signed drive is set running; at its hour the interlock takes it up. A paused one goes on."""

from datetime import datetime

from bahal.domains.supply.errors import DriveExpired
from bahal.domains.supply.operations import attend, step_drive
from bahal.domains.supply.queries import drive_locked
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction


def run_drive(*, drive: int, actor: str, at: datetime, business_at: datetime) -> None:
    """Set an authorised or paused drive running.

    :raises DriveUnknown: no such drive.
    :raises DriveNotInState: it is neither authorised nor paused.
    :raises DriveExpired: the warrant's time is over.
    """
    with transaction():
        found = drive_locked(drive=drive)
        if business_at >= found.expires_at:
            raise DriveExpired(drive=drive, expires_at=found.expires_at)
        step_drive(found, "running", reason="", at=at)
        attend(officer=actor)
        record(
            actor=actor,
            act="supply.drive.run",
            subject=f"drive {drive}",
            data={"drive": drive},
            at=at,
            business_at=business_at,
        )
        ring("bahal_orders")
