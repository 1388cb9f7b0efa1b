"""What a connection owes and what it has paid in advance."""

from collections.abc import Iterable, Mapping
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
