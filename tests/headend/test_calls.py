"""Meters that call: believed when they have proved who they are, read over their own call, and lost to nobody else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop

from bahal.dlms import wrapper
from bahal.fleet.alerts import alert_frame
from bahal.fleet.calling import Caller
from bahal.fleet.store import IDENTITY
from tests.headend.running import configure, headend, metrics
from tests.headend.test_reads import ask
from tests.interlock.world import World, until

Ready = dict[str, Any]


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Six meters that all call."""
    return make_world(count=6, dial_in=1.0)


@contextlib.asynccontextmanager
async def calling(world: World, *, speaks: bool = True, **stated: Any) -> AsyncIterator[tuple[Ready, Caller]]:
    """A head-end, and meters that may call it."""
    configure(world, **stated)
    async with headend(world) as (_, ready), world.meters.serving():
        caller = world.meters.caller(ready["dial_in"], speaks=speaks)
        try:
            yield ready, caller
        finally:
            caller.close()


async def counts(ready: Ready, sample: str) -> float:
    """One figure of the head-end's; 0 where it was never counted."""
    for line in (await metrics(ready)).splitlines():
        if line.startswith(f"{sample} "):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


async def counted(ready: Ready, sample: str, value: float = 1.0) -> None:
    """Wait until a figure has this value.

    :raises TimeoutError: it never had.
    """
    async with asyncio.timeout(60):
        while await counts(ready, sample) != value:
            await asyncio.sleep(0.05)


def answered(world: World, request: int) -> bool:
    """Whether a read has its value."""
    return bool(world.one("SELECT done_at IS NOT NULL AND reason = '' FROM readings_request WHERE id = %s", request))


def addresses(world: World, number: int = 0) -> list[tuple[str, bool, str]]:
    rows = world.owner.execute(
        "SELECT host, forgotten_at IS NULL, why FROM headend_address WHERE meter = %s ORDER BY id",
        (world.serials[number],),
    ).fetchall()
    return [(host, believed, why) for host, believed, why in rows]


@pytest.mark.parametrize("speaks", [True, False], ids=["with a push", "in silence"])
def test_a_meter_that_calls_is_read_over_its_own_call(world: World, speaks: bool) -> None:
    async def scenario() -> None:
        async with calling(world, speaks=speaks) as (ready, caller):
            request = ask(world)
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: answered(world, request))
            assert await counts(ready, "bahal_lines_open") == 1
            assert world.meters.calls == []  # nobody dialled
            # The line stays, and serves the next one too.
            again = ask(world)
            await until(lambda: answered(world, again))
            assert world.meters.circle.stats.calls == {"made": 1}

    uvloop.run(scenario())
    assert world.one("SELECT count(*) FROM readings_reading") == 2
    assert addresses(world) == [("127.16.0.1", True, "")]


def test_a_read_of_a_meter_that_has_not_called_waits_for_it_and_costs_no_try(world: World) -> None:
    async def scenario() -> None:
        async with calling(world) as (_, caller):
            request = ask(world)
            await until(lambda: world.one("SELECT reason FROM readings_request") == "no_line")
            assert world.one("SELECT tries FROM readings_request") == 0
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: answered(world, request))

    uvloop.run(scenario())


def test_a_claimed_name_that_is_not_registered_is_refused_and_counted(world: World) -> None:
    world.owner.execute("DELETE FROM headend_meter WHERE meter = %s", (world.serials[0],))

    async def scenario() -> None:
        async with calling(world, speaks=False) as (ready, caller):
            caller.call(world.meters.row(world.serials[0]))
            await counted(ready, 'bahal_pushes_total{outcome="unknown_sender"}')
            assert await counts(ready, "bahal_lines_open") == 0

    uvloop.run(scenario())


def test_who_claims_a_name_and_has_not_its_key_takes_nothing(world: World) -> None:
    """The second meter says in silence that it is the first; the first one's line stands all the while."""
    first, second = (world.meters.row(serial) for serial in world.serials[:2])

    async def scenario() -> None:
        async with calling(world) as (ready, caller):
            caller.call(first)
            await counted(ready, "bahal_lines_open")
            columns = world.meters.circle.columns
            columns.identities[second * IDENTITY.size : second * IDENTITY.size + 16] = (
                world.serials[0].encode().ljust(16, b"\0")
            )
            impostor = world.meters.caller(ready["dial_in"], speaks=False)
            impostor.call(second)
            await counted(ready, 'bahal_pushes_total{outcome="not_proved"}')
            impostor.close()
            assert await counts(ready, "bahal_lines_open") == 1
            request = ask(world)
            await until(lambda: answered(world, request))

    uvloop.run(scenario())


def test_the_older_of_two_calls_loses_when_the_newer_has_proved_itself(world: World) -> None:
    row = world.meters.row(world.serials[0])

    async def scenario() -> None:
        async with calling(world) as (ready, caller):
            caller.call(row)
            await counted(ready, "bahal_lines_open")
            older, newer = caller, world.meters.caller(ready["dial_in"])
            newer.call(row)
            await counted(ready, 'bahal_calls_ended_total{reason="superseded"}')
            await until(lambda: older.on_the_line == 0)
            assert newer.on_the_line == 1
            request = ask(world)
            await until(lambda: answered(world, request))
            newer.close()

    uvloop.run(scenario())
    # Closed in order: the older call does not come back and take the line again.
    assert world.meters.circle.stats.calls["reset"] == 0


def test_where_a_meter_called_from_is_kept_with_its_history(world: World) -> None:
    row = world.meters.row(world.serials[0])
    frames = [alert_frame(world.meters.circle, row) for _ in range(2)]

    async def scenario() -> None:
        async with calling(world) as (ready, _):
            for known, (host, frame) in enumerate(zip(("127.99.0.1", "127.99.0.2"), frames, strict=True), 1):
                _, writer = await asyncio.open_connection("127.0.0.1", ready["dial_in"], local_addr=(host, 0))
                writer.write(frame)
                await until(lambda known=known: len(addresses(world)) == known)  # type: ignore[misc]
                writer.close()

    uvloop.run(scenario())
    assert addresses(world) == [("127.99.0.1", False, "moved"), ("127.99.0.2", True, "")]


def test_an_address_where_another_meter_answers_is_forgotten(make_world: Callable[..., World]) -> None:
    """Dialled out: the first meter called from what is now the second one's address."""
    world = make_world(count=6)
    world.owner.execute(
        "INSERT INTO headend_address (meter, host) SELECT %s, host FROM headend_meter WHERE meter = %s",
        (world.serials[0], world.serials[1]),
    )

    async def scenario() -> None:
        configure(world)
        async with headend(world), world.meters.serving():
            request = ask(world)
            await until(lambda: answered(world, request))

    uvloop.run(scenario())
    ((host, believed, why),) = addresses(world)
    assert (host, believed) == ("127.16.0.2", False)
    assert why
    assert world.meters.calls == [world.serials[1], world.serials[0]]


def test_an_address_learned_is_dialled(make_world: Callable[..., World]) -> None:
    world = make_world(count=6)
    world.owner.execute("UPDATE headend_meter SET host = '127.88.0.1' WHERE meter = %s", (world.serials[0],))
    world.owner.execute("INSERT INTO headend_address (meter, host) VALUES (%s, '127.16.0.1')", (world.serials[0],))

    async def scenario() -> None:
        configure(world)
        async with headend(world), world.meters.serving():
            request = ask(world)
            await until(lambda: answered(world, request))

    uvloop.run(scenario())


def test_callers_that_dribble_or_say_nothing_sensible_are_bounded(world: World) -> None:
    async def scenario() -> None:
        async with calling(world, dial_in_total_s=2.0, dial_in_idle_s=1.0, identify_s=0.3) as (ready, caller):
            slow, writer = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            loud, talker = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            talker.write(wrapper.frame(1, 16, b"\x0f" * 20))
            began = asyncio.get_running_loop().time()
            frame = alert_frame(world.meters.circle, 0)
            ends = [asyncio.create_task(_end_of(each)) for each in (slow, loud)]
            for byte in frame:
                if ends[0].done() or writer.is_closing():
                    break
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.1)
            await asyncio.wait_for(asyncio.gather(*ends), 60)
            assert asyncio.get_running_loop().time() - began < 30
            # The door is as well as before.
            request = ask(world)
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: answered(world, request))
            writer.close()
            talker.close()

    uvloop.run(scenario())
    assert world.one("SELECT count(*) FROM protection_event") == 1


async def _end_of(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(100):
            continue


def test_who_is_not_needed_is_let_go_when_enough_are_on_the_line(world: World) -> None:
    async def scenario() -> None:
        async with calling(world, lines_idle=2) as (ready, caller):
            for number in range(3):
                caller.call(world.meters.row(world.serials[number]))
                await until(lambda number=number: world.meters.circle.stats.calls["made"] == number + 1)  # type: ignore[misc]
            await counted(ready, 'bahal_calls_ended_total{reason="served"}')
            assert await counts(ready, "bahal_lines_open") == 2
            await until(lambda: world.meters.circle.stats.calls == {"made": 3, "served": 1})
            request = ask(world, 5)
            caller.call(world.meters.row(world.serials[5]))
            await until(lambda: answered(world, request))

    uvloop.run(scenario())


def test_who_is_turned_away_calls_again(world: World) -> None:
    async def scenario() -> None:
        async with calling(world, dial_in_most=1, lines_idle=1) as (ready, caller):
            blocker = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            request = ask(world)
            caller.call(world.meters.row(world.serials[0]))
            await counted(ready, 'bahal_dial_in_refused_total{reason="too_many"}')
            blocker[1].close()
            await until(lambda: answered(world, request))

    uvloop.run(scenario())
    assert world.meters.circle.stats.calls["made"] >= 2


def test_a_wanted_meter_is_asked_by_sms_once_and_its_call_ends_that(world: World) -> None:
    for number in (0, 1):
        world.app.execute(
            "INSERT INTO meters_sim (iccid, meter, msisdn, operator, cell) VALUES (%s, %s, %s, 'x', 'c')",
            (f"8991{number}", world.serials[number], f"+91575500{number}"),
        )
    listener = world.another()
    listener.execute("LISTEN bahal_wakeups")

    async def scenario() -> None:
        async with calling(world) as (_, caller):
            request = ask(world)
            ask(world, 2)  # its SIM is on no register
            await until(lambda: world.one("SELECT count(*) FROM meters_wakeup"))
            assert await asyncio.to_thread(lambda: next(iter(listener.notifies(timeout=60, stop_after=1)), None))
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: answered(world, request))

    uvloop.run(scenario())
    rows = world.app.execute("SELECT meter, msisdn, why FROM meters_wakeup").fetchall()
    assert rows == [(world.serials[0], "+915755000", "called")]
