"""The interlock reaches a meter over the head-end's line: a cut and a restore end as they do when it dials itself."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop

from bahal.dlms import wrapper
from bahal.fleet.calling import Caller
from bahal.fleet.store import IDENTITY
from bahal.interlock.config import InterlockConfig
from tests.headend.running import configure, headend, metrics
from tests.headend.test_calls import answered, counted, counts
from tests.headend.test_reads import ask
from tests.interlock import facts
from tests.interlock.world import World, until

DOWN = "gateway_down"
OPEN = ("authorised", "claimed", "sent", "unknown")


def settled(world: World, kind: str = "cut") -> bool:
    found = world.counts(kind)
    return bool(found) and not any(found.get(state) for state in OPEN)


@contextlib.asynccontextmanager
async def lending(world: World, *, call: int = 0, **stated: Any) -> AsyncIterator[tuple[dict[str, Any], Caller]]:
    """A head-end with the first `call` meters on the line, and an interlock that borrows from it."""
    configure(world, **stated)
    async with world.meters.serving(), headend(world) as (_, ready):
        caller = world.meters.caller(ready["dial_in"])
        try:
            for serial in world.serials[:call]:
                caller.call(world.meters.row(serial))
            await counted(ready, "bahal_lines_open", call)
            async with world.interlock_alone():
                yield ready, caller
        finally:
            caller.close()


@pytest.mark.parametrize("make", ["arpa", "hasdeo", "kharun", "shivnath"])
def test_a_borrowed_line_carries_a_cut_and_a_restore(make_world: Callable[..., World], make: str) -> None:
    world = make_world(count=4, dial_in=1.0, make=make)

    async def scenario() -> None:
        async with lending(world, call=4):
            facts.propose(world.app, world.keys, count=4)
            await until(lambda: settled(world), seconds=60)
            with world.app.transaction():
                facts.pay(world.app, facts.FIRST)
            await until(lambda: settled(world, "restore"), seconds=60)

    uvloop.run(scenario())
    assert world.orders() == dict.fromkeys(world.serials, ("confirmed", ""))
    assert world.orders("restore") == {world.serials[0]: ("confirmed", "")}
    assert world.meters.movements(world.serials[0]) == ["off", "on"]
    assert world.meters.movements(world.serials[1]) == ["off"]
    assert world.meters.calls == []  # nobody dialled
    assert world.one("SELECT count(*) FROM interlock_sending") == 5
    assert world.meters.circle.stats.calls["made"] == 4


def test_an_order_waits_for_a_meter_that_has_not_called_and_costs_no_try(make_world: Callable[..., World]) -> None:
    world = make_world(count=2, dial_in=1.0)
    world.app.execute(
        "INSERT INTO meters_sim (iccid, meter, msisdn, operator, cell) VALUES ('1', %s, '+91', 'x', 'c')",
        (world.serials[0],),
    )

    async def scenario() -> None:
        async with lending(world) as (_, caller):
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: world.orders()[world.serials[0]] == ("authorised", "no_line"))
            assert world.one("SELECT tries FROM supply_order") == 0
            await until(lambda: world.one("SELECT count(*) FROM meters_wakeup WHERE ended_at IS NULL"))
            caller.call(world.meters.row(world.serials[0]))
            await until(lambda: settled(world))

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("confirmed", "")}
    assert world.one("SELECT why FROM meters_wakeup") == "called"


def test_patience_with_a_meter_that_never_calls_has_an_end(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, dial_in=1.0)

    async def scenario() -> None:
        async with lending(world):
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: world.orders()[world.serials[0]] == ("authorised", "no_line"))
            world.owner.execute("UPDATE supply_order SET made_at = made_at - interval '4 minutes'")

            def asked_again() -> bool:
                world.owner.execute("UPDATE supply_order SET not_until = NULL WHERE state = 'authorised'")
                return settled(world)

            await until(asked_again, seconds=60)

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("field_task", "no_line")}
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_an_alarm_comes_through_a_gateway_that_stands(make_world: Callable[..., World]) -> None:
    world = make_world(count=2, behind_gateways=1.0)

    async def scenario() -> None:
        async with lending(world) as (ready, _):
            request = ask(world)
            await until(lambda: answered(world, request))
            columns = world.meters.circle.columns
            for number, key in ((0, None), (1, bytes(range(16)))):
                row = world.meters.row(world.serials[number])
                if key is not None:
                    columns.identities[(row + 1) * IDENTITY.size - 16 : (row + 1) * IDENTITY.size] = key
                gateway, wport = world.meters.behind(row)
                gateway.push(wport, row)
            await counted(ready, 'bahal_link_errors_total{error="push_wrong_key"}')
            await until(lambda: world.one("SELECT count(*) FROM protection_event") == 1)
            again = ask(world, 1)
            await until(lambda: answered(world, again))

    uvloop.run(scenario())
    assert world.one("SELECT meter FROM protection_event") == world.serials[0]
    assert world.meters.circle.stats.connections == 1


def test_reads_and_orders_take_turns_on_one_line(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, dial_in=1.0, delay=0.03)

    async def scenario() -> None:
        async with lending(world, call=1, reply_s=2.0, session_s=4.0, lease_s=5.0):
            requests = [ask(world) for _ in range(6)]
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: settled(world), seconds=60)
            with world.app.transaction():
                facts.pay(world.app, facts.FIRST)
            await until(lambda: settled(world, "restore"), seconds=60)
            await until(lambda: all(answered(world, request) for request in requests), seconds=60)

    uvloop.run(scenario())
    stats = world.meters.circle.stats
    assert (stats.calls, stats.errors, stats.refusals) == ({"made": 1, "served": 1}, {}, {})
    assert world.meters.movements(world.serials[0]) == ["off", "on"]


def test_a_gateway_carries_fifty_meters_over_one_connection(make_world: Callable[..., World]) -> None:
    world = make_world(count=50, behind_gateways=1.0, delay=0.02)

    async def scenario() -> None:
        async with lending(world, reply_s=3.0, session_s=8.0, lease_s=9.0, per_gateway=50) as (ready, _):
            requests = [ask(world, number) for number in range(50)]
            facts.propose(world.app, world.keys, count=50)
            await until(lambda: settled(world), seconds=60)
            await until(lambda: all(answered(world, request) for request in requests), seconds=60)
            assert await counts(ready, 'bahal_link_errors_total{error="stray_reply"}') == 0

    uvloop.run(scenario())
    assert world.orders() == dict.fromkeys(world.serials, ("confirmed", ""))
    assert world.meters.circle.stats.connections == 1
    assert world.meters.calls == []
    assert all(world.meters.movements(serial) == ["off"] for serial in world.serials)


def test_a_dead_gateway_fails_its_meters_by_name_and_nobody_else(make_world: Callable[..., World]) -> None:
    world = make_world(count=4, behind_gateways=1.0)
    for room in ("headend", "interlock"):
        world.owner.execute(
            f"UPDATE {room}_meter SET gateway = '127.15.9.9:1' WHERE meter = ANY (%s)",  # noqa: S608
            (world.serials[3:],),
        )

    async def scenario() -> None:
        async with lending(world) as (ready, _):
            requests = [ask(world, number) for number in range(4)]
            facts.propose(world.app, world.keys, count=4)
            await until(lambda: [world.orders()[each] for each in world.serials[:3]] == [("confirmed", "")] * 3)
            await until(lambda: world.orders()[world.serials[3]] == ("authorised", "gateway_down"))
            await until(lambda: all(answered(world, request) for request in requests[:3]))
            await until(lambda: world.one("SELECT reason FROM readings_request WHERE id = %s", requests[3]) == DOWN)
            assert await counts(ready, 'bahal_link_errors_total{error="gateway_down"}') > 0

    uvloop.run(scenario())


def test_the_head_end_is_killed_while_its_line_is_lent(make_world: Callable[..., World]) -> None:
    """Whatever the interlock was at is unknown, read again over the next line, and done once."""
    world = make_world(count=6, dial_in=1.0, delay=0.1)

    async def scenario() -> None:
        configure(world)
        async with world.meters.serving(), headend(world) as (process, ready):
            caller = world.meters.caller(ready["dial_in"])
            for serial in world.serials:
                caller.call(world.meters.row(serial))
            await counted(ready, "bahal_lines_open", 6)
            async with world.interlock_alone():
                facts.propose(world.app, world.keys, count=6)
                await until(lambda: world.counts().get("sent", 0) > 0)
                process.kill()
                await process.wait()
                caller.close()
                await until(lambda: not world.counts().get("sent", 0))
                assert world.counts().get("confirmed", 0) < 6
                async with headend(world) as (_, again):
                    caller = world.meters.caller(again["dial_in"])
                    for serial in world.serials:
                        caller.call(world.meters.row(serial))
                    await until(lambda: settled(world), seconds=60)
                    caller.close()

    uvloop.run(scenario())
    assert {state for state, _ in world.orders().values()} == {"confirmed"}
    assert all(world.meters.movements(serial) == ["off"] for serial in world.serials)


def test_the_interlock_is_gone_and_the_meter_calls_anew(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, dial_in=1.0, delay=0.2)

    async def scenario() -> None:
        configure(world)
        async with world.meters.serving(), headend(world) as (_, ready):
            caller = world.meters.caller(ready["dial_in"])
            caller.call(world.meters.row(world.serials[0]))
            await counted(ready, "bahal_lines_open")
            async with world.interlock_alone():
                facts.propose(world.app, world.keys, count=1)
                await until(lambda: world.counts().get("claimed", 0) > 0)
                await asyncio.sleep(0.1)
            await counted(ready, 'bahal_calls_ended_total{reason="unclean"}')
            await until(lambda: world.meters.circle.stats.calls["made"] == 2)
            await counted(ready, "bahal_lines_open")
            async with world.interlock_alone():
                await until(lambda: settled(world), seconds=60)
            caller.close()

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("confirmed", "")}


def test_a_line_that_leads_where_the_interlock_may_not_go_is_not_used(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(count=1, dial_in=1.0)
    monkeypatch.setattr(InterlockConfig, "may_dial", lambda config, host: False)

    async def scenario() -> None:
        async with lending(world, call=1):
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: settled(world))

    uvloop.run(scenario())
    assert world.orders() == {world.serials[0]: ("field_task", "address_refused")}
    assert world.meters.movements(world.serials[0]) == [] if world.meters.log_path.exists() else True


def test_without_a_head_end_an_order_goes_back(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, behind_gateways=1.0)

    async def scenario() -> None:
        async with world.interlock():
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: world.orders()[world.serials[0]] == ("authorised", "lender_away"))

    uvloop.run(scenario())


async def borrow(world: World, **asked: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(world.database.home.socket("links.sock")))
    writer.write(json.dumps(asked).encode() + b"\n")
    return reader, writer


def test_the_lending_door_refuses_by_name_and_lets_nobody_speak_to_another_meter(
    make_world: Callable[..., World],
) -> None:
    world = make_world(count=2, dial_in=1.0)

    async def scenario() -> None:
        async with lending(world, call=1) as (ready, _):
            for name, asked in {
                "no_line": {"meter": world.serials[1], "kind": "cut"},
                "malformed": {"meter": world.serials[0], "kind": "sell"},
            }.items():
                reader, writer = await borrow(world, **asked)
                assert json.loads(await reader.readline()) == {"error": name}
                writer.close()
            reader, holder = await borrow(world, meter=world.serials[0], kind="cut")
            assert json.loads(await reader.readline()) == {"peer": "127.16.0.1"}
            waiting, second = await borrow(world, meter=world.serials[0], kind="restore")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting.readline(), 0.2)
            holder.write(wrapper.frame(48, 2, b"\x62\x00"))
            assert await reader.read() == b""
            # Nothing was said on the line, so it is whole, and the next one's.
            assert json.loads(await asyncio.wait_for(waiting.readline(), 60)) == {"peer": "127.16.0.1"}
            second.close()
            holder.close()
            assert 'bahal_lines_lent_total{outcome="lent"} 2.0' in await metrics(ready)

    uvloop.run(scenario())


def test_a_path_that_is_too_deep_for_a_socket_has_a_short_one_instead(world: World) -> None:
    home = type(world.database.home)(world.database.home.path / ("deep" * 30))
    short = home.socket("links.sock")
    assert short != home.run / "links.sock"
    short.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(short))
    short.unlink()
    short.parent.rmdir()
