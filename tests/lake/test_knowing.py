"""What is known of a meter grows from its own days: only what was measured teaches."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from bahal.lake.knowing import KNOWN, know
from bahal.lake.layout import Lake, make_lake
from bahal.lake.vee.rules import Parameters
from bahal.lake.vee.run import validate_day
from tests.lake.test_tables import intervals

MONDAY = date(2025, 11, 3)
LOAD = 2_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(str(tmp_path / "lake"), buckets=2)


def said(*meters: str) -> pa.Table:
    """What the business knows."""
    rows = [{"meter": meter, "transformer": 7, "load_w": LOAD, "exports": False} for meter in meters]
    return pa.Table.from_pylist(rows, schema=KNOWN)


def live(lake: Lake, day: date, **days: list[int | None]) -> None:
    """A day comes in and is validated by what was known before it."""
    know(lake, day=day, known=said(*days), slots=24, batch=1)
    for meter, wh in days.items():
        rows = intervals(lake, meter, wh, batch=1, day=day)
        lake.append("interval", rows, writer=f"{meter} {day}", batch=1)
    validate_day(lake, day=day, run=1, parameters=Parameters(stuck_slots=25))


def facts(lake: Lake, day: date) -> dict[str, tuple[int, list[int]]]:
    """Highest interval and usual profile by meter."""
    know(lake, day=day, known=said("A", "B"), slots=24, batch=1)
    rows = lake.rows("facts", day=day).to_pylist()
    return {row["meter"]: (row["highest_wh"], row["usual"]) for row in rows}


def test_the_first_day_knows_nothing_and_the_next_the_highest(lake: Lake) -> None:
    assert facts(lake, MONDAY) == {"A": (0, [0] * 24), "B": (0, [0] * 24)}
    live(lake, MONDAY, A=[100] * 23 + [500], B=[0] * 24)
    tuesday = facts(lake, MONDAY + timedelta(days=1))
    assert (tuesday["A"][0], tuesday["B"][0]) == (500, 0)
    assert tuesday["A"][1] == [0] * 24  # another weekday
    wednesday = facts(lake, MONDAY + timedelta(days=2))
    assert wednesday["A"][0] == 490  # it sinks by a fiftieth where nothing was measured


def test_a_weekday_learns_from_the_same_weekday_only_what_was_measured(lake: Lake) -> None:
    live(lake, MONDAY, A=[100] * 24, B=[100] * 24)
    live(lake, MONDAY + timedelta(days=7), A=[200] * 20 + [None] * 4, B=[90_000] * 24)
    known = facts(lake, MONDAY + timedelta(days=14))
    assert known["A"][1] == [125] * 20 + [100] * 4
    assert known["B"][1] == [100] * 24  # what no load can draw teaches nothing


def test_facts_are_written_once_per_batch(lake: Lake) -> None:
    assert know(lake, day=MONDAY, known=said("A", "B"), slots=24, batch=1) == 2
    assert know(lake, day=MONDAY, known=said("A", "B"), slots=24, batch=1) == 0
    assert lake.rows("facts", day=MONDAY).num_rows == 2
    wrong = said("A").set_column(2, "load_w", pa.array(["much"]))
    with pytest.raises(pa.ArrowInvalid):
        know(lake, day=MONDAY, known=wrong, slots=24, batch=2)
