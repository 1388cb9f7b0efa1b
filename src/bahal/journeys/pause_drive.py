"""A running drive is paused: no further cut goes out until it is set running again; restores go on."""

from datetime import datetime

from bahal.domains.supply.errors import ReasonMissing
from bahal.domains.supply.operations import step_drive
from bahal.domains.supply.queries import drive_locked
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction


def pause_drive(*, drive: int, actor: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Pause a running drive. One person suffices.

    :raises DriveUnknown: no such drive.
    :raises DriveNotInState: it does not run.
    :raises ReasonMissing: no reason is given.
    """
    if not reason.strip():
        raise ReasonMissing()
    with transaction():
        step_drive(drive_locked(drive=drive), "paused", reason=reason, at=at)
        record(
            actor=actor,
            act="supply.drive.paused",
            subject=f"drive {drive}",
            data={"drive": drive, "reason": reason},
            at=at,
            business_at=business_at,
        )
        ring("bahal_orders")
