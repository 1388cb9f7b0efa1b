"""A clock is set through the interlock alone, inside an interval, within signed limits, and read back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from bahal.fleet.meter import SimulatedMeter
from bahal.interlock.config import InterlockMisconfigured
from bahal.interlock.officers import load_officers
from bahal.interlock.profile import load_profile
from bahal.shared.text import INDIA
from tests.interlock import clocks, facts
from tests.interlock.clocks import LIMITS, MID_INTERVAL, ends, measured, off, offset, order, profile, run, sendings
from tests.interlock.meters import Fault
from tests.interlock.world import World, until


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Meters whose clocks may be set, two officers, and the middle of an interval."""
    world = make_world(count=4, profile=profile())
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    return world


# --- it is done ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["arpa", "hasdeo", "kharun", "mand", "shivnath"])
@pytest.mark.parametrize("drift", [200, -200])
def test_a_clock_is_set_and_read_back(make_world: Callable[..., World], make: str, drift: int) -> None:
    world = make_world(count=1, make=make, profile=profile())
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    serial = off(world, 0, drift)
    measured(world, serial, drift)
    order(world, serial, drift)
    assert run(world) == [("verified", "")]
    assert abs(offset(world, serial)) <= 1
    assert world.meters.circle.meter(world.meters.row(serial)).events[-1][1] == 151
    before, step, after, trip = world.owner.execute(
        "SELECT drift_s, step_s, after_s, trip_s FROM interlock_clock"
    ).fetchone()  # type: ignore[misc]
    assert abs(before - drift) <= 2
    assert step == round(-before)
    assert abs(after) <= 2
    assert 0 < trip < 2
    assert sendings(world) == [(serial, step)]
    assert world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL") == 0
    assert world.meters.movements(serial) == []


def test_a_slow_link_does_not_spoil_the_time(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, profile=profile(), delay=0.5)
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    serial = off(world, 0, 300)
    measured(world, serial, 300)
    order(world, serial, 300)

    async def scenario() -> None:
        async with world.interlock(reply_s=2.0, session_s=8.0, lease_s=9.0):
            await until(lambda: clocks.settled(world), seconds=60)

    uvloop.run(scenario())
    assert ends(world) == [("verified", "")]
    assert abs(offset(world, serial)) <= 2


def half_hours(world: World) -> None:
    """The head-end has learnt that these meters' firmware keeps half hours."""
    world.owner.execute("UPDATE readings_meter SET firmware = '1.0.0'")
    world.owner.execute(
        "INSERT INTO headend_layout (make, firmware, profile, captures, scalers, period_s, learned_from)"
        " VALUES ('arpa', '1.0.0', 'load', '', '{}', 1800, 'x') ON CONFLICT DO NOTHING"
    )


@pytest.mark.parametrize(("drift", "minute", "step"), [(-7_200, 5, 900), (7_200, 10, -300)])
def test_a_clock_that_is_far_off_is_moved_by_one_step_inside_its_interval(
    world: World, drift: int, minute: int, step: int
) -> None:
    now = facts.TEN_O_CLOCK + timedelta(minutes=minute)
    clocks.at(world, now)
    serial = off(world, 0, drift)
    measured(world, serial, drift, moment=now)
    half_hours(world)
    order(world, serial, drift, moment=now)
    assert run(world) == [("verified", "")]
    assert sendings(world) == [(serial, step)]
    assert abs(offset(world, serial) - drift - step) <= 1


def test_one_order_for_many_is_not_one_officers_to_give(make_world: Callable[..., World]) -> None:
    world = make_world(count=4, profile=profile(few=2))
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    for number in range(3):
        serial = off(world, number, 150)
        measured(world, serial, 150)
        order(world, serial, 150)
    assert run(world) == [("refused", "second_officer_missing")] * 3
    serial = off(world, 3, 150)
    measured(world, serial, 150)
    order(world, serial, 150, second="se")
    assert run(world)[3] == ("verified", "")
    assert [meter for meter, _ in sendings(world)] == [serial]


# --- it is refused, or waits -----------------------------------------------------------------------------------------


def test_a_clerk_orders_nothing(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200, by="clerk")
    assert run(world) == [("refused", "officer_without_right")]
    assert (sendings(world), offset(world, serial)) == ([], 200)


@pytest.mark.parametrize(
    ("truth", "believed", "end"),
    [
        (30, 30, ("refused", "drift_small")),  # not worth it
        (5, 200, ("refused", "drift_small")),  # it was right, or was corrected by hand meanwhile
        (400, 200, ("refused", "measures_disagree")),  # one of three clocks is wrong, and nobody knows which
        (-200, 200, ("refused", "measures_disagree")),
        (20_000, 20_000, ("field_task", "clock_too_far")),
    ],
)
def test_the_drift_that_is_found_decides(world: World, truth: int, believed: int, end: tuple[str, str]) -> None:
    serial = off(world, 0, truth)
    measured(world, serial, believed)
    order(world, serial, believed)
    assert run(world) == [end]
    assert (sendings(world), offset(world, serial)) == ([], truth)


def test_an_old_measurement_is_none(world: World) -> None:
    never, long_ago = off(world, 0, 200), off(world, 1, 200)
    measured(world, long_ago, 200, moment=MID_INTERVAL - timedelta(hours=30))
    order(world, never, 200)
    order(world, long_ago, 200)
    assert run(world) == [("refused", "not_measured")] * 2
    assert sendings(world) == []


@pytest.mark.parametrize(
    ("moment", "word"),
    [
        ("2025-11-24 10:00", "not_mid_interval"),
        ("2025-11-24 10:29", "not_mid_interval"),
        ("2025-11-24 10:26", "not_mid_interval"),  # right by ours, and over the boundary by its own
        ("2025-11-24 23:22", "near_midnight"),
        ("2025-11-25 00:22", "near_midnight"),
        ("2025-11-30 15:22", "near_month_end"),
        ("2025-12-01 09:22", "near_month_end"),
        ("2025-12-31 20:22", "near_month_end"),
    ],
)
def test_no_clock_is_moved_at_a_boundary(world: World, moment: str, word: str) -> None:
    now = datetime.fromisoformat(f"{moment}+05:30").astimezone(UTC)
    clocks.at(world, now)
    serial = off(world, 0, 200)
    measured(world, serial, 200, moment=now)
    order(world, serial, 200, moment=now)
    assert run(world, waits_as=word) == [("authorised", word)]
    assert (sendings(world), offset(world, serial)) == ([], 200)
    later = world.one("SELECT not_until FROM interlock_clock")
    assert now < later <= now + timedelta(seconds=3_700)


def test_what_waited_is_done_when_its_moment_comes(world: World) -> None:
    now = facts.TEN_O_CLOCK
    clocks.at(world, now)
    serial = off(world, 0, 200)
    measured(world, serial, 200, moment=now)
    order(world, serial, 200, moment=now)

    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: ends(world) == [("authorised", "not_mid_interval")])
            clocks.at(world, world.one("SELECT not_until FROM interlock_clock"))
            await until(lambda: clocks.settled(world))

    uvloop.run(scenario())
    assert ends(world) == [("verified", "")]


def test_a_link_whose_round_trip_is_long_tells_no_time(make_world: Callable[..., World]) -> None:
    world = make_world(count=1, profile=profile(round_trip_s=0), delay=0.05)
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    assert run(world, waits_as="round_trip_too_long") == [("authorised", "round_trip_too_long")]
    assert sendings(world) == []


def test_the_stop_of_everything_stops_clocks_too(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    world.owner.execute("UPDATE interlock_switch SET stopped_at = now(), stopped_by = 'ee', stopped_why = 'test'")
    interlock = world.another("interlock")
    assert (
        interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,)).fetchall()
        == []
    )
    # Thrown after the claim: seen at the moment of sending.
    world.owner.execute("UPDATE interlock_switch SET stopped_at = NULL")
    ((number,),) = interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,))
    world.owner.execute("UPDATE interlock_switch SET stopped_at = now()")
    assert send(interlock, number) == ("wait", "stopped", None)


def test_an_interlock_whose_own_clock_is_off_sets_none(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    interlock = world.another("interlock")
    ((number,),) = interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,))
    assert send(interlock, number, wall_off=3) == ("wait", "own_clock_off", None)
    assert send(interlock, number, wall_off=-3) == ("wait", "own_clock_off", None)
    assert send(interlock, number, wall_off=1)[0] == "send"


def send(
    interlock: facts.Connection, number: int, *, drift: float = 200.0, wall_off: int = 0, **changed: int
) -> tuple[object, ...]:
    """The verdict of the database; the interlock's wall clock is off by some seconds."""
    row = interlock.execute(
        "SELECT verdict, reason, step_s FROM interlock_clock_send('w', %s, %s, 0.1, %s,"
        " clock_timestamp() + make_interval(secs => %s), %s)",
        (number, drift, MID_INTERVAL, wall_off, json.dumps(LIMITS | changed)),
    ).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"hour": 0}, ("wait", "cap_clock_hour", None)),
        ({"meter_day": 0}, ("refused", "cap_clock_meter", None)),
        ({}, ("send", "", -200)),
    ],
)
def test_caps_hold(world: World, changed: dict[str, int], verdict: tuple[object, ...]) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    interlock = world.another("interlock")
    ((number,),) = interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,))
    assert send(interlock, number, **changed) == verdict
    if verdict[0] == "send":
        with pytest.raises(psycopg.DatabaseError, match="refilled"):
            world.owner.execute("UPDATE interlock_cap SET counted = 0 WHERE scope = 'clocks'")
        # A second sending of another order in the same interval waits for the next.
        interlock.execute(
            "SELECT interlock_clocks_done('w', %s, ARRAY[%s]::bigint[], ARRAY[%s]::bigint[], ARRAY['verified'],"
            " ARRAY[''], ARRAY[0.0]::double precision[], ARRAY[0.1]::double precision[], ARRAY[7]::bigint[],"
            " ARRAY[0]::double precision[])",
            (MID_INTERVAL, number, world.one("SELECT lease_token FROM interlock_meter WHERE meter = %s", serial)),
        )
        measured(world, serial, 200, moment=MID_INTERVAL + timedelta(minutes=1))
        order(world, serial, 200)
        ((again,),) = interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,))
        assert send(interlock, again) == ("wait", "one_step_an_interval", None)


def test_an_order_for_the_relay_goes_first(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    facts.propose(world.app, world.keys, count=1)
    interlock = world.another("interlock")
    assert (
        interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 5, 8, %s)", (MID_INTERVAL,)).fetchall()
        == []
    )


@pytest.mark.parametrize("frames", [3, 4, 5])
def test_an_order_for_the_relay_that_comes_meanwhile_does_not_wait(
    make_world: Callable[..., World], frames: int
) -> None:
    """While the clock is read, set, or read back: the restore is confirmed as fast as its own session takes."""
    world = make_world(count=1, profile=profile() | {"canary": 0}, delay=0.3)
    clocks.enrol(world)
    serial = off(world, 0, 200)
    connection = facts.FIRST
    timing: dict[str, float] = {}

    async def scenario() -> None:
        async with world.interlock(reply_s=5.0, session_s=60.0, lease_s=61.0, poll_s=0.3) as interlock:
            facts.propose(world.app, world.keys, count=1)
            await until(lambda: world.counts() == {"confirmed": 1}, seconds=60)
            await until(lambda: not interlock.links.open)
            clocks.at(world, MID_INTERVAL)
            measured(world, serial, 200)
            order(world, serial, 200)
            before = world.meters.circle.stats.frames
            await until(lambda: world.meters.circle.stats.frames - before >= frames, seconds=60)
            began = time.monotonic()
            with world.app.transaction():
                facts.pay(world.app, connection)
            await until(lambda: world.counts("restore") == {"confirmed": 1}, seconds=60)
            timing["restore"] = time.monotonic() - began
            clocks.at(world, MID_INTERVAL + timedelta(minutes=2))
            await until(lambda: clocks.settled(world), seconds=60)

    uvloop.run(scenario())
    assert timing["restore"] < 8 * 0.3 + 1.5
    assert world.one("SELECT tries FROM interlock_clock") == 2  # it was given up, and begun again afterwards
    assert ends(world)[0][0] == "verified"
    assert abs(offset(world, serial)) <= 2
    assert world.meters.movements(serial) == ["off", "on"]


def test_an_interlock_without_signed_limits_sets_no_clock(make_world: Callable[..., World]) -> None:
    world = make_world(count=1)
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)

    async def scenario() -> None:
        async with world.interlock() as interlock:
            assert interlock.clocks is None
            await until(lambda: world.one("SELECT count(*) FROM interlock_profile"))

    uvloop.run(scenario())
    assert ends(world) == [("authorised", "")]
    assert world.one("SELECT clock FROM interlock_profile") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"least_s": 20},
        {"most_s": 0},
        {"most_s": 901},
        {"back_s": 10},
        {"farthest_s": 0},
        {"few": -1},
        {"hour": True},
        {"more": 1},
    ],
)
def test_limits_that_make_no_sense_do_not_start(world: World, wrong: dict[str, int]) -> None:
    stated = facts.PROFILE | profile(**wrong)
    (world.folder / "profile.json").write_text(json.dumps(facts.profile_file(world.keys, stated)))
    with pytest.raises(InterlockMisconfigured, match="clock"):
        load_profile(world.folder, load_officers(world.folder))


def test_limits_that_were_changed_after_the_signatures_do_not_start(world: World) -> None:
    file = json.loads((world.folder / "profile.json").read_text())
    file["document"] = file["document"].replace('"farthest_s":14400', '"farthest_s":99999')
    (world.folder / "profile.json").write_text(json.dumps(file))
    with pytest.raises(InterlockMisconfigured, match="two different officers"):
        load_profile(world.folder, load_officers(world.folder))


# --- what goes wrong on the way --------------------------------------------------------------------------------------
# AARQ, HLS, GET, SET, GET: the fourth frame sets the clock.


def faulty(world: World, serial: str, *found: Fault) -> None:
    world.meters.acting_frame = 4
    world.meters.faults[serial] = list(found)


@pytest.mark.parametrize("make", ["arpa", "hasdeo"])
@pytest.mark.parametrize(
    ("fault", "end", "sent", "set_times"),
    [
        (Fault.LOST_BEFORE_ACTION, ("verified", ""), 2, 1),
        (Fault.LOST_AFTER_ACTION, ("verified", "found_set"), 1, 1),
        (Fault.LOST_BEFORE_READ_BACK, ("verified", "found_set"), 1, 1),
    ],
)
def test_a_lost_reply_is_read_again(
    make_world: Callable[..., World], make: str, fault: Fault, end: tuple[str, str], sent: int, set_times: int
) -> None:
    world = make_world(count=1, make=make, profile=profile())  # one make's SET is absolute, the other's shift is not
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    faulty(world, serial, fault)
    assert run(world, seconds=60) == [end]
    assert len(sendings(world)) == sent
    assert abs(offset(world, serial)) <= 1
    events = [event for _, event in world.meters.circle.meter(world.meters.row(serial)).events]
    assert events == [151] * set_times


def test_two_lost_requests_are_all_that_is_sent(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    faulty(world, serial, Fault.LOST_BEFORE_ACTION, Fault.LOST_BEFORE_ACTION)
    assert run(world, seconds=60) == [("field_task", "clock_not_moved")]
    assert len(sendings(world)) == 2
    assert offset(world, serial) == 200


def test_a_clock_that_jumps_by_itself_after_the_sending_is_a_persons(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    interlock = world.another("interlock")
    ((number,),) = interlock.execute("SELECT clock FROM interlock_clocks_claim('w', 9, 0.01, 8, %s)", (MID_INTERVAL,))
    world.owner.execute("UPDATE interlock_clock SET lease_until = now() + interval '1 minute'")
    assert send(interlock, number)[0] == "send"
    world.owner.execute("UPDATE interlock_clock SET lease_until = '-infinity'")
    off(world, 0, -3_000)
    assert run(world) == [("field_task", "clock_elsewhere")]
    assert len(sendings(world)) == 1


def test_a_meter_that_takes_no_set_is_a_persons(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    monkeypatch.setattr(SimulatedMeter, "write", lambda *_: 3)
    assert run(world) == [("field_task", "set_refused")]


def test_a_meter_that_is_away_waits_and_is_given_up_after_two_days(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    world.meters.faults[serial] = [Fault.REFUSED] * 9
    assert run(world, waits_as="connection_lost")[0][0] == "authorised"
    clocks.at(world, MID_INTERVAL + timedelta(hours=49))
    world.meters.faults[serial] = []
    assert run(world) == [("expired", "connection_lost")]
    assert sendings(world) == []


# --- nobody else can -------------------------------------------------------------------------------------------------


def test_a_hostile_application_sets_no_clock(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    number = order(world, serial, 200)
    denied = psycopg.errors.InsufficientPrivilege
    for statement in (
        "SELECT * FROM interlock_clocks_claim('w', 9, 5, 8, now())",
        "SELECT * FROM interlock_clock_send('w', 1, 200, 0.1, now(), now(), '{}')",
        "SELECT interlock_clocks_done('w', now(), '{1}', '{1}', '{verified}', '{x}', '{0}', '{0}', '{1}', '{0}')",
        "SELECT interlock_state_profile('loose', '{ee,se}', '{}', '{}', 'w')",
        "INSERT INTO interlock_profile (name, signed_by, figures, worker) VALUES ('loose', '{ee}', '{}', 'w')",
        "INSERT INTO interlock_clock_sending (order_id, meter, drift_s, step_s, worker, sent_at, business_at)"
        " VALUES (1, 'x', 1, 1, 'w', now(), now())",
        "UPDATE interlock_clock SET drift_s = 0, step_s = 900",
        "UPDATE readings_meter SET drift_s = 9000",
        "DELETE FROM interlock_clock",
        "TRUNCATE interlock_clock",
        "SELECT sealed FROM interlock_meter",
    ):
        with pytest.raises(denied):
            world.app.execute(statement)  # type: ignore[arg-type]
    for role in ("headend", "reader"):  # who reads sets nothing either
        with pytest.raises(denied):
            world.another(role).execute("SELECT * FROM interlock_clocks_claim('w', 9, 5, 8, now())")
        with pytest.raises(denied):
            world.another(role).execute(
                "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at)"
                " VALUES ('x', 'ee', now(), 200, now())"
            )
    for state in ("sent", "verified", "claimed", "unknown"):
        with pytest.raises(psycopg.DatabaseError, match="may not take it"):
            world.app.execute("UPDATE interlock_clock SET state = %s WHERE id = %s", (state, number))
    for changed in ("ordered_by = 'se'", "checked_by = 'se'", "ordered_at = now()"):
        with pytest.raises(psycopg.DatabaseError, match="authority"):
            world.app.execute("UPDATE interlock_clock SET " + changed)  # type: ignore[arg-type]  # noqa: S608
    # Nor does it help to call an order the further step of another.
    forged = world.serials[2]
    off(world, 2, 150)
    measured(world, forged, 150)
    world.app.execute(
        "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at, walk, follows)"
        " VALUES (%s, 'ee', %s, 150, %s, 1, %s)",
        (forged, MID_INTERVAL, MID_INTERVAL, number),
    )
    world.app.execute(
        "UPDATE interlock_clock SET state = 'authorised', ordered_by = 'ee', ordered_at = %s WHERE meter = %s",
        (MID_INTERVAL, forged),
    )
    # What it can do is ask, for a meter whose clock is right: then nothing is sent.
    right = world.serials[1]
    order(world, right, 9_000)
    assert run(world) == [("verified", ""), ("refused", "no_step_before"), ("refused", "drift_small")]
    assert (offset(world, right), offset(world, forged)) == (0, 150)
    assert [meter for meter, _ in sendings(world)] == [serial]


def test_what_was_sent_is_never_edited(world: World) -> None:
    serial = off(world, 0, 200)
    measured(world, serial, 200)
    order(world, serial, 200)
    run(world)
    for statement in (
        "UPDATE interlock_clock_sending SET step_s = 0",
        "DELETE FROM interlock_clock_sending",
        "TRUNCATE interlock_clock_sending",
        "DELETE FROM interlock_clock",
    ):
        with pytest.raises(psycopg.Error):
            world.owner.execute(statement)  # type: ignore[arg-type]


# --- the moment, for all clocks --------------------------------------------------------------------------------------


def test_a_step_never_leaves_its_interval(world: World) -> None:
    """In any month, by any clock: a step fits, or the way to a moment where it fits is told."""

    def asked(now: datetime, drift: int, period: int) -> tuple[int, str | None, float]:
        row = world.owner.execute(
            "WITH s AS (SELECT clock_step(%(drift)s, %(period)s, %(limits)s) AS step)"
            " SELECT s.step, m.word, m.wait_s FROM s, "
            " clock_moment(%(now)s, %(drift)s, s.step, %(period)s, %(limits)s) m",
            {"now": now, "drift": float(drift), "period": period, "limits": json.dumps(LIMITS)},
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    @given(
        second=st.integers(0, 120 * 86_400),
        drift=st.integers(-14_400, 14_400).filter(lambda drift: abs(drift) >= 60),
        period=st.sampled_from([900, 1_800, 3_600]),
    )
    def holds(second: int, drift: int, period: int) -> None:
        now = datetime(2025, 11, 1, tzinfo=UTC) + timedelta(seconds=second)
        step, word, wait = asked(now, drift, period)
        assert 0 < abs(step) <= min(abs(drift), period // 2)
        assert (step > 0) == (drift < 0)
        for _ in range(6):
            if word is None:
                break
            assert word in ("not_mid_interval", "near_midnight", "near_month_end")
            assert wait > 0
            now += timedelta(seconds=wait)
            _, word, wait = asked(now, drift, period)
        assert word is None  # whoever waits as he is told comes to a moment that fits
        there = now + timedelta(seconds=drift)
        after = there + timedelta(seconds=step)
        assert (there.timestamp() + 19_800) // period == (after.timestamp() + 19_800) // period
        for moment in (now, there, after):
            local = moment.astimezone(INDIA)
            midnight = local.replace(hour=0, minute=0, second=0)
            assert timedelta(hours=1) <= local - midnight <= timedelta(hours=23)
            half_a_day = timedelta(hours=12)
            assert (local - half_a_day).month == (local + half_a_day - timedelta(seconds=1)).month == local.month

    holds()
