"""The cash counter: receipts without gaps, a day that closes to the paisa, and what it takes two people to undo."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import connection as django_connection
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.ledger.queries import balance
from bahal.domains.payments.counting import VALUES, read_count, total
from bahal.domains.payments.errors import (
    ChequeEnded,
    ChequeMalformed,
    ChequeTaken,
    ConsumerNumberWrong,
    CounterTaken,
    CounterUnknown,
    CountWrong,
    DayNotOpen,
    DayOpenAlready,
    MayNotDecide,
    NothingToPayBack,
    NotOfACounter,
    NotToPayOut,
    PaymentMalformed,
    ProposalDecided,
    ReasonNotGiven,
    ReceiptCancelled,
    ReceiptUnknown,
    SamePerson,
    VarianceUnexplained,
)
from bahal.domains.payments.operations import Cheque
from bahal.domains.supply.queries import find_order
from bahal.foundation.rows import many, value
from bahal.journeys import keep_counter
from bahal.journeys.decide_proposal import decide_proposal, pay_out, propose_refund
from bahal.journeys.find_consumer import find_consumer
from bahal.journeys.show_receipt import show_receipt
from bahal.journeys.take_payment import Taken, take_payment
from bahal.journeys.undo_receipt import bounce_cheque, clear_cheque, propose_cancelling
from bahal.shared.errors import Refusal
from bahal.shared.locks import ConnectionUnknown
from tests.journeys import interlock, town
from tests.plugin.databases import Database

AT = datetime.now(UTC)
TIMES = {"at": AT, "business_at": town.TEN}
CHEQUE = Cheque("123456", "SBI Bilaspur", date(2025, 11, 20))
BOUNCE = 300_00


def open_counter(code: str = "BSP1", count: str = "500x2") -> None:
    keep_counter.add_counter(code=code, office=300, actor="ee", **TIMES)
    keep_counter.open_day(counter=code, cashier="cashier", count=count, **TIMES)


def take(
    connection: int,
    paise: int,
    *,
    by: str = "cash",
    cheque: Cheque | None = None,
    counter: str = "BSP1",
    business_at: datetime = town.TEN,
) -> Taken:
    return keep_counter.take_at_counter(
        counter=counter, cashier="cashier", key=str(uuid.uuid4()), connection=connection, paise=paise, instrument=by,
        cheque=cheque, business_at=business_at,
    )  # fmt: skip


def cancel(receipt: str, *, decider: str = "ee") -> None:
    proposal = propose_cancelling(receipt=receipt, reason="wrong consumer", actor="cashier", **TIMES)
    decide_proposal(proposal=proposal, accept=True, officer=decider, **TIMES)


def account(name: str) -> int:
    return int(value("SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = %s", name))


def test_receipts_of_a_counter_have_no_gap_whoever_fails(database: Database) -> None:
    place = town.found(connections=4, reminded=False)
    open_counter()

    def attempt(nth: int) -> str:
        try:
            if nth % 3 == 0:  # a cheque that was taken before: it fails after its number was drawn
                take(place.connections[nth % 4], 100_00, by="cheque", cheque=CHEQUE)
            return take(place.connections[nth % 4], 100_00 + nth).receipt
        except ChequeTaken:
            return ""
        finally:
            django_connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(attempt, range(36)))
    receipts = [row[0] for row in many("SELECT receipt FROM payments_payment ORDER BY receipt")]
    assert receipts == [f"BSP1/2025-26/{nth:06d}" for nth in range(1, len(receipts) + 1)]
    assert len(receipts) == 26  # 24 in cash, the cheque once, and the cash of who had it


def test_each_counter_and_each_financial_year_has_its_own_series(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    open_counter("BSP2")
    march, april = datetime(2026, 3, 31, 18, 29, tzinfo=UTC), datetime(2026, 3, 31, 18, 30, tzinfo=UTC)
    receipts = [
        take(first, 100).receipt,
        take(first, 100, counter="BSP2").receipt,
        take(first, 100, business_at=march).receipt,
        take(first, 100, business_at=april).receipt,
    ]
    assert receipts == ["BSP1/2025-26/000001", "BSP2/2025-26/000001", "BSP1/2025-26/000002", "BSP1/2026-27/000001"]


def test_a_day_opens_once_and_takes_money_of_its_cashier_only(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    with pytest.raises(CounterUnknown):
        keep_counter.open_day(counter="BSP1", cashier="cashier", count="0", **TIMES)
    keep_counter.add_counter(code="BSP1", office=300, actor="ee", **TIMES)
    for code in ("BSP1", "bsp", "", "TOOLONG99", "क"):
        with pytest.raises(CounterTaken):
            keep_counter.add_counter(code=code, office=300, actor="ee", **TIMES)
    with pytest.raises(DayNotOpen):
        take(first, 100)
    day = keep_counter.open_day(counter="BSP1", cashier="cashier", count="0", **TIMES)
    with pytest.raises(DayOpenAlready) as refused:
        keep_counter.open_day(counter="BSP1", cashier="ee", count="0", **TIMES)
    assert refused.value.data["cashier"] == "cashier"
    with pytest.raises(DayNotOpen):  # somebody else's day, named by its number
        take_payment(key="k", connection=first, paise=1, channel="counter", day=day, actor="ee", business_at=town.TEN)
    assert value("SELECT count(*) FROM payments_payment") == 0


def test_a_day_closes_to_the_paisa(database: Database) -> None:
    place = town.found(connections=3, reminded=False)
    open_counter(count="500x2,10x5")  # Rs 1,050
    take(place.connections[0], 1_500_50)
    take(place.connections[1], 700_00)
    wrong = take(place.connections[2], 999_00).receipt
    take(place.connections[1], 5_000_00, by="cheque", cheque=CHEQUE)
    take(place.connections[2], 250_00, by="card")
    cancel(wrong)
    count = "500x6,200x1,50x1,0.5x1"  # 1,050 + 1,500.50 + 700
    with pytest.raises(VarianceUnexplained) as refused:
        keep_counter.close_day(counter="BSP1", cashier="cashier", count="500x6", reason=" ", **TIMES)
    assert refused.value.data["variance_paise"] == -250_50
    sheet = keep_counter.close_day(counter="BSP1", cashier="cashier", count=count, reason="", **TIMES)
    assert (sheet.expected_paise, sheet.counted_paise, sheet.variance_paise) == (3_250_50, 3_250_50, 0)
    assert [tuple(each) for each in sheet.takings] == [
        ("card", 1, 250_00, 0, 0),
        ("cash", 2, 2_200_50, 1, 999_00),
        ("cheque", 1, 5_000_00, 0, 0),
    ]
    assert (account("cash"), account("cheque"), account("gateway")) == (2_200_50, 5_000_00, 250_00)
    with pytest.raises(DayNotOpen):
        keep_counter.close_day(counter="BSP1", cashier="cashier", count=count, reason="", **TIMES)
    with pytest.raises(DayNotOpen):
        take(place.connections[0], 100)


def test_a_shortage_is_explained_and_posted(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter(count="0")
    take(first, 1_000_00)
    close = (
        "UPDATE payments_day SET closed_at = now(), expected_paise = 100000, counted_paise = 50000,"
        " denominations = '{}', reason = ''"
    )
    with database.connect("app") as app, pytest.raises(psycopg.errors.CheckViolation):
        app.execute(close)
    sheet = keep_counter.close_day(
        counter="BSP1", cashier="cashier", count="500x1", reason="a note is missing", **TIMES
    )
    assert sheet.variance_paise == -500_00
    assert (account("cash"), account("suspense")) == (500_00, 500_00)
    with database.connect("app") as app, pytest.raises(psycopg.DatabaseError, match="is closed"):
        app.execute("UPDATE payments_day SET reason = 'none was missing'")


@pytest.mark.parametrize("count", ["500", "3x1", "500x1,500x2", "500x-1", "x", "500x1;100x1", "500x9999999", "-500x1"])
def test_a_count_names_what_there_is(count: str) -> None:
    with pytest.raises(CountWrong):
        read_count(count)


@given(st.dictionaries(st.sampled_from(VALUES), st.integers(0, 99_999)))
def test_a_count_reads_back(counted: dict[int, int]) -> None:
    text = ",".join(f"{value / 100:g}x{many}" for value, many in counted.items())
    assert read_count(text) == counted
    assert total(counted) == sum(value * many for value, many in counted.items())


def test_by_cheque_nobody_is_cut_but_the_light_waits_for_the_bank(database: Database) -> None:
    place = town.found(connections=2)
    first, second = place.connections
    place.drive()
    orders = dict(many("SELECT connection, id FROM supply_order"))
    interlock.lend(database)
    interlock.step(database, order=orders[first], states=("claimed", "sent", "confirmed"))
    open_counter()
    taken = take(first, town.DUE, by="cheque", cheque=CHEQUE)
    assert taken.order is None
    assert balance(connection=first).due_paise == 0
    assert take(first, 1_00).order is None  # a rupee in cash does not open the door for the cheque
    # The other one is not dark yet: the cheque stays his cut.
    assert take(second, town.DUE, by="draft", cheque=CHEQUE._replace(number="777777")).order is None
    assert find_order(order=orders[second]).state == "cancelled"

    order = clear_cheque(receipt=taken.receipt, actor="cashier", **TIMES)
    assert order is not None
    assert (find_order(order=order).kind, find_order(order=order).state) == ("restore", "authorised")
    assert (account("cheque"), account("bank")) == (town.DUE, town.DUE)
    with pytest.raises(ChequeEnded):
        clear_cheque(receipt=taken.receipt, actor="cashier", **TIMES)
    with pytest.raises(ChequeEnded):
        bounce_cheque(receipt=taken.receipt, reason="late", actor="cashier", **TIMES)


def test_a_bounced_cheque_opens_the_due_again_with_its_charge(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    taken = take(first, town.DUE + 500_00, by="cheque", cheque=CHEQUE)
    with pytest.raises(ReasonNotGiven):
        bounce_cheque(receipt=taken.receipt, reason="", actor="cashier", **TIMES)
    assert bounce_cheque(receipt=taken.receipt, reason="funds insufficient", actor="cashier", **TIMES) == BOUNCE
    assert balance(connection=first) == (town.DUE + BOUNCE, 0)
    assert (account("cheque"), account("expenses"), account("expenses_income")) == (0, BOUNCE, -BOUNCE)
    by_bill = dict(many("SELECT bill, sum(paise)::bigint FROM ledger_posting WHERE account = 'receivable' GROUP BY 1"))
    assert set(by_bill.values()) == {town.DUE // 2}
    with pytest.raises(ChequeEnded):
        bounce_cheque(receipt=taken.receipt, reason="again", actor="cashier", **TIMES)
    # The consumer may try the same cheque again, and pays the charge before his bills.
    again = take(first, BOUNCE + 100, by="cheque", cheque=CHEQUE)
    assert [tuple(each)[::2] for each in show_receipt(receipt=again.receipt).receipt.allocation] == [
        ("expenses", BOUNCE),
        ("receivable", 100),
    ]


def test_what_an_advance_had_paid_is_due_again(database: Database) -> None:
    """A cheque's advance settles the next bill; then the cheque comes back."""
    first = town.found(connections=1, reminded=False, due=0).connections[0]
    open_counter()
    taken = take(first, 1_000_00, by="cheque", cheque=CHEQUE)
    town.bill_and_notice([first], due=600_00)
    assert balance(connection=first) == (0, 400_00)
    take(first, 50_00)
    bounce_cheque(receipt=taken.receipt, reason="funds insufficient", actor="cashier", **TIMES)
    # 600 of bills, 300 of charge; the 50 in cash are his and settle what they can.
    assert balance(connection=first) == (600_00 + BOUNCE - 50_00, 0)
    assert value("SELECT sum(paise) FROM ledger_posting") == 0


@pytest.mark.parametrize(
    ("cheque", "field"),
    [
        (CHEQUE._replace(number="12345"), "number"),
        (CHEQUE._replace(number="१२३४५६"), "number"),
        (CHEQUE._replace(bank=" "), "bank"),
        (CHEQUE._replace(dated_on=date(2025, 11, 25)), "dated_on"),
        (CHEQUE._replace(dated_on=date(2025, 11, 24) - timedelta(days=93)), "dated_on"),
        (None, "number"),
    ],
)
def test_a_cheque_that_no_bank_would_take_is_refused(cheque: Cheque | None, field: str) -> None:
    with pytest.raises(ChequeMalformed) as refused:
        take_payment(
            key="k", connection=1, paise=1, channel="counter", instrument="cheque", cheque=cheque, actor="x",
            business_at=town.TEN,
        )  # fmt: skip
    assert refused.value.data["field"] == field


def test_money_comes_by_what_its_channel_carries() -> None:
    for channel, instrument in (("counter", "upi"), ("upi", "cash"), ("counter", "suspense"), ("card", "bank")):
        with pytest.raises(PaymentMalformed) as refused:
            take_payment(
                key="k", connection=1, paise=1, channel=channel, instrument=instrument, actor="x", business_at=town.TEN
            )
        assert refused.value.data["field"] == "instrument"


def test_two_people_cancel_a_receipt_and_it_is_good_for_nothing_more(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    taken = take_payment(
        key="mine", connection=first, paise=town.DUE, channel="counter", actor="cashier", business_at=town.TEN,
        day=value("SELECT id FROM payments_day"),
    )  # fmt: skip
    proposal = propose_cancelling(receipt=taken.receipt, reason="wrong consumer", actor="cashier", **TIMES)
    refusals: list[tuple[Callable[[], object], type[Refusal]]] = [
        (lambda: decide_proposal(proposal=proposal, accept=True, officer="cashier", **TIMES), MayNotDecide),
        (lambda: propose_cancelling(receipt=taken.receipt, reason="x", actor="ee", **TIMES), ProposalDecided),
    ]
    for act, refusal in refusals:
        with pytest.raises(refusal):
            act()
    decide_proposal(proposal=proposal, accept=True, officer="ee", **TIMES)
    assert balance(connection=first) == (town.DUE, 0)
    assert account("cash") == 0
    assert "CANCELLED" in show_receipt(receipt=taken.receipt).text("en")
    for again in (
        lambda: propose_cancelling(receipt=taken.receipt, reason="x", actor="cashier", **TIMES),
        lambda: bounce_cheque(receipt=taken.receipt, reason="x", actor="cashier", **TIMES),
        lambda: take_payment(
            key="mine", connection=first, paise=town.DUE, channel="counter", actor="cashier", business_at=town.TEN
        ),
    ):
        with pytest.raises(ReceiptCancelled) as refused:
            again()
        assert refused.value.data == {"receipt": taken.receipt}
    with pytest.raises(ProposalDecided):
        decide_proposal(proposal=proposal, accept=False, officer="se", **TIMES)


def test_the_maker_is_never_the_checker_even_by_hand(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    taken = take(first, 100)
    proposal = propose_cancelling(receipt=taken.receipt, reason="mine", actor="ee", **TIMES)
    with pytest.raises(SamePerson):
        decide_proposal(proposal=proposal, accept=True, officer="ee", **TIMES)
    with database.connect("app") as app:
        with pytest.raises(psycopg.errors.CheckViolation):
            app.execute("UPDATE payments_proposal SET decided_by = 'ee', decided_at = now(), accepted = true")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("UPDATE payments_proposal SET proposed_by = 'cashier'")
    assert balance(connection=first).due_paise == town.DUE - 100


def test_only_a_receipt_of_an_open_day_is_cancelled(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter(count="0")
    taken = take(first, 500_00)
    waiting = propose_cancelling(receipt=taken.receipt, reason="late", actor="cashier", **TIMES)
    online = take_payment(key="o", connection=first, paise=100, channel="upi", actor="x", business_at=town.TEN)
    keep_counter.close_day(counter="BSP1", cashier="cashier", count="500x1", reason="", **TIMES)
    for act in (
        lambda: decide_proposal(proposal=waiting, accept=True, officer="ee", **TIMES),
        lambda: propose_cancelling(receipt=online.receipt, reason="x", actor="cashier", **TIMES),
    ):
        with pytest.raises(NotOfACounter):
            act()
    decide_proposal(proposal=waiting, accept=False, officer="ee", **TIMES)
    with pytest.raises(ReceiptUnknown):
        propose_cancelling(receipt="nothing", reason="x", actor="cashier", **TIMES)
    assert account("cash") == 500_00


def test_money_in_advance_goes_back_by_two_people(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    take(first, town.DUE + 700_00)
    for paise in (700_01, 10**9):
        with pytest.raises(NothingToPayBack):
            propose_refund(connection=first, paise=paise, reason="moved away", actor="cashier", **TIMES)
    with pytest.raises(PaymentMalformed):
        propose_refund(connection=first, paise=-1, reason="moved away", actor="cashier", **TIMES)
    once, twice = (
        propose_refund(connection=first, paise=400_00, reason="moved away", actor="cashier", **TIMES) for _ in range(2)
    )
    decide_proposal(proposal=once, accept=True, officer="ee", **TIMES)
    with pytest.raises(NothingToPayBack):
        decide_proposal(proposal=twice, accept=True, officer="ee", **TIMES)
    assert (balance(connection=first), account("refund")) == ((0, 300_00), -400_00)
    assert value("SELECT decided_by FROM payments_proposal WHERE id = %s", twice) is None
    with pytest.raises(NotToPayOut):  # nobody accepted it
        pay_out(proposal=twice, utr="UTR1", actor="cashier", **TIMES)
    with pytest.raises(ReasonNotGiven):
        pay_out(proposal=once, utr=" ", actor="cashier", **TIMES)
    pay_out(proposal=once, utr="UTR1", actor="cashier", **TIMES)
    assert (account("refund"), account("bank")) == (0, -400_00)
    with pytest.raises(NotToPayOut):
        pay_out(proposal=once, utr="UTR2", actor="cashier", **TIMES)
    assert account("bank") == -400_00


def test_one_box_finds_by_number_mobile_meter_and_name(database: Database) -> None:
    place = town.found(connections=12, reminded=False)
    third = place.connections[2]
    phone = value("SELECT phone FROM consumers_consumer WHERE id = %s", third)
    for text in (str(third), f" {str(third)[:5]} {str(third)[5:]}", phone, phone.removeprefix("+91"), f"m{third}"):
        assert [each.connection for each in find_consumer(text)] == [third], text
    found = find_consumer(f"consumer {third}")
    assert [(each.connection, each.due_paise, each.phone_ends) for each in found] == [(third, town.DUE, phone[-4:])]
    assert len(find_consumer("उपभोक्ता")) == 12
    assert find_consumer("%%%") == []
    with pytest.raises(ConsumerNumberWrong) as refused:
        find_consumer("22000000")
    assert refused.value.data == {"given": "22000000", "digits": 8}
    assert "10 digits" in refused.value.text("en")
    with pytest.raises(ConnectionUnknown):
        find_consumer("2299999999")


def test_a_receipt_shows_what_it_settled(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    open_counter()
    taken = take(first, town.DUE + 5_00)
    shown = show_receipt(receipt=taken.receipt)
    bills = [row[0] for row in many("SELECT number FROM billing_bill ORDER BY id")]
    assert [(each.account, each.bill, each.paise) for each in shown.lines] == [
        ("receivable", bills[0], town.DUE // 2),
        ("receivable", bills[1], town.DUE // 2),
        ("advance", None, 5_00),
    ]
    assert bills[0] in shown.text("hi")
    assert "अग्रिम: ₹5.00" in shown.text("hi")
    assert shown.as_json()["allocation"][2] == {"account": "advance", "bill": None, "paise": 5_00}
