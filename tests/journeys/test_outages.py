"""A feeder that fails is one incident with its meters, whoever had time to say so, and its minutes count once."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from bahal.domains.incidents.errors import CauseMissing, PlaceUnknown, PlannedEmpty, PlannedTaken
from bahal.foundation.rows import many, value
from bahal.journeys.announce_work import announce_work
from bahal.journeys.hear_logs import hear_logs
from bahal.journeys.outage_minutes import outage_minutes
from bahal.shared.periods import Period
from tests.journeys.pushing import CONNECTED, NOON, Grid, alerts, at, esw, incidents, lay
from tests.plugin.databases import Database

GASP, BREATH = esw(85), esw(86)
DAY = Period(NOON - timedelta(hours=12), NOON + timedelta(hours=12))


def storm(grid: Grid, meters: list[str], word: str, *, start: float, stated: bool = True) -> None:
    grid.push_many(
        (meter, word, at(start + nth * 0.1), at(start + nth * 0.1) if stated else None)
        for nth, meter in enumerate(meters)
    )


def test_a_feeder_that_fails_is_one_incident_and_no_alert(database: Database) -> None:
    grid = lay(database, each=20)
    storm(grid, grid.of(0), GASP, start=0)
    grid.judge(now=at(10))
    assert incidents() == [("supply_lost", "feeder", 1, 60, True)]
    assert alerts() == []
    # A late gasp belongs to it; a neighbour of another feeder does not.
    grid.push(grid.meter(1, 0, 0), GASP, when=at(20), stated=at(20))
    grid.judge(now=at(200))
    assert incidents()[0][3] == 60
    assert incidents()[1] == ("supply_lost", "connection", grid.connection(1, 0, 0), 1, True)
    storm(grid, grid.of(0), BREATH, start=3_600)
    grid.judge(now=at(3_700))
    assert incidents()[0] == ("supply_lost", "feeder", 1, 60, False)
    assert value("SELECT ended_at FROM incidents_incident WHERE place = 1") == at(3_600 + 59 * 0.1)


def test_a_transformer_grows_into_a_feeder_and_keeps_its_number(database: Database) -> None:
    grid = lay(database)
    storm(grid, grid.of(0, 0), GASP, start=0)
    grid.judge(now=at(5))
    first = value("SELECT id FROM incidents_incident")
    assert incidents() == [("supply_lost", "transformer", 1, 5, True)]
    storm(grid, grid.of(0, 1) + grid.of(0, 2), GASP, start=60)
    grid.judge(now=at(80))
    assert incidents() == [("supply_lost", "feeder", 1, 15, True)]
    assert value("SELECT id FROM incidents_incident WHERE merged_into IS NULL") == first


def test_breaths_told_before_gasps_and_twice_change_nothing(database: Database) -> None:
    grid = lay(database)
    meters = grid.of(0)
    # One store, two workers: a meter's breath may be judged before its gasp, and a batch may come in any order.
    storm(grid, meters, GASP, start=0)
    storm(grid, meters, BREATH, start=600)
    with database.connect("owner") as owner:
        ids = [row[0] for row in owner.execute("SELECT id FROM protection_event WHERE esw = %s", [GASP])]
        owner.execute("UPDATE protection_event SET handled_at = now() WHERE id = ANY(%s)", [ids])
        grid.judge(now=at(700))
        assert many("SELECT count(*) FROM incidents_trouble") == [(0,)]
        owner.execute("UPDATE protection_event SET handled_at = NULL WHERE id = ANY(%s)", [ids])
    grid.judge(now=at(700))
    rows = many("SELECT extract(epoch FROM ended_at - began_at)::integer FROM incidents_trouble")
    assert rows == [(600,)] * len(meters)
    with database.connect("owner") as owner:
        owner.execute("UPDATE protection_event SET handled_at = NULL")
    grid.judge(now=at(800))
    assert value("SELECT count(*) FROM incidents_trouble") == len(meters)


def test_any_order_of_judging_gives_the_same_troubles(database: Database) -> None:
    grid = lay(database, feeders=1, transformers=1, each=4)
    chance = random.Random(5)
    expected = []
    rows = []
    for meter in grid.of(0):
        for nth in range(6):
            rows.append((meter, GASP, at(1_000 * nth), at(1_000 * nth)))
            rows.append((meter, BREATH, at(1_000 * nth + 300), at(1_000 * nth + 300)))
            expected.append((meter, at(1_000 * nth), at(1_000 * nth + 300)))
    grid.push_many(rows)
    ids = [row[0] for row in many("SELECT id FROM protection_event")]
    chance.shuffle(ids)
    with database.connect("owner") as owner:
        owner.execute("UPDATE protection_event SET handled_at = now()")
        while ids:
            some, ids = ids[:5], ids[5:]
            owner.execute("UPDATE protection_event SET handled_at = NULL WHERE id = ANY(%s)", [some])
            grid.judge(now=at(9_000))
    found = many("SELECT meter, began_at, ended_at FROM incidents_trouble ORDER BY meter, began_at")
    assert [tuple(row) for row in found] == sorted(expected)


def test_a_clock_that_jumped_is_not_believed(database: Database) -> None:
    grid = lay(database)
    meter = grid.meter(0, 0, 0)
    grid.push(meter, GASP, when=at(0), stated=at(-2 * 3_600))
    grid.push(meter, BREATH, when=at(900), stated=at(900 + 86_400))
    grid.judge(now=at(1_000))
    assert many("SELECT began_at, ended_at, doubtful FROM incidents_trouble") == [(at(0), at(900), True)]


def test_the_silent_are_asked_and_who_answers_has_supply(database: Database) -> None:
    grid = lay(database, feeders=1, transformers=3, each=6)
    storm(grid, grid.of(0, 0)[:4], GASP, start=0)
    grid.judge(now=at(20))
    assert value("SELECT count(*) FROM readings_request") == 0
    grid.judge(now=at(70))
    asked = [row[0] for row in many("SELECT meter FROM readings_request ORDER BY meter")]
    assert asked == grid.of(0, 0)[4:]
    with database.connect("owner") as owner:
        owner.execute(
            "UPDATE readings_request SET done_at = now(), reason = 'connect_timeout' WHERE meter = %s", [asked[0]]
        )
        owner.execute("UPDATE readings_request SET done_at = now(), reason = '' WHERE meter = %s", [asked[1]])
    grid.judge(now=at(90))
    assert many("SELECT meter, how, began_at FROM incidents_trouble WHERE how = 'silence'") == [
        (asked[0], "silence", at(0))
    ]
    assert incidents() == [("supply_lost", "transformer", 1, 5, True)]
    # It breathes by being read, when its first breath was lost.
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO readings_reading (meter, register, at, value, received_at)"
            " VALUES (%s, '1.0.1.8.0.255', now(), 1, now() + interval '1 second')",
            [asked[0]],
        )
    grid.judge(now=datetime.now(UTC) - timedelta(seconds=0))
    assert value("SELECT ended_how FROM incidents_trouble WHERE how = 'silence'") == "read"


def test_minutes_leave_out_our_own_cut_and_count_announced_work_apart(database: Database) -> None:
    grid = lay(database, feeders=2, transformers=1, each=4)
    storm(grid, grid.of(0), GASP, start=0)
    storm(grid, grid.of(1), GASP, start=0)
    given = {"actor": "ee", "at": datetime.now(UTC), "business_at": at(0)}
    announce_work(
        scope="feeder",
        place=2,
        from_at=at(-60),
        to_at=at(7_200),
        reason="new pole",
        **given,  # type: ignore[arg-type]
    )
    grid.judge(now=at(10))
    assert many("SELECT place, cause, note FROM incidents_incident ORDER BY place") == [
        (1, "", ""),
        (2, "planned", "new pole"),
    ]
    storm(grid, grid.of(0), BREATH, start=3_600)
    storm(grid, grid.of(1), BREATH, start=3_600)
    grid.judge(now=at(4_000))
    _cut_ourselves(database, grid.meter(0, 0, 0), grid.connection(0, 0, 0))
    dark, planned = outage_minutes(within=DAY, business_at=at(5_000))
    assert (dark.feeder, dark.figures.connections, dark.figures.interruptions) == (1, 4, 3)
    assert dark.figures.dark_s == 3 * 3_600
    assert (planned.figures.interruptions, planned.figures.planned_s) == (0, 4 * 3_600)
    both = outage_minutes(within=DAY, business_at=at(5_000), feeders=[1], transformers=True)
    assert [(each.feeder, each.transformer, each.figures.dark_s) for each in both] == [
        (1, None, 10_800),
        (1, 1, 10_800),
    ]


def _cut_ourselves(database: Database, meter: str, connection: int) -> None:
    """Our own order had cut it long before."""
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE supply_order DISABLE TRIGGER USER")
        order = owner.execute(
            "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends, confirmed_at) VALUES (%s, %s, 'restore',"
            " 'own_request', 'confirmed', '', '', 1, 0, 0, '', '', now(), 0, 0, now()) RETURNING id",
            [meter, connection],
        ).fetchone()
        owner.execute("ALTER TABLE supply_order ENABLE TRIGGER USER")
        assert order is not None
        owner.execute(
            "INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, worker, sent_at, business_at)"
            " VALUES (%s, 'cut', %s, %s, 1, 'test', now(), %s)",
            [order[0], meter, connection, at(-86_400)],
        )


def test_an_announcement_is_checked(database: Database) -> None:
    lay(database, feeders=1, transformers=1, each=1)
    given = {"actor": "ee", "at": datetime.now(UTC), "business_at": at(0)}
    good = {"scope": "transformer", "place": 1, "from_at": at(0), "to_at": at(60), "reason": "oil"} | given
    announce_work(**good)  # type: ignore[arg-type]
    for refusal, changed in (
        (PlaceUnknown, {"place": 99}),
        (PlaceUnknown, {"scope": "village"}),
        (PlannedEmpty, {"to_at": at(0)}),
        (CauseMissing, {"reason": "  "}),
        (PlannedTaken, {}),
    ):
        with pytest.raises(refusal):
            announce_work(**good | changed)  # type: ignore[arg-type]


def test_event_logs_tell_the_same_outage_once(database: Database) -> None:
    grid = lay(database)
    meter = grid.meter(0, 0, 0)
    grid.push(meter, GASP, when=at(2), stated=at(0))
    grid.judge(now=at(5))
    wall = datetime.now(UTC)
    log(database, [(meter, "power", at(900), 102)], batch=2)
    assert hear_logs(at=wall, business_at=at(1_000)) == 1
    log(database, [(meter, "power", at(0), 101)], batch=1)  # committed later under an earlier number
    assert hear_logs(at=wall, business_at=at(1_000)) == 1
    assert hear_logs(at=wall, business_at=at(1_000)) == 0
    assert many("SELECT began_at, ended_at, ended_how FROM incidents_trouble") == [(at(0), at(900), "log")]


def log(database: Database, rows: list[tuple[str, str, datetime, int]], *, batch: int) -> None:
    """Rows of event logs are collected in one batch."""
    with database.connect("owner") as owner:
        for meter, family, stated, event in rows:
            owner.execute(
                "INSERT INTO readings_event (meter, log, at, event, batch, data) VALUES (%s, %s, %s, %s, %s, '{}')",
                [meter, family, stated, event, batch],
            )


def test_a_log_tells_a_tamper_that_no_push_told_and_none_twice(database: Database) -> None:
    grid = lay(database)
    meter, wall = grid.meter(0, 0, 0), datetime.now(UTC)
    grid.push(meter, esw(81), when=at(3))
    grid.judge(now=at(5))
    rows = [(meter, "other", at(0), 201), (meter, "non_rollover", at(10), 251), (meter, "other", at(600), 202)]
    log(database, [*rows, (meter, "other", at(90_000), 203), (meter, "transaction", at(700), 151)], batch=1)
    assert hear_logs(at=wall, business_at=at(1_000)) == 5
    grid.push(meter, esw(82), when=at(1_100))
    grid.judge(now=at(1_100))
    # The magnet is one alert, ended by the log; nobody ordered the clock; the future is of now and in doubt.
    assert alerts() == [
        (meter, "magnet", False, 2),
        (meter, "cover_open", True, 1),
        (meter, "clock_set", True, 1),
        (meter, "neutral_disturbance", True, 2),
    ]
    found = many("SELECT kind, occurred_at, ended_at, doubtful FROM protection_alert ORDER BY id")
    assert found == [
        ("magnet", at(0), at(600), True),
        ("cover_open", at(10), None, False),
        ("clock_set", at(700), None, False),
        ("neutral_disturbance", at(1_000), None, True),
    ]
    said = [row[0] for row in many("SELECT name FROM protection_happening WHERE source = 'log' ORDER BY at")]
    assert said == ["magnet", "cover_open", "magnet", "clock_set", "neutral_disturbance"]


def test_many_low_voltages_are_one_incident_too(database: Database) -> None:
    grid = lay(database)
    storm(grid, grid.of(0, 0), esw(4), start=0)
    grid.judge(now=at(5))
    assert (incidents(), alerts()) == ([("low_voltage", "transformer", 1, 5, True)], [])
    storm(grid, grid.of(0, 0), CONNECTED, start=100)
    grid.judge(now=at(200))
    assert incidents() == [("low_voltage", "transformer", 1, 5, False)]
