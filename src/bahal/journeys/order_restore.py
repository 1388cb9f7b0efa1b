"""An officer orders a connection's supply back: at the consumer's own request, for safety, by a court, for a mistake.

A restore is always allowed and needs no second officer; a court's order, and what was a mistake, is shown by a file.
"""

from datetime import datetime

from django.db import connection as database

from bahal.domains.meters.queries import meter_of
from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.errors import EvidenceMissing, GroundNotForOfficers, ReasonMissing
from bahal.domains.supply.operations import bump, cancel, hasten, open_restore
from bahal.domains.supply.queries import standing_locked
from bahal.domains.supply.recalls import File, keep_file, keep_restoration
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply

GROUNDS = ("own_request", "safety", "court_order", "mistake")
_SHOWN = ("court_order", "mistake")


def order_restore(
    *,
    connection: int,
    officer: str,
    ground: str,
    reason: str,
    at: datetime,
    business_at: datetime,
    evidence: File | None = None,
) -> int:
    """Order a restore, or find the one under way; its id. Reconnection needs no warrant. An unsent cut is cancelled.

    :raises OfficerUnknown: no such officer.
    :raises GroundNotForOfficers: the ground is none of `GROUNDS`.
    :raises ReasonMissing: no reason is given.
    :raises EvidenceMissing: a court's order, or a mistake, that nothing shows.
    :raises EvidenceWrong: the file is empty or too large.
    :raises ConnectionUnknown: no such connection.
    :raises NoMeter: it has no smart meter.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if ground not in GROUNDS:
        raise GroundNotForOfficers(ground=ground, grounds=", ".join(GROUNDS))
    if not reason.strip():
        raise ReasonMissing()
    if evidence is None and ground in _SHOWN:
        raise EvidenceMissing(cause=ground)
    with transaction():
        find_officer(login=officer)
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        standing = standing_locked(connection=connection)
        generation = bump([connection], desired="on")[connection]
        acts = []
        cut = standing.unsent_cut()
        if cut is not None:
            cancel(cut.id, reason="restore_ordered")
            data = {"order": cut.id, "reason": "restore_ordered", "cause": reason}
            acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, data))
        order = open_restore(
            meter=meter_of(connection=connection),
            connection=connection,
            ground=ground,
            cause=f"officer {officer}: {reason}",
            fence=generation,
            at=at,
        )
        hasten(order)
        file = None if evidence is None else keep_file(evidence, by=officer, at=at)
        dark = standing.dark()
        keep_restoration(
            order=order, connection=connection, ground=ground, officer=officer, reason=reason, evidence=file,
            undoes=None if dark is None else dark.id, at=at, business_at=business_at,
        )  # fmt: skip
        ordered = {"order": order, "ground": ground, "cause": reason, "evidence": file}
        acts.append(Act("supply.restore.ordered", f"order {order}", connection, ordered))
        record_many(acts, actor=officer, at=at, business_at=business_at)
        ring("bahal_orders")
    return order
