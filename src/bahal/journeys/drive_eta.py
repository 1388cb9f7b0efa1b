"""How long a drive over these meters would take, from the history of their cells, and what the caps would hold back."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from bahal.domains.supply.eta import CellHistory, Eta, eta
from bahal.foundation.rows import many, value

MEMORY = timedelta(days=180)
_CEILINGS = ("drive", "circle_hour", "state_hour")


def drive_eta(*, meters: Sequence[str]) -> Eta:
    """The time from the first command to the last relay read back."""
    found: dict[str, str] = dict(
        many("SELECT m.meter, m.cell FROM interlock_meter m WHERE m.meter = ANY (%s::text[])", list(meters))
    )
    cells = Counter(found.get(meter, "") for meter in meters)
    rows = many(_HISTORY, MEMORY, list(cells))
    figures = json.loads(value("SELECT figures::text FROM interlock_profile ORDER BY id DESC LIMIT 1") or "{}")
    return eta(
        cells,
        {row[0]: CellHistory(*row) for row in rows},
        canary=int(figures.get("canary", 0)),
        ceilings={name: int(figures[name]) for name in _CEILINGS if name in figures},
    )


_HISTORY = """
WITH done AS MATERIALIZED (
    SELECT m.cell, o.drive, o.tries, o.sent_at, o.confirmed_at,
           extract(epoch FROM o.confirmed_at - o.sent_at)::double precision AS answer_s
    FROM supply_order o JOIN interlock_meter m ON m.meter = o.meter
    WHERE o.kind = 'cut' AND o.state = 'confirmed' AND o.sent_at IS NOT NULL
      AND o.confirmed_at > clock_timestamp() - %s::interval
      AND m.cell = ANY (%s::text[])
), together AS (
    SELECT DISTINCT ON (d.cell) d.cell, count(*)::integer AS orders,
           extract(epoch FROM max(d.confirmed_at) - min(d.sent_at))::double precision AS span_s
    FROM done d GROUP BY d.cell, d.drive ORDER BY d.cell, count(*) DESC, d.drive DESC
)
SELECT d.cell, percentile_cont(0.5) WITHIN GROUP (ORDER BY d.answer_s), avg(d.tries)::double precision,
       t.orders, t.span_s
FROM done d JOIN together t ON t.cell = d.cell GROUP BY d.cell, t.orders, t.span_s
"""
