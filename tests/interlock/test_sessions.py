"""One order after another against meters that behave, and that do not: each ends verified or with a person."""

import hashlib
from collections.abc import Callable

import psycopg
import pytest
import uvloop

from bahal.dlms.objects.disconnect import ControlState
from bahal.shared.frames import FROM_METER, TO_METER, unpacked
from tests.interlock import facts
from tests.interlock.meters import ACTION_FRAME, Fault
from tests.interlock.world import World, until

OPEN = ("authorised", "claimed", "sent", "unknown")


def settled(world: World, kind: str = "cut") -> bool:
    counts = world.counts(kind)
    return bool(counts) and not any(counts.get(state) for state in OPEN)


def drive(world: World, *, count: int = 1, seconds: float = 60.0, **config: object) -> dict[str, tuple[str, str]]:
    """Run one drive over the first meters to its end."""

    async def scenario() -> None:
        facts.propose(world.app, world.keys, count=count)
        async with world.interlock(**config):
            await until(lambda: settled(world), seconds=seconds)

    uvloop.run(scenario())
    return world.orders()


def restore(world: World, *, seconds: float = 60.0) -> tuple[str, str]:
    """Pay for the first connection and wait for its light."""

    async def scenario() -> None:
        async with world.interlock():
            with world.app.transaction():
                facts.pay(world.app, facts.FIRST)
            await until(lambda: settled(world, "restore"), seconds=seconds)

    uvloop.run(scenario())
    return world.orders("restore")[world.serials[0]]


@pytest.mark.parametrize("make", ["arpa", "kharun", "shivnath"])
def test_a_cut_is_confirmed_by_a_relay_read_open(make_world: Callable[..., World], make: str) -> None:
    world = make_world(make=make)
    assert drive(world, count=6) == dict.fromkeys(world.serials, ("confirmed", ""))
    for serial in world.serials:
        assert world.meters.movements(serial) == ["off"]
    evidence = world.app.execute(
        "SELECT outcome, relay_before, relay_after, control_mode, counter IS NOT NULL FROM supply_result"
    ).fetchall()
    assert len(evidence) == 6
    assert {row[:3] for row in evidence} == {("confirmed", True, False)}
    assert all(row[4] for row in evidence)
    assert world.one("SELECT count(*) FROM meters_relay WHERE NOT closed AND source = 'order'") == 6
    # What it said and what its relay was read as stand apart, each with its time.
    assert world.one("SELECT count(*) FROM meters_relay WHERE NOT acknowledged AND acknowledged_at <= seen_at") == 6
    assert world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL") == 0


def test_what_went_over_the_wire_is_kept_and_cannot_be_changed(world: World) -> None:
    """The meter's own log has the counter of the ACTION that moved it; a key holder finds it in the frame kept here."""
    drive(world)
    assert restore(world) == ("confirmed", "")
    rows = world.app.execute(
        "SELECT r.counter, f.frames, f.sha256 FROM interlock_frames f"
        " JOIN supply_result r ON r.id = f.result ORDER BY r.id"
    ).fetchall()
    assert len(rows) == 2
    for counter, kept, digest in rows:
        frames = list(unpacked(kept))
        assert [direction for direction, _ in frames] == [TO_METER, FROM_METER] * 7
        assert all(frame[:2] == b"\0\1" and len(frame) == 8 + int.from_bytes(frame[6:8]) for _, frame in frames)
        action = frames[2 * (ACTION_FRAME - 1)][1]
        assert counter.to_bytes(4) in action
        assert digest == hashlib.sha256(kept).digest()
    for statement in ("UPDATE interlock_frames SET frames = ''", "DELETE FROM interlock_frames"):
        with pytest.raises(psycopg.DatabaseError, match="append-only"):
            world.owner.execute(statement)


def test_payment_brings_the_light_back(world: World) -> None:
    drive(world)
    assert restore(world) == ("confirmed", "")
    assert world.meters.movements(world.serials[0]) == ["off", "on"]


def test_a_relay_found_open_is_a_field_task(world: World) -> None:
    world.meters.circle.columns.control_states[world.meters.row(world.serials[0])] = ControlState.DISCONNECTED
    assert drive(world)[world.serials[0]] == ("field_task", "already_off")
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_a_relay_that_cannot_be_cut_is_a_field_task(world: World) -> None:
    world.meters.circle.columns.control_modes[world.meters.row(world.serials[0])] = 0
    assert drive(world)[world.serials[0]] == ("field_task", "control_mode_0")
    assert world.one("SELECT count(*) FROM interlock_sending") == 0


def test_a_restore_of_a_closed_relay_sends_nothing(world: World) -> None:
    drive(world)
    world.meters.circle.close_by_force(world.meters.row(world.serials[0]))
    assert restore(world) == ("confirmed", "already_on")
    assert world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'restore'") == 0


def test_a_mode_that_needs_the_button_says_so(world: World) -> None:
    world.meters.circle.columns.control_modes[world.meters.row(world.serials[0])] = 1
    drive(world)
    assert restore(world) == ("confirmed", "press_button")
    assert not world.meters.closed(world.serials[0])


def test_a_stuck_relay_is_tried_twice_and_then_a_person_goes(world: World) -> None:
    world.meters.circle.stuck.add(world.meters.row(world.serials[0]))
    assert drive(world)[world.serials[0]] == ("field_task", "not_moved")
    assert world.one("SELECT count(*) FROM interlock_sending WHERE kind = 'cut'") == 2
    outcomes = world.app.execute("SELECT outcome, reason FROM supply_result ORDER BY id").fetchall()
    assert outcomes == [("unknown", "not_moved"), ("field_task", "not_moved")]


def test_a_reply_lost_after_the_relay_moved_is_found_and_not_sent_again(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.LOST_AFTER_ACTION]
    assert drive(world)[world.serials[0]] == ("confirmed", "found_moved")
    assert world.meters.movements(world.serials[0]) == ["off"]
    assert world.one("SELECT count(*) FROM interlock_sending") == 1


def test_a_request_lost_before_the_relay_is_sent_once_more(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.LOST_BEFORE_ACTION]
    assert drive(world)[world.serials[0]] == ("confirmed", "")
    assert world.meters.movements(world.serials[0]) == ["off"]
    assert world.one("SELECT count(*) FROM interlock_sending") == 2
    assert world.one("SELECT sends FROM supply_order") == 2


def test_a_read_back_that_is_lost_is_read_again(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.LOST_BEFORE_READ_BACK]
    assert drive(world)[world.serials[0]] == ("confirmed", "found_moved")
    assert world.one("SELECT count(*) FROM interlock_sending") == 1


def test_two_lost_requests_are_all_that_is_sent(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.LOST_BEFORE_ACTION, Fault.LOST_BEFORE_ACTION]
    assert drive(world)[world.serials[0]] == ("field_task", "not_moved")
    assert world.one("SELECT count(*) FROM interlock_sending") == 2
    assert world.meters.closed(world.serials[0])


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.MUTE, Fault.GARBAGE])
def test_a_meter_that_fails_before_sending_is_tried_again(world: World, fault: Fault) -> None:
    world.meters.faults[world.serials[0]] = [fault]
    assert drive(world)[world.serials[0]] == ("confirmed", "")
    assert world.meters.calls.count(world.serials[0]) == 2
    assert world.one("SELECT count(*) FROM interlock_sending") == 1


def test_a_meter_that_never_answers_becomes_a_field_task(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.REFUSED] * 9
    world.owner.execute("UPDATE interlock_meter SET next_counter = 1")
    facts.propose(world.app, world.keys, count=1)
    world.owner.execute("ALTER TABLE supply_order DISABLE TRIGGER life")
    world.owner.execute("UPDATE supply_order SET tries = 4")
    world.owner.execute("ALTER TABLE supply_order ENABLE TRIGGER life")

    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: settled(world))

    uvloop.run(scenario())
    assert world.orders()[world.serials[0]] == ("field_task", "unreachable")


def test_a_wrong_key_is_a_field_task_with_its_name(world: World) -> None:
    first = world.serials[0]
    facts.reseal(world.owner, world.keys, first, us_ek="00" * 16, us_ak="11" * 16, us_hls="22" * 16)
    assert drive(world)[first] == ("field_task", "key_refused")
    assert world.meters.closed(first)


def test_keys_of_another_meter_do_not_open(world: World) -> None:
    first, second = world.serials[:2]
    world.owner.execute(
        "UPDATE interlock_meter a SET sealed = b.sealed FROM interlock_meter b WHERE a.meter = %s AND b.meter = %s",
        (first, second),
    )
    assert drive(world)[first] == ("field_task", "seal_broken")
    assert world.meters.calls == []


def test_another_meter_at_the_address_is_refused_by_its_title(world: World) -> None:
    first = world.serials[0]
    world.owner.execute(
        "UPDATE interlock_meter SET system_title = %s WHERE meter = %s", (b"QQQ\x00\x00\x00\x00\x09", first)
    )
    state, reason = drive(world)[first]
    assert (state, reason) == ("field_task", "wrong_system_title")
    assert world.meters.closed(first)


def test_a_counter_that_fell_is_a_field_task(world: World) -> None:
    first = world.serials[0]
    world.owner.execute("UPDATE interlock_meter SET meter_counter = 4000000000 WHERE meter = %s", (first,))
    assert drive(world)[first] == ("field_task", "replayed_counter")


def test_a_rehearsal_dials_loopback_only(world: World) -> None:
    first = world.serials[0]
    world.owner.execute("UPDATE interlock_meter SET host = '192.0.2.7' WHERE meter = %s", (first,))
    assert drive(world)[first] == ("field_task", "address_refused")


def test_frames_of_a_later_session_are_above_those_of_an_earlier_one(world: World) -> None:
    world.meters.faults[world.serials[0]] = [Fault.LOST_BEFORE_ACTION, Fault.LOST_AFTER_ACTION]
    drive(world)
    block = world.config().counter_block
    assert world.one("SELECT next_counter FROM interlock_meter WHERE meter = %s", world.serials[0]) == 1 + 3 * block
    assert world.one("SELECT meter_counter > 0 FROM interlock_meter WHERE meter = %s", world.serials[0])
