"""From what the head-end measured to a clock that is right: the sweep proposes, officers order, the interlock sets."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from django.db import connection

from bahal.domains.meters import clocks as known
from bahal.domains.meters.errors import (
    ClockGoodEnough,
    ClockOfficerWrong,
    ClockOrderOpen,
    ClockTooFar,
    ClockUnmeasured,
    NoClockLimits,
)
from bahal.entry import instance
from bahal.foundation.rows import many, value
from bahal.journeys.follow_clocks import follow_clocks
from bahal.journeys.hear_logs import hear_logs
from bahal.journeys.order_clocks import Ordered, order_clocks
from bahal.journeys.propose_clocks import propose_clocks
from bahal.shared.clock import RehearsalClock
from tests.interlock import clocks
from tests.interlock.clocks import LIMITS, MID_INTERVAL, ends, measured, off, offset, profile
from tests.interlock.world import World, lay, until
from tests.plugin.databases import Database


@pytest.fixture
def make_world(database: Database, tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def laid(*, stated: bool = True, count: int = 6, **limits: int) -> World:
        world = lay(database, tmp_path, count=count, profile=profile(**limits))
        made.append(world)
        clocks.enrol(world)
        clocks.at(world, MID_INTERVAL)
        if stated:
            world.another("interlock").execute(
                "SELECT interlock_state_profile('test', '{ee,se}', '{}', %s, 'w')", (json.dumps(LIMITS | limits),)
            )
        return world

    yield laid
    for world in made:
        world.meters.close()
        for each in (world.app, world.owner, *world.others):
            each.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def sweep(world: World) -> int:
    now = RehearsalClock(world.clock)
    return propose_clocks(at=now.wall(), business_at=now.now())


def order(world: World, *serials: str, by: str = "ee") -> Ordered:
    now = RehearsalClock(world.clock)
    return order_clocks(meters=list(serials) or None, officer=by, at=now.wall(), business_at=now.now())


def follow(world: World) -> int:
    now = RehearsalClock(world.clock)
    return follow_clocks(at=now.wall(), business_at=now.now())


def follow_elsewhere(world: World) -> None:
    """In a thread of its own: the loop belongs to the interlock."""
    try:
        follow(world)
    finally:
        connection.close()


def acts() -> list[str]:
    return [row[0] for row in many("SELECT act FROM audit_entry WHERE act LIKE 'clock.%%' ORDER BY id")]


def test_the_sweep_proposes_what_is_worth_it_once(world: World) -> None:
    for number, drift in enumerate((200, -90, 59, 14_401, -14_400)):
        measured(world, world.serials[number], drift)
    measured(world, world.serials[5], 400, moment=MID_INTERVAL - timedelta(hours=27))  # too long ago
    assert sweep(world) == 4
    proposed = {meter for (meter,) in many("SELECT meter FROM interlock_clock WHERE state = 'proposed'")}
    assert proposed == {world.serials[0], world.serials[1], world.serials[4]}
    assert many("SELECT meter, reason FROM fieldwork_task") == [(world.serials[3], "clock_too_far")]
    assert sweep(world) == 0
    assert acts() == ["clock.proposed", "clock.ended"]
    # One of them was found right since: its proposal is withdrawn.
    measured(world, world.serials[0], 3)
    assert sweep(world) == 1
    assert value("SELECT reason FROM interlock_clock WHERE state = 'cancelled'") == "drift_small"


def test_without_signed_limits_nothing_is_proposed(make_world: Callable[..., World]) -> None:
    world = make_world(stated=False)
    measured(world, world.serials[0], 200)
    assert sweep(world) == 0
    with pytest.raises(NoClockLimits):
        order(world, world.serials[0])


def test_what_an_officer_may_not_order(world: World) -> None:
    for number, drift in enumerate((200, 20, 20_000)):
        measured(world, world.serials[number], drift)
    with pytest.raises(ClockOfficerWrong):
        order(world, world.serials[0], by="clerk")
    with pytest.raises(ClockGoodEnough):
        order(world, world.serials[1])
    with pytest.raises(ClockTooFar):
        order(world, world.serials[2])
    with pytest.raises(ClockUnmeasured):
        order(world, world.serials[3])
    assert order(world, world.serials[0]) == Ordered([world.serials[0]], [])
    with pytest.raises(ClockOrderOpen):
        order(world, world.serials[0])
    # One of a list that is wrong leaves the others unordered: nothing half done.
    measured(world, world.serials[4], 300)
    with pytest.raises(ClockGoodEnough):
        order(world, world.serials[4], world.serials[1])
    assert value("SELECT count(*) FROM interlock_clock") == 1


def test_a_few_by_one_officer_many_by_two(make_world: Callable[..., World]) -> None:
    world = make_world(few=2)
    for serial in world.serials:
        measured(world, serial, 200)
    assert order(world, world.serials[0]).waiting == []
    sweep(world)
    assert len(order(world).waiting) == 5  # one alone before: these are not a few any more
    assert len(order(world).waiting) == 5  # and asking again changes nothing
    assert len(order(world, by="se").sent_on) == 5
    assert many("SELECT DISTINCT ordered_by, checked_by FROM interlock_clock WHERE checked_by IS NOT NULL") == [
        ("ee", "se")
    ]
    assert acts().count("clock.asked") == acts().count("clock.checked") == 5


def live(world: World, *, steps: int = 1, minutes: int = 30) -> None:
    """Let the interlock and the worker work until nothing is open; half an hour passes between two steps."""

    async def scenario() -> None:
        async with world.interlock():
            for _ in range(steps):
                await until(lambda: clocks.settled(world) or ends(world)[-1][1] == "one_step_an_interval")
                await asyncio.to_thread(follow_elsewhere, world)
                if clocks.settled(world):
                    return
                clocks.at(world, RehearsalClock(world.clock).now() + timedelta(minutes=minutes))

    uvloop.run(scenario())


def test_a_clock_is_ordered_set_and_told(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial)
    live(world)
    assert ends(world) == [("verified", "")]
    assert abs(offset(world, serial)) <= 1
    assert acts() == ["clock.ordered", "clock.set"]
    drift = known.drift_of(meter=serial)
    assert drift is not None
    assert abs(drift.drift_s) <= 2  # before the head-end measures again
    assert sweep(world) == 0


def test_a_clock_that_somebody_else_set_is_an_alert(world: World) -> None:
    ours, theirs = off(world, 0, 200), world.serials[1]
    measured(world, ours, 200)
    order(world, ours)
    live(world)
    for serial in (ours, theirs):
        moment = MID_INTERVAL if serial == theirs else value("SELECT business_at FROM interlock_clock_sending")
        for at in (moment, *([moment + timedelta(hours=3)] if serial == theirs else [])):
            world.owner.execute(
                "INSERT INTO readings_event (meter, log, at, event, batch, data)"
                " VALUES (%s, 'events_transaction', %s, 151, 1, '{}')",
                (serial, at),
            )
    now = RehearsalClock(world.clock)
    hear_logs(at=now.wall(), business_at=now.now() + timedelta(hours=4))
    assert many("SELECT meter, kind, role FROM protection_alert") == [(theirs, "clock_set", "vigilance")]


def test_a_failed_clock_is_a_field_task_once(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial)
    off(world, 0, 20_000)  # it jumps between the measurement and the order
    measured(world, serial, 20_000)
    live(world)
    assert ends(world) == [("field_task", "clock_too_far")]
    assert many("SELECT meter, reason FROM fieldwork_task") == [(serial, "clock_too_far")]
    sweep(world)
    assert value("SELECT count(*) FROM fieldwork_task") == 1


def test_a_worker_killed_before_its_commit_is_followed_by_another(world: World) -> None:
    serial = off(world, 0, 1_500)
    measured(world, serial, 1_500)
    order(world, serial)
    number = value("SELECT id FROM interlock_clock")
    interlock = world.another("interlock")
    interlock.execute("SELECT * FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,))
    sent = interlock.execute(
        "SELECT verdict, step_s FROM interlock_clock_send('w', %s, 1500, 0.1, %s, clock_timestamp(), %s)",
        (number, MID_INTERVAL + timedelta(minutes=5), json.dumps(LIMITS)),
    ).fetchone()
    assert sent == ("send", -300)
    interlock.execute(
        "SELECT interlock_clocks_done('w', %s, %s::bigint[], %s::bigint[], %s, %s, %s::double precision[],"
        " %s::double precision[], %s::bigint[], %s::double precision[])",
        (MID_INTERVAL, [number], [1], ["verified"], [""], [1_200.0], [0.1], [7], [0.0]),
    )
    instance.make(world.database.home, rehearsal=True)
    program = (
        "from bahal.entry.business import enter\nclock = enter()\n"
        "from bahal.journeys.follow_clocks import follow_clocks\n"
        "print(follow_clocks(at=clock.wall(), business_at=clock.now()))"
    )
    crash = {"BAHAL_CRASH_AT": "worker.clocks_before_commit:1", "BAHAL_CLOCK": str(world.clock)}

    def worker() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program], env=world.database.environ(**crash), capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    assert worker().returncode == -signal.SIGKILL
    assert (acts(), value("SELECT count(*) FROM interlock_clock")) == (["clock.ordered"], 1)
    assert worker().stdout.strip() == "1"
    assert worker().stdout.strip() == "0"
    assert acts() == ["clock.ordered", "clock.set"]
    steps = many("SELECT state, walk, follows, ordered_by, seen_s FROM interlock_clock ORDER BY id")
    assert steps == [("verified", 0, None, "ee", 1_500), ("authorised", 1, number, "ee", 1_200)]


def test_the_verbs(world: World) -> None:
    instance.make(world.database.home, rehearsal=True)

    def bahal(*words: str, code: int = 0, lang: str = "en") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bahal.entry.cli", "meter", *words],
            env=world.database.environ(BAHAL_LANG=lang, BAHAL_CLOCK=str(world.clock)),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert bahal("clocks").strip() == "all clocks are right"
    measured(world, world.serials[0], 200)
    measured(world, world.serials[1], -3_000)
    sweep(world)
    lines = bahal("clocks").splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        [world.serials[1], "3000 s behind"], [world.serials[0], "200 s ahead"],
    ]  # fmt: skip
    assert "पीछे" in bahal("clocks", lang="hi")
    assert "proposed" in lines[0]
    refused: Any = json.loads(bahal("clock", world.serials[0], "--set", "--as", "clerk", "--json", code=1))
    assert refused["error"] == "clock_officer_wrong"
    told = json.loads(bahal("clock", world.serials[0], "--set", "--as", "ee", "--json"))
    assert told == {"ordered": [world.serials[0]], "waiting_for_second": []}
    assert "authorised" in bahal("clock", world.serials[0])
    assert "अधिकृत" in bahal("clock", world.serials[0], lang="hi")
    assert json.loads(bahal("clock", world.serials[0], "--cancel", "--json")) == {
        "withdrawn": value("SELECT id FROM interlock_clock WHERE meter = %s", world.serials[0]),
        "meter": world.serials[0],
    }
    assert json.loads(bahal("clock", world.serials[0], "--cancel", "--json", code=1))["error"] == "no_clock_order"
    assert "cancelled (withdrawn by an officer)" in bahal("clock", world.serials[0])
    assert sweep(world) == 0  # for a day it is not proposed again
    bahal("clock", world.serials[0], "--set", "--cancel", code=2)
    assert acts()[-1] == "clock.withdrawn"
    assert bahal("clocks", "--order", "--as", "ee").startswith("1 clocks ordered")
    assert json.loads(bahal("clocks", "--json"))["clocks"][0]["state"] == "authorised"
