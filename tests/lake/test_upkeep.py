"""Upkeep loses no row, and a look at a day names what is wrong with it."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from bahal.lake.layout import VALIDATED, Lake, make_lake
from bahal.lake.upkeep import compact, look, retain
from bahal.lake.vee.rules import Parameters
from bahal.lake.vee.run import validate_day
from tests.lake.test_tables import DAY, intervals


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Ten meters that came in ten batches, one of them with a gap, over two days."""
    made = make_lake(str(tmp_path / "lake"), buckets=2)
    for batch in range(10):
        wh: list[int | None] = [5] * 24
        if batch == 3:
            wh[4:6] = [None, None]
        rows = intervals(made, f"M{batch}", wh, batch=batch, open_wh=0, close_wh=120)
        made.append("interval", rows, writer="w", batch=batch)
    before = intervals(made, "M1", [5] * 24, batch=10, day=DAY - timedelta(days=40))
    made.append("interval", before, writer="w", batch=10)
    return made


def files(lake: Lake) -> int:
    return len(list(Path(lake.path("interval")).rglob("*.parquet")))


def test_compaction_makes_few_files_of_many_and_keeps_every_row(lake: Lake) -> None:
    rows = lake.rows("interval", day=DAY).sort_by("meter")
    done = compact(lake, day=DAY)
    assert (done.before, done.after, done.removed) == (10, 2, 0)
    assert lake.rows("interval", day=DAY).sort_by("meter").equals(rows)
    assert files(lake) == 13
    compact(lake, day=DAY, safe=timedelta(0))
    assert files(lake) == 3
    assert lake.rows("interval", day=DAY).num_rows == 10
    assert not lake.append("interval", rows.slice(0, 1), writer="w", batch=10), "who wrote what is not forgotten"


def test_old_days_end_and_younger_ones_stay(lake: Lake) -> None:
    assert retain(lake, name="interval", before=DAY) == 1
    assert lake.rows("interval", day=DAY - timedelta(days=40)).num_rows == 0
    assert lake.rows("interval", day=DAY).num_rows == 10
    assert retain(lake, name="interval", before=DAY) == 0


def test_a_run_is_whole_and_what_is_not_is_named(lake: Lake) -> None:
    assert look(lake, day=DAY).faults == {"not_validated": 10}
    validate_day(lake, day=DAY, run=1, parameters=Parameters(stuck_slots=25))
    looked = look(lake, day=DAY)
    assert (looked.meters, looked.faults) == (10, {})
    usual = {
        "day": DAY, "run": 2, "slots": 24, "flags": 0, "estimated": b"\x80\0\0", "open_wh": 0, "close_wh": 9,
        "parameters": "t",
    }  # fmt: skip
    wrong = [
        {"meter": "A", "wh": [1] * 23 + [None], "total_wh": 23},
        {"meter": "B", "wh": [1] * 23 + [-1], "total_wh": 9},
        {"meter": "B", "wh": [1] * 24, "total_wh": 24},
    ]
    rows = [{**usual, **each, "bucket": 0} for each in wrong]
    lake.append("validated", pa.Table.from_pylist(rows, schema=VALIDATED), writer="x", batch=1)
    assert look(lake, day=DAY).faults == {
        "not_validated": sum(int(lake.bucket_of([f"M{n}"])[0]) == 0 for n in range(10)),
        "twice": 1, "hole": 1, "below_zero": 1, "wrong_total": 1, "off_register": 2,
    }  # fmt: skip
