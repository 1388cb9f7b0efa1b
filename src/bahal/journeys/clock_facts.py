"""The clock from money to light of many restores at once: what was written down of each, for `domains.supply.clock`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bahal.domains.supply.clock import Delay, Moments
from bahal.foundation.rows import many


@dataclass(frozen=True, slots=True)
class Timed:
    """A restore with its moments. `receipt` is that of the first payment that asked for it, None where nobody paid;
    `setting` is where its feeder runs; `load_seen_at` when energy was counted after it."""

    order: int
    connection: int
    meter: str
    receipt: str | None
    setting: str
    load_seen_at: datetime | None
    moments: Moments


_FACTS = """
    SELECT o.id, o.connection, o.meter, p.receipt, coalesce(f.setting, 'urban'),
           CASE WHEN load.load AND load.load_at > supply_lit(o) THEN load.load_at END,
           coalesce(p.acknowledged_at, o.made_at), o.made_at, o.released_at, o.claimed_at, o.sent_at, acted.at,
           o.confirmed_at, o.state, o.reason, o.recall IS NOT NULL AND o.need > 1,
           CASE WHEN coalesce(o.released_at, now()) - o.made_at < interval '2 seconds' THEN 0 ELSE (
               SELECT count(*) FROM supply_order a WHERE a.kind = 'restore' AND a.feeder = o.feeder AND a.id <> o.id
               AND a.released_at > o.made_at - interval '1 minute' AND a.released_at <= coalesce(o.released_at, now()))
           END, cut.ended_at, supply_lit(o),
           CASE WHEN load.closed AND load.seen_at > o.confirmed_at THEN load.seen_at END
    FROM supply_order o
    LEFT JOIN network_feeder f ON f.id = o.feeder
    LEFT JOIN meters_relay load ON load.meter = o.meter
    LEFT JOIN LATERAL (SELECT p.acknowledged_at, p.receipt FROM payments_payment p WHERE p."order" = o.id
                       ORDER BY p.acknowledged_at LIMIT 1) AS p ON true
    LEFT JOIN LATERAL (SELECT max(r.acted_at) AS at FROM supply_result r WHERE r."order" = o.id) AS acted ON true
    LEFT JOIN LATERAL (
        SELECT max(r.at) AS ended_at FROM supply_order c JOIN supply_result r ON r."order" = c.id
        WHERE c.connection = o.connection AND c.kind = 'cut' AND c.id < o.id
          AND r.outcome IN ('confirmed', 'field_task', 'cancelled')) AS cut ON true
    WHERE o.id = ANY(%s::bigint[])
    ORDER BY o.id
"""


def timed(*, orders: Sequence[int]) -> list[Timed]:
    """Restores with what was written down of each, in order of their numbers."""
    waited: dict[int, list[Delay]] = {}
    rows = many(
        "SELECT order_id, reason, at, until FROM supply_delay WHERE order_id = ANY(%s::bigint[]) ORDER BY id",
        list(orders),
    )
    for order, *delay in rows:
        waited.setdefault(order, []).append(Delay(*delay))
    found = []
    for order, connection, meter, receipt, setting, load_seen_at, *moments in many(_FACTS, list(orders)):
        told = replace(Moments(*moments), delays=tuple(waited.get(order, ())))
        found.append(Timed(order, connection, meter, receipt, setting, load_seen_at, told))
    return found
