"""Arrears by age and office: how much is owed since how long, and how much of it is in dispute or under a plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bahal.foundation.rows import many

BANDS: tuple[tuple[str, int | None], ...] = (
    ("not_due", 0), ("to_30", 30), ("to_90", 90), ("to_180", 180), ("to_365", 365), ("to_730", 730), ("older", None),
)  # fmt: skip
"""Each band by its last day after the due date; the last has none. Two years are where s.56(2) ends enforcing."""


@dataclass(frozen=True, slots=True)
class Ageing:
    """One office: paise in each band in order of `BANDS`, surcharge and expenses apart, and how many owe."""

    office: int
    name: str
    name_hi: str
    connections: int
    bands: Sequence[int]
    surcharge_paise: int
    expenses_paise: int
    disputed_paise: int

    @property
    def total_paise(self) -> int:
        """All that is due."""
        return sum(self.bands) + self.surcharge_paise + self.expenses_paise


def arrears_ageing(*, day: date) -> list[Ageing]:
    """The arrears of every division on a day, from the postings."""
    limits = [limit for _, limit in BANDS if limit is not None]
    rows = many(_AGEING, day, limits, len(BANDS))
    return [
        Ageing(office, name, name_hi, connections, tuple(bands), surcharge, expenses, disputed)
        for office, name, name_hi, connections, bands, surcharge, expenses, disputed in rows
    ]


_AGEING = """
WITH place AS MATERIALIZED (
    SELECT c.id AS connection, d.id AS office, d.name, d.name_hi
    FROM network_connection c JOIN offices_office centre ON centre.id = c.centre
    JOIN offices_office sub ON sub.id = centre.parent_id JOIN offices_office d ON d.id = sub.parent_id
), owing AS MATERIALIZED (
    SELECT connection FROM ledger_balance WHERE due_paise <> 0
), owed AS MATERIALIZED (
    SELECT o.connection, o.owed_paise, width_bucket(%s::date - o.due_on, l.limits) AS band,
           EXISTS (SELECT FROM arrears_dispute x WHERE x.bill = o.bill AND x.closed_at IS NULL) AS disputed
    FROM arrears_outstanding(ARRAY(SELECT connection FROM owing)) o,
         (SELECT ARRAY(SELECT u + 1 FROM unnest(%s::integer[]) AS u ORDER BY u) AS limits) AS l
), other AS MATERIALIZED (
    SELECT p.connection, coalesce(sum(p.paise) FILTER (WHERE p.account = 'surcharge'), 0) AS surcharge,
           coalesce(sum(p.paise) FILTER (WHERE p.account = 'expenses'), 0) AS expenses
    FROM ledger_posting p JOIN owing USING (connection)
    WHERE p.account IN ('surcharge', 'expenses') GROUP BY 1
)
SELECT p.office, p.name, p.name_hi,
       (SELECT count(*) FROM owing JOIN place q USING (connection) WHERE q.office = p.office),
       (SELECT array_agg(coalesce(s.paise, 0)::bigint ORDER BY b.band) FROM generate_series(0, %s - 1) AS b (band)
        LEFT JOIN (SELECT o.band, sum(o.owed_paise) AS paise FROM owed o JOIN place q USING (connection)
                   WHERE q.office = p.office GROUP BY 1) AS s USING (band)),
       (SELECT coalesce(sum(x.surcharge), 0)::bigint FROM other x JOIN place q USING (connection)
        WHERE q.office = p.office),
       (SELECT coalesce(sum(x.expenses), 0)::bigint FROM other x JOIN place q USING (connection)
        WHERE q.office = p.office),
       (SELECT coalesce(sum(o.owed_paise), 0)::bigint FROM owed o JOIN place q USING (connection)
        WHERE q.office = p.office AND o.disputed)
FROM (SELECT DISTINCT office, name, name_hi FROM place) AS p ORDER BY p.name
"""
