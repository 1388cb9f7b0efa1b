"""What a connection may be cut for: the part of its balance that lies on ripe bills named in a served notice."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from tests import notices

TEN_ON_MONDAY = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
CONNECTION = 2_201_000_001


@dataclass(frozen=True)
class Bill:
    """A bill of so many rupees, issued so many days before the Monday."""

    rupees: int
    days_ago: int
    noticed: bool = False
    estimated: bool = False
    disputed: bool = False
    supplementary: bool = False


def enforceable_rupees(app: psycopg.Connection, bills: list[Bill], *, paid: int) -> int:
    """Post the bills and one payment, serve a notice over the noticed ones, and ask."""
    monday = date(2025, 11, 24)
    notice = notices.serve(
        app, CONNECTION, bills=[], issued_on=monday - timedelta(days=25), served_on=monday - timedelta(days=20)
    )
    for n, bill in enumerate(bills):
        issued = monday - timedelta(days=bill.days_ago)
        row = app.execute(
            "INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,"
            " disputed, supplementary) VALUES (%s, %s, %s, %s, %s, 0, %s, %s, %s, %s) RETURNING id",
            [CONNECTION, f"b{n}", issued.replace(day=1), issued, issued + timedelta(days=15), bill.rupees * 100,
             bill.estimated, bill.disputed, bill.supplementary],
        ).fetchone()  # fmt: skip
        assert row is not None
        post(app, "bill", f"b{n}", "revenue", bill.rupees * 100)
        if bill.noticed:
            app.execute("INSERT INTO notices_noticedbill (notice, bill) VALUES (%s, %s)", [notice, row[0]])
    if paid:
        post(app, "payment", "p", "cash", -paid * 100)
    facts = app.execute(
        "SELECT balance_paise, enforceable_paise FROM authority_facts(%s, %s)", [[CONNECTION], TEN_ON_MONDAY]
    ).fetchone()
    assert facts is not None
    assert facts[0] == (sum(bill.rupees for bill in bills) - paid) * 100
    return int(facts[1]) // 100


def post(app: psycopg.Connection, kind: str, reference: str, other: str, paise: int) -> None:
    app.execute(
        "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
        " VALUES (%s, %s, now(), now()) RETURNING id)"
        " INSERT INTO ledger_posting (transaction, account, connection, paise)"
        " SELECT act.id, l.account, l.connection, l.paise FROM act,"
        " (VALUES ('receivable', %s::bigint, %s::bigint), (%s, NULL, -%s)) AS l (account, connection, paise)",
        [kind, reference, CONNECTION, paise, other, paise],
    )


@pytest.mark.parametrize(
    ("bills", "paid", "expected"),
    [
        pytest.param([Bill(6000, 50, noticed=True)], 0, 6000, id="all of it"),
        pytest.param([Bill(6000, 50, noticed=True)], 1500, 4500, id="less what was paid"),
        pytest.param([Bill(6000, 50)], 0, 0, id="no notice, no cut"),
        pytest.param([Bill(800, 200 - 30 * n) for n in range(4)] + [Bill(6000, 50, noticed=True)], 3200, 6000,
                     id="older bills that were paid take nothing off"),
        pytest.param([Bill(800, 200), Bill(6000, 50, noticed=True)], 300, 6000,
                     id="what is still owed on an older bill is not the noticed bill's"),
        pytest.param([Bill(6000, 50, noticed=True), Bill(900, 18)], 0, 6000, id="a bill after the notice waits"),
        pytest.param([Bill(6000, 50, noticed=True), Bill(900, 18)], 6000, 0, id="the noticed bill was paid"),
        pytest.param([Bill(6000, 50, noticed=True), Bill(900, 18)], 2000, 4000, id="a payment settles the older bill"),
        pytest.param([Bill(4000, 80, disputed=True), Bill(6000, 50, noticed=True)], 0, 6000, id="a disputed one apart"),
        pytest.param([Bill(4000, 80, disputed=True), Bill(6000, 50, noticed=True)], 4000, 2000,
                     id="a payment beside a dispute counts for the undisputed bill"),
        pytest.param([Bill(4000, 80, supplementary=True), Bill(6000, 50, noticed=True)], 5000, 1000,
                     id="and beside a late supplementary demand"),
        pytest.param([Bill(4000, 80, noticed=True, disputed=True)], 0, 0, id="a disputed bill in a notice"),
        pytest.param([Bill(4000, 80, noticed=True, estimated=True), Bill(1200, 50, noticed=True)], 0, 1200,
                     id="an estimated reading blocks its own bill"),
        pytest.param([Bill(9000, 800, noticed=True), Bill(1200, 50, noticed=True)], 0, 1200, id="older than two years"),
        pytest.param([Bill(6000, 36, noticed=True)], 7000, 0, id="in advance"),
    ],
)  # fmt: skip
def test_what_may_be_cut_for(database, bills, paid, expected):
    with database.connect("owner") as owner, database.connect("app") as app:
        owner.execute(
            "INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,"
            " last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source,"
            " verified, accepted_by, accepted_at)"
            " VALUES ('test', '2020-01-01', 500000, 15, 3, 3, '10:00', '14:00', 24, 0, 'test', false, 'se', now())"
        )
        assert enforceable_rupees(app, bills, paid=paid) == expected
