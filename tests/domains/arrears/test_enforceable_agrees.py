"""What may be enforced by a cut, derived twice: by the rule in Python and by the interlock's own SQL; both agree."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bahal.domains.arrears.rules.enforceable import BillFacts, clear, enforceable
from tests import notices
from tests.plugin.databases import Database

DAY = date(2025, 11, 24)
TEN = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
CLEAR_DAYS = 15
STALE_AFTER = 24


@dataclass(frozen=True)
class History:
    """Bills of one connection, the days on which notices were issued and served over some of them, and a payment."""

    bills: list[BillFacts]
    open_disputes: frozenset[int]
    notices: list[tuple[date, date | None, frozenset[int]]]
    credit: int


before = st.integers(0, 900).map(lambda back: DAY - timedelta(days=back))


@st.composite
def histories(draw: st.DrawFn) -> History:
    bills = []
    for nth in range(draw(st.integers(0, 6))):
        issued = draw(before)
        bills.append(
            BillFacts(
                nth,
                draw(st.integers(1, 9_000_00)),
                issued,
                issued + timedelta(days=draw(st.integers(1, 40))),
                estimated=draw(st.integers(0, 9)) == 0,
                disputed=draw(st.integers(0, 9)) == 0,
                supplementary=draw(st.integers(0, 9)) == 0,
            )
        )
    chosen = st.frozensets(st.integers(0, max(0, len(bills) - 1)))
    notices = []
    for _ in range(draw(st.integers(0, 3)) if bills else 0):
        issued = draw(before)
        served = draw(st.none() | st.integers(0, 30).map(lambda on, start=issued: start + timedelta(days=on)))
        notices.append((issued, served, draw(chosen)))
    disputes = draw(chosen) if bills and draw(st.integers(0, 3)) == 0 else frozenset()
    return History(bills, disputes, notices, draw(st.integers(0, sum(bill.paise for bill in bills) + 1_000_00)))


def test_the_rule_and_the_interlock_agree_on_random_histories(database: Database) -> None:
    numbers = count(2_300_000_001)
    with database.connect("owner") as owner, database.connect("app") as app:
        owner.execute(
            "INSERT INTO arrears_policy (version, effective_from, minimum_paise, notice_clear_days, reminders,"
            " last_reminder_within_days, window_from, window_to, stale_after_months, reconnection_paise, source,"
            " verified, accepted_by, accepted_at)"
            " VALUES ('t', '2020-01-01', 500000, %s, 3, 3, '10:00', '14:00', %s, 0, 'test', false, 'se', now())",
            [CLEAR_DAYS, STALE_AFTER],
        )

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(histories(), min_size=1, max_size=5))
        def agree(drawn: list[History]) -> None:
            asked = {next(numbers): history for history in drawn}
            expected = {number: _laid(app, number, history) for number, history in asked.items()}
            rows = app.execute(
                "SELECT connection, enforceable_paise FROM authority_facts(%s, %s)", [list(asked), TEN]
            ).fetchall()
            assert dict(rows) == expected

        agree()


def _laid(app, number: int, history: History) -> int:
    """Write a history into the database; what the rule says of it."""
    ids = {}
    for bill in history.bills:
        (ids[bill.id],) = app.execute(
            "INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated,"
            " disputed, supplementary) VALUES (%s, %s, %s, %s, %s, 0, %s, %s, %s, %s) RETURNING id",
            [number, f"{number}-{bill.id}", bill.issued_on.replace(day=1), bill.issued_on, bill.due_on, bill.paise,
             bill.estimated, bill.disputed, bill.supplementary],
        ).fetchone()  # fmt: skip
        _posted(app, "bill", f"{number}-{bill.id}", number, bill.paise, "revenue")
    if history.credit:
        _posted(app, "payment", f"P{number}", number, -history.credit, "cash")
    for bill_id in history.open_disputes & ids.keys():
        app.execute(
            "INSERT INTO arrears_dispute (connection, bill, reason, raised_by, raised_at)"
            " VALUES (%s, %s, 'meter too fast', 'test', now())",
            [number, ids[bill_id]],
        )
    noticed: dict[int, date] = {}
    for issued, served, named in history.notices:
        over = [ids[bill_id] for bill_id in named & ids.keys()]
        notices.serve(app, number, bills=over, issued_on=issued, served_on=served)
        for bill_id in named & ids.keys():
            if served is not None and clear(served_on=served, day=DAY, clear_days=CLEAR_DAYS):
                noticed[bill_id] = max(issued, noticed.get(bill_id, issued))
    facts = [
        replace(
            bill,
            id=ids[bill.id],
            noticed_on=noticed.get(bill.id),
            disputed=bill.disputed or bill.id in history.open_disputes,
        )
        for bill in history.bills
    ]
    balance = sum(bill.paise for bill in history.bills) - history.credit
    return enforceable(facts, balance_paise=balance, day=DAY, stale_after_months=STALE_AFTER).paise


def _posted(app, kind: str, reference: str, number: int, paise: int, other: str) -> None:
    app.execute(
        "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
        " VALUES (%s, %s, now(), now()) RETURNING id)"
        " INSERT INTO ledger_posting (transaction, account, connection, paise)"
        " SELECT act.id, l.account, l.connection, l.paise FROM act,"
        " (VALUES ('receivable', %s::bigint, %s::bigint), (%s, NULL, -%s)) AS l (account, connection, paise)",
        [kind, reference, number, paise, other, paise],
    )
