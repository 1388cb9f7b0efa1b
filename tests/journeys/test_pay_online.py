"""Online: what the gateway says is booked once, however it is heard; what nobody knows waits for two people."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection as django_connection

from bahal.domains.ledger.queries import balance
from bahal.domains.payments import wire
from bahal.domains.payments.errors import (
    DifferenceUnknown,
    FetchUnknown,
    LinkWrong,
    PaymentMalformed,
    ProposalDecided,
    ReasonNotGiven,
    SettlementLoaded,
    SuspenseUnknown,
    TooManyAttempts,
)
from bahal.domains.payments.matching import Found
from bahal.domains.payments.operations import LARGEST_PAISE
from bahal.domains.payments.queries import payerless
from bahal.foundation.rows import many, value
from bahal.gateways.bank.interface import BankUnreachable
from bahal.gateways.bank.settlement import Line, SettlementMalformed, write_settlement
from bahal.gateways.bank.webhooks import Event
from bahal.journeys import pay_online, reconcile, serve_bbps
from bahal.journeys.decide_proposal import book_all_assigned, decide_proposal, propose_payer
from bahal.journeys.hear_gateway import handle_events, hear, poll_gateway
from bahal.shared.locks import ConnectionUnknown, SupplyBusy
from tests.journeys import town
from tests.journeys.gateway import LONG_AGO, NOW, Gateway
from tests.plugin.databases import Database

TIMES = {"at": NOW, "business_at": town.TEN}
REF = "A" * 35


def begin(gateway: Gateway, connection: int, paise: int = town.DUE) -> wire.Attempt:
    return pay_online.start_attempt(gateway, connection=connection, paise=paise, **TIMES)


def tell(payment: str, kind: str = "payment.captured", *, late: bool = False) -> bool:
    return hear(Event(f"{payment}-{kind}", kind, payment, late), body="{}", at=NOW)


def account(name: str) -> int:
    return int(value("SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = %s", name))


def test_each_attempt_has_a_name_of_its_own(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    attempts = [begin(gateway, first, 512_350) for _ in range(3)]
    assert len({each.tr for each in attempts}) == 3
    assert all(len(each.tr) <= 35 and each.tr.isalnum() for each in attempts)
    uri = pay_online.upi_uri(attempts[0], pay_online.Payee("cg.bijli@upi", "CG Bijli & Co"))
    assert uri == (
        f"upi://pay?pa=cg.bijli@upi&pn=CG%20Bijli%20%26%20Co&tr={attempts[0].tr}"
        f"&tn=Electricity%20{first}&am=5123.50&cu=INR"
    )
    for paise in (0, -100, 99, 10**14):
        with pytest.raises(PaymentMalformed):
            begin(gateway, first, paise)
    for _ in range(pay_online.MOST_AN_HOUR - 3):
        begin(gateway, first)
    with pytest.raises(TooManyAttempts):
        begin(gateway, first)


def test_a_link_is_signed_and_ends(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections
    token = pay_online.make_link(connection=first, **TIMES)
    assert pay_online.read_link(token, at=NOW + timedelta(hours=71)) == first
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "x:y:z", token.replace(":", "")):
        with pytest.raises(LinkWrong):
            pay_online.read_link(wrong, at=NOW)
    with pytest.raises(LinkWrong):
        pay_online.read_link(token, at=NOW + timedelta(hours=72, seconds=2))
    with pytest.raises(ConnectionUnknown):
        pay_online.make_link(connection=2_299_999_999, **TIMES)
    attempt = begin(Gateway(), first)
    with pytest.raises(LinkWrong):  # somebody else's attempt
        pay_online.show_attempt(tr=attempt.tr, connection=second)
    page = pay_online.show_page(connection=first)
    assert (page.due_paise, page.parts, page.language) == (town.DUE, [("receivable", town.DUE)], "hi")


def test_a_payment_is_booked_once_however_it_is_heard(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    attempt = begin(gateway, first)
    payment = gateway.pay(attempt.gateway_order)
    assert pay_online.show_attempt(tr=attempt.tr, connection=first).receipt is None  # told by nobody yet
    # Out of order, twice, and late: each event is kept once, and all speak of one payment.
    kinds = ("order.paid", "payment.captured", "payment.authorized")
    assert [tell(payment, kind) for kind in kinds] == [True, True, True]
    assert not tell(payment)
    assert tell(payment, "payment.captured.again", late=True)
    assert handle_events(gateway, **TIMES) == 4
    assert gateway.asked.count(payment) == 1
    assert handle_events(gateway, **TIMES) == 0
    assert poll_gateway(gateway, **TIMES) == 0
    assert many("SELECT idempotency_key, paise, channel, instrument FROM payments_payment") == [
        (f"gateway:{payment}", town.DUE, "upi", "upi")
    ]
    assert pay_online.show_attempt(tr=attempt.tr, connection=first).receipt is not None
    assert (balance(connection=first).due_paise, account("gateway")) == (0, town.DUE)


def test_fifty_at_once_are_one_payment(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    payment = gateway.pay(begin(gateway, first).gateway_order)

    def storm(nth: int) -> bool:
        try:
            return tell(payment, f"payment.captured.{nth % 5}") | bool(handle_events(gateway, **TIMES))
        finally:
            django_connection.close()

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(storm, range(50)))
    handle_events(gateway, **TIMES)
    assert value("SELECT count(*) FROM payments_gatewayevent WHERE outcome = 'booked'") == 5
    assert value("SELECT count(*) FROM payments_payment") == 1
    assert account("gateway") == town.DUE


def test_an_event_is_believed_only_as_far_as_the_gateway_says_so_itself(database: Database) -> None:
    """Forged by somebody who knows the webhook's secret: no such payment, not captured, or another amount."""
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    attempt = begin(gateway, first)
    tell("pay_invented")
    failed = gateway.pay(attempt.gateway_order, status="failed")
    tell(failed)
    less = gateway.pay(begin(gateway, first).gateway_order, paise=100)
    tell(less)
    handle_events(gateway, **TIMES)
    outcomes = dict(many("SELECT gateway_payment, outcome FROM payments_gatewayevent"))
    assert outcomes == {"pay_invented": "unknown_at_gateway", failed: "failed", less: "booked"}
    assert many("SELECT paise FROM payments_payment") == [(100,)]


def test_a_payment_captured_after_it_was_heard_of_is_booked_then(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    payment = gateway.pay(begin(gateway, first).gateway_order, status="authorized")
    tell(payment, "payment.authorized")
    handle_events(gateway, **TIMES)
    assert value("SELECT count(*) FROM payments_payment") == 0
    gateway.turn(payment, "captured")
    assert poll_gateway(gateway, **TIMES) == 1  # the webhook was dropped
    # An older word does not take it back.
    gateway.turn(payment, "authorized")
    tell(payment, "payment.authorized.late", late=True)
    handle_events(gateway, **TIMES)
    assert many("SELECT status FROM payments_gatewaypayment") == [("captured",)]
    assert value("SELECT count(*) FROM payments_payment") == 1


def test_while_the_gateway_is_away_nothing_is_lost(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    payment = gateway.pay(begin(gateway, first).gateway_order, method="netbanking")
    tell(payment)
    gateway.away = True
    with pytest.raises(BankUnreachable):
        handle_events(gateway, **TIMES)
    with pytest.raises(BankUnreachable):
        poll_gateway(gateway, **TIMES)
    gateway.away = False
    assert handle_events(gateway, **TIMES) == 0  # still leased
    assert handle_events(gateway, at=NOW + wire.LEASE, business_at=town.TEN) == 1
    assert many("SELECT channel, instrument FROM payments_payment") == [("bank", "netbanking")]


def test_a_dead_letter_says_so(database: Database) -> None:
    gateway = Gateway()
    gateway.away = True
    tell("pay_1")
    for nth in range(wire.MOST_TRIES):
        with pytest.raises(BankUnreachable):
            handle_events(gateway, at=NOW + nth * wire.LEASE, business_at=town.TEN)
    assert handle_events(gateway, at=NOW + wire.MOST_TRIES * wire.LEASE, business_at=town.TEN) == 1
    assert many("SELECT outcome FROM payments_gatewayevent") == [("given_up",)]


def test_money_of_an_unknown_payer_finds_him_by_two_people(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    payment = gateway.pay(paise=town.DUE)
    assert poll_gateway(gateway, **TIMES) == 1
    assert poll_gateway(gateway, **TIMES) == 0
    assert (account("gateway"), account("suspense")) == (town.DUE, -town.DUE)
    (held,) = many("SELECT id, source FROM payments_suspense")
    assert held[1] == f"gateway:{payment}"
    assert [(each.kind, each.reference) for each in wire.open_differences()] == [("payer_unknown", payment)]
    with pytest.raises(SuspenseUnknown):
        propose_payer(suspense=held[0] + 1, connection=first, reason="x", actor="cashier", **TIMES)
    with pytest.raises(ReasonNotGiven):
        propose_payer(suspense=held[0], connection=first, reason="", actor="cashier", **TIMES)
    wrong = propose_payer(suspense=held[0], connection=first, reason="guess", actor="cashier", **TIMES)
    with pytest.raises(ProposalDecided):
        propose_payer(suspense=held[0], connection=first, reason="again", actor="ee", **TIMES)
    assert decide_proposal(proposal=wrong, accept=False, officer="ee", **TIMES) is None
    right = propose_payer(suspense=held[0], connection=first, reason="his bank's letter", actor="cashier", **TIMES)
    taken = decide_proposal(proposal=right, accept=True, officer="ee", **TIMES)
    assert taken is not None
    assert (balance(connection=first).due_paise, account("suspense")) == (0, 0)
    assert book_all_assigned(business_at=town.TEN) == 0
    assert reconcile.close_what_agrees(**TIMES) == 1
    assert wire.open_differences() == []


def test_what_was_decided_and_not_booked_is_booked_later(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    gateway.pay(paise=700)
    poll_gateway(gateway, **TIMES)
    proposal = propose_payer(
        suspense=value("SELECT id FROM payments_suspense"), connection=first, reason="x", actor="cashier", **TIMES
    )
    with database.connect("app") as app:  # decided, and then the process died
        app.execute(
            "UPDATE payments_proposal SET decided_by = 'ee', decided_at = now(), accepted = true WHERE id = %s",
            [proposal],
        )
    assert book_all_assigned(business_at=town.TEN) == 1
    assert book_all_assigned(business_at=town.TEN) == 0
    assert balance(connection=first).due_paise == town.DUE - 700


# --- BBPS ---------------------------------------------------------------------------------------------------------


def test_bbps_fetches_pays_once_and_tells(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections
    bill = serve_bbps.fetch(ref=REF, connection=first, at=NOW)
    assert (bill.paise, bill.name) == (town.DUE, f"Consumer {first}")
    assert serve_bbps.status(txn="T1") is None
    taken = serve_bbps.pay(ref=REF, txn="T1", paise=town.DUE, business_at=town.TEN)
    assert serve_bbps.pay(ref=REF, txn="T1", paise=town.DUE, business_at=town.TEN) == taken
    assert serve_bbps.status(txn="T1") == taken.receipt
    assert serve_bbps.fetch(ref=REF, connection=first, at=NOW).paise == town.DUE  # the same answer
    assert serve_bbps.fetch(ref="B" * 35, connection=first, at=NOW).paise == 0
    for ref, paise in (("C" * 35, town.DUE), (REF, town.DUE - 1)):
        with pytest.raises(FetchUnknown):
            serve_bbps.pay(ref=ref, txn="T2", paise=paise, business_at=town.TEN)
    for ref, connection in (("short", first), ("Z" * 34 + "-", first), (REF, second)):
        with pytest.raises(PaymentMalformed):
            serve_bbps.fetch(ref=ref, connection=connection, at=NOW)
    with pytest.raises(PaymentMalformed):
        serve_bbps.pay(ref=REF, txn="", paise=town.DUE, business_at=town.TEN)
    with pytest.raises(ConnectionUnknown):
        serve_bbps.fetch(ref="D" * 35, connection=2_299_999_999, at=NOW)
    assert value("SELECT count(*) FROM payments_payment") == 1


# --- three ways ----------------------------------------------------------------------------------------------------


def paid(gateway: Gateway, connections: list[int]) -> list[str]:
    """Everybody pays online, each a little more than the one before, a second apart."""
    payments = []
    for nth, each in enumerate(connections):
        order = begin(gateway, each, 1_000_00 + nth).gateway_order
        payments.append(gateway.pay(order, made_at=LONG_AGO + timedelta(seconds=nth)))
        tell(payments[-1])
    handle_events(gateway, **TIMES)
    return payments


def line(payment: str, paise: int, nth: int) -> Line:
    return Line(nth, payment, paise, f"UTR{nth}", NOW)


def load(lines: list[Line], **period: object) -> reconcile.Loaded:
    given = {"since": None, "until": None, **period}
    return reconcile.load_settlement(
        write_settlement(lines),
        name="bank.csv",
        actor="cashier",
        **given,
        **TIMES,  # type: ignore[arg-type]
    )


def test_a_file_that_agrees_moves_the_money_to_the_bank(database: Database) -> None:
    place = town.found(connections=4, reminded=False)
    payments = paid(Gateway(), place.connections)
    lines = [line(each, 1_000_00 + nth, nth) for nth, each in enumerate(payments)]
    loaded = load(lines)
    assert (loaded.lines, loaded.paise, loaded.found) == (4, 4_000_06, [])
    assert (account("bank"), account("gateway")) == (4_000_06, 0)
    with pytest.raises(SettlementLoaded):
        load(lines)


def test_a_paisa_off_a_missing_line_and_a_double_line_are_all_found(database: Database) -> None:
    place = town.found(connections=6, reminded=False)
    payments = paid(Gateway(), place.connections)
    lines = [line(each, 1_000_00 + nth, nth) for nth, each in enumerate(payments)]
    lines[1] = lines[1]._replace(paise=lines[1].paise - 1)
    lines[4:5] = [lines[4], lines[4]._replace(utr="UTR-again")]
    del lines[2]
    loaded = load(lines)
    wanted = [
        Found("amount_settled", payments[1], 1_000_01, 1_000_01, 1_000_00),
        Found("settled_twice", payments[4], 1_000_04, 1_000_04, 2_000_08),
        Found("not_settled", payments[2], 1_000_02, 1_000_02, None),
    ]
    assert loaded.found == wanted
    assert [(each.kind, each.reference) for each in wire.open_differences()] == [each[:2] for each in wanted]
    # What came is booked, each payment once: a paisa and the missing line are still at the gateway.
    assert account("bank") == sum(range(1_000_00, 1_000_06)) - 1_000_02 - 1
    assert account("gateway") == 1_000_02 + 1
    # The bank sends the missing line: the queue closes what agrees, and keeps what does not.
    assert load([line(payments[2], 1_000_02, 9)]).found == []
    assert reconcile.close_what_agrees(**TIMES) == 1
    assert {each.kind for each in wire.open_differences()} == {"amount_settled", "settled_twice"}
    for each in wire.open_differences():
        reconcile.close_difference(difference=each.id, how="the bank corrects it", actor="ee", **TIMES)
    with pytest.raises(DifferenceUnknown):
        reconcile.close_difference(difference=1, how="again", actor="ee", **TIMES)
    with pytest.raises(ReasonNotGiven):
        reconcile.close_difference(difference=1, how=" ", actor="ee", **TIMES)


def test_a_line_missing_at_the_edge_is_found_by_the_period_or_by_the_days(database: Database) -> None:
    place = town.found(connections=3, reminded=False)
    payments = paid(Gateway(), place.connections)
    lines = [line(each, 1_000_00 + nth, nth) for nth, each in enumerate(payments)][:2]
    whole = {"since": LONG_AGO, "until": LONG_AGO + timedelta(days=1)}
    assert [each[:2] for each in load(lines, **whole).found] == [("not_settled", payments[2])]
    assert reconcile.look_for_unsettled(**TIMES) == 0  # queued already
    with database.connect("owner") as owner:
        owner.execute("DELETE FROM payments_difference")
    assert reconcile.look_for_unsettled(**TIMES) == 1


def test_what_only_the_bank_knows_is_asked_about_and_else_suspended(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    unheard = gateway.pay(begin(gateway, first, 900_00).gateway_order)  # every webhook was dropped
    loaded = load([line(unheard, 900_00, 2), line("pay_nobodys", 55_00, 3)])
    assert {each[:2] for each in loaded.found} == {("unknown_settled", "pay_nobodys"), ("unknown_settled", unheard)}
    assert (account("bank"), account("suspense")) == (0, 0)
    assert reconcile.ask_about_unknown(gateway, **TIMES) == 2
    assert reconcile.close_what_agrees(**TIMES) == 1
    assert balance(connection=first).due_paise == town.DUE - 900_00
    assert (account("bank"), account("gateway"), account("suspense")) == (955_00, 0, -55_00)
    assert reconcile.ask_about_unknown(gateway, **TIMES) == 0
    # Two people find whose the rest is, and the difference ends.
    proposal = propose_payer(
        suspense=value("SELECT id FROM payments_suspense"), connection=first, reason="x", actor="cashier", **TIMES
    )
    decide_proposal(proposal=proposal, accept=True, officer="ee", **TIMES)
    assert reconcile.close_what_agrees(**TIMES) == 1
    assert (account("suspense"), wire.open_differences()) == (0, [])


def test_a_receipt_that_the_gateway_does_not_know_is_found(database: Database) -> None:
    place = town.found(connections=2, reminded=False)
    gateway = Gateway()
    payments = paid(gateway, place.connections)
    with database.connect("owner") as owner:
        owner.execute("DELETE FROM payments_gatewaypayment WHERE gateway_payment = %s", [payments[0]])
    loaded = load([line(each, 1_000_00 + nth, nth) for nth, each in enumerate(payments)])
    assert [each[:2] for each in loaded.found] == [("not_at_gateway", payments[0])]


@pytest.mark.parametrize(
    ("text", "line_number"),
    [
        ("", 1),
        ("entity_id,amount\nx,1\n", 1),
        ("entity_id,amount,settlement_utr,settled_at\npay_1,10.005,U,2025-11-24T10:00+05:30\n", 2),
        ("entity_id,amount,settlement_utr,settled_at\npay_1,-1,U,2025-11-24T10:00+05:30\n", 2),
        ("entity_id,amount,settlement_utr,settled_at\npay_1,1,U,2025-11-24T10:00\n", 2),
        ("entity_id,amount,settlement_utr,settled_at\npay_1,1,U,yesterday\n", 2),
        ("entity_id,amount,settlement_utr,settled_at\npay_1,1,U,2025-11-24T10:00+05:30\n,1,U,2025\n", 3),
    ],
)
def test_a_file_that_cannot_be_read_loads_nothing(database: Database, text: str, line_number: int) -> None:
    with pytest.raises(SettlementMalformed) as refused:
        reconcile.load_settlement(text, name="x", since=None, until=None, actor="cashier", **TIMES)
    assert refused.value.data["line"] == line_number
    assert value("SELECT count(*) FROM payments_settlement") == 0


def test_another_amount_under_the_same_name_changes_nothing_and_is_queued(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    gateway = Gateway()
    payment = gateway.pay(begin(gateway, first, 100_00).gateway_order)
    tell(payment)
    handle_events(gateway, **TIMES)
    gateway.made[payment] = gateway.made[payment]._replace(paise=900_00)
    tell(payment, "payment.captured.again")
    handle_events(gateway, **TIMES)
    assert many("SELECT outcome FROM payments_gatewayevent ORDER BY id") == [("booked",), ("amount_gateway",)]
    assert (balance(connection=first).due_paise, account("gateway")) == (town.DUE - 100_00, 100_00)
    assert [each[1:5] for each in wire.open_differences()] == [("amount_gateway", payment, 100_00, 900_00)]
    assert reconcile.close_what_agrees(**TIMES) == 0


def test_money_that_cannot_be_booked_as_his_is_in_suspense(database: Database) -> None:
    """More than any bill: it has come all the same, and stops nobody else's."""
    first, second = town.found(connections=2, reminded=False).connections
    gateway = Gateway()
    absurd = gateway.pay(begin(gateway, first).gateway_order, paise=LARGEST_PAISE + 1)
    sane = gateway.pay(begin(gateway, second).gateway_order)
    assert poll_gateway(gateway, **TIMES) == 2
    assert many("SELECT source, paise FROM payments_suspense") == [(f"gateway:{absurd}", LARGEST_PAISE + 1)]
    assert many("SELECT idempotency_key FROM payments_payment") == [(f"gateway:{sane}",)]
    assert [each.id for each in payerless()] == [value("SELECT id FROM payments_suspense")]


def test_who_is_busy_with_the_connection_is_waited_for(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections
    gateway = Gateway()
    payments = [gateway.pay(begin(gateway, each).gateway_order) for each in (first, second)]
    tell(payments[0])
    with database.connect("app", autocommit=False) as busy:
        busy.execute("SELECT FROM supply_fence WHERE connection = %s FOR UPDATE", [first])
        assert handle_events(gateway, **TIMES) == 0
        assert poll_gateway(gateway, **TIMES) == 1
    assert handle_events(gateway, at=NOW + wire.LEASE, business_at=town.TEN) == 1
    assert value("SELECT count(*) FROM payments_payment") == 2


def test_no_cut_is_being_sent_once_the_payer_holds_his_order(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    with database.connect("owner", autocommit=False) as sending, ThreadPoolExecutor(1) as payer:
        sending.execute("SELECT 1 FROM supply_fence WHERE connection = %s FOR UPDATE", [first])
        with pytest.raises(SupplyBusy):
            payer.submit(_begin_and_leave, first).result()
        assert value("SELECT count(*) FROM payments_attempt") == 0
    begin(Gateway(), first)
    assert value("SELECT count(*) FROM payments_attempt") == 1


def _begin_and_leave(connection: int) -> None:
    try:
        begin(Gateway(), connection)
    finally:
        django_connection.close()


def test_a_webhook_holds_the_cut_until_the_gateway_was_asked(database: Database) -> None:
    first = town.found(connections=1).connections[0]
    gateway = Gateway()
    order = begin(gateway, first).gateway_order

    def pending() -> list[str]:
        """An hour later, when the order's own time is over."""
        facts = "SELECT pending FROM authority_facts(ARRAY[%s]::bigint[], %s, NULL, %s)"
        return list(value(facts, first, town.TEN, NOW + timedelta(hours=1)))

    assert pending() == []
    hear(Event("e1", "payment.captured", "pay_1", False, order), body="{}", at=NOW)
    assert pending() == ["webhook"]
    handle_events(gateway, **TIMES)
    assert pending() == []


def test_a_poll_that_was_answered_is_the_heartbeat_of_the_gateway(database: Database) -> None:
    town.found(connections=1, reminded=False)
    gateway = Gateway()
    poll_gateway(gateway, **TIMES)
    assert value("SELECT seen_at > now() - interval '1 minute' FROM arrears_channel WHERE name = 'gateway'")
