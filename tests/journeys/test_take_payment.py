"""Money in: booked once, acknowledged, and followed by light."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as django_connection

from bahal.domains.ledger.queries import balance
from bahal.domains.payments.errors import KeyReusedWithOtherBody, PaymentMalformed
from bahal.domains.supply.queries import find_order
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.take_payment import Taken, take_payment
from bahal.shared.locks import ConnectionUnknown, SupplyBusy
from tests.journeys import interlock, town
from tests.plugin.databases import Database


def pay(connection: int, paise: int = town.DUE, *, key: str | None = None, channel: str = "counter") -> Taken:
    return take_payment(
        key=key or str(uuid.uuid4()),
        connection=connection,
        paise=paise,
        channel=channel,
        actor="cashier",
        business_at=town.TEN,
    )


def cut_of(connection: int) -> int:
    return int(value("SELECT id FROM supply_order WHERE connection = %s AND kind = 'cut'", connection))


def sums(connection: int) -> dict[str, int]:
    return dict(
        many(
            "SELECT account, sum(p.paise)::bigint FROM ledger_posting p"
            " JOIN ledger_transaction t ON t.id = p.transaction"
            " WHERE t.kind = 'payment' AND t.reference IN (SELECT receipt FROM payments_payment WHERE connection = %s)"
            " GROUP BY account",
            connection,
        )
    )


def test_what_is_over_the_dues_is_an_advance(database: Database) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    taken = pay(first, town.DUE + 12_345)
    assert taken.order is None
    bills = [row[0] for row in many("SELECT id FROM billing_bill WHERE connection = %s ORDER BY id", first)]
    assert json.loads(value("SELECT allocation FROM payments_payment WHERE receipt = %s", taken.receipt)) == [
        ["receivable", bills[0], town.DUE // 2],
        ["receivable", bills[1], town.DUE // 2],
        ["advance", None, 12_345],
    ]
    assert sums(first) == {"cash": town.DUE + 12_345, "receivable": -town.DUE, "advance": -12_345}
    assert balance(connection=first) == (0, 12_345)
    assert value("SELECT sum(paise) FROM ledger_posting") == 0


def test_the_same_key_is_the_same_payment(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections
    taken = pay(first, key="bank-1")
    assert pay(first, key="bank-1") == taken
    for other in (lambda: pay(first, 1, key="bank-1"), lambda: pay(second, key="bank-1")):
        with pytest.raises(KeyReusedWithOtherBody) as refused:
            other()
        assert refused.value.data == {"key": "bank-1", "receipt": taken.receipt}
    assert value("SELECT count(*) FROM payments_payment") == 1
    assert balance(connection=second).due_paise == town.DUE


def test_the_same_key_at_the_same_moment_is_one_payment(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections

    def attempt(nth: int) -> object:
        try:
            return pay(first if nth % 2 else second, key="race")
        except KeyReusedWithOtherBody as refused:
            return refused.data["receipt"]
        finally:
            django_connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(attempt, range(24)))
    taken = {each for each in answers if isinstance(each, Taken)}
    assert len(taken) == 1
    assert {each for each in answers if isinstance(each, str)} == {next(iter(taken)).receipt}
    assert len(answers) == 24
    assert value("SELECT count(*) FROM payments_payment") == 1
    assert value("SELECT count(*) FROM ledger_transaction WHERE kind = 'payment'") == 1


def test_many_at_once_lose_no_paisa(database: Database) -> None:
    first, second = town.found(connections=2, reminded=False).connections

    def attempt(nth: int) -> None:
        try:
            pay((first, second)[nth % 2], 700_01 + nth)
        finally:
            django_connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(attempt, range(40)))
    paid = sum(700_01 + nth for nth in range(40))
    assert value("SELECT sum(paise) FROM payments_payment") == paid
    assert value("SELECT sum(paise) FROM ledger_posting WHERE account = 'cash'") == paid
    assert sum(
        balance(connection=each).due_paise - balance(connection=each).advance_paise for each in (first, second)
    ) == (2 * town.DUE - paid)


@pytest.mark.parametrize(
    ("paise", "channel", "key", "field"),
    [
        (0, "counter", "k", "paise"),
        (-1, "counter", "k", "paise"),
        (10**15, "counter", "k", "paise"),
        (1, "cheque", "k", "channel"),
        (1, "counter", "", "Idempotency-Key"),
        (1, "counter", "k" * 201, "Idempotency-Key"),
        (1, "counter", "a\nb", "Idempotency-Key"),
    ],
)
def test_what_is_no_payment_is_refused(paise: int, channel: str, key: str, field: str) -> None:
    with pytest.raises(PaymentMalformed) as refused:
        take_payment(key=key, connection=1, paise=paise, channel=channel, actor="x", business_at=town.TEN)
    assert refused.value.data["field"] == field


def test_an_unknown_consumer_is_named(database: Database) -> None:
    with pytest.raises(ConnectionUnknown) as refused:
        pay(2_299_999_999)
    assert refused.value.data == {"connection": 2_299_999_999}


@pytest.mark.parametrize("state", ["proposed", "authorised", "claimed"])
def test_a_cut_that_has_not_gone_out_is_cancelled(database: Database, state: str) -> None:
    place = town.found(connections=2)
    first = place.connections[0]
    if state == "proposed":
        town.propose(town.draft_at_nine())
    else:
        place.drive()
    order = cut_of(first)
    if state == "claimed":
        interlock.lend(database)
        interlock.step(database, order=order, states=("claimed",))
    generation = value("SELECT generation FROM supply_fence WHERE connection = %s", first)
    taken = pay(first)
    cancelled = find_order(order=order)
    assert (cancelled.state, cancelled.reason) == ("cancelled", "paid")
    assert cancelled.cause.startswith("drive ")
    assert taken.order is None
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == generation + 1
    assert [told.act for told in story_of(connection=first, language="en")][-2:] == [
        "payment.taken",
        "supply.cut.cancelled",
    ]


@pytest.mark.parametrize(
    "states", [("claimed", "sent"), ("claimed", "sent", "unknown"), ("claimed", "sent", "confirmed")]
)
def test_a_cut_that_went_out_is_undone(database: Database, states: tuple[str, ...]) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.step(database, order=cut_of(first), states=states)
    taken = pay(first)
    assert taken.order is not None
    restore = find_order(order=taken.order)
    assert (restore.kind, restore.state, restore.ground) == ("restore", "authorised", "nonpayment_s56")
    assert restore.cause == f"payment {taken.receipt}"
    assert find_order(order=cut_of(first)).state == states[-1]
    assert value("SELECT desired FROM supply_fence WHERE connection = %s", first) == "on"


def test_a_second_payment_finds_the_restore_under_way(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.step(database, order=cut_of(first), states=("claimed", "sent", "confirmed"))
    taken = pay(first)
    assert pay(first, 100).order == taken.order
    assert value("SELECT count(*) FROM supply_order WHERE kind = 'restore'") == 1


def test_after_the_light_is_back_a_payment_orders_nothing(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.cut(database, order=cut_of(first))
    order = pay(first).order
    assert order is not None
    interlock.restore(database, order=order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    assert pay(first, 100).order is None


def test_a_part_payment_neither_cancels_nor_restores(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    generation = value("SELECT generation FROM supply_fence WHERE connection = %s", first)
    assert pay(first, 1_000_00).order is None
    assert find_order(order=cut_of(first)).state == "authorised"
    # The fence rose all the same: what the officers signed is no longer what is owed.
    assert value("SELECT generation FROM supply_fence WHERE connection = %s", first) == generation + 1


def test_a_cut_for_another_ground_is_not_undone_by_money(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.step(database, order=cut_of(first), states=("claimed", "sent", "confirmed"))
    with database.connect("owner") as owner:
        owner.execute("UPDATE supply_order SET ground = 'theft_s135' WHERE connection = %s", [first])
        owner.execute("UPDATE supply_fence SET desired = 'off'")
    assert pay(first).order is None


def test_a_field_task_to_cut_is_withdrawn_and_the_supply_restored(database: Database) -> None:
    place = town.found(connections=1)
    place.drive()
    first = place.connections[0]
    interlock.lend(database)
    interlock.step(database, order=cut_of(first), states=("claimed", "sent", "unknown", "field_task"))
    interlock.result(database, order=cut_of(first), outcome="field_task", reason="no_answer")
    confirm_relay(at=place.wall, business_at=town.TEN)
    assert value("SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL") == 1
    assert pay(first).order is not None
    assert value("SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL") == 0


def test_who_cannot_have_the_lock_is_told_so_and_nothing_is_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.found(connections=1, reminded=False).connections[0]
    monkeypatch.setattr("bahal.journeys.take_payment.LOCK_TIMEOUT_MS", 50)
    with database.connect("app", autocommit=False) as other:
        other.execute("SELECT FROM supply_fence WHERE connection = %s FOR UPDATE", [first])
        with pytest.raises(SupplyBusy):
            pay(first)
        other.rollback()
    assert value("SELECT count(*) FROM payments_payment") == 0
    assert pay(first).receipt
