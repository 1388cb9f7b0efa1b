"""Every cause for which all cuts stop, the kill switch, and who arms it: in seconds, and reconnections go on."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import uvloop

from bahal.interlock.deadman import Watch
from bahal.shared.warrant import ARMING_LASTS, ArmingDocument, sign_arming
from tests.interlock import facts
from tests.interlock.test_door import running
from tests.interlock.world import World, until

CAUSES = {
    "operator_silent": (
        "UPDATE interlock_heartbeat SET at = now() - interval '16 minutes'",
        "UPDATE interlock_warrant SET used_at = now() - interval '16 minutes'",
    ),
    "payments_late": (
        "INSERT INTO payments_gatewayevent (event, kind, gateway_payment, body, late, received_at)"
        " VALUES ('e', 'payment.captured', 'p', '{}', false, now() - interval '61 seconds')",
    ),
    "audit_down": (
        "INSERT INTO audit_entry (at, business_at, actor, act, subject, data)"
        " VALUES (now() - interval '61 seconds', now(), 'ee', 'x', 'x', '{}')",
    ),
    "sms_down": (
        "INSERT INTO notices_message (connection, kind, channel, phone, template, text, business_on, queued_at, tries,"
        " delivery) VALUES (1, 'cut', 'sms', '9', 't', '', '2025-11-24', now() - interval '3 minutes', 5, 'queued')",
    ),
}


def why(world: World) -> str | None:
    found: str | None = world.one("SELECT stopped_why FROM interlock_switch")
    return found


def watch(world: World, *, at: datetime | None = None, local: str = "") -> str | None:
    """One round as the role `interlock`."""
    with world.database.connect("interlock") as room:
        row = room.execute("SELECT why FROM interlock_watch('w', %s, %s)", (at or datetime.now(UTC), local)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_stops_cuts_and_no_restore(make_world: Callable[..., World], cause: str) -> None:
    world = make_world(count=60, profile={"canary": 0}, delay=0.1)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=60)
        started = world.one("SELECT clock_timestamp()")
        async with world.interlock(concurrency=4):
            await until(lambda: world.counts().get("confirmed", 0) >= 4)
            await until(lambda: world.one("SELECT clear AND at > %s FROM interlock_looking", started))
            for statement in CAUSES[cause]:
                world.owner.execute(statement)
            began = time.monotonic()
            await until(lambda: why(world) == cause)
            await until(lambda: not {"claimed", "sent"} & set(world.counts()))
            assert time.monotonic() - began < 30
            sent = world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'cut'")
            paid = world.one("SELECT min(connection) FROM supply_order WHERE state = 'confirmed'")
            with world.app.transaction():
                facts.pay(world.app, paid)
            await until(lambda: world.counts("restore") == {"confirmed": 1})
            assert world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'cut'") == sent

    uvloop.run(scenario())
    assert world.counts()["authorised"] > 20


@pytest.mark.parametrize("off", [timedelta(seconds=2.5), timedelta(seconds=-2.5)])
def test_a_clock_that_is_off_stops_cuts(world: World, off: timedelta) -> None:
    running(world)
    assert watch(world, at=datetime.now(UTC) + off / 2) is None
    assert watch(world, at=datetime.now(UTC) + off) == "clock_off"
    assert why(world) == "clock_off"


def test_a_clock_that_is_set_while_it_runs_stops_cuts(world: World) -> None:
    """Both it and the database's may have been set together: then only the steady clock knows."""
    turned = [0.0]

    async def scenario() -> None:
        running(world)
        async with world.interlock_alone() as interlock:
            look = Watch(database=interlock.database, worker="w", wall=lambda: time.time() + turned[0]).look
            assert await look() is None
            turned[0] = 1.0
            assert await look() is None
            turned[0] = -1.5
            assert await look() == "clock_off"

    uvloop.run(scenario())


def test_wrong_read_backs_are_counted_over_workers_and_restarts(make_world: Callable[..., World]) -> None:
    world = make_world(count=2)
    running(world, count=2)
    order = world.one("SELECT min(id) FROM supply_order")
    put = (
        'INSERT INTO supply_result ("order", outcome, reason, at, business_at)'
        " SELECT %s, 'confirmed', '', now(), now() FROM generate_series(1, %s)"
    )
    world.owner.execute(put, (order, 195))
    wrong = put.replace("'confirmed', ''", "'unknown', 'not_moved'")
    world.owner.execute(wrong, (order, 4))
    assert watch(world) is None  # 199: too few to say anything
    world.owner.execute(wrong, (order, 1))
    assert watch(world) == "wrong_read_backs"


@pytest.mark.parametrize("cause", CAUSES)
def test_after_all_was_down_cuts_wait_a_minute_for_the_rest_before_they_are_stopped(world: World, cause: str) -> None:
    door, _ = running(world)
    for statement in CAUSES[cause]:
        world.owner.execute(statement)
    world.owner.execute("UPDATE interlock_looking SET at = now() - interval '11 seconds'")
    assert watch(world) == cause
    if cause == "operator_silent":  # nobody was there before either
        assert why(world) == cause
        return
    assert why(world) is None
    assert door.claim() == []
    # What was waited for has come.
    world.owner.execute("UPDATE payments_gatewayevent SET handled_at = now()")
    world.owner.execute(
        "INSERT INTO audit_batch (first_entry, last_entry, entries, members, previous_sha256, sha256, sealed_at)"
        " SELECT 1, max(id), 1, '', '', '', now() FROM audit_entry HAVING count(*) > 0"
    )
    world.owner.execute("UPDATE notices_message SET sent_at = now() WHERE text = ''")
    assert watch(world) is None
    assert door.claim() != []


def test_what_does_not_come_within_a_minute_stops_cuts(world: World) -> None:
    running(world)
    for statement in CAUSES["payments_late"]:
        world.owner.execute(statement)
    world.owner.execute("UPDATE interlock_looking SET at = now() - interval '11 seconds'")
    assert watch(world) == "payments_late"
    world.owner.execute("UPDATE interlock_looking SET since = now() - interval '59 seconds'")
    watch(world)
    assert why(world) is None
    world.owner.execute("UPDATE interlock_looking SET since = now() - interval '61 seconds'")
    watch(world)
    assert why(world) == "payments_late"


def test_nothing_is_stopped_where_nothing_runs(world: World) -> None:
    for statements in CAUSES.values():
        for statement in statements:
            world.owner.execute(statement)
    assert watch(world) is None
    assert why(world) is None


def test_a_drive_that_was_not_registered_yet_is_not_stopped_for_an_operator_who_was_away(world: World) -> None:
    facts.propose(world.app, world.keys, count=6)
    world.owner.execute(CAUSES["operator_silent"][0])
    assert watch(world) is None
    assert why(world) is None


def test_a_target_with_nothing_due_stops_everything(world: World) -> None:
    door, _ = running(world)
    leases = door.claim()
    world.owner.execute(
        "WITH t AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)"
        " VALUES ('payment', 'unseen', now(), now()) RETURNING id)"
        " INSERT INTO ledger_posting (transaction, account, connection, paise)"
        " SELECT id, 'cash', NULL::bigint, 700000 FROM t UNION ALL SELECT id, 'receivable', %s, -700000 FROM t",
        (facts.FIRST,),
    )
    assert door.send_cuts(leases[:1]) == [("refuse", "nothing_due")]
    assert why(world) == "nothing_due"
    assert door.send_cuts(leases[1:]) == [("wait", "drive_not_running")] * 5


def test_the_business_may_stop_and_may_not_arm(world: World) -> None:
    assert world.app.execute("SELECT interlock_halt('ee', 'smoke')").fetchone() == (1,)
    assert world.app.execute("SELECT interlock_halt('se', 'again')").fetchone() == (None,)
    assert why(world) == "smoke"
    for statement in (
        "UPDATE interlock_switch SET stopped_at = NULL",
        "SELECT interlock_arm(1, 1, '')",
        "INSERT INTO interlock_arming (stop, document, first, first_signature, outcome)"
        " VALUES (1, '', '', '', 'armed')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            world.app.execute(statement)


def ask(world: World, *, first: str = "ee", second: str = "se", stop: int = 1, signed: str | None = None) -> None:
    """A request as the business writes it."""
    document = ArmingDocument(stop, "smoke", "it was toast", "n", datetime.now(UTC) + ARMING_LASTS).canonical()
    signatures = [sign_arming(world.keys.officers[login], signed or document) for login in (first, second)]
    world.app.execute(
        "INSERT INTO interlock_arming (stop, document, first, first_signature) VALUES (%s, %s, %s, %s)",
        (stop, document, first, signatures[0]),
    )
    world.app.execute(
        "UPDATE interlock_arming SET second = %s, second_signature = %s WHERE second IS NULL", (second, signatures[1])
    )


def outcome(world: World) -> str:
    found: str = world.one("SELECT outcome FROM interlock_arming ORDER BY id DESC LIMIT 1")
    return found


def test_two_officers_arm_and_the_drive_goes_on(make_world: Callable[..., World]) -> None:
    world = make_world(count=30, profile={"canary": 0}, delay=0.05)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=30)
        async with world.interlock(concurrency=4):
            await until(lambda: world.counts().get("confirmed", 0) >= 4)
            world.app.execute("SELECT interlock_halt('ee', 'smoke')")
            stopped = world.one("SELECT clock_timestamp()")
            await until(lambda: set(world.counts()) == {"confirmed", "authorised"})
            assert world.one("SELECT max(sent_at) <= %s FROM supply_order", stopped)
            ask(world, second="clerk")
            await until(lambda: outcome(world) == "arming_officer_unknown")
            ask(world, signed="another document")
            await until(lambda: outcome(world) == "arming_signature_wrong")
            ask(world, stop=0)
            await until(lambda: outcome(world) == "another_stop")
            assert why(world) == "smoke"
            ask(world)
            await until(lambda: outcome(world) == "armed")
            await until(lambda: world.counts() == {"confirmed": 30})

    uvloop.run(scenario())
    # What armed one stop arms no later one.
    world.app.execute("SELECT interlock_halt('ee', 'smoke')")
    row = world.owner.execute("SELECT document FROM interlock_arming WHERE outcome = 'armed'").fetchone()
    assert row is not None
    assert json.loads(row[0])["stop"] == 1
    assert world.one("SELECT stops FROM interlock_switch") == 2
