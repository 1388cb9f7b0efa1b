"""A consumer contests a bill: no cut rests on it, no surcharge runs, and a cut that has not gone out is cancelled.

When the dispute is closed the fence rises again, so that nothing that was signed meanwhile still counts.
"""

from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.billing.errors import BillUnknown
from bahal.domains.supply.operations import bump, cancel
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import one, value
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply


def raise_dispute(*, bill: str, reason: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Raise a dispute over a bill, by its number; the dispute's id.

    :raises BillUnknown: no such bill.
    :raises ReasonMissing: no reason.
    :raises BillDisputed: it is under dispute already.
    :raises SupplyBusy: another act on the connection did not end in time.
    """
    with transaction():
        row = one("SELECT id, connection FROM billing_bill WHERE number = %s", bill)
        if row is None:
            raise BillUnknown(number=bill)
        id_, connection = row
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        dispute = arrears.raise_dispute(
            connection=connection, bill=id_, reason=reason, raised_by=actor, business_at=business_at
        )
        bump([connection])
        acts = [Act("dispute.raised", f"dispute {dispute}", connection, {"bill": bill, "reason": reason})]
        cut = standing_locked(connection=connection).unsent_cut()
        if cut is not None:
            cancel(cut.id, reason="held")
            data = {"order": cut.id, "reason": "held", "cause": f"dispute {dispute}"}
            acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, data))
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return dispute


def close_dispute(*, dispute: int, outcome: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Close a dispute with its outcome; its connection. A correction of the bill is an act of its own.

    :raises DisputeUnknown: no such open dispute.
    :raises ReasonMissing: no outcome.
    :raises SupplyBusy: another act on the connection did not end in time.
    """
    with transaction():
        found = value("SELECT connection FROM arrears_dispute WHERE id = %s", dispute)
        if found is not None:
            with database.cursor() as cursor:
                lock_supply(cursor, [found])
        connection, bill = arrears.close_dispute(
            dispute=dispute, outcome=outcome, closed_by=actor, business_at=business_at
        )
        bump([connection])
        number = value("SELECT number FROM billing_bill WHERE id = %s", bill)
        acts = [Act("dispute.closed", f"dispute {dispute}", connection, {"bill": number, "outcome": outcome})]
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return connection
