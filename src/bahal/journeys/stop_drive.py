"""A drive is stopped for good: first that no further cut goes out, then that none of the rest can.

Two transactions, in this order. The first touches one row and commits at once, and the interlock sends nothing of a
drive that does not run; only then are the waiting cuts cancelled, which for a large drive takes longer than a stop may.
"""

from datetime import datetime

from django.db import connection as database

from bahal.domains.supply.errors import ReasonMissing
from bahal.domains.supply.operations import cancel_unsent, step_drive
from bahal.domains.supply.queries import drive_locked, unsent_connections
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply

CANCEL_TIMEOUT_MS = 30_000


def stop_drive(*, drive: int, actor: str, reason: str, at: datetime, business_at: datetime) -> int:
    """Stop a drive and cancel its unsent cuts; how many. Fences stay as they are: nothing was paid or held.

    :raises DriveUnknown: no such drive.
    :raises DriveNotInState: it is over already.
    :raises ReasonMissing: no reason is given.
    :raises SupplyBusy: it is stopped, but its waiting cuts could not be locked in time; they cannot go out either way.
    """
    if not reason.strip():
        raise ReasonMissing()
    with transaction():
        step_drive(drive_locked(drive=drive), "stopped", reason=reason, at=at)
        record(
            actor=actor,
            act="supply.drive.stopped",
            subject=f"drive {drive}",
            data={"drive": drive, "reason": reason},
            at=at,
            business_at=business_at,
        )
        ring("bahal_orders")
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, unsent_connections(drive=drive), timeout_ms=CANCEL_TIMEOUT_MS)
        cancelled = cancel_unsent(drive=drive, reason="drive_stopped")
        record(
            actor=actor,
            act="supply.drive.cancelled",
            subject=f"drive {drive}",
            data={"drive": drive, "orders": cancelled, "reason": reason},
            at=at,
            business_at=business_at,
        )
    return cancelled
