"""The SIM register: which number wakes a meter, and which cell paces it."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from bahal.domains.meters.errors import SimFileMalformed
from bahal.foundation.rows import many, run, value
from bahal.foundation.transactions import transaction
from bahal.gateways.sms.interface import WAKE_UP, Answer, Outgoing, SmsCentreUnreachable
from bahal.journeys.import_sims import ImportedSims, import_sims
from bahal.journeys.wake_meters import A_CELL, MOST_TRIES, wake_meters
from tests.journeys import town
from tests.journeys.test_import_meters import load as load_meters
from tests.journeys.test_import_meters import row, unmetered
from tests.plugin.databases import Database

COLUMNS = ("iccid", "meter", "msisdn", "operator", "cell", "signal_dbm", "seen_at")


def serial(nth: int) -> str:
    return row(nth)["meter"]


def metered(database: Database, count: int) -> None:
    unmetered(database, count)
    assert load_meters(*(row(nth) for nth in range(count))).loaded == count


def sim(nth: int, **changed: str) -> dict[str, str]:
    given = {
        "iccid": f"8991000000000000{nth:03d}",
        "meter": serial(nth),
        "msisdn": f"+9157550000{nth:05d}",
        "operator": "BSNL",
        "cell": "404-58-1201-77",
        "signal_dbm": "-87",
        "seen_at": "2025-11-24T08:00:00+05:30",
    }
    return {**given, **changed}


def load(*rows: dict[str, str], more: str = "") -> ImportedSims:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    text.write(more)
    text.seek(0)
    return import_sims(rows=text, actor="ee", at=datetime.now(UTC), business_at=town.TEN)


def cells(database: Database) -> list[tuple[str, str]]:
    with database.connect("owner") as owner:
        return owner.execute(  # type: ignore[return-value]
            "SELECT h.cell, i.cell FROM headend_meter h JOIN interlock_meter i ON i.meter = h.meter ORDER BY h.meter"
        ).fetchall()


def test_sims_are_kept_and_their_cells_pace_both_rooms(database: Database) -> None:
    metered(database, 3)
    done = load(*(sim(nth) for nth in range(2)))
    assert (done.good, done.changed, list(done.refused)) == (2, 2, [])
    assert cells(database)[:2] == [("404-58-1201-77", "404-58-1201-77")] * 2
    assert cells(database)[2] != ("404-58-1201-77", "404-58-1201-77")
    assert value("SELECT signal_dbm FROM meters_sim WHERE meter = %s", serial(0)) == -87


def test_the_same_file_again_changes_nothing_and_an_older_word_does_not_count(database: Database) -> None:
    metered(database, 2)
    load(sim(0), sim(1))
    again = load(sim(0), sim(1))
    assert (again.good, again.changed) == (2, 0)
    older = load(sim(0, cell="old", seen_at="2025-11-23T08:00:00+05:30"))
    assert (older.good, older.changed) == (1, 0)
    newer = load(sim(0, cell="new", signal_dbm="", seen_at="2025-11-25T08:00:00+05:30"))
    assert newer.changed == 1
    assert cells(database)[0] == ("new", "new")
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'meter.sims'") == 4


def test_bad_rows_are_named_in_both_languages_and_the_rest_is_kept(database: Database) -> None:
    metered(database, 6)
    done = load(
        sim(0),
        sim(1, iccid="12"),
        sim(1, msisdn="98"),
        sim(1, cell=""),
        sim(1, signal_dbm="40"),
        sim(1, seen_at="2025-11-24T08:00:00"),
        sim(1, meter="NOBODY"),
        sim(2, meter=serial(0)),
        sim(2, msisdn=sim(0)["msisdn"]),
        sim(0, meter=serial(3), msisdn="+915755000099999"),
        sim(4),
        more="1,2\n",
    )
    assert (done.good, done.changed) == (2, 2)
    told = done.as_json()["refused"]
    assert [(each["line"], each["error"]) for each in told] == [
        *((line, "sim_row_malformed") for line in range(3, 8)),
        (8, "sim_meter_unknown"),
        *((line, "sim_taken") for line in (9, 10, 11)),
        (13, "sim_row_malformed"),
    ]
    assert all(each["hi"] and each["en"] for each in told)


def test_a_file_without_its_columns_is_refused_whole(database: Database) -> None:
    with pytest.raises(SimFileMalformed) as refused:
        import_sims(rows=["iccid,meter\n"], actor="ee", at=datetime.now(UTC), business_at=town.TEN)
    assert refused.value.data == {"missing": "msisdn, operator, cell"}


class Centre:
    """Takes messages, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[Outgoing] = []

    def send(self, messages: list[Outgoing]) -> list[Answer]:  # type: ignore[override]
        if self.away:
            raise SmsCentreUnreachable(url="x", why="away")
        self.taken += messages
        return [Answer(each.reference, f"R{each.reference}") for each in messages]


def want(database: Database, count: int, *, cell: str = "c") -> None:
    with database.connect("owner") as owner:
        for nth in range(count):
            owner.execute(
                "INSERT INTO meters_wakeup (meter, msisdn, cell, asked_at, next_at, tries, receipt, why)"
                " VALUES (%s, %s, %s, now(), now(), 0, '', '')",
                (f"{cell}{nth}", f"+91{nth}", cell),
            )


def due_now(database: Database) -> None:
    with database.connect("owner") as owner:
        owner.execute("UPDATE meters_wakeup SET next_at = now(), sent_at = now() - interval '1 hour'")


def test_a_wanted_meter_is_asked_ever_less_often_and_then_given_up(database: Database) -> None:
    centre = Centre()
    want(database, 1)
    pauses = []
    for _ in range(MOST_TRIES):
        assert wake_meters(centre) == 1  # type: ignore[arg-type]
        assert wake_meters(centre) == 0  # type: ignore[arg-type]
        pauses.append(value("SELECT next_at - sent_at FROM meters_wakeup").total_seconds())
        due_now(database)
    assert [round(pause) for pause in pauses] == [30, 60, 120, 240, 480, 960]
    assert wake_meters(centre) == 0  # type: ignore[arg-type]
    assert many("SELECT why, ended_at IS NOT NULL FROM meters_wakeup") == [("unanswered", True)]
    assert {(each.to, each.template) for each in centre.taken} == {("+910", WAKE_UP)}
    assert len({each.reference for each in centre.taken}) == MOST_TRIES


def test_a_cell_is_woken_a_few_at_a_time(database: Database) -> None:
    centre = Centre()
    want(database, A_CELL + 5, cell="full")
    want(database, 3, cell="other")
    assert wake_meters(centre) == A_CELL + 3  # type: ignore[arg-type]
    assert wake_meters(centre) == 0  # type: ignore[arg-type]
    with database.connect("owner") as owner:
        owner.execute("UPDATE meters_wakeup SET sent_at = sent_at - %s", (timedelta(seconds=11),))
    assert wake_meters(centre) == 5  # type: ignore[arg-type]


def test_while_the_centre_is_away_nobody_counts_as_asked(database: Database) -> None:
    centre = Centre()
    centre.away = True
    want(database, 2)
    with pytest.raises(SmsCentreUnreachable):
        wake_meters(centre)  # type: ignore[arg-type]
    assert many("SELECT DISTINCT tries, sent_at IS NULL FROM meters_wakeup") == [(0, True)]
    centre.away = False
    with transaction():
        run("UPDATE meters_wakeup SET next_at = clock_timestamp()")
    assert wake_meters(centre) == 2  # type: ignore[arg-type]
