"""A cashier's desk: his open day with what it took, or where he can open one; and whom his search means."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bahal.domains.payments.queries import Day, Taking, takings_of
from bahal.foundation.rows import many, one
from bahal.journeys.find_consumer import Found, find_consumer


@dataclass(frozen=True, slots=True)
class Desk:
    """`counter` is where his day is open. Without one, `counters` are those of his circle that nobody has open."""

    day: Day | None
    counter: str
    takings: Sequence[Taking]
    counters: Sequence[tuple[str, str, str]]
    found: Sequence[Found]


def counter_desk(*, cashier: str, circles: Collection[int], text: str = "") -> Desk:
    """The desk of a cashier, and the consumers of his circles whom a text may mean.

    As `find_consumer`.
    """
    row = one(
        "SELECT d.id, d.counter, d.cashier, d.business_on, d.opened_at, d.opening_paise, c.code FROM payments_day d"
        " JOIN payments_counter c ON c.id = d.counter WHERE d.cashier = %s AND d.closed_at IS NULL"
        " ORDER BY d.id DESC LIMIT 1",
        cashier,
    )
    day = None if row is None else Day(*row[:-1])
    return Desk(
        day=day,
        counter="" if row is None else row[-1],
        takings=[] if day is None else takings_of(day=day.id),
        counters=[] if day is not None else free_counters(circles=circles),
        found=find_consumer(text, circles=circles) if text.strip() else [],
    )


def free_counters(*, circles: Collection[int]) -> list[tuple[str, str, str]]:
    """Code, and name of the office in both languages, of each counter of the circles at which no day is open."""
    return many(
        "WITH RECURSIVE under AS (SELECT id FROM offices_office WHERE id = ANY(%s::integer[]) UNION ALL"
        " SELECT o.id FROM offices_office o JOIN under u ON o.parent_id = u.id)"
        " SELECT c.code, o.name, o.name_hi FROM payments_counter c JOIN under u ON u.id = c.office"
        " JOIN offices_office o ON o.id = c.office WHERE NOT EXISTS"
        " (SELECT FROM payments_day d WHERE d.counter = c.id AND d.closed_at IS NULL) ORDER BY c.code",
        list(circles),
    )
