"""A lake of a few meters: what is appended once stays once, and a day is the same whatever the order it came in."""

import shutil
from datetime import date
from itertools import permutations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from bahal.lake.days import merged_days
from bahal.lake.layout import INTERVAL, Lake, LakeThere, LakeUnknown, grid, lists, make_lake, open_lake
from bahal.lake.vee.rules import MISSING_VALUE, Parameters, Rule, codes
from bahal.lake.vee.run import drawing_transformers, validate_day

DAY = date(2025, 11, 20)
NONE = MISSING_VALUE


def intervals(lake: Lake, meter: str, wh: list[int | None], *, batch: int, **more: object) -> pa.Table:
    """A row of the table `interval`."""
    row = {
        "day": DAY, "bucket": int(lake.bucket_of([meter])[0]), "meter": meter, "batch": batch,
        "slots": len(wh), "wh": wh,
        "out_wh": None, "vah": None, "out_vah": None, "dv": None, "ma": None, "day_out_wh": 0, "highest_dv": 2_300,
        "highest_ma": 900,
        "open_wh": None, "close_wh": None, "drift_s": None, "noted": 0,
    }  # fmt: skip
    return pa.Table.from_pylist([{**row, **more}], schema=INTERVAL)


def facts(lake: Lake, meter: str, **more: object) -> pa.Table:
    """A row of the table `facts`."""
    row = {
        "day": DAY, "bucket": int(lake.bucket_of([meter])[0]), "meter": meter, "transformer": 1, "load_w": 2_000,
        "exports": False, "highest_wh": 300, "usual": [7] * 24,
    }  # fmt: skip
    return pa.Table.from_pylist([{**row, **more}])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(str(tmp_path / "lake"), buckets=2)


def test_a_lake_is_made_once_and_opened_with_its_buckets(lake: Lake, tmp_path: Path) -> None:
    assert open_lake(lake.uri) == lake
    with pytest.raises(LakeThere):
        make_lake(lake.uri)
    with pytest.raises(LakeUnknown) as refused:
        open_lake(str(tmp_path / "nowhere"))
    assert "bahal lake make" in refused.value.text("hi")


def test_a_batch_is_appended_once_also_by_a_writer_that_does_not_know(lake: Lake) -> None:
    rows = intervals(lake, "M1", [1] * 24, batch=5)
    assert lake.append("interval", rows, writer="w", batch=5)
    assert not open_lake(lake.uri).append("interval", rows, writer="w", batch=5)
    assert not lake.append("interval", rows, writer="w", batch=4)
    assert lake.append("interval", rows, writer="other", batch=4)
    assert lake.rows("interval", day=DAY).num_rows == 2
    assert lake.written("interval", writer="w") == 5
    assert lake.written("interval", writer="nobody") == -1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_late_twice_and_out_of_order_give_the_same_day(lake: Lake, order: tuple[int, ...]) -> None:
    batches = [
        intervals(lake, "M1", [1, 2, None, *[5] * 21], batch=10),
        intervals(lake, "M1", [None, None, 9, *[None] * 21], batch=11, open_wh=100, close_wh=217),
        intervals(lake, "M1", [1, 3, *[None] * 22], batch=12, noted=int(Rule.SEAM)),
    ]
    for nth in order:
        lake.append("interval", batches[nth], writer=f"w{nth}", batch=10 + nth)
        lake.append("interval", batches[nth], writer=f"w{nth}", batch=10 + nth)
    (day,) = merged_days(lake, day=DAY, bucket=int(lake.bucket_of(["M1"])[0]))
    assert day.wh.tolist() == [[1, 3, 9, *[5] * 21]]
    assert (day.open_wh.tolist(), day.close_wh.tolist()) == ([100], [217])
    assert codes(int(day.noted[0])) == ("duplicate", "seam")


def test_meters_with_other_intervals_are_parts_of_their_own(lake: Lake) -> None:
    for meter in ("M1", "M2", "M3"):
        slots = 48 if meter == "M2" else 24
        lake.append("interval", intervals(lake, meter, [1] * slots, batch=1), writer=meter, batch=1)
    found = [part for bucket in range(2) for part in merged_days(lake, day=DAY, bucket=bucket)]
    assert sorted((part.slots, meter) for part in found for meter in part.meter.to_pylist()) == [
        (24, "M1"), (24, "M3"), (48, "M2"),
    ]  # fmt: skip


def test_a_day_is_validated_estimated_and_written_once_per_run(lake: Lake) -> None:
    wh: list[int | None] = [100 + n for n in range(24)]
    came = sum(each for each in wh if each is not None)
    lake.append("interval", intervals(lake, "GOOD", wh, batch=1, open_wh=0, close_wh=came), writer="a", batch=1)
    gap = [*wh[:10], None, None, *wh[12:]]
    lake.append("interval", intervals(lake, "GAP", gap, batch=1, open_wh=0, close_wh=came + 100), writer="b", batch=1)
    wild = [*wh[:10], 9_999, *wh[11:]]
    lake.append("interval", intervals(lake, "WILD", wild, batch=1, open_wh=0, close_wh=came), writer="c", batch=1)
    dead = intervals(lake, "DEAD", [0] * 24, batch=1, highest_ma=0, open_wh=0, close_wh=0)
    lake.append("interval", dead, writer="d", batch=1)
    for nth, meter in enumerate(("GOOD", "GAP", "WILD", "DEAD")):
        lake.append("facts", facts(lake, meter), writer=f"f{nth}", batch=1)
    assert drawing_transformers(lake, day=DAY).tolist() == [1]
    ran = validate_day(lake, day=DAY, run=1, parameters=Parameters(zero_slots=30))
    assert (ran.meters, ran.estimated) == (4, 2)
    assert ran.findings == {"missing": 1, "no_current": 1, "register_sum": 1, "spike_load": 1, "spike_own": 1}
    rows = {row["meter"]: row for row in lake.rows("validated", day=DAY).to_pylist()}
    assert rows["GOOD"]["wh"] == wh
    assert rows["GOOD"]["estimated"] is None
    assert rows["GAP"]["total_wh"] == came + 100
    assert np.unpackbits(np.frombuffer(rows["GAP"]["estimated"], np.uint8), count=24).nonzero()[0].tolist() == [10, 11]
    assert rows["WILD"]["wh"] == wh  # what could not be is what the register leaves for it
    assert codes(rows["DEAD"]["flags"]) == ("no_current",)
    validate_day(lake, day=DAY, run=1, parameters=Parameters())
    assert lake.rows("validated", day=DAY).num_rows == 4
    validate_day(lake, day=DAY, run=2, parameters=Parameters())
    assert lake.rows("validated", day=DAY).num_rows == 8


def test_a_meter_of_which_nothing_is_known_is_not_judged_by_load_or_neighbours(lake: Lake) -> None:
    lake.append("interval", intervals(lake, "M1", [90_000] * 24, batch=1), writer="a", batch=1)
    ran = validate_day(lake, day=DAY, run=1, parameters=Parameters(stuck_slots=24))
    assert ran.findings == {"stuck": 1}


def test_what_a_make_does_not_count_is_null_and_a_table_made_before_a_list_gets_it(tmp_path: Path) -> None:
    """Columns are added and never taken away: what lies in old files is read with nulls, and new files have them."""
    lake = make_lake(str(tmp_path / "lake"), buckets=1)
    old = pa.schema([field for field in INTERVAL if "vah" not in field.name])
    shutil.rmtree(tmp_path / "lake" / "interval")
    DeltaTable.create(lake.path("interval"), old, partition_by=["day", "bucket"], description='{"buckets": 1}')
    before = intervals(lake, "M1", [7] * 24, batch=1).select(old.names)
    write_deltalake(lake.path("interval"), before, mode="append", partition_by=["day", "bucket"])
    lake.append("interval", intervals(lake, "M2", [8] * 24, batch=2, vah=[9] * 24), writer="w", batch=2)
    lake.append("interval", before.set_column(2, "meter", pa.array(["M3"])), writer="w", batch=3)
    vah = {row["meter"]: row["vah"] for row in open_lake(lake.uri).rows("interval", day=DAY).to_pylist()}
    assert vah == {"M1": None, "M2": [9] * 24, "M3": None}
    (merged,) = merged_days(lake, day=DAY, bucket=0, also=["vah"])
    assert dict(zip(merged.meter.to_pylist(), merged.also["vah"][:, 0].tolist(), strict=True)) == {
        "M1": NONE, "M2": 9, "M3": NONE,
    }  # fmt: skip
    with pytest.raises(KeyError):
        lake.append("interval", before.drop_columns(["noted"]), writer="w", batch=4)


def test_lists_and_grids_are_the_same_values() -> None:
    values = np.array([[1, NONE, 3], [NONE, NONE, NONE]], np.int32)
    column = lists(values, missing=NONE)
    assert column.to_pylist() == [[1, None, 3], [None, None, None]]
    assert (grid(column, 3, missing=NONE) == values).all()
    holes = pa.array([[1, 2], None, [3, None]], pa.list_(pa.int32()))
    assert grid(holes, 2, missing=NONE).tolist() == [[1, 2], [NONE, NONE], [3, NONE]]
    with pytest.raises(ValueError, match="lengths"):
        grid(pa.array([[1], [1, 2]], pa.list_(pa.int32())), 2, missing=NONE)


@pytest.mark.parametrize("order", list(permutations(((1, -7_200), (2, 0), (3, None), (4, 90)))))
def test_a_day_keeps_the_worst_that_its_clock_was(lake: Lake, order: tuple[tuple[int, int | None], ...]) -> None:
    """A batch that comes after a clock was set says nothing of what was stamped before."""
    for batch, drift in order:
        rows = intervals(lake, "M1", [1] * 24, batch=batch, drift_s=drift)
        lake.append("interval", rows, writer=f"w{batch}", batch=batch)
    (merged,) = merged_days(lake, day=DAY, bucket=int(lake.bucket_of(["M1"])[0]))
    assert merged.drift_s.tolist() == [-7_200]
    assert validate_day(lake, day=DAY, run=1, parameters=Parameters()).findings["clock_drift"] == 1


def test_a_clock_that_nobody_compared_counts_as_right(lake: Lake) -> None:
    lake.append("interval", intervals(lake, "M1", [1] * 24, batch=1, noted=int(Rule.CLOCK_SET)), writer="w", batch=1)
    found = validate_day(lake, day=DAY, run=1, parameters=Parameters()).findings
    assert "clock_drift" not in found
    assert found["clock_set"] == 1
