"""Clocks of simulated meters: drift by the seed, profiles by the meter's own clock, and the log of every setting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from bahal.dlms.objects.profile import Numbered
from bahal.dlms.objects.serving import Origin
from bahal.fleet.circle import Circle
from bahal.fleet.clocks import ClockLog, captures, drift_of, let_drift, offset_at
from bahal.fleet.faults import Behaviour
from bahal.fleet.movements import MovementLog
from bahal.fleet.registers import rows
from bahal.fleet.roster import invent, read_roster, write_roster
from bahal.fleet.store import ALWAYS, Era, MeterColumns

NOON = datetime(2025, 11, 24, 6, 30, tzinfo=UTC)


class Still:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at


@pytest.fixture
def circle(tmp_path: Path) -> Iterator[Circle]:
    write_roster(tmp_path / "roster.csv", invent(count=40, seed=3, port=4059, makes=[("arpa", b"ARP")]))
    columns = MeterColumns(read_roster(tmp_path / "roster.csv"), first_counter=1)
    log = MovementLog(tmp_path / "fleet.jsonl")
    made = Circle(columns=columns, clock=Still(), log=log, behaviour=Behaviour())
    made.clock_log = ClockLog(tmp_path / "clocks.jsonl")
    yield made
    log.close()


def test_the_seed_says_whose_clock_drifts(circle: Circle) -> None:
    assert let_drift(circle.columns, share=0.0, seed=1) == 0
    drifting = let_drift(circle.columns, share=0.4, seed=1)
    assert 8 <= drifting <= 24
    offs = [circle.meter(row).clock_offset for row in range(40)]
    assert sum(off != 0 for off in offs) == drifting
    assert all(45 <= abs(off) <= 420 for off in offs if off)
    assert {off > 0 for off in offs if off} == {True, False}
    serials = [circle.columns.serial_of(row) for row in range(40)]
    assert offs == [drift_of(seed=1, serial=serial, share=0.4) for serial in serials]
    assert offs != [drift_of(seed=2, serial=serial, share=0.4) for serial in serials]


def test_a_clock_that_was_always_off_stamps_everything_so(circle: Circle) -> None:
    circle.columns.move_clock(0, ALWAYS, 300)
    found = captures(circle.meter(0), "block_profile")
    now = int(NOON.timestamp())
    assert len(found) == 2880
    assert found[-1].stamp == now
    assert {each.stamp - each.moment for each in found} == {300}
    assert {each.moment - each.before for each in found} == {1_800}
    (day,) = [each for each in captures(circle.meter(0), "daily_profile") if each.stamp > now - 86_400]
    assert day.moment == day.stamp - 300


@pytest.mark.parametrize(("offset", "stamps", "longest"), [(-600, 1, 2_400), (600, 1, 1_800)])
def test_moved_inside_an_interval_each_stamp_is_there_once(
    circle: Circle, offset: int, stamps: int, longest: int
) -> None:
    now = int(NOON.timestamp())
    circle.columns.move_clock(0, now - 3_600 + 900, offset)  # in the middle of an interval, and not over its end
    found = [each for each in captures(circle.meter(0), "block_profile") if each.stamp > now - 7_200]
    assert [found.count(each) for each in found] == [stamps] * len(found)
    assert [b.stamp - a.stamp for a, b in pairwise(found)] == [1_800] * (len(found) - 1)
    assert max(each.moment - each.before for each in found) == longest


def test_moved_over_a_boundary_a_stamp_is_there_twice_or_lost(circle: Circle) -> None:
    now = int(NOON.timestamp())
    circle.columns.move_clock(0, now - 3_600 + 300, -600)
    twice = [each.stamp for each in captures(circle.meter(0), "block_profile")][-4:]
    assert twice.count(now - 3_600) == 2
    circle.columns.eras.clear()
    circle.columns.move_clock(0, now - 3_600 - 300, 600)
    lost = [each.stamp for each in captures(circle.meter(0), "block_profile")][-4:]
    assert now - 3_600 not in lost


def test_energy_is_never_lost_with_a_stamp(circle: Circle) -> None:
    meter, now = circle.meter(0), int(NOON.timestamp())
    for since, offset in ((now - 40_000, 5_000), (now - 20_000, -4_000), (now - 5_000, 0)):
        circle.columns.move_clock(0, since, offset)
    found = captures(meter, "block_profile")
    used = [row[2] for row in rows(meter, "block_profile", Numbered())]
    assert len(used) == len(found) == 2880
    assert sum(used) == meter.energy(found[-1].moment) - meter.energy(found[0].before)


def test_every_setting_is_logged_and_outlives_the_process(circle: Circle, tmp_path: Path) -> None:
    circle.columns.move_clock(0, ALWAYS, 300)
    circle.set_clock(0, -2, Origin(48, 17, b""))
    (line,) = [json.loads(each) for each in (tmp_path / "clocks.jsonl").read_text().splitlines()]
    assert (line["meter"], line["from_s"], line["to_s"], line["sap"], line["counter"]) == (
        circle.columns.serial_of(0), 300, -2, 48, 17,
    )  # fmt: skip
    again = MeterColumns(read_roster(tmp_path / "roster.csv"), first_counter=1)
    again.move_clock(0, ALWAYS, 300)
    with (tmp_path / "clocks.jsonl").open("a") as file:
        file.write('{"meter": "cut sh')
    assert ClockLog(tmp_path / "clocks.jsonl").restore(again) == 1
    assert again.eras[0] == circle.columns.eras[0]


def test_what_cannot_be_logged_does_not_move(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(ClockLog, "write", full)
    with pytest.raises(OSError, match="no space"):
        circle.set_clock(0, 100, Origin(48, 17, b""))
    assert circle.meter(0).clock_offset == 0


def test_where_a_clock_stood() -> None:
    eras = [Era(ALWAYS, 5), Era(100, -7), Era(200, 0)]
    assert [offset_at(eras, moment) for moment in (0, 99, 100, 199, 200, 999)] == [5, 5, -7, -7, 0, 0]
    assert offset_at((), 5) == 0
