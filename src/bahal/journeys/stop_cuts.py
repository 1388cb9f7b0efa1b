"""The kill switch: one person stops every cut of every drive at once; two officers arm it again. Restores go on."""

from datetime import datetime

from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.errors import CutsStoppedAlready, ReasonMissing
from bahal.domains.supply.operations import halt
from bahal.domains.supply.queries import switch
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction


def stop_cuts(*, actor: str, reason: str, at: datetime, business_at: datetime) -> int:
    """Stop all cuts; the number of this stop. From the commit on the interlock marks none as sent.

    :raises OfficerUnknown: no such officer.
    :raises ReasonMissing: no reason is given.
    :raises CutsStoppedAlready: they are stopped.
    """
    if not reason.strip():
        raise ReasonMissing()
    with transaction():
        find_officer(login=actor)
        stop = halt(by=actor, why=reason)
        if stop is None:
            found = switch()
            raise CutsStoppedAlready(why=found.stopped_why, by=found.stopped_by)
        data = {"stop": stop, "reason": reason}
        record(
            actor=actor, act="supply.cuts.stopped", subject=f"stop {stop}", data=data, at=at, business_at=business_at
        )
        ring("bahal_orders")
    return stop
