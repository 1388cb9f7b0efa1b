"""Readings asked for, schedules that fire, days counted, meters that are silent."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import override_settings

from bahal.domains.readings import queries
from bahal.domains.readings.errors import (
    MeterNotRead,
    NobodyToRead,
    OfficerMayNotSchedule,
    ScheduleAccepted,
    ScheduleOfOne,
    ScheduleReasonMissing,
    ScheduleUnknown,
    ScheduleWrong,
)
from bahal.domains.readings.operations import NewSchedule
from bahal.foundation.rows import many, one, run, value
from bahal.journeys.ask_profiles import ask_profiles
from bahal.journeys.enrol_officers import enrol_officers
from bahal.journeys.set_schedule import accept_schedule, propose_schedule
from bahal.shared.wanted import EVENTS, FIRST, Wanted
from tests.headend.conftest import make_world  # noqa: F401 - a fixture
from tests.interlock.facts import TEN_O_CLOCK
from tests.interlock.world import World
from tests.journeys import town

AT = datetime.now(UTC)
IST = timedelta(hours=5, minutes=30)


def moment(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment in November 2025, Indian time."""
    return datetime(2025, 11, day, hour, minute, tzinfo=UTC) - IST


@pytest.fixture
def circle(make_world: Callable[..., World]) -> World:  # noqa: F811
    world = make_world(count=6)
    roles = {"ee": "executive_engineer", "se": "superintending_engineer", "cashier": "cashier"}
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        enrol_officers(
            [town.officer(login, role) for login, role in roles.items()], actor="test", at=AT, business_at=TEN_O_CLOCK
        )
    return world


def plan(world: World, at: datetime) -> int:
    return int(world.one("SELECT readings_plan(%s)", at))


def wants(world: World) -> list[Wanted]:
    return [Wanted(row[0]) for row in world.owner.execute("SELECT wants FROM readings_meter ORDER BY meter").fetchall()]


def schedule(**changed: Any) -> NewSchedule:
    given: dict[str, Any] = {
        "kind": "load", "office": None, "make": None, "every_s": 3600, "offset_s": 0, "spread_s": 60, "back_days": 2,
        "open_day": False, "at_once": 0, "effective_from": date(2025, 11, 1), "source": "test",
    }  # fmt: skip
    return NewSchedule(**(given | changed))


TIMES: dict[str, Any] = {"at": AT, "business_at": TEN_O_CLOCK}


def set_schedule(new: NewSchedule) -> int:
    made = propose_schedule(new, officer="ee", **TIMES)
    accept_schedule(schedule=made, officer="se", reason="tried", **TIMES)
    return made


def no_first_call(world: World) -> None:
    """Meters that are new wait for their schedules."""
    run_owner(world, "UPDATE readings_schedule SET effective_to = '2018-04-01' WHERE kind = 'first'")


def test_a_reading_is_asked_for_at_once_with_its_sentence_in_the_audit(circle: World) -> None:
    asked = ask_profiles(
        circle.serials[:2], wanted=Wanted.DAILY, back_days=3, actor="ee", at=AT, business_at=TEN_O_CLOCK
    )
    assert asked == circle.serials[:2]
    assert many("SELECT meter, wants, urgent, due_at FROM readings_meter ORDER BY meter") == [
        (meter, Wanted.DAILY, True, TEN_O_CLOCK) for meter in circle.serials[:2]
    ]
    assert value("SELECT data->>'register' FROM audit_entry WHERE act = 'readings.asked'") == "daily"
    with pytest.raises(MeterNotRead):
        ask_profiles(["X"], wanted=Wanted.DAILY, back_days=0, actor="ee", at=AT, business_at=TEN_O_CLOCK)
    with pytest.raises(NobodyToRead):
        ask_profiles(office=999, wanted=Wanted.DAILY, back_days=0, actor="ee", at=AT, business_at=TEN_O_CLOCK)


def test_an_area_is_asked_as_a_whole(circle: World) -> None:
    no_first_call(circle)
    plan(circle, TEN_O_CLOCK)
    asked = ask_profiles(office=11, wanted=EVENTS, back_days=0, actor="ee", at=AT, business_at=TEN_O_CLOCK)
    assert asked == sorted(circle.serials)
    assert {each.wants for each in queries.waiting_for(meters=asked)} == {EVENTS}


def test_a_schedule_fires_once_and_not_for_who_came_later(circle: World) -> None:
    no_first_call(circle)
    assert plan(circle, moment(24, 10)) == 0  # nobody was known at ten past midnight
    assert wants(circle) == [Wanted(0)] * 6
    assert plan(circle, moment(24, 12, 9)) == 0
    assert plan(circle, moment(24, 12, 10)) == 2 * 6  # load and daily; the others fire after midnight
    # Whoever was never called is asked for his nameplate too.
    assert wants(circle) == [Wanted.LOAD | Wanted.DAILY | Wanted.NAMEPLATE] * 6
    assert plan(circle, moment(24, 12, 11)) == 0
    due = [row[0] for row in many("SELECT due_at FROM readings_meter")]
    assert len(set(due)) == 6
    assert all(moment(24, 12, 10) <= each < moment(24, 15, 10) for each in due)
    assert plan(circle, moment(25, 0, 10)) == 5 * 6
    assert wants(circle)[0] & (EVENTS | Wanted.BILLING | Wanted.NOW) == EVENTS | Wanted.BILLING | Wanted.NOW


def test_a_meter_goes_with_its_connection_to_another_office(circle: World) -> None:
    plan(circle, moment(24, 10))
    run_owner(circle, "UPDATE network_connection SET centre = 1211")
    plan(circle, moment(24, 12, 10))
    assert {row[0] for row in many("SELECT office FROM readings_meter")} == {1211}


def test_the_closest_schedule_counts(circle: World) -> None:
    no_first_call(circle)
    plan(circle, moment(24, 10))
    for new in (schedule(office=111, back_days=5), schedule(office=1, back_days=4), schedule(make="nobody")):
        set_schedule(new)
    plan(circle, moment(24, 11))
    assert {row[0] for row in many("SELECT back_days FROM readings_meter")} == {5}
    set_schedule(schedule(office=111, make="arpa", back_days=6))
    run_owner(circle, "UPDATE readings_meter SET wants = 0, back_days = 0")
    plan(circle, moment(24, 12))
    assert {row[0] for row in many("SELECT back_days FROM readings_meter")} == {6}


def run_owner(world: World, statement: str, *params: object) -> None:
    world.owner.execute(statement, params)  # type: ignore[arg-type]


def test_a_schedule_takes_two_and_the_one_before_ends(circle: World) -> None:
    first = set_schedule(schedule(office=1))
    second = propose_schedule(schedule(office=1, effective_from=date(2025, 12, 1)), officer="ee", **TIMES)
    with pytest.raises(ScheduleOfOne):
        accept_schedule(schedule=second, officer="ee", reason="mine", **TIMES)
    with pytest.raises(ScheduleReasonMissing):
        accept_schedule(schedule=second, officer="se", reason=" ", **TIMES)
    with pytest.raises(ScheduleUnknown):
        accept_schedule(schedule=999, officer="se", reason="tried", **TIMES)
    with pytest.raises(OfficerMayNotSchedule):
        propose_schedule(schedule(), officer="cashier", **TIMES)
    dates = "SELECT id, effective_from, effective_to FROM readings_schedule WHERE office IS NOT NULL ORDER BY id"
    assert many(dates) == [(first, date(2025, 11, 1), None), (second, date(2025, 12, 1), None)]
    accept_schedule(schedule=second, officer="se", reason="the agreement of November", **TIMES)
    assert many(dates) == [(first, date(2025, 11, 1), date(2025, 12, 1)), (second, date(2025, 12, 1), None)]
    with pytest.raises(ScheduleAccepted):
        accept_schedule(schedule=second, officer="se", reason="again", **TIMES)
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'readings.scheduled'") == 2
    with pytest.raises(DatabaseError, match="stays as it was accepted"):
        run("UPDATE readings_schedule SET effective_to = NULL, reason = 'other' WHERE id = %s", second)


def test_what_is_proposed_is_not_read_by(circle: World) -> None:
    no_first_call(circle)
    plan(circle, moment(24, 10))
    propose_schedule(schedule(), officer="ee", **TIMES)
    assert plan(circle, moment(24, 11)) == 0
    assert wants(circle) == [Wanted(0)] * 6


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "gossip"}, {"every_s": 60}, {"spread_s": 0}, {"offset_s": 86_400}, {"back_days": 61}, {"source": " "}],
)
def test_a_schedule_that_cannot_be_is_refused(circle: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(ScheduleWrong) as refused:
        propose_schedule(schedule(**wrong), officer="ee", **TIMES)
    assert refused.value.text("hi") != refused.value.text("en")
    assert value("SELECT count(*) FROM readings_schedule WHERE made_by = 'ee'") == 0


def bahal(world: World, *words: str, lang: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bahal.entry.cli", *words], capture_output=True, text=True, check=False,
        env=world.database.environ(BAHAL_LANG=lang),
    )  # fmt: skip


def test_schedules_and_targets_from_the_command_line(circle: World) -> None:
    (circle.database.home.path / "instance.json").write_text('{"kind": "rehearsal"}')
    propose = [
        "reads", "schedule", "propose", "load", "--every", "360", "--spread", "90", "--office", "11",
        "--from", "2025-12-01", "--source", "agreement 7", "--as", "ee", "--json",
    ]  # fmt: skip
    made = bahal(circle, *propose)
    assert made.returncode == 0, made.stderr
    number = json.loads(made.stdout)["schedule"]
    assert "waits for a second officer" in bahal(circle, "reads", "schedule").stdout
    mine = bahal(circle, "reads", "schedule", "accept", str(number), "--as", "ee", "--reason", "x", "--json")
    assert (mine.returncode, json.loads(mine.stderr)["error"]) == (1, "schedule_of_one")
    theirs = bahal(circle, "reads", "schedule", "accept", str(number), "--as", "se", "--reason", "x", lang="hi")
    assert "स्वीकृत" in theirs.stdout
    listed = {each["id"]: each for each in json.loads(bahal(circle, "reads", "schedule", "--json").stdout)["schedules"]}
    assert (listed[number]["every_s"], listed[number]["accepted_by"]) == (21_600, "se")
    assert listed[number]["effective_from"] == "2025-12-01"
    for day, early in ((date(2025, 11, 23), 279), (date(2025, 11, 22), 200)):
        circle.owner.execute(
            "INSERT INTO readings_delivery VALUES (%s, 1111, 'arpa', 'c', 'load', 6, 288, %s, NULL, now())",
            (day, early),
        )
    ran = bahal(circle, "reads", "status")
    assert ran.returncode == 0, ran.stderr
    told = ran.stdout
    assert "96.9 % in 8 h (target 95 %: met)" in told
    assert "69.4 % in 8 h (target 95 %: missed)" in told
    assert "लक्ष्य 95 %: अधूरा" in bahal(circle, "reads", "status", lang="hi").stdout
    rows = json.loads(bahal(circle, "reads", "status", "--json").stdout)["delivery"]
    assert [(row["met_8h"], row["met_24h"], row["target_8h_permille"]) for row in rows] == [
        (False, None, 950), (True, None, 950),
    ]  # fmt: skip


def due(world: World) -> list[datetime]:
    return [row[0] for row in world.owner.execute("SELECT due_at FROM readings_meter ORDER BY meter").fetchall()]


def test_a_few_new_meters_are_called_within_minutes(circle: World) -> None:
    assert plan(circle, moment(24, 10)) == 6
    assert wants(circle) == [FIRST] * 6
    assert all(moment(24, 10, 1) <= each < moment(24, 10, 4) for each in due(circle))
    assert plan(circle, moment(24, 10, 1)) == 0


def test_many_new_meters_wait_for_the_quiet_hour(circle: World) -> None:
    """An instance that was opened at ten is not busy reading at ten."""
    set_schedule(schedule(kind="first", every_s=86_400, offset_s=7_200, spread_s=3_600, at_once=5))
    assert plan(circle, moment(24, 10)) == 6
    assert wants(circle) == [FIRST] * 6
    assert all(moment(25, 2) <= each < moment(25, 3) for each in due(circle))
    assert len(set(due(circle))) == 6
    # What a schedule wants meanwhile comes when it wants it, and all of it in one call.
    plan(circle, moment(24, 12, 10))
    assert all(each < moment(24, 15, 10) for each in due(circle))
    assert wants(circle) == [FIRST] * 6


def load(world: World, number: int, day: date, at: datetime, *, have: int = 48, batch: int = 1) -> None:
    world.owner.execute("SELECT readings_partitions(ARRAY[%s::date], ARRAY[%s::date])", (day, day))
    bits = "1" * have + "0" * (96 - have)
    world.owner.execute(
        "INSERT INTO readings_load (day, meter, batch, at, slots, have, asked, wh, noted)"
        " VALUES (%s, %s, %s, %s, 48, %s::bit(96), %s::bit(96), %s, 0)",
        (day, world.serials[number], batch, at, bits, bits, [5] * have + [None] * (48 - have)),
    )


def test_the_delivery_clock_counts_at_eight_and_at_twenty_four_hours(circle: World) -> None:
    plan(circle, moment(20, 10))
    day = date(2025, 11, 23)
    load(circle, 0, day, moment(24, 3))
    load(circle, 1, day, moment(24, 7, 59), have=40)
    load(circle, 1, day, moment(24, 9), batch=2)
    load(circle, 2, day, moment(25, 1))
    circle.owner.execute("SELECT readings_count_delivery(%s, %s)", (day, moment(24, 8)))
    told = {each.kind: each for each in queries.delivery(start=day, end=day + timedelta(days=1), office=11)}
    assert (told["load"].expected, told["load"].in_8h, told["load"].in_24h) == (6 * 48, 48 + 40, None)
    assert (told["daily"].expected, told["daily"].in_8h) == (6, 0)
    circle.owner.execute("SELECT readings_count_delivery(%s, %s)", (day, moment(25, 0)))
    # What was counted is history: nothing moves it any more.
    load(circle, 3, day, moment(24, 5))
    circle.owner.execute("SELECT readings_count_delivery(%s, %s)", (day, moment(25, 1)))
    told = {each.kind: each for each in queries.delivery(start=day, end=day + timedelta(days=1))}
    assert (told["load"].in_8h, told["load"].in_24h) == (48 + 40, 48 + 48)
    assert queries.delivery(start=day, end=day + timedelta(days=1), office=2) == []


def test_the_silent_are_listed_with_their_cell(circle: World) -> None:
    plan(circle, moment(20, 10))
    run_owner(circle, "UPDATE readings_meter SET heard_at = %s WHERE meter <> %s", moment(24, 9), circle.serials[0])
    (one_,) = queries.silent(at=moment(24, 10))
    assert (one_.meter, one_.cell_silent, one_.cell_meters, one_.heard_at) == (circle.serials[0], 1, 6, None)
    assert queries.silent(at=moment(24, 10), office=12) == []
    (standing,) = queries.standing(at=moment(24, 10))
    assert (standing.office, standing.meters, standing.heard) == (1111, 6, 5)
    # An alarm is a sign of life.
    run_owner(
        circle,
        "INSERT INTO protection_event (meter, esw, counter, received_at, business_at) VALUES (%s, '', 1, now(), %s)",
        circle.serials[0],
        moment(24, 9),
    )
    assert queries.silent(at=moment(24, 10)) == []


def test_days_that_came_in_parts_are_one_day(circle: World) -> None:
    day = date(2025, 11, 23)
    load(circle, 0, day, moment(24, 1), have=20)
    load(circle, 0, day, moment(24, 2), have=30, batch=2)
    run_owner(circle, "UPDATE readings_load SET wh = array_fill(9, ARRAY[48]) WHERE batch = 2")
    run_owner(circle, "UPDATE readings_load SET wh[3] = NULL WHERE batch = 2")
    (found,) = queries.meter_days(meter=circle.serials[0], start=day, end=day + timedelta(days=1))
    assert found.wh == [9, 9, 5, *([9] * 45)]
    assert found.dv == [None] * 48


def test_days_kept_long_enough_end_but_not_before_they_are_in_the_lake(circle: World) -> None:
    day = date(2025, 10, 1)
    circle.owner.execute("INSERT INTO ingest_lane VALUES (1, 'w', 1, now())")
    row = circle.owner.execute(
        "INSERT INTO ingest_batch (lane, key, days, registers) VALUES (1, gen_random_uuid(), 1, 0) RETURNING id"
    ).fetchone()
    assert row is not None
    load(circle, 0, day, moment(1, 1), batch=row[0])
    assert circle.one("SELECT readings_retire('2025-11-01')") == 0
    circle.owner.execute("SELECT ingest_done(1, %s)", (row[0],))
    assert circle.one("SELECT readings_retire('2025-11-01')") == 1
    assert one("SELECT count(*) FROM readings_load") == (0,)


def test_the_business_can_neither_write_nor_change_a_reading(circle: World) -> None:
    day = date(2025, 11, 23)
    load(circle, 0, day, moment(24, 1))
    for statement in (
        "UPDATE readings_load SET noted = 1",
        "DELETE FROM readings_load",
        "INSERT INTO readings_poison (meter, kind, at, reason, detail, body) VALUES ('', '', now(), '', '', '')",
        "UPDATE readings_schedule SET every_s = 1",
        "SELECT * FROM headend_collect('w', 1, 1, 1, now())",
    ):
        with pytest.raises(Exception, match="permission denied"):
            run(statement)
