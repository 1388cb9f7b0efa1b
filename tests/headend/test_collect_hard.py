"""Collecting beside meters that dribble, hang, call late, push by themselves, or capture something new."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import uvloop

from bahal.dlms import axdr, clock, india, push, security, wrapper
from bahal.dlms.objects.model import PUSH_SAP
from bahal.dlms.objects.profile import BufferWriter, Numbered
from bahal.dlms.security import Cipher
from bahal.fleet.faults import Behaviour, Fault, Kind
from bahal.fleet.registers import rows as meter_rows
from bahal.shared.clock import RehearsalClock
from bahal.shared.wanted import Wanted
from tests.headend.collecting import (
    FAST,
    LOAD_AND_DAILY,
    YESTERDAY,
    collect,
    lake_rows,
    standing,
    true_load,
    waiting,
    want,
)
from tests.headend.running import configure, headend, metrics
from tests.headend.test_calls import counted
from tests.interlock.meters import Fault as Failing
from tests.interlock.world import World, until


def ended(world: World) -> int:
    """Meters that gave all that was wanted."""
    return int(world.one("SELECT count(*) FROM readings_meter WHERE wants = 0 AND answered_at IS NOT NULL"))


@pytest.mark.parametrize("kind", [Kind.SLOW_LORIS, Kind.HALF_OPEN, Kind.MALFORMED])
def test_honest_meters_are_read_beside_those_that_waste_time(make_world: Callable[..., World], kind: Kind) -> None:
    """A third of a cell is bad for good; everybody else's day is in all the same."""
    world = make_world(count=36)
    circle = world.meters.circle
    bad = [circle.columns.with_serial(serial) for serial in world.serials[::3]]
    for row in bad:
        circle.behave(row, Behaviour(faults=(Fault(kind=kind),)))
    want(world, LOAD_AND_DAILY)
    configure(world, **FAST)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            await until(lambda: ended(world) >= 24, seconds=60)

    uvloop.run(scenario())
    assert ended(world) == 24, standing(world)
    reasons = dict(world.owner.execute("SELECT meter, reason FROM readings_meter WHERE wants <> 0").fetchall())
    assert sorted(reasons) == sorted(world.serials[::3])
    assert world.one("SELECT min(due_at) > 'epoch' FROM readings_meter WHERE tries > 0")


def test_a_meter_that_fails_waits_longer_each_time_and_is_given_up_with_its_reason(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Failing.MUTE] * 9
    world.owner.execute("UPDATE readings_backoff SET seconds = 1")
    want(world, Wanted.DAILY, 0)
    configure(world, **FAST | {"reply_s": 0.2})

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            await until(lambda: waiting(world) == 0, seconds=60)

    uvloop.run(scenario())
    assert world.meters.calls.count(world.serials[0]) == 6
    row = world.owner.execute("SELECT tries, reason, answered_at FROM readings_meter").fetchone()
    assert row == (6, "reply_timeout", None)


def test_what_came_before_a_line_broke_is_kept(world: World) -> None:
    """The link is lost in the middle: what had come is not asked for again."""
    want(world, Wanted.BILLING, 0)
    collect(world)
    world.meters.faults[world.serials[0]] = [Failing.LOST_BEFORE_READ_BACK]
    world.owner.execute("UPDATE readings_backoff SET seconds = 1")
    want(world, LOAD_AND_DAILY | Wanted.BILLING | Wanted.NOW, 0)
    collect(world)
    assert lake_rows(world)["wh"].to_pylist() == [true_load(world, 0)]
    assert world.one("SELECT count(*) FROM readings_register WHERE kind = 'd'") == 2


def test_a_meter_that_has_not_called_is_collected_when_it_does(make_world: Callable[..., World]) -> None:
    world = make_world(count=3, dial_in=1.0)
    want(world, LOAD_AND_DAILY, 0)
    configure(world, **FAST)

    async def scenario() -> None:
        async with headend(world) as (_, ready), world.meters.serving():
            await until(lambda: world.one("SELECT reason FROM readings_meter") == "no_line")
            assert world.one("SELECT tries FROM readings_meter") == 0
            caller = world.meters.caller(ready["dial_in"])
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: waiting(world) == 0)
            caller.close()

    uvloop.run(scenario())
    assert world.meters.calls == []  # nobody dialled


def test_behind_a_gateway_meters_are_collected_through_it(make_world: Callable[..., World]) -> None:
    world = make_world(count=4, behind_gateways=1.0)
    want(world, LOAD_AND_DAILY)
    collect(world)
    assert lake_rows(world)["wh"].to_pylist() == [true_load(world, n) for n in range(4)]


def pushed(world: World, number: int, body: bytes) -> bytes:
    """A frame that a meter pushes."""
    meter = world.meters.circle.meter(world.meters.row(world.serials[number]))
    keys = meter.keys(PUSH_SAP)
    assert keys is not None
    return wrapper.frame(
        1,
        PUSH_SAP,
        push.seal_notification(
            cipher=Cipher(keys.encryption, keys.authentication),
            system_title=meter.system_title,
            counter=meter.take_counter(PUSH_SAP),
            body=body,
            security_control=security.ENCRYPTED,
        ),
    )


def test_pushes_by_schedule_are_taken_once(world: World) -> None:
    """Instantaneous registers, and a day of the load profile, come without being asked; a replay is refused."""
    meter = world.meters.circle.meter(world.meters.row(world.serials[0]))
    instant = pushed(world, 0, india.single_phase_answers().push_body("push_instant", meter))
    profile = india.single_phase()["block_profile"]
    yesterday = Numbered(first=2880 - 20 - 47, last=2880 - 20)
    buffer = BufferWriter(profile.columns).write(meter_rows(meter, "block_profile", yesterday))
    stamp = axdr.octets(clock.encode(RehearsalClock(world.clock).now().astimezone(india.IST)))
    body = axdr.structure(axdr.octets(b"d"), axdr.octets(bytes((0, 5, 25, 9, 0, 255))), stamp, buffer)
    # What the profile holds is known once a meter of this firmware was asked.
    want(world, Wanted.LOAD, 1)
    want(world, Wanted.NAMEPLATE, 0)
    collect(world)
    configure(world, **FAST)

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            _, writer = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            writer.write(instant)
            await counted(ready, 'bahal_pushes_total{outcome="scheduled"}', 1)
            writer.write(pushed(world, 0, body))
            await counted(ready, 'bahal_pushes_total{outcome="scheduled"}', 2)
            writer.write(instant)
            await counted(ready, 'bahal_pushes_total{outcome="replayed"}', 1)
            writer.close()
            assert "bahal_poison_total{" not in await metrics(ready)

    uvloop.run(scenario())
    shown = world.owner.execute("SELECT data FROM readings_shown WHERE kind = 'now'").fetchall()
    assert len(shown) == 1
    assert 215 < shown[0][0]["voltage"] < 245
    days = world.owner.execute(
        "SELECT wh FROM readings_load WHERE meter = %s AND day = %s", (world.serials[0], YESTERDAY)
    ).fetchall()
    assert days == [(true_load(world, 0),)]
    assert world.one("SELECT count(*) FROM protection_event") == 0


def test_what_meters_said_is_kept_as_they_said_it(world: World) -> None:
    want(world, Wanted.DAILY, 0)
    collect(world)
    folder: Path = world.database.home.path / "headend" / "raw" / "2025-11-24"
    lines = [
        json.loads(line)
        for path in folder.iterdir()
        for line in pa.input_stream(path, compression="zstd").read().splitlines()
    ]
    assert [(line["meter"], line["kind"]) for line in lines] == [(world.serials[0], "daily")]
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
