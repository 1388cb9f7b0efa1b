"""Light that came later than promised: one row a restore, and what it costs the company period by period."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.foundation.rows import columns, many, run
from bahal.foundation.transactions import transaction_required


class NewLate(NamedTuple):
    """A promise that was broken, and what the restore waited for when it was."""

    order_id: int
    connection: int
    receipt: str
    money_at: datetime
    promised_at: datetime
    rules: str
    cause: str
    task: int | None


class Late(NamedTuple):
    """A late light as it stands. `paise` is posted to the consumer's account, for `periods`."""

    order: int
    connection: int
    receipt: str
    money_at: datetime
    promised_at: datetime
    cause: str
    task: int | None
    lit_at: datetime | None
    periods: int
    paise: int
    settled_at: datetime | None


_LATE = "order_id, connection, receipt, money_at, promised_at, cause, task, lit_at, periods, paise, settled_at"


def periods_begun(*, promised_at: datetime, until: datetime, period_minutes: int, at_most: int) -> int:
    """How many periods of compensation have begun between the promise and an instant; never more than `at_most`."""
    over = until - promised_at
    if over <= timedelta(0):
        return 0
    return min(at_most, -(-over // timedelta(minutes=period_minutes)))


@transaction_required
def note_late(rows: Sequence[NewLate], *, at: datetime) -> set[int]:
    """Note late lights, one a restore for ever; the orders of those that are new."""
    made = many(
        "INSERT INTO supply_late (order_id, connection, receipt, money_at, promised_at, rules, cause, task, noticed_at)"
        " SELECT l.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[],"
        " %s::text[], %s::text[], %s::bigint[]) AS l ON CONFLICT DO NOTHING RETURNING order_id",
        at,
        *columns(rows),
    )
    return {row[0] for row in made}


def unsettled() -> list[tuple[int, int]]:
    """Order and connection of every late light that is not settled."""
    return many("SELECT order_id, connection FROM supply_late WHERE settled_at IS NULL ORDER BY order_id")


@transaction_required
def late_locked(*, orders: Sequence[int]) -> list[tuple[Late, datetime | None]]:
    """Late lights that are not settled, locked, each with when its supply was back, if it is."""
    names = ", ".join(f"l.{name}" for name in _LATE.split(", "))
    rows = many(
        f"SELECT {names}, coalesce(l.lit_at, supply_lit(o)) FROM supply_late l JOIN supply_order o ON o.id = l.order_id"  # noqa: S608
        " WHERE l.order_id = ANY(%s::bigint[]) AND l.settled_at IS NULL ORDER BY l.order_id FOR UPDATE OF l",
        list(orders),
    )
    return [(Late(*row[:-1]), row[-1]) for row in rows]


@transaction_required
def count_on(late: Late, *, lit_at: datetime | None, periods: int, paise: int, settled_at: datetime | None) -> None:
    """Write how far a locked late light is compensated, and when it was lit."""
    run(
        "UPDATE supply_late SET lit_at = %s, periods = %s, paise = %s, settled_at = %s WHERE order_id = %s",
        lit_at,
        periods,
        paise,
        settled_at,
        late.order,
    )


def lates(*, open_only: bool, limit: int = 500) -> list[Late]:
    """Late lights, the latest first."""
    rows = many(
        f"SELECT {_LATE} FROM supply_late WHERE NOT %s OR lit_at IS NULL ORDER BY promised_at DESC, order_id LIMIT %s",  # noqa: S608
        open_only,
        limit,
    )
    return [Late(*row) for row in rows]


def late_of(*, orders: Sequence[int]) -> dict[int, Late]:
    """The late lights among restores, by order."""
    rows = many(f"SELECT {_LATE} FROM supply_late WHERE order_id = ANY(%s::bigint[])", list(orders))  # noqa: S608
    return {row[0]: Late(*row) for row in rows}
