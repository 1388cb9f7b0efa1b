"""Whole drives: the canary stops one, a person stops one, the dead-man stops all, and reconnections go on."""

import asyncio
from collections.abc import Callable

import uvloop

from bahal.interlock.canary import COUNTED_AT_LEAST, CanaryVerdict, DeadMan, judge_canary
from tests.interlock import facts
from tests.interlock.world import World, until


def stick(world: World, *numbers: int) -> None:
    for number in numbers:
        world.meters.circle.stuck.add(world.meters.row(world.serials[number]))


def test_canary_then_main_wave(make_world: Callable[..., World]) -> None:
    world = make_world(count=12)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=12)
        async with world.interlock():
            await until(lambda: world.counts() == {"confirmed": 12})

    uvloop.run(scenario())
    passed = world.one("SELECT canary_passed_at FROM interlock_warrant")
    first, last, rest = world.owner.execute(
        "SELECT min(sent_at), max(sent_at) FILTER (WHERE position < 3), min(sent_at) FILTER (WHERE position >= 3)"
        " FROM supply_order"
    ).fetchone()  # type: ignore[misc]
    assert first <= last < passed < rest


def test_a_canary_that_goes_wrong_stops_the_drive(make_world: Callable[..., World]) -> None:
    world = make_world(count=12)
    stick(world, 1)

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=12)
        async with world.interlock():
            await until(lambda: world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) == "stopped")

    uvloop.run(scenario())
    assert world.one("SELECT reason FROM supply_drive") == "canary_failed"
    assert world.counts() == {"confirmed": 2, "field_task": 1, "refused": 9}
    assert all(world.meters.closed(serial) for serial in world.serials[3:])


def test_one_wrong_of_many_in_the_canary_is_allowed(make_world: Callable[..., World]) -> None:
    world = make_world(count=14, profile={"canary": 10, "canary_wrong_share": 0.1})
    stick(world, 4)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=14)
        async with world.interlock():
            await until(lambda: world.counts() == {"confirmed": 13, "field_task": 1})

    uvloop.run(scenario())


def test_verdicts_over_a_canary() -> None:
    def judged(open_orders: int, confirmed: int, failed: int) -> CanaryVerdict:
        return judge_canary(open_orders=open_orders, confirmed=confirmed, failed=failed, wrong_share=0.02)

    assert judged(1, 49, 0) is CanaryVerdict.OPEN
    assert judged(0, 49, 1) is CanaryVerdict.PASSED
    assert judged(0, 48, 2) is CanaryVerdict.FAILED
    assert judged(0, 0, 1) is CanaryVerdict.FAILED
    assert judged(0, 0, 0) is CanaryVerdict.PASSED


def test_a_person_stops_a_drive_and_nothing_more_is_sent_within_two_seconds(make_world: Callable[..., World]) -> None:
    world = make_world(count=60, profile={"canary": 0}, delay=0.1)

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=60)
        async with world.interlock(concurrency=6):
            await until(lambda: world.counts().get("confirmed", 0) >= 6)
            world.app.execute("UPDATE supply_drive SET state = 'stopped' WHERE id = %s", (drive.id,))
            world.app.execute("NOTIFY bahal_orders")
            stopped = world.one("SELECT clock_timestamp()")
            await until(lambda: set(world.counts()) <= {"confirmed", "authorised"})
            await asyncio.sleep(0.5)
            assert world.one("SELECT max(sent_at) <= %s FROM supply_order", stopped)

    uvloop.run(scenario())
    assert world.counts()["authorised"] > 20


def test_a_paused_drive_goes_on_when_it_runs_again(make_world: Callable[..., World]) -> None:
    world = make_world(count=20, profile={"canary": 0}, delay=0.05)

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=20)
        async with world.interlock(concurrency=4):
            await until(lambda: world.counts().get("confirmed", 0) >= 4)
            world.app.execute("UPDATE supply_drive SET state = 'paused' WHERE id = %s", (drive.id,))
            await until(lambda: set(world.counts()) == {"confirmed", "authorised"})
            world.app.execute("UPDATE supply_drive SET state = 'running' WHERE id = %s", (drive.id,))
            world.app.execute("NOTIFY bahal_orders")
            await until(lambda: world.counts() == {"confirmed": 20})

    uvloop.run(scenario())


def test_the_dead_man_counts_the_latest_cuts_only() -> None:
    deadman = DeadMan()
    assert not any(deadman.count(as_ordered=False) for _ in range(COUNTED_AT_LEAST - 1))
    assert deadman.count(as_ordered=False)
    deadman = DeadMan()
    for n in range(1000):
        assert not deadman.count(as_ordered=n >= 4)
    assert not any(deadman.count(as_ordered=True) for _ in range(1000))
    wrong = [deadman.count(as_ordered=False) for _ in range(21)]
    assert wrong == [False] * 20 + [True]


def test_the_dead_man_stops_all_cuts_and_no_restore(make_world: Callable[..., World]) -> None:
    world = make_world(count=260, profile={"canary": 0})
    stick(world, *range(0, 200, 20))

    async def scenario() -> None:
        drive = facts.propose(world.app, world.keys, count=260)
        async with world.interlock(concurrency=60):
            await until(lambda: world.one("SELECT stopped_why FROM interlock_switch") == "wrong_read_backs", seconds=60)
            cut = world.one("SELECT min(connection) FROM supply_order WHERE state = 'confirmed'")
            with world.app.transaction():
                facts.pay(world.app, cut)
            await until(lambda: world.counts("restore") == {"confirmed": 1})
            claimed = ("authorised", "claimed", "sent", "unknown")
            await until(lambda: not {"claimed", "sent"} & set(world.counts()))
            before = world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'cut'")
            await asyncio.sleep(0.5)
            assert world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'cut'") == before
            assert world.one("SELECT state FROM supply_drive WHERE id = %s", drive.id) == "running"
            assert sum(world.counts().get(state, 0) for state in claimed) > 0
            # Armed again, it counts anew and the drive goes on.
            world.owner.execute(
                "UPDATE interlock_switch SET stopped_at = NULL, stopped_by = NULL, stopped_why = NULL,"
                " armed_at = clock_timestamp()"
            )
            await until(lambda: not {*claimed} & set(world.counts()), seconds=60)
            assert world.one("SELECT stopped_at FROM interlock_switch") is None

    uvloop.run(scenario())


def test_draining_ends_what_runs_and_gives_back_what_waits(make_world: Callable[..., World]) -> None:
    world = make_world(count=30, profile={"canary": 0}, delay=0.05)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=30)
        async with world.interlock(concurrency=5, per_cell=3) as interlock:
            await until(lambda: world.counts().get("confirmed", 0) >= 3)
            async with asyncio.timeout(60):
                await interlock.desk.drain()

    uvloop.run(scenario())
    assert set(world.counts()) == {"confirmed", "authorised"}
    assert world.one("SELECT max(tries) FROM supply_order WHERE state = 'authorised'") <= 1
    assert world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL") == 0


def test_no_more_sessions_at_once_than_a_cell_may_have(make_world: Callable[..., World]) -> None:
    world = make_world(count=20, profile={"canary": 0}, delay=0.03)
    most = 0

    async def scenario() -> None:
        nonlocal most
        facts.propose(world.app, world.keys, count=20)
        async with world.interlock(per_cell=3) as interlock:
            while world.counts() != {"confirmed": 20}:
                most = max(most, interlock.desk.pacing.running)
                await asyncio.sleep(0.01)

    uvloop.run(scenario())
    assert most == 3


def test_the_database_goes_away_and_comes_back(make_world: Callable[..., World]) -> None:
    world = make_world(count=20, profile={"canary": 0}, delay=0.03)
    killer = world.another("interlock")

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=20)
        async with world.interlock(concurrency=5):
            await until(lambda: world.counts().get("confirmed", 0) >= 3)
            for _ in range(3):
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE usename = 'interlock' AND datname = current_database() AND pid <> pg_backend_pid()"
                )
                await asyncio.sleep(0.15)
            await until(lambda: world.counts() == {"confirmed": 20}, seconds=60)

    uvloop.run(scenario())
    assert [world.meters.movements(serial) for serial in world.serials] == [["off"]] * 20
