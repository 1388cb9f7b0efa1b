"""Reads on demand: a row asked for becomes a reading or a reason."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
import uvloop

from bahal.headend.config import HeadendConfig, HeadendMisconfigured
from tests.headend.running import configure, headend, metrics
from tests.interlock.meters import Fault
from tests.interlock.world import World, until

ENERGY = "1.0.1.8.0.255"


def ask(world: World, number: int = 0, register: str = ENERGY, *, tries: int = 0) -> int:
    made = world.app.execute(
        "INSERT INTO readings_request (meter, register, asked_at, tries, reason)"
        " VALUES (%s, %s, now(), %s, '') RETURNING id",
        (world.serials[number], register, tries),
    ).fetchone()
    world.app.execute("NOTIFY bahal_reads")
    assert made is not None
    return int(made[0])


def done(world: World) -> int:
    return int(world.one("SELECT count(*) FROM readings_request WHERE done_at IS NOT NULL"))


def reasons(world: World) -> list[str]:
    return [row[0] for row in world.app.execute("SELECT reason FROM readings_request ORDER BY id").fetchall()]


def test_a_register_is_read_and_dated_by_the_business_clock(world: World) -> None:
    configure(world)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world) as (running, ready):
            for number in range(6):
                ask(world, number)
            await until(lambda: done(world) == 6)
            assert 'bahal_results_total{outcome="read"} 6.0' in await metrics(ready)
            running.send_signal(signal.SIGTERM)
            await asyncio.wait_for(running.wait(), 60)
            assert running.returncode == 0

    uvloop.run(scenario())
    readings = world.app.execute("SELECT meter, register, value, at::date::text FROM readings_reading").fetchall()
    assert {row[0] for row in readings} == set(world.serials)
    assert {(row[1], row[3]) for row in readings} == {(ENERGY, "2025-11-24")}
    assert all(row[2] > 0 for row in readings)
    assert world.one("SELECT count(*) FROM headend_meter WHERE lease_holder IS NOT NULL") == 0


@pytest.mark.parametrize(
    ("register", "reason"),
    [("1.0.99.1.0.255", "data_access_refused"), ("rubbish", "register_unknown"), ("1.2.3", "register_unknown")],
)
def test_what_cannot_be_read_has_a_reason(world: World, register: str, reason: str) -> None:
    configure(world)
    ask(world, register=register, tries=4)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            await until(lambda: done(world) == 1)

    uvloop.run(scenario())
    assert reasons(world) == [reason]
    assert world.one("SELECT count(*) FROM readings_reading") == 0


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.MUTE])
def test_a_read_that_failed_is_tried_again(world: World, fault: Fault) -> None:
    configure(world)
    world.meters.faults[world.serials[0]] = [fault]
    ask(world)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            await until(lambda: done(world) == 1)

    uvloop.run(scenario())
    assert reasons(world) == [""]
    assert world.one("SELECT tries FROM readings_request") == 2


def test_two_requests_for_one_meter_take_turns(world: World) -> None:
    configure(world)
    ask(world)
    ask(world)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            await until(lambda: done(world) == 2)

    uvloop.run(scenario())
    assert world.meters.calls == [world.serials[0]] * 2


@pytest.mark.parametrize("point", ["headend.read_claimed", "headend.read_answered"])
def test_killed_at_a_read_it_is_read_again(world: World, point: str) -> None:
    configure(world)
    ask(world)

    async def scenario() -> None:
        async with world.meters.serving():
            async with headend(world, BAHAL_CRASH_AT=f"{point}:1") as (first, _):
                await asyncio.wait_for(first.wait(), 60)
                assert first.returncode == -signal.SIGKILL
            async with headend(world):
                await until(lambda: done(world) == 1)

    uvloop.run(scenario())
    assert world.one("SELECT count(*) FROM readings_reading") == 1
    assert world.one("SELECT lease_token FROM headend_meter WHERE meter = %s", world.serials[0]) == 2


def test_the_headend_holds_no_relay_key_and_no_way_to_move_one(world: World) -> None:
    entered = world.another("headend")
    for query in (
        "SELECT * FROM interlock_meter",
        "UPDATE supply_order SET state = 'sent'",
        "SELECT * FROM supply_order",
    ):
        with pytest.raises(Exception, match="permission denied"):
            entered.execute(query)


@pytest.mark.parametrize(
    "stated", [[], {"reply_s": 0}, {"reply_s": "long"}, {"nonsense": 1}, {"dsn": "x"}, {"concurrency": 1.5}]
)
def test_a_senseless_configuration_is_refused(tmp_path: Path, stated: object) -> None:
    (tmp_path / "headend.json").write_text(json.dumps(stated))
    with pytest.raises(HeadendMisconfigured):
        HeadendConfig.read(tmp_path, dsn="", dial_in=0, metrics=0)


def test_a_configuration_changes_what_it_names(tmp_path: Path) -> None:
    assert HeadendConfig.read(tmp_path, dsn="d", dial_in=1, metrics=2).reply_s == 8.0
    (tmp_path / "headend.json").write_text(json.dumps({"reply_s": 3, "dial_in_host": "::1"}))
    config = HeadendConfig.read(tmp_path, dsn="d", dial_in=1, metrics=2)
    assert (config.reply_s, config.dial_in_host, config.dial_in) == (3, "::1", 1)
