"""From money to light: the clock of each payment, the broken promise, and what it costs, once."""

import threading
from datetime import datetime, timedelta

import psycopg
import pytest

from bahal.domains.ledger.queries import balance
from bahal.domains.supply.errors import (
    OfficerMayNotSetRestoring,
    ReasonMissing,
    RestoringTaken,
    RestoringUnknown,
    RestoringWrong,
    SameOfficer,
)
from bahal.domains.supply.late import lates
from bahal.domains.supply.queries import restoring_now
from bahal.domains.supply.restoring import BOUNDS, read_restoring, shipped_restoring
from bahal.foundation.audit.queries import story_of
from bahal.foundation.rows import many, value
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.explain_light import explain_light
from bahal.journeys.follow_light import follow_light
from bahal.journeys.set_restoring import accept, propose
from bahal.journeys.take_payment import take_payment
from bahal.shared.locks import ConnectionUnknown
from tests.journeys import interlock, town
from tests.plugin.databases import Database

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RATE = 100_00
"""Rs 100 for each day begun, as the product's own document has it."""


def paid_and_dark(database: Database, *, connections: int = 1) -> tuple[town.Town, list[int], datetime]:
    """A town that was cut and has paid; its restores, and when the last of it was acknowledged."""
    place = town.found(connections=connections)
    place.drive()
    interlock.lend(database)
    for (order,) in many("SELECT id FROM supply_order ORDER BY id"):
        interlock.cut(database, order=order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    orders = []
    for each in place.connections:
        taken = take_payment(
            key=f"k{each}", connection=each, paise=town.DUE, channel="upi", actor="x", business_at=town.TEN
        )
        assert taken.order is not None
        orders.append(taken.order)
    return place, orders, taken.acknowledged_at


def rules(**changed: int) -> str:
    text = shipped_restoring().replace('"cg-restoring-2025-1"', '"two-officers"').replace("2020-01-01", "2025-11-01")
    for name, number in changed.items():
        head, _, rest = text.partition(f"[{name}]\nvalue = ")
        assert rest, name
        text = f"{head}[{name}]\nvalue = {number}\n{rest.partition(chr(10))[2]}"
    return text


def set_rules(place: town.Town, **changed: int) -> None:
    times = {"at": place.wall, "business_at": town.TEN}
    accept(version=propose(text=rules(**changed), file="r", officer="ee", **times), officer="se", reason="x", **times)


def follow(at: datetime) -> int:
    return follow_light(at=at, business_at=town.TEN)


def credited() -> int:
    row = value("SELECT coalesce(-sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'advance'")
    assert value("SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'compensation'") == row
    return int(row)


def test_a_kept_promise_leaves_nothing_but_its_clock(database: Database) -> None:
    place, (order,), acknowledged = paid_and_dark(database)
    first = place.connections[0]
    waiting = explain_light(connection=first, at=acknowledged + 5 * MINUTE, business_at=town.TEN)
    assert (waiting.why, waiting.waits_for, waiting.seconds) == ("restoring", "worker_down", None)
    interlock.restore(database, order=order)
    confirm_relay(at=place.wall, business_at=town.TEN)
    found = explain_light(connection=first, at=acknowledged + DAY, business_at=town.TEN)
    assert found.why == "lit"
    assert found.seconds is not None
    assert found.promised_at == acknowledged + 120 * MINUTE
    assert found.as_json()["words"] == {"hi": "बिजली चालू है", "en": "the supply is on"}
    assert found.as_json()["moments"]["money_at"] == acknowledged
    assert follow(acknowledged + DAY) == 0
    assert lates(open_only=False) == []


def test_a_broken_promise_becomes_an_officers_row_and_a_linemans_task_once(database: Database) -> None:
    place, (order,), acknowledged = paid_and_dark(database)
    assert follow(acknowledged + 119 * MINUTE) == 0
    assert follow(acknowledged + 121 * MINUTE) == 1
    assert follow(acknowledged + 122 * MINUTE) == 0
    (late,) = lates(open_only=True)
    assert (late.order, late.cause, late.periods, late.lit_at) == (order, "worker_down", 0, None)
    assert many('SELECT reason, "order" FROM fieldwork_task WHERE closed_at IS NULL') == [("promise_passed", order)]
    assert "supply.light.late" in [each.act for each in story_of(connection=place.connections[0], language="hi")]
    # Nobody answers for the rate yet: nothing is posted, and nothing is lost.
    assert credited() == 0
    interlock.restore(database, order=order)
    follow(acknowledged + 130 * MINUTE)
    assert value("SELECT count(*) FROM fieldwork_task WHERE closed_at IS NULL") == 0
    assert lates(open_only=True) == []
    set_rules(place)
    follow(acknowledged + 5 * DAY)
    # Lit before the test was over, so by its own clock before the promise: nothing was owed after all.
    assert [each.paise for each in lates(open_only=False)] == [0]


def test_compensation_goes_on_by_the_day_is_a_credit_and_ends_with_the_light(database: Database) -> None:
    place, (order,), acknowledged = paid_and_dark(database)
    first = place.connections[0]
    set_rules(place)
    promised = acknowledged + 120 * MINUTE
    follow(promised)
    assert credited() == 0
    follow(promised + MINUTE)
    assert credited() == RATE
    follow(promised + DAY)
    assert credited() == RATE
    follow(promised + DAY + MINUTE)
    assert credited() == 2 * RATE
    assert balance(connection=first).advance_paise == 2 * RATE
    with database.connect("owner") as owner:  # the lineman comes on the third day
        owner.execute("ALTER TABLE supply_order DISABLE TRIGGER USER")
        owner.execute(
            "UPDATE supply_order SET state = 'confirmed', confirmed_at = %s WHERE id = %s",
            (promised + 2 * DAY + MINUTE, order),
        )
        owner.execute("ALTER TABLE supply_order ENABLE TRIGGER USER")
    follow(promised + 20 * DAY)
    assert credited() == 3 * RATE
    follow(promised + 30 * DAY)
    assert credited() == 3 * RATE
    (late,) = lates(open_only=False)
    assert (late.periods, late.paise, late.settled_at is not None) == (3, 3 * RATE, True)
    assert late.lit_at == promised + 2 * DAY + MINUTE
    references = many("SELECT reference FROM ledger_transaction WHERE kind = 'compensation' ORDER BY id")
    assert references == [(f"light {order}:{period}",) for period in (1, 2, 3)]
    told = [each.sentence for each in story_of(connection=first, language="en") if each.act == "compensation.accrued"]
    assert len(told) == 3
    assert "₹100" in told[0]
    assert explain_light(connection=first, at=promised, business_at=town.TEN).as_json()["late"]["paise"] == 3 * RATE


def test_it_is_capped_and_survives_whoever_asks_at_the_same_time(database: Database) -> None:
    place, orders, acknowledged = paid_and_dark(database, connections=4)
    set_rules(place, compensation_periods_at_most=3)
    at = acknowledged + 120 * MINUTE + 10 * DAY
    failures: list[BaseException] = []

    def go_on() -> None:
        from django.db import connection

        try:
            for _ in range(3):
                follow(at)
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    workers = [threading.Thread(target=go_on) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    follow(at)
    assert failures == []
    assert credited() == 4 * 3 * RATE
    assert [(each.periods, each.paise) for each in lates(open_only=False)] == [(3, 3 * RATE)] * len(orders)
    assert value("SELECT count(*) FROM ledger_transaction WHERE kind = 'compensation'") == 12
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'supply.light.late'") == 4


def test_who_died_after_half_of_it_left_nothing_half_done(database: Database) -> None:
    place, (order,), acknowledged = paid_and_dark(database)
    set_rules(place)
    at = acknowledged + 120 * MINUTE + 3 * DAY
    with database.connect("owner") as owner:
        owner.execute(
            "CREATE FUNCTION tests_die() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'killed' USING ERRCODE = 'XX000'; END $$"
        )
        owner.execute(
            "CREATE TRIGGER tests_die BEFORE INSERT ON audit_entry FOR EACH ROW"
            " WHEN (NEW.act = 'compensation.accrued') EXECUTE FUNCTION tests_die()"
        )
        with pytest.raises(Exception, match="killed"):
            follow(at)
        assert credited() == 0
        assert [(each.order, each.periods) for each in lates(open_only=True)] == [(order, 0)]
        owner.execute("DROP TRIGGER tests_die ON audit_entry")
    follow(at)
    assert credited() == 3 * RATE


def test_the_country_may_be_promised_another_hour_and_a_ready_meter_keeps_the_promise(database: Database) -> None:
    place, (order, other), acknowledged = paid_and_dark(database, connections=2)
    set_rules(place, promise_minutes_rural=600)
    with database.connect("owner") as owner:
        owner.execute("UPDATE network_feeder SET setting = 'rural'")
    assert follow(acknowledged + 500 * MINUTE) == 0
    interlock.step(database, order=order, states=("claimed", "sent", "confirmed"))
    with database.connect("owner") as owner:
        owner.execute("UPDATE supply_order SET reason = 'press_button' WHERE id = %s", (order,))
    follow(acknowledged + 601 * MINUTE)
    assert [each.order for each in lates(open_only=True)] == [other]
    found = explain_light(connection=place.connections[0], at=acknowledged, business_at=town.TEN)
    assert found.why == "press_button"


def test_why_it_is_dark(database: Database) -> None:
    place = town.found(connections=4)
    place.drive()
    interlock.lend(database)
    orders = [row[0] for row in many("SELECT id FROM supply_order ORDER BY position")]
    cut, sent, _, _ = orders
    interlock.cut(database, order=cut)
    interlock.step(database, order=sent, states=("claimed", "sent"))
    with database.connect("owner") as owner:
        for nth, closed in ((2, False), (3, True)):
            owner.execute(
                "INSERT INTO meters_relay (meter, closed, source, seen_at) VALUES (%s, %s, 'read', now())",
                (f"M{place.connections[nth]}", closed),
            )
    why = [explain_light(connection=each, at=place.wall, business_at=town.TEN) for each in place.connections]
    assert [each.why for each in why] == ["cut_debt", "cut_under_way", "not_by_us", "lit"]
    assert why[0].due_paise == town.DUE
    with pytest.raises(ConnectionUnknown):
        explain_light(connection=1, at=place.wall, business_at=town.TEN)


def test_the_rules_are_two_officers(database: Database) -> None:
    place = town.found(connections=1)
    times = {"at": place.wall, "business_at": town.TEN}
    shipped = read_restoring(shipped_restoring(), file="shipped")
    assert shipped.rules.keys() == BOUNDS.keys()
    assert set(shipped.unverified) == set(BOUNDS)  # nobody has checked any of them, and they say so
    now = restoring_now(town.TEN)
    assert now is not None
    assert (now.version, now.accepted) == (shipped.version, False)
    version = propose(text=rules(jitter_s=3), file="r", officer="ee", **times)
    with pytest.raises(RestoringTaken):
        propose(text=rules(), file="r", officer="ee", **times)
    with pytest.raises(SameOfficer):
        accept(version=version, officer="ee", reason="x", **times)
    with pytest.raises(ReasonMissing):
        accept(version=version, officer="se", reason=" ", **times)
    with pytest.raises(OfficerMayNotSetRestoring):
        accept(version=version, officer="cashier", reason="x", **times)
    with pytest.raises(RestoringUnknown):
        accept(version=shipped.version, officer="se", reason="x", **times)
    assert restoring_now(town.TEN) == now
    accept(version=version, officer="se", reason="x", **times)
    found = restoring_now(town.TEN)
    assert found is not None
    assert (found.version, found.accepted, found.rules["jitter_s"]) == ("two-officers", True, 3)
    assert restoring_now(town.TEN - 60 * DAY) == now
    with pytest.raises(RestoringUnknown):
        accept(version=version, officer="se", reason="x", **times)
    with database.connect("app", autocommit=True) as app:
        for statement in (
            "UPDATE supply_restoring SET rules = '{}'", "DELETE FROM supply_restoring",
            "UPDATE supply_restoring SET accepted_by = NULL, accepted_at = NULL", "DELETE FROM supply_late",
            "UPDATE supply_late SET promised_at = now()",
        ):  # fmt: skip
            with pytest.raises(psycopg.Error):
                app.execute(statement)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value = 600", "value = 0"), ("value = 600", "value = 9"), ("value = 600", "value = 6.5"),
        ("value = 600", 'value = "many"'), ("[reserve_percent]", "[reserve]"), ("verified = false\n\n", "\n"),
        ('version = "cg-restoring-2025-1"', ""), ("effective_from = 2020-01-01", 'effective_from = "soon"'),
        ("value = 500\nsource", "value = 500\nsources"), ("[jitter_s]", "[jitter_s"),
        ("[jitter_s]", "[feeders.x]\nkw_at_once = 10\n[jitter_s]"),
        ("[jitter_s]", '[feeders.3]\nkw_at_once = 10\nsource = "s"\nverified = true\n[jitter_s]'),
    ],
)  # fmt: skip
def test_a_bad_document_is_refused_whole(old: str, new: str) -> None:
    text = shipped_restoring()
    assert old in text
    with pytest.raises(RestoringWrong):
        read_restoring(text.replace(old, new, 1), file="f")


def test_a_feeder_may_have_its_own() -> None:
    text = (
        shipped_restoring()
        + '\n[feeders.12]\nkw_at_once = 90\nkw_per_minute = 30\nsource = "survey"\nverified = true\n'
    )
    found = read_restoring(text, file="f")
    assert found.feeders == {12: {"kw_at_once": 90, "kw_per_minute": 30}}
    assert "feeders.12" not in found.unverified
