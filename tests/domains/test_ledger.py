"""Double entry: balanced by our own check and by the database, derived balances, nothing posted twice."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.db import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.ledger.errors import ReferencePosted, Unbalanced
from bahal.domains.ledger.operations import Entry, Line, post, post_many
from bahal.domains.ledger.queries import Balance, advances, balance
from bahal.foundation.rows import value
from bahal.foundation.transactions import transaction
from tests.plugin.databases import Database

AT = datetime(2025, 11, 24, tzinfo=UTC)


def post_one(reference: str, *lines: Line) -> int:
    with transaction():
        return post(kind="opening", reference=reference, lines=lines, at=AT, business_at=AT)


def test_a_balance_is_what_its_postings_sum_to(database: Database) -> None:
    post_one("a", Line("receivable", 700, 1), Line("revenue", -700))
    post_one("b", Line("cash", 900), Line("receivable", -700, 1), Line("advance", -200, 1))
    assert balance(connection=1) == Balance(0, 200)
    assert balance(connection=2) == Balance(0, 0)
    assert advances(connections=[1, 2]) == {1: 200}


@pytest.mark.parametrize(
    "lines",
    [
        [Line("cash", 1)],
        [Line("cash", 1), Line("revenue", -2)],
        [Line("cash", 0), Line("revenue", 0)],
        [],
    ],
)
def test_what_does_not_balance_is_refused(database: Database, lines: list[Line]) -> None:
    with pytest.raises(Unbalanced), transaction():
        post(kind="opening", reference="x", lines=lines, at=AT, business_at=AT)
    with pytest.raises(Unbalanced), transaction():
        post_many([Entry("opening", "x", lines)], at=AT, business_at=AT)


def test_an_act_is_posted_once(database: Database) -> None:
    lines = (Line("receivable", 1, 1), Line("revenue", -1))
    post_one("a", *lines)
    with pytest.raises(ReferencePosted):
        post_one("a", *lines)
    with pytest.raises(ReferencePosted), transaction():
        post_many([Entry("opening", "b", lines), Entry("opening", "a", lines)], at=AT, business_at=AT)
    assert value("SELECT count(*) FROM ledger_transaction") == 1


def test_the_database_balances_whoever_writes(database: Database) -> None:
    with database.connect("app", autocommit=False) as app:
        app.execute(
            "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
            " VALUES ('opening', 'x', now(), now()) RETURNING id)"
            " INSERT INTO ledger_posting (transaction, account, paise) SELECT id, 'cash', 5 FROM act"
        )
        with pytest.raises(psycopg.Error) as refused:
            app.commit()
        assert refused.value.sqlstate == "BH002"
    first = post_one("a", Line("receivable", 1, 1), Line("revenue", -1))
    with database.connect("app") as app, pytest.raises(psycopg.Error) as refused:
        app.execute("INSERT INTO ledger_posting (transaction, account, paise) VALUES (%s, 'cash', 5)", [first])
    assert refused.value.sqlstate == "BH003"
    with pytest.raises(DatabaseError), transaction():
        post(
            kind="opening", reference="n", lines=[Line("receivable", 1), Line("cash", -1)], at=AT, business_at=AT
        )  # a receivable names its connection


amounts = st.integers(min_value=1, max_value=10**12)


@given(due=st.integers(min_value=-(10**6), max_value=10**12), paise=amounts)
def test_a_payment_splits_without_a_remainder(due: int, paise: int) -> None:
    """The rule of `take_payment`: settle what is due, hold the rest, and never settle more than was paid."""
    settled = min(max(due, 0), paise)
    lines = [Line("cash", paise), Line("receivable", -settled, 1), Line("advance", settled - paise, 1)]
    assert sum(line.paise for line in lines) == 0
    assert 0 <= settled <= paise
    assert (paise >= due) == (max(due, 0) - settled == 0)
