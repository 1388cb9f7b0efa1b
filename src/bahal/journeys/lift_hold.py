"""A hold is lifted: the fence rises, so that nothing that was signed while it stood still counts."""

from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.queries import find_hold
from bahal.domains.supply.operations import bump
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply


def lift_hold(*, hold: int, actor: str, at: datetime, business_at: datetime) -> int:
    """Lift a hold; its connection. Nothing is cut by this: a new drive judges anew.

    :raises HoldUnknown: no such hold.
    :raises HoldLifted: it was lifted before.
    :raises SupplyBusy: another act on its connection did not end in time.
    """
    with transaction():
        connection = find_hold(hold=hold).connection
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        lifted = arrears.lift_hold(hold=hold, lifted_by=actor, business_at=business_at)
        bump([connection])
        record(
            actor=actor,
            act="hold.lifted",
            subject=f"hold {hold}",
            connection=connection,
            data={"hold": hold, "kind": lifted.kind},
            at=at,
            business_at=business_at,
        )
    return connection
