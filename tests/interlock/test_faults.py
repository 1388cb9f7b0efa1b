"""What fails in the field, fault by fault, against the interlock's own sessions, judged by the meters' own log.

Each fault ends as it must: confirmed, read again and then confirmed, or a lineman's task with the right cause. After
every drive `judged` holds what the interlock believes against what the relays did: nothing moved without a sending that
was committed before, nothing was sent more than twice or again once it had moved, and what is called confirmed is so.
"""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
import uvloop

from bahal.dlms.objects.disconnect import Move
from bahal.dlms.objects.model import SETTING_SAP
from bahal.fleet.faults import PASSING, PROFILES, STANDING, Behaviour, Fault, Kind, behaviours, chance, fault_of
from bahal.interlock.main import Interlock
from bahal.shared.words import CAUSES
from tests.interlock import facts
from tests.interlock.test_process import configure, process
from tests.interlock.test_sessions import settled
from tests.interlock.world import World, until

FRAMES = 7
"""AARQ, HLS, three GETs, ACTION, GET: the frames of a session with the relay."""
ACTION, READ_BACK = 6, 7


def afflict(world: World, number: int, *kinds: Kind, times: int | None = None, **more: Any) -> str:
    """Give a meter these faults; its serial."""
    faults = tuple(Fault(kind=kind, times=None if kind in STANDING else times) for kind in kinds)
    serial = world.serials[number]
    world.meters.circle.behave(world.meters.row(serial), Behaviour(faults=faults, **more))
    return serial


def seed_that(fits: Callable[[int], bool]) -> int:
    """The first seed that draws so."""
    return next(seed for seed in range(100_000) if fits(seed))


def drive(world: World, *, count: int = 1, seconds: float = 60.0) -> dict[str, tuple[str, str]]:
    """Run one drive over the first meters to its end, and judge it."""
    alarms: dict[str, float] = {}

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=count)
        async with world.interlock() as interlock:
            await until(lambda: settled(world), seconds=seconds)
            alarms.update(alarms_of(interlock))

    uvloop.run(scenario())
    assert judged(world) == []
    world.alarms = alarms  # type: ignore[attr-defined]
    return world.orders()


def restore(world: World, *, seconds: float = 60.0) -> tuple[str, str]:
    """The first connection pays and waits for its light; judged too."""

    async def scenario() -> None:
        async with world.interlock() as interlock:
            with world.app.transaction():
                facts.pay(world.app, facts.FIRST)
            await until(lambda: settled(world, "restore"), seconds=seconds)
            world.alarms = alarms_of(interlock)  # type: ignore[attr-defined]

    uvloop.run(scenario())
    assert judged(world) == []
    return world.orders("restore")[world.serials[0]]


def alarms_of(interlock: Interlock) -> dict[str, float]:
    """Alarms raised, by the error that showed it."""
    samples = next(iter(interlock.links.metrics.alarms.collect())).samples
    return {each.labels["error"]: each.value for each in samples if each.name.endswith("_total") and each.value}


def alarms(world: World) -> dict[str, float]:
    found: dict[str, float] = world.alarms  # type: ignore[attr-defined]
    return found


def happened(world: World) -> dict[str, int]:
    """Which faults took place, by the meters' own count."""
    return dict(world.meters.circle.stats.faults)


def movements(world: World) -> list[dict[str, Any]]:
    """The meters' own log."""
    return [json.loads(line) for line in world.meters.log_path.read_text().splitlines()]


def judged(world: World) -> list[str]:
    """Everything in which the interlock's belief and the meters' log differ; I1 and I2 by the outside truth."""
    wrong = []
    moved = movements(world)
    last = {each["meter"]: each["relay"] for each in moved}
    sendings = world.owner.execute("SELECT order_id, meter, kind, sent_at FROM interlock_sending").fetchall()
    for each in moved:
        kind = "cut" if each["relay"] == "off" else "restore"
        at = datetime.fromisoformat(each["at"])
        if each["sap"] == SETTING_SAP and not any(
            m == each["meter"] and k == kind and s <= at for _, m, k, s in sendings
        ):
            wrong.append(f"{each['meter']} went {each['relay']} before any commit said so")
    for (meter, relay), times in Counter((each["meter"], each["relay"]) for each in moved).items():
        if times > 1:
            wrong.append(f"{meter} went {relay} {times} times")
    for order, times in Counter(order for order, *_ in sendings).items():
        if times > 2:
            wrong.append(f"order {order} was sent {times} times")
    counters = [(each["meter"], each["counter"]) for each in moved]
    if len(counters) != len(set(counters)):
        wrong.append("a counter served twice")
    rows = world.app.execute("SELECT meter, kind, state, reason FROM supply_order ORDER BY id").fetchall()
    for meter, _, state, reason in rows:
        if state == "field_task" and reason not in CAUSES:
            wrong.append(f"{meter} is a task for {reason}, which nobody can read")
        if state not in ("confirmed", "field_task"):
            wrong.append(f"{meter} is {state}")
    for meter, kind, state, reason in {row[0]: row for row in rows}.values():
        wanted = "off" if kind == "cut" or reason == "press_button" else "on"
        if state == "confirmed" and last.get(meter, "on") != wanted:
            wrong.append(f"the {kind} of {meter} is confirmed and its relay is {last.get(meter, 'on')}")
    if world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL"):
        wrong.append("a lease is held")
    return wrong


# --- one fault, one end -----------------------------------------------------------------------------------------------

ONCE: Sequence[tuple[Kind, int | None, tuple[str, str], int]] = [
    (Kind.ACTION_DROPPED, 1, ("confirmed", ""), 2),
    (Kind.ACTION_DROPPED, 2, ("field_task", "not_moved"), 2),
    (Kind.REPLY_LOST, 1, ("confirmed", "found_moved"), 1),
    (Kind.OK_UNMOVED, None, ("field_task", "not_moved"), 2),
    (Kind.STUCK, None, ("field_task", "action_refused"), 1),
    (Kind.CONTROL_MODE_0, None, ("field_task", "control_mode_0"), 0),
    (Kind.CONTROL_MODE_1, None, ("confirmed", ""), 1),
    (Kind.WRONG_KEY, None, ("field_task", "key_refused"), 0),
    (Kind.DUPLICATED_TITLE, None, ("field_task", "wrong_system_title"), 0),
    (Kind.CLOCK_JUMP, None, ("confirmed", ""), 1),
    (Kind.COUNTER_ROLLED_BACK, 1, ("field_task", "replayed_counter"), 0),
    (Kind.COUNTER_LOST, 1, ("confirmed", ""), 1),
    (Kind.SLOW_LORIS, 1, ("confirmed", ""), 1),
    (Kind.HALF_OPEN, 1, ("confirmed", ""), 1),
    (Kind.RECONNECT_STORM, 1, ("confirmed", ""), 1),
]


@pytest.mark.parametrize(
    ("kind", "times", "end", "sendings"), ONCE, ids=[f"{kind}-{times}" for kind, times, *_ in ONCE]
)
def test_a_fault_ends_as_it_must(
    world: World, kind: Kind, times: int | None, end: tuple[str, str], sendings: int
) -> None:
    storms: list[int] = []
    world.meters.circle.storm = storms.append
    serial = afflict(world, 0, kind, times=times)
    assert drive(world)[serial] == end
    assert happened(world)[kind.value] >= 1
    assert world.one("SELECT count(*) FROM interlock_sending") == sendings
    assert world.meters.movements(serial) == (["off"] if end[0] == "confirmed" else [])
    assert len(storms) == (kind is Kind.RECONNECT_STORM)
    if kind is Kind.OK_UNMOVED:  # it says one thing and does another: both are kept
        assert world.one("SELECT (acknowledged, closed) = (false, true) FROM meters_relay WHERE meter = %s", serial)
    if end[1] in ("wrong_system_title", "replayed_counter", "key_refused"):
        assert alarms(world) == {end[1]: 1}


@pytest.mark.parametrize("kind", [Kind.LOST_LINK, Kind.MALFORMED, Kind.OVERSIZED, Kind.EXCEPTION])
def test_a_fault_at_any_frame_of_the_session(make_world: Callable[..., World], kind: Kind) -> None:
    world = make_world(count=FRAMES, profile={"canary": 0})
    for number, frame in enumerate(range(1, FRAMES + 1)):
        serial = world.serials[number]
        if kind is Kind.LOST_LINK:

            def lost(seed: int, serial: str = serial, frame: int = frame) -> bool:
                first, second = (chance(seed, serial, call, "link") for call in (1, 2))
                third = chance(seed, serial, 3, "link")
                return (
                    first < 0.5 <= min(second, third) and 1 + int(chance(seed, serial, 1, "lost at") * FRAMES) == frame
                )

            afflict(world, number, lost_links=0.5, seed=seed_that(lost))
        else:

            def drawn(seed: int, serial: str = serial, frame: int = frame) -> bool:
                return 1 + int(chance(seed, serial, 1, "frame") * FRAMES) == frame

            afflict(world, number, kind, times=1, seed=seed_that(drawn))
    ended = drive(world, count=FRAMES)
    assert happened(world) == {kind.value: FRAMES}
    for serial, frame in zip(world.serials, range(1, FRAMES + 1), strict=True):
        # A link that is lost at the ACTION is lost before the meter has it; an answer is bent after the relay moved.
        moved = frame == READ_BACK or (frame == ACTION and kind is not Kind.LOST_LINK)
        assert ended[serial] == ("confirmed", "found_moved" if moved else ""), frame
        assert world.meters.movements(serial) == ["off"]


LASTING = [
    (Kind.HALF_OPEN, "unreachable"),
    (Kind.SLOW_LORIS, "unreachable"),
    (Kind.MALFORMED, "malformed"),
    (Kind.OVERSIZED, "oversized"),
    (Kind.EXCEPTION, "service_exception"),
]


@pytest.mark.parametrize(("kind", "cause"), LASTING)
def test_a_fault_that_lasts_is_a_task_with_its_cause(world: World, kind: Kind, cause: str) -> None:
    serial = world.serials[0]

    def early(seed: int) -> bool:
        return 1 + int(chance(seed, serial, 1, "frame") * FRAMES) < ACTION

    afflict(world, 0, kind, seed=seed_that(early))
    facts.propose(world.app, world.keys, count=1)
    with world.owner.transaction():
        world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
        world.owner.execute("UPDATE supply_order SET tries = 4")
        world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")

    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: settled(world))

    uvloop.run(scenario())
    assert judged(world) == []
    assert world.orders()[serial] == ("field_task", cause)
    assert world.meters.closed(serial)


def test_a_cell_that_answers_late_is_waited_for(world: World) -> None:
    serial = afflict(world, 0, reply_delay=0.25, late=True)
    assert drive(world)[serial] == ("confirmed", "")
    assert happened(world) == {"latency": 1}


@pytest.mark.parametrize(("registered", "cause"), [(False, "key_refused"), (True, "wrong_system_title")])
def test_a_clone_of_its_neighbour_is_refused_and_alarmed(world: World, registered: bool, cause: str) -> None:
    """It has its neighbour's key and title; the key may stand in the register too, the title does not."""
    circle, (mine, neighbours) = world.meters.circle, world.serials[:2]
    meter, neighbour = circle.meter(world.meters.row(mine)), circle.meter(world.meters.row(neighbours))
    keys = neighbour.keys(SETTING_SAP)
    assert keys is not None
    meter.rekey(encryption=keys.encryption, authentication=keys.authentication)
    meter.retitle(neighbour.system_title)
    if registered:
        ek, ak = keys.encryption.hex(), keys.authentication.hex()
        facts.reseal(world.owner, world.keys, mine, us_ek=ek, us_ak=ak, us_hls=keys.secret.hex())
    assert drive(world, count=2) == {mine: ("field_task", cause), neighbours: ("confirmed", "")}
    assert alarms(world) == {cause: 1}
    assert world.meters.closed(mine)


# --- after the cut, the light -----------------------------------------------------------------------------------------

LIT = [
    (Kind.ACTION_DROPPED, 1, ("confirmed", ""), ["off", "on"]),
    (Kind.REPLY_LOST, 1, ("confirmed", "found_moved"), ["off", "on"]),
    (Kind.HALF_OPEN, 1, ("confirmed", ""), ["off", "on"]),
    (Kind.SLOW_LORIS, 1, ("confirmed", ""), ["off", "on"]),
    (Kind.OK_UNMOVED, None, ("field_task", "not_moved"), ["off"]),
    (Kind.STUCK_OPEN, None, ("field_task", "not_moved"), ["off"]),
    (Kind.STUCK, None, ("field_task", "action_refused"), ["off"]),
    (Kind.CONTROL_MODE_1, None, ("confirmed", "press_button"), ["off"]),
    (Kind.WRONG_KEY, None, ("field_task", "key_refused"), ["off"]),
    (Kind.DUPLICATED_TITLE, None, ("field_task", "wrong_system_title"), ["off"]),
]


@pytest.mark.parametrize(("kind", "times", "end", "relay"), LIT, ids=[f"{kind}" for kind, *_ in LIT])
def test_who_paid_is_lit_or_somebody_goes(
    world: World, kind: Kind, times: int | None, end: tuple[str, str], relay: list[str]
) -> None:
    drive(world)
    serial = afflict(world, 0, kind, times=times)
    assert restore(world) == end
    assert world.meters.movements(serial) == relay


def test_the_button_brings_the_light_that_the_order_allowed(world: World) -> None:
    serial = afflict(world, 0, Kind.CONTROL_MODE_1)
    drive(world)
    assert restore(world) == ("confirmed", "press_button")
    row = world.meters.row(serial)
    assert world.meters.circle.meter(row).control_state == 2
    assert world.meters.circle.move(row, Move.MANUAL_RECONNECT, None)
    assert world.meters.movements(serial) == ["off", "on"]


def test_a_counter_lost_with_the_cut_is_a_task_when_the_light_is_due(world: World) -> None:
    afflict(world, 0, Kind.COUNTER_LOST, times=1)
    drive(world)
    assert restore(world) == ("field_task", "replayed_counter")
    assert alarms(world) == {"replayed_counter": 1}


def test_one_bad_meter_costs_nobody_else_anything(make_world: Callable[..., World]) -> None:
    kinds = [kind for kind, times, end, _ in ONCE if end[0] == "field_task" and times is None]
    world = make_world(count=30, profile={"canary": 0})
    bad = {afflict(world, 2 + 3 * n, kind) for n, kind in enumerate(kinds)}
    ended = drive(world, count=30)
    assert {serial for serial, (state, _) in ended.items() if state == "field_task"} == bad
    assert {state for serial, (state, _) in ended.items() if serial not in bad} == {"confirmed"}


def test_a_storm_of_reconnects_moves_nothing_twice(make_world: Callable[..., World]) -> None:
    """The cell hangs up on everybody at once, again and again; all of them call back at the same moment."""
    world = make_world(count=40, profile={"canary": 0}, delay=0.05)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=40)
        async with world.interlock():
            for _ in range(4):
                await asyncio.sleep(0.3)
                world.meters.hang_up()
            await until(lambda: settled(world), seconds=60)

    uvloop.run(scenario())
    assert judged(world) == []
    assert len(world.meters.calls) > 60
    counts = world.counts()
    assert counts["confirmed"] + counts.get("field_task", 0) == 40
    assert counts["confirmed"] >= 36


def test_killed_again_and_again_while_everything_fails(make_world: Callable[..., World]) -> None:
    """Counters are reserved before they are used: whoever comes after a killed worker is never behind it."""
    world = make_world(count=30, profile={"canary": 0}, delay=0.05)
    configure(world)
    kinds = (Kind.ACTION_DROPPED, Kind.REPLY_LOST, Kind.MALFORMED, Kind.EXCEPTION, Kind.HALF_OPEN, Kind.STUCK)
    for number in range(18):
        afflict(world, number, kinds[number % len(kinds)], times=1, lost_links=0.2, seed=number)

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=30)
        async with world.meters.serving():
            for _ in range(3):
                before = world.one("SELECT count(*) FROM interlock_sending")
                async with process(world) as (worker, _):
                    await until(
                        lambda before=before: (
                            world.one("SELECT count(*) FROM interlock_sending") > before  # type: ignore[misc]
                            or settled(world)
                        ),
                        seconds=60,
                    )
                    os.kill(worker.pid, signal.SIGKILL)
            async with process(world):
                await until(lambda: settled(world), seconds=60)

    uvloop.run(scenario())
    assert judged(world) == []
    assert world.counts().keys() <= {"confirmed", "field_task"}
    assert "replayed_counter" not in world.meters.circle.stats.errors
    assert world.one("SELECT min(next_counter) >= 33 FROM interlock_meter WHERE next_counter > 1")


# --- the same seed, the same faults -----------------------------------------------------------------------------------


def drawn(seed: int, profile: str = "field") -> dict[int, Behaviour]:
    meters = [(f"CG{n}", f"cell-{n // 200}") for n in range(10_000)]
    return dict(behaviours(PROFILES[profile], meters, seed=seed, reply_delay=0.1))


def test_the_same_seed_gives_the_same_faults() -> None:
    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


@pytest.mark.parametrize(("profile", "fewest"), [("field", 15), ("harsh", 250)])
def test_a_circle_meets_every_kind(profile: str, fewest: int) -> None:
    faults = [fault_of(PROFILES[profile], seed=1, serial=f"CG{n}") for n in range(10_000)]
    kinds = Counter(fault.kind for fault in faults if fault is not None)
    assert set(kinds) == set(Kind) - {Kind.LATENCY, Kind.LOST_LINK}
    assert min(kinds.values()) >= fewest
    for fault in faults:
        assert fault is None or (fault.times is not None) is (fault.kind in PASSING)
    late = {each.reply_delay for each in drawn(1, profile).values() if each.late}
    assert late
    assert all(0.1 < delay <= 0.1 + PROFILES[profile].slowest_s for delay in late)


def test_nothing_goes_wrong_where_nothing_should() -> None:
    assert drawn(1, "none") == {}
