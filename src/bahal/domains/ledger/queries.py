"""What a connection owes and what it has paid in advance."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from bahal.foundation.rows import many, one


class Balance(NamedTuple):
    """Positive `due_paise` is owed by the consumer; positive `advance_paise` is his money held."""

    due_paise: int
    advance_paise: int


def balance(*, connection: int) -> Balance:
    """The balance of one connection, derived from its postings."""
    row = one(
        "SELECT (SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting"
        " WHERE account IN ('receivable', 'surcharge', 'expenses') AND connection = %s),"
        " (SELECT -coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'advance' AND connection = %s)",
        connection,
        connection,
    )
    assert row is not None
    return Balance(*row)


def advances(*, connections: Iterable[int]) -> Mapping[int, int]:
    """The paise held in advance for each connection that has any."""
    return dict(
        many(
            "SELECT connection, -sum(paise)::bigint FROM ledger_posting"
            " WHERE account = 'advance' AND connection = ANY(%s::bigint[])"
            " GROUP BY connection HAVING sum(paise) <> 0",
            list(connections),
        )
    )


def dues(*, connection: int) -> Mapping[str, int]:
    """What a connection owes in each account of its due: energy first, then surcharge, then expenses."""
    rows: dict[str, int] = dict(
        many(
            "SELECT account, sum(paise)::bigint FROM ledger_posting"
            " WHERE account IN ('receivable', 'surcharge', 'expenses') AND connection = %s GROUP BY account",
            connection,
        )
    )
    return {account: rows[account] for account in ("receivable", "surcharge", "expenses") if rows.get(account, 0) > 0}


def held(*, connection: int) -> Mapping[str, int]:
    """The connection's money that is held: positive paise by account (advance, deposit, protest, refund)."""
    return dict(
        many(
            "SELECT account, -sum(paise)::bigint FROM ledger_posting WHERE account IN ('advance', 'deposit', 'protest',"
            " 'refund') AND connection = %s GROUP BY account HAVING sum(paise) <> 0",
            connection,
        )
    )


def received_between(*, connection: int, since: datetime, until: datetime) -> int:
    """The paise that a consumer paid for electricity within `[since, until)`; returned cheques do not count."""
    return sum(paise for moment, paise in received_since(connection=connection, business_at=since) if moment < until)


def received_since(*, connection: int, business_at: datetime) -> list[tuple[datetime, int]]:
    """The consumer's money that came in after an instant, into dues and advance: business instant and paise.

    What was taken back since, such as a returned cheque, is there with a minus at the instant of its receipt.
    """
    return many(
        "SELECT coalesce(o.business_at, t.business_at), -sum(p.paise)::bigint"
        " FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction"
        " LEFT JOIN ledger_transaction o ON t.kind = 'reversal' AND o.kind = 'payment' AND o.reference = t.reference"
        " WHERE p.account IN ('receivable', 'surcharge', 'expenses', 'advance') AND p.connection = %s"
        " AND t.kind IN ('payment', 'reversal') GROUP BY t.id, o.id"
        " HAVING coalesce(o.business_at, t.business_at) > %s ORDER BY 1",
        connection,
        business_at,
    )


def lines_of(*, kind: str, reference: str) -> list[tuple[str, int, int | None, int | None]]:
    """The postings of one act of money, in order: account, paise, connection, bill."""
    return many(
        "SELECT p.account, p.paise, p.connection, p.bill FROM ledger_posting p"
        " JOIN ledger_transaction t ON t.id = p.transaction WHERE t.kind = %s AND t.reference = %s ORDER BY p.id",
        kind,
        reference,
    )


def acts_of(*, kind: str, references: Iterable[str]) -> set[str]:
    """Those of the references under which an act of this kind is posted."""
    rows = many(
        "SELECT reference FROM ledger_transaction WHERE kind = %s AND reference = ANY(%s::text[])",
        kind,
        list(references),
    )
    return {row[0] for row in rows}


def deposits_through(*, since: date, until: date) -> Mapping[int, list[tuple[date, int]]]:
    """The deposit of each connection that held one on a day of `[since, until)`: days on which it became so many paise,
    the first not before `since`. Days are India's."""
    rows = many(
        "SELECT connection, day, -sum(paise) OVER (PARTITION BY connection ORDER BY day)::bigint FROM ("
        "  SELECT p.connection, greatest(%s, (t.business_at AT TIME ZONE 'Asia/Kolkata')::date) AS day,"
        "         sum(p.paise)::bigint AS paise"
        "  FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction"
        "  WHERE p.account = 'deposit' AND (t.business_at AT TIME ZONE 'Asia/Kolkata')::date < %s GROUP BY 1, 2"
        ") AS changed ORDER BY connection, day",
        since,
        until,
    )
    found: dict[int, list[tuple[date, int]]] = {}
    for connection, day, paise in rows:
        found.setdefault(connection, []).append((day, paise))
    return found


class Before(NamedTuple):
    """How an account stood just before a bill was posted: dues by account, and the advance, in paise."""

    dues: Mapping[str, int]
    advance_paise: int


def before_bills(*, bills: Mapping[int, int]) -> Mapping[int, Before]:
    """How the connection of each bill (bill: connection) stood before the act of money that posted it."""
    rows = many(
        "SELECT w.bill, p.account, sum(p.paise)::bigint FROM unnest(%s::bigint[], %s::bigint[]) AS w (bill, connection)"
        " LEFT JOIN LATERAL (SELECT min(f.transaction) AS act FROM ledger_posting f WHERE f.account = 'receivable'"
        "   AND f.connection = w.connection AND f.bill = w.bill AND f.paise > 0) AS posted ON true"
        " JOIN ledger_posting p ON p.connection = w.connection AND p.transaction < posted.act"
        " AND p.account IN ('receivable', 'surcharge', 'expenses', 'advance')"
        " GROUP BY w.bill, p.account HAVING sum(p.paise) <> 0",
        list(bills),
        list(bills.values()),
    )
    found: dict[int, dict[str, int]] = {bill: {} for bill in bills}
    for bill, account, paise in rows:
        found[bill][account] = paise
    return {
        bill: Before({a: p for a, p in accounts.items() if a != "advance" and p > 0}, -accounts.get("advance", 0))
        for bill, accounts in found.items()
    }


def balance_after(*, connection: int, kind: str, reference: str) -> Balance:
    """How an account stood after an act of money; as it stands now where there is no such act."""
    row = one(
        "SELECT coalesce(sum(p.paise) FILTER (WHERE p.account <> 'advance'), 0)::bigint,"
        " -coalesce(sum(p.paise) FILTER (WHERE p.account = 'advance'), 0)::bigint FROM ledger_posting p"
        " WHERE p.connection = %s AND p.account IN ('receivable', 'surcharge', 'expenses', 'advance')"
        " AND p.transaction <= coalesce((SELECT id FROM ledger_transaction WHERE kind = %s AND reference = %s),"
        " p.transaction)",
        connection,
        kind,
        reference,
    )
    assert row is not None
    return Balance(*row)


def advances_through(*, periods: Mapping[int, tuple[date, date]]) -> Mapping[int, int]:
    """The paise that each connection held in advance on every day of its period `[since, until)`; days are India's."""
    rows = many(
        "WITH daily AS ("
        "  SELECT w.connection, w.since, (t.business_at AT TIME ZONE 'Asia/Kolkata')::date AS day,"
        "         -sum(p.paise)::bigint AS paise"
        "  FROM unnest(%s::bigint[], %s::date[], %s::date[]) AS w (connection, since, until)"
        "  JOIN ledger_posting p ON p.connection = w.connection AND p.account = 'advance'"
        "  JOIN ledger_transaction t ON t.id = p.transaction"
        "  WHERE (t.business_at AT TIME ZONE 'Asia/Kolkata')::date < w.until GROUP BY 1, 2, 3"
        "), levels AS ("
        "  SELECT connection, since, day, sum(paise) OVER (PARTITION BY connection ORDER BY day)::bigint AS level"
        "  FROM daily"
        ")"
        " SELECT connection, least("
        "   coalesce((array_agg(level ORDER BY day DESC) FILTER (WHERE day < since))[1], 0),"
        "   min(level) FILTER (WHERE day >= since))"
        " FROM levels GROUP BY connection",
        list(periods),
        [since for since, _ in periods.values()],
        [until for _, until in periods.values()],
    )
    return {connection: paise for connection, paise in rows if paise > 0}
