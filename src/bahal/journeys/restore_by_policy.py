"""Supply comes back because the recovery policy gives it: some days in an emergency, some for a part of what is due.

Both are of the policy in force for the connection, each given as often as it says; for the days given a hold keeps the
supply on. When they are over the hold ends, and that alone cuts nobody: a cut needs its notice and drive as ever.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection as database

from bahal.domains.arrears.operations import place_hold
from bahal.domains.ledger.queries import balance
from bahal.domains.supply.errors import EmergencyUsed, NotCutForDebt
from bahal.domains.supply.operations import bump, open_restore
from bahal.domains.supply.queries import Order, standing_locked
from bahal.domains.supply.recalls import keep_restoration
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply

YEAR = timedelta(days=365)
LOOKS_BACK = 1000
"""Numbers of payments that may still be uncommitted when later ones are seen."""
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Granted:
    """A restore by policy: its order, the hold that keeps the supply on, and until when (business time)."""

    order: int
    hold: int
    until: datetime


@dataclass(frozen=True, slots=True)
class _Terms:
    policy: str
    emergency_days: int
    emergency_times: int
    ladder: Sequence[Sequence[int]]


def restore_in_emergency(*, connection: int, actor: str, at: datetime, business_at: datetime) -> Granted:
    """Give a connection that was cut for a debt its emergency days. The consumer asks; nobody has to agree.

    :raises ConnectionUnknown: no such connection.
    :raises NotCutForDebt: no debt took its supply.
    :raises EmergencyUsed: the policy gives no more of them within a year.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        dark = standing_locked(connection=connection).dark()
        terms = _terms(connection, business_at)
        if dark is None or terms is None:
            raise NotCutForDebt(connection=connection)
        used = _given(connection, "emergency", business_at)
        if used >= terms.emergency_times or not terms.emergency_days:
            raise EmergencyUsed(connection=connection, times=used, policy=terms.policy)
        granted = _grant(
            dark, "emergency", terms.emergency_days, terms.policy, actor=actor, at=at, business_at=business_at
        )
        assert granted is not None
    return granted


def climb_ladder(*, at: datetime, business_at: datetime) -> int:
    """Restore those whose payments since the cut reach a rung of their policy's ladder; how many.

    :raises SupplyBusy: another act on one of them did not end in time; the others are done, and it comes again.
    """
    if not value(
        "SELECT EXISTS (SELECT FROM arrears_policy WHERE accepted_at IS NOT NULL AND jsonb_array_length(ladder) > 0)"
    ):
        return 0
    rows = many(
        "SELECT p.id, p.connection FROM payments_payment p, supply_laddermark m"
        ' WHERE p.id > m.payment - %s AND p."order" IS NULL AND EXISTS (SELECT FROM supply_fence f'
        " WHERE f.connection = p.connection AND f.desired = 'off') ORDER BY p.id LIMIT %s",
        LOOKS_BACK,
        AT_ONCE,
    )
    newest = value("SELECT coalesce(max(id), 0) FROM payments_payment")
    restored = 0
    for connection in dict.fromkeys(row[1] for row in rows):
        with transaction():
            restored += _climb(connection, at=at, business_at=business_at)
    seen = rows[-1][0] if len(rows) == AT_ONCE else newest
    with transaction():
        run("UPDATE supply_laddermark SET payment = %s WHERE payment < %s", seen, seen)
    return restored


def _climb(connection: int, *, at: datetime, business_at: datetime) -> int:
    with database.cursor() as cursor:
        lock_supply(cursor, [connection])
    dark = standing_locked(connection=connection).dark()
    terms = _terms(connection, business_at)
    if dark is None or terms is None or dark.due_paise <= 0 or _given(connection, "part_payment", business_at):
        return 0
    paid = dark.due_paise - balance(connection=connection).due_paise
    percent = 100 * paid // dark.due_paise
    days = max((rung[2] for rung in terms.ladder if rung[0] <= percent), default=0)
    if not days:
        return 0
    granted = _grant(dark, "part_payment", days, terms.policy, actor="worker", at=at, business_at=business_at)
    return int(granted is not None)


def _grant(
    dark: Order, ground: str, days: int, policy: str, *, actor: str, at: datetime, business_at: datetime
) -> Granted | None:
    """Restore and hold a locked connection; None where this cut had the same before."""
    until = business_at + timedelta(days=days)
    generation = bump([dark.connection], desired="on")[dark.connection]
    order = open_restore(
        meter=dark.meter, connection=dark.connection, ground=ground, cause=f"policy {policy}", fence=generation, at=at
    )
    if not keep_restoration(
        order=order, connection=dark.connection, ground=ground, officer=actor, reason=f"policy {policy}",
        evidence=None, undoes=dark.id, at=at, business_at=business_at,
    ):  # fmt: skip
        return None
    hold = place_hold(
        connection=dark.connection, kind=ground, evidence=f"policy {policy}", owner=actor, business_at=business_at,
        expires_at=until,
    )  # fmt: skip
    data = {"order": order, "hold": hold, "ground": ground, "days": days, "until": until, "policy": policy}
    record(
        actor=actor, act="supply.restore.granted", subject=f"order {order}", connection=dark.connection, data=data,
        at=at, business_at=business_at,
    )  # fmt: skip
    ring("bahal_orders")
    return Granted(order, hold, until)


def _terms(connection: int, business_at: datetime) -> _Terms | None:
    row = one(
        "SELECT (p.policy).version, (p.policy).emergency_days, (p.policy).emergency_times, (p.policy).ladder::text"
        " FROM (SELECT authority_policy(%s, authority_path(c.centre), c.category) AS policy FROM network_connection c"
        " WHERE c.id = %s) AS p",
        business_at,
        connection,
    )
    return None if row is None or row[0] is None else _Terms(row[0], row[1], row[2], json.loads(row[3]))


def _given(connection: int, ground: str, business_at: datetime) -> int:
    """How often within a year."""
    return int(
        value(
            "SELECT count(*) FROM supply_restoration WHERE connection = %s AND ground = %s AND business_at > %s",
            connection,
            ground,
            business_at - YEAR,
        )
    )
