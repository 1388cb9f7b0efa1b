"""What a payment settles: the written order, no paisa lost, and the database agrees."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bahal.domains.billing.operations import NewBill, post_bills
from bahal.domains.ledger.operations import Line, post
from bahal.domains.payments.allocation import Due, Share, allocate
from bahal.domains.payments.queries import open_dues
from bahal.foundation.rows import next_ids, one
from bahal.foundation.transactions import transaction
from tests.plugin.databases import Database

AT = datetime(2025, 11, 24, tzinfo=UTC)

DUES = [Due("receivable", 7, 500), Due("receivable", 9, 400), Due("surcharge", None, 30), Due("expenses", None, 200)]


@pytest.mark.parametrize(
    ("paise", "shares"),
    [
        (10, [("surcharge", None, 10)]),
        (30, [("surcharge", None, 30)]),
        (230, [("surcharge", None, 30), ("expenses", None, 200)]),
        (700, [("surcharge", None, 30), ("expenses", None, 200), ("receivable", 7, 470)]),
        (731, [("surcharge", None, 30), ("expenses", None, 200), ("receivable", 7, 500), ("receivable", 9, 1)]),
        (
            1_135,
            [
                ("surcharge", None, 30),
                ("expenses", None, 200),
                ("receivable", 7, 500),
                ("receivable", 9, 400),
                ("advance", None, 5),
            ],
        ),
    ],
)
def test_surcharge_then_expenses_then_the_oldest_bill(paise: int, shares: list[tuple[object, ...]]) -> None:
    assert allocate(paise, DUES) == shares


def test_the_order_is_given() -> None:
    assert allocate(600, DUES, order=("receivable", "expenses", "surcharge")) == [
        ("receivable", 7, 500),
        ("receivable", 9, 100),
    ]


def test_a_credit_is_spent_first() -> None:
    dues = [Due("surcharge", None, -50), Due("receivable", 1, 120)]
    assert allocate(70, dues) == [Share("surcharge", None, -50), Share("receivable", 1, 120)]


accounts = st.sampled_from(("receivable", "surcharge", "expenses"))
open_now = st.lists(
    st.builds(Due, accounts, st.none() | st.integers(1, 9), st.integers(-500, 1_000).filter(bool)), max_size=8
)


@given(st.integers(1, 3_000), open_now)
def test_shares_sum_to_the_payment_and_settle_no_due_twice(paise: int, dues: list[Due]) -> None:
    shares = allocate(paise, dues)
    assert sum(share.paise for share in shares) == paise
    assert all(share.paise for share in shares)
    settled = sum(share.paise for share in shares if share.account != "advance" and share.paise > 0)
    owed = sum(due.paise for due in dues if due.paise > 0)
    spent = paise - sum(due.paise for due in dues if due.paise < 0)
    assert settled == min(owed, spent)


Posted = tuple[str, int | None, int]
"""Account, which bill (None: of no bill), paise."""

posted = st.lists(
    st.tuples(accounts, st.none() | st.integers(0, 3), st.integers(-900, 900).filter(bool)), min_size=1, max_size=12
)


def netted(lines: Sequence[Posted], bills: Sequence[int]) -> dict[tuple[str, int | None], int]:
    """What is open, reckoned the long way: credits of no bill pay the oldest bill, paisa by paisa of the order."""
    stands: dict[tuple[str, int | None], int] = {}
    for account, nth, paise in lines:
        key = (account, None if nth is None or account != "receivable" else bills[nth])
        stands[key] = stands.get(key, 0) + paise
    credit = -sum(paise for (account, _), paise in stands.items() if account == "receivable" and paise < 0)
    left: dict[tuple[str, int | None], int] = {}
    for bill in (None, *bills):
        paise = stands.get(("receivable", bill), 0)
        if paise > 0:
            used = min(credit, paise)
            credit -= used
            left["receivable", bill] = paise - used
    if credit:
        left["receivable", None] = left.get(("receivable", None), 0) - credit
    left |= {key: paise for key, paise in stands.items() if key[0] != "receivable"}
    return {key: paise for key, paise in left.items() if paise}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posted, st.integers(1, 3_000), st.permutations(("surcharge", "expenses", "receivable")))
def test_the_database_finds_and_divides_the_same(
    database: Database, lines: list[Posted], paise: int, order: list[str]
) -> None:
    with transaction():
        connection = next_ids("ledger_transaction", 1)[0]
        # Issued in the other order than they are numbered: the oldest is the one issued first.
        bills = post_bills(
            [
                NewBill(
                    connection, f"{connection}-{n}", date(2025, 6, 1), date(2025, 9, 9 - n), date(2025, 9, 30), 1, 1
                )
                for n in range(4)
            ]
        )[::-1]
        for n, (account, nth, amount) in enumerate(lines):
            bill = bills[nth] if nth is not None and account == "receivable" else None
            sides = [Line(account, amount, connection, bill), Line("revenue", -amount)]
            post(kind="opening", reference=f"{connection}-{n}", lines=sides, at=AT, business_at=AT)
    found = open_dues(connection=connection)
    assert {(due.account, due.bill): due.paise for due in found} == netted(lines, bills)
    places = [bills.index(due.bill) for due in found if due.bill is not None]
    assert places == sorted(places)
    accounts, bills, sums, remains, kept = one(  # type: ignore[misc]  # one row always
        "SELECT accounts, bills, sums, remains, kept FROM payment_shares(%s, %s, %s)", connection, paise, order
    )
    shares = list(zip(accounts, bills, sums, strict=True))
    wanted = allocate(paise, found, order=order)
    assert sorted(shares, key=repr) == sorted(map(tuple, wanted), key=repr)
    assert [each for each in shares if each[2] > 0] == [each for each in wanted if each.paise > 0]
    assert kept == sum(share.paise for share in wanted if share.account == "advance")
    owed = sum(due.paise for due in found if due.paise > 0)
    assert remains == owed - sum(share.paise for share in wanted if share.paise > 0 and share.account != "advance")
