"""A hold is placed: from this moment no cut for want of payment, and one that has not gone out is cancelled."""

from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.supply.operations import bump, cancel
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply


def place_hold(
    *,
    connection: int,
    kind: str,
    evidence: str,
    actor: str,
    expires_at: datetime | None,
    at: datetime,
    business_at: datetime,
) -> int:
    """Place a hold on a connection; its id. `expires_at` is business time; its passing never cuts by itself.

    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    :raises HoldKindUnknown: no such kind.
    :raises HoldWithoutEvidence: no evidence, or an expiry that has passed.
    """
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        hold = arrears.place_hold(
            connection=connection,
            kind=kind,
            evidence=evidence,
            owner=actor,
            business_at=business_at,
            expires_at=expires_at,
        )
        bump([connection])
        data = {"hold": hold, "kind": kind, "evidence": evidence, "expires_at": expires_at}
        acts = [Act("hold.placed", f"hold {hold}", connection, data)]
        cut = standing_locked(connection=connection).unsent_cut()
        if cut is not None:
            cancel(cut.id, reason="held")
            cancelled = {"order": cut.id, "reason": "held", "cause": f"hold {hold} ({kind})"}
            acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, cancelled))
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return hold
