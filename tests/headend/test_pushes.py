"""The dial-in door: an alarm is stored once and rung for; everything else closes its connection with a name."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from bahal.dlms import axdr, india, push, security, wrapper
from bahal.dlms.security import Cipher
from bahal.fleet.alerts import alert_frame
from bahal.headend.pushes import PUSH_LIMIT, PUSHES_A_CONNECTION, alert_of
from tests.headend.running import configure, headend, metrics
from tests.interlock.world import World, until

Ready = dict[str, Any]


def forced(world: World, number: int = 0) -> bytes:
    """The alarm of a meter whose relay somebody closed."""
    circle, row = world.meters.circle, world.meters.row(world.serials[number])
    return alert_frame(circle, row)


def forged(
    world: World, *, number: int = 0, key: bytes | None = None, counter: int = 5_000, body: bytes = b""
) -> bytes:
    """A push with our own hands: another key, counter or content."""
    meter = world.meters.circle.meter(world.meters.row(world.serials[number]))
    keys = meter.keys(64)
    assert keys is not None
    apdu = push.seal_notification(
        cipher=Cipher(key or keys.encryption, bytes(16)),
        system_title=meter.system_title,
        counter=counter,
        body=body or axdr.structure(axdr.bits(india.status_word(84))),
        security_control=security.ENCRYPTED,
    )
    return wrapper.frame(1, 64, apdu)


async def call(ready: Ready, *frames: bytes, then_s: float = 0.0) -> bytes:
    """Dial in, say this, hang up; what the head-end said is returned, and must be nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
    try:
        for frame in frames:
            writer.write(frame)
        await writer.drain()
        if then_s:
            return await asyncio.wait_for(reader.read(), then_s)
        return b""
    except (ConnectionError, TimeoutError):
        return b""
    finally:
        writer.close()


def events(world: World) -> list[tuple[str, str, int]]:
    rows = world.app.execute("SELECT meter, esw, counter FROM protection_event ORDER BY id").fetchall()
    return [(meter, esw, counter) for meter, esw, counter in rows]


def test_an_alarm_is_stored_with_its_word_and_time_and_rung_for(world: World) -> None:
    configure(world)
    listener = world.another()
    listener.execute("LISTEN bahal_events")
    row = world.meters.row(world.serials[1])
    world.meters.circle.columns.control_states[row] = 0

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            await call(ready, forced(world, 1))
            await until(lambda: len(events(world)) == 1)
            bell = await asyncio.to_thread(lambda: next(iter(listener.notifies(timeout=60, stop_after=1)), None))
            assert bell is not None

    uvloop.run(scenario())
    ((meter, esw, counter),) = events(world)
    assert meter == world.serials[1]
    assert int(esw, 16) >> (127 - india.LOAD_DISCONNECTED_BIT) & 1
    meter_at, business_at = world.app.execute("SELECT meter_at, business_at FROM protection_event").fetchone()  # type: ignore[misc]
    assert abs((meter_at - business_at).total_seconds()) < 60
    assert world.one("SELECT push_counter FROM headend_meter WHERE meter = %s", meter) == counter


def refusals(world: World) -> dict[str, Callable[[], bytes]]:
    """What is not taken, by the name it is counted under."""
    stranger = wrapper.frame(
        1,
        64,
        push.seal_notification(
            cipher=Cipher(bytes(16), bytes(16)), system_title=b"QQQ\x00\x00\x00\x00\x01", counter=1, body=axdr.null()
        ),
    )
    return {
        "malformed": lambda: b"\xff" * 60,
        "oversized": lambda: wrapper.HEADER.pack(1, 1, 64, PUSH_LIMIT + 1) + b"\xdb" * 40,
        "unexpected": lambda: wrapper.frame(1, 16, b"\x0f" * 20),
        "unknown_sender": lambda: stranger,
        "wrong_key": lambda: forged(world, key=bytes(range(16)), counter=6_000),
        "replayed": lambda: forged(world, counter=5_000),
    }


def test_what_is_not_a_new_alarm_closes_its_connection_with_a_name(world: World) -> None:
    configure(world)

    async def scenario() -> None:
        async with headend(world) as (running, ready):
            await call(ready, forged(world, counter=5_000))
            await until(lambda: len(events(world)) == 1)
            for number, (name, frame) in enumerate(refusals(world).items()):
                assert await call(ready, frame(), then_s=30) == b""
                assert f'bahal_pushes_total{{outcome="{name}"}} 1.0' in await metrics(ready)
                # The process is as well as before.
                await call(ready, forged(world, counter=7_000 + number))
                await until(lambda stored=number + 2: len(events(world)) == stored)  # type: ignore[misc]
            assert running.returncode is None

    uvloop.run(scenario())
    assert [counter for _, _, counter in events(world)] == [5_000, *range(7_000, 7_006)]


def test_a_body_without_a_status_word_is_malformed(world: World) -> None:
    configure(world)

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            await call(ready, forged(world, body=axdr.structure(axdr.uint8(1))), then_s=30)
            assert 'bahal_pushes_total{outcome="malformed"} 1.0' in await metrics(ready)

    uvloop.run(scenario())
    assert events(world) == []


def test_a_caller_who_says_nothing_or_trickles_is_cut_off(world: World) -> None:
    configure(world, dial_in_idle_s=0.3)

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            silent, _w = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            slow, writer = await asyncio.open_connection("127.0.0.1", ready["dial_in"])
            ended = asyncio.create_task(asyncio.wait_for(_end_of(slow), 60))
            for byte in forged(world)[:-1]:
                # The loop may have closed our side before the reader of it has woken.
                if ended.done() or writer.is_closing():
                    break
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)
            await ended
            await asyncio.wait_for(_end_of(silent), 60)
            assert 'bahal_pushes_total{outcome="idle"} 2.0' in await metrics(ready)
            writer.close()
            _w.close()

    uvloop.run(scenario())
    assert events(world) == []


async def _end_of(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(100):
            pass
    except ConnectionError:
        return


def test_callers_and_pushes_are_bounded(world: World) -> None:
    configure(world, dial_in_most=2)

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            held = [await asyncio.open_connection("127.0.0.1", ready["dial_in"]) for _ in range(4)]
            await asyncio.sleep(0.2)
            counted = await metrics(ready)
            assert "bahal_dial_in_open 2.0" in counted
            assert 'bahal_dial_in_refused_total{reason="too_many"} 2.0' in counted
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.1)
            frames = [forged(world, counter=10_000 + n) for n in range(PUSHES_A_CONNECTION + 5)]
            await call(ready, *frames, then_s=30)
            assert 'bahal_pushes_total{outcome="flooded"} 1.0' in await metrics(ready)

    uvloop.run(scenario())
    assert len(events(world)) <= PUSHES_A_CONNECTION


def test_many_alarms_at_once_are_all_stored(world: World) -> None:
    configure(world)

    async def scenario() -> None:
        async with headend(world) as (_, ready):
            await asyncio.gather(
                *(call(ready, *(forged(world, number=n, counter=100 + k) for k in range(20))) for n in range(6))
            )
            await until(lambda: len(events(world)) == 120)

    uvloop.run(scenario())


@pytest.mark.parametrize("point", ["headend.push_received", "headend.push_stored"])
def test_killed_at_a_push_an_alarm_is_stored_once(world: World, point: str) -> None:
    configure(world)
    frame = forged(world, counter=5_000)

    async def scenario() -> None:
        async with headend(world, BAHAL_CRASH_AT=f"{point}:1") as (first, ready):
            await call(ready, frame)
            await asyncio.wait_for(first.wait(), 60)
            assert first.returncode == -signal.SIGKILL
        async with headend(world) as (_, ready):
            # The meter does not know and says it again.
            await call(ready, frame)
            await until(lambda: len(events(world)) == 1)
            await call(ready, frame, then_s=30)

    uvloop.run(scenario())
    assert [counter for _, _, counter in events(world)] == [5_000]


def test_makes_may_order_an_alarm_as_they_like() -> None:
    word = india.status_word(84, 83)
    stamp = bytes.fromhex("07e90b18010a0000000000014a00")[:12]
    for body in (
        axdr.structure(
            axdr.octets(b"CG1"), axdr.octets(b"\x00\x04\x19\x09\x00\xff"), axdr.octets(stamp), axdr.bits(word)
        ),
        axdr.structure(axdr.bits(word), axdr.octets(stamp)),
        axdr.bits(word),
    ):
        from bahal.dlms.apdu import DataNotification

        esw, _ = alert_of(DataNotification(1, b"", body))
        assert int(esw, 16) == int.from_bytes(word.packed, "big")
