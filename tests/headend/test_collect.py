"""Collecting: what is wanted of meters comes in, exactly what is missing is asked for, and both stores agree."""

from datetime import date, timedelta

from bahal.lake.vee.rules import Rule
from bahal.shared.wanted import EVENTS, Wanted
from tests.headend.collecting import (
    LOAD_AND_DAILY,
    YESTERDAY,
    collect,
    lake_rows,
    true_load,
    true_register,
    unfinished,
    want,
)
from tests.interlock.world import World


def test_yesterday_is_in_both_stores_to_the_watt_hour(world: World) -> None:
    want(world, LOAD_AND_DAILY)
    collect(world)
    assert unfinished(world) == 0
    rows = lake_rows(world)
    assert rows["meter"].to_pylist() == sorted(world.serials)
    hot = dict(world.owner.execute("SELECT meter, wh FROM readings_load WHERE day = %s", (YESTERDAY,)).fetchall())
    for number, serial in enumerate(world.serials):
        place = rows["meter"].to_pylist().index(serial)
        assert rows["wh"][place].as_py() == true_load(world, number) == hot[serial]
        opened, closed = (true_register(world, number, YESTERDAY + timedelta(days=n)) for n in (0, 1))
        assert (rows["open_wh"][place].as_py(), rows["close_wh"][place].as_py()) == (opened, closed)
        assert sum(rows["wh"][place].as_py()) == closed - opened
    dv = rows["dv"][0].as_py()
    assert len(dv) == 48
    assert all(2_150 < each < 2_450 for each in dv)
    assert world.one("SELECT count(*) FROM readings_register WHERE kind = 'd'") == 2 * 6
    assert world.one("SELECT count(*) FROM headend_meter WHERE lease_holder IS NOT NULL") == 0


def test_every_kind_comes_in_and_the_profiles_are_learnt_once(world: World) -> None:
    want(world, Wanted(sum(Wanted)))
    collect(world)
    assert [row[0] for row in world.owner.execute("SELECT DISTINCT reason FROM readings_meter").fetchall()] == [""]
    shown = world.owner.execute(
        "SELECT kind, data FROM readings_shown WHERE meter = %s", (world.serials[0],)
    ).fetchall()
    by_kind = dict(shown)
    assert by_kind["nameplate"]["serial_number"] == world.serials[0]
    assert 215 < by_kind["now"]["voltage"] < 245
    # Who showed no billing row yet is asked for the twelve that a meter keeps.
    assert world.one("SELECT count(*) FROM readings_register WHERE kind = 'b'") == 12 * len(world.serials)
    assert world.one("SELECT count(*) FROM headend_layout") == 5 + len([each for each in Wanted if each & EVENTS])
    assert world.one("SELECT count(DISTINCT learned_from) FROM headend_layout") == 1
    assert world.one("SELECT min(firmware) FROM readings_meter") == "1.0.0"
    assert world.one("SELECT max(abs(drift_s)) FROM readings_meter") <= 1


def test_only_the_gaps_are_asked_for(world: World) -> None:
    want(world, LOAD_AND_DAILY, 0)
    collect(world)
    frames = world.meters.circle.stats.frames
    # All is there: nothing is asked but the clock.
    want(world, LOAD_AND_DAILY, 0)
    collect(world)
    assert world.meters.circle.stats.frames - frames == 3
    # Half a day is missing.
    world.owner.execute(
        "UPDATE readings_load SET have = have & ~(B'1'::bit(96) >> 7), asked = have & ~(B'1'::bit(96) >> 7)"
    )
    want(world, LOAD_AND_DAILY, 0)
    collect(world)
    again = world.owner.execute("SELECT wh FROM readings_load ORDER BY batch DESC LIMIT 1").fetchone()
    assert again is not None
    assert [n for n, wh in enumerate(again[0]) if wh is not None] == [7]
    assert again[0][7] == true_load(world, 0)[7]


def test_catching_up_and_the_day_that_still_runs(world: World) -> None:
    want(world, Wanted.LOAD, 1, back_days=3, open_day=True)
    collect(world)
    days = world.owner.execute("SELECT day, bit_count(have) FROM readings_load ORDER BY day").fetchall()
    today = date(2025, 11, 24)
    assert days == [*((today - timedelta(days=n), 48) for n in (3, 2, 1)), (today, 20)]


def test_other_scalers_than_before_are_noted_where_they_are_met(world: World) -> None:
    """A meter gets a new firmware that counts in other units: the days of that call are in doubt, no others are."""
    want(world, LOAD_AND_DAILY, 0, 1)
    collect(world)
    world.owner.execute(
        "INSERT INTO headend_layout (make, firmware, profile, captures, scalers, period_s, learned_from)"
        " SELECT l.make, '0.9', l.profile, l.captures, (SELECT jsonb_object_agg(s.key, jsonb_build_array("
        " (s.value->>0)::integer + CASE WHEN s.key = 'block_energy_import' THEN 1 ELSE 0 END, s.value->1))"
        " FROM jsonb_each(l.scalers) s), l.period_s, l.learned_from FROM headend_layout l"
    )
    world.owner.execute("UPDATE readings_meter SET firmware = '0.9' WHERE meter = %s", (world.serials[0],))
    for number in (0, 1):
        want(world, LOAD_AND_DAILY | Wanted.NAMEPLATE, number, back_days=2)
    collect(world)
    rows = lake_rows(world, YESTERDAY - timedelta(days=1)).to_pylist()
    assert {row["meter"]: row["noted"] for row in rows} == {
        world.serials[0]: int(Rule.UNIT_CHANGE), world.serials[1]: 0,
    }  # fmt: skip
    assert {row["noted"] for row in lake_rows(world).to_pylist()} == {0}
    assert world.one("SELECT firmware FROM readings_meter WHERE meter = %s", world.serials[0]) == "1.0.0"
