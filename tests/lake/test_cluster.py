"""One code on a laptop and on a cluster: every cell of what a run writes is the same, nulls included."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bahal.lake.cluster import ClusterSilent, run_day
from bahal.lake.layout import INTERVAL, Lake, lists, make_lake
from bahal.lake.vee.rules import MISSING_VALUE, Parameters

DAY = date(2025, 11, 20)
METERS = 4_000


def filled(folder: Path) -> Lake:
    """A lake with days of which many have something wrong, the same in every folder."""
    chance = np.random.default_rng(7)
    lake = make_lake(str(folder), buckets=4)
    wh = chance.gamma(2, 80, (METERS, 48)).astype(np.int32)
    wh[chance.random(wh.shape) < 0.02] = MISSING_VALUE
    wh[chance.random(wh.shape) < 0.001] = 90_000
    total = np.where(wh == MISSING_VALUE, 160, wh).sum(axis=1, dtype=np.int64) + 5_000 * (chance.random(METERS) < 0.1)
    unknown = chance.random(METERS) < 0.1
    meters = [f"M{nth:06d}" for nth in range(METERS)]
    buckets = lake.bucket_of(meters)
    rows = pa.table(
        {
            "day": pa.array([DAY] * METERS, pa.date32()),
            "bucket": pa.array(buckets),
            "meter": pa.array(meters),
            "batch": pa.array(np.ones(METERS, np.int64)),
            "slots": pa.array(np.full(METERS, 48, np.int16)),
            "wh": lists(wh, missing=MISSING_VALUE),
            "out_wh": pa.nulls(METERS, INTERVAL.field("out_wh").type),
            "dv": pa.nulls(METERS, INTERVAL.field("dv").type),
            "ma": pa.nulls(METERS, INTERVAL.field("ma").type),
            "day_out_wh": pa.array((chance.random(METERS) < 0.01).astype(np.int64)),
            "highest_dv": pa.array(np.full(METERS, 2_300, np.int32)),
            "highest_ma": pa.array((chance.random(METERS) < 0.9).astype(np.int32)),
            "open_wh": pa.array(np.zeros(METERS, np.int64), mask=unknown),
            "close_wh": pa.array(total),
            "drift_s": pa.array(chance.integers(-200, 200, METERS, dtype=np.int32)),
            "noted": pa.array(np.zeros(METERS, np.int32)),
        }
    )
    lake.append("interval", rows, writer="w", batch=1)
    known = pa.table(
        {
            "day": rows["day"],
            "bucket": rows["bucket"],
            "meter": rows["meter"],
            "transformer": pa.array(np.arange(METERS, dtype=np.int64) // 40),
            "load_w": pa.array(np.full(METERS, 5_000, np.int32)),
            "exports": pa.array(np.zeros(METERS, np.bool_)),
            "highest_wh": pa.array(np.full(METERS, 900, np.int32)),
            "usual": lists(np.full((METERS, 48), 150, np.int32)),
        }
    )
    lake.append("facts", known, writer="f", batch=1)
    return lake


def test_a_laptop_and_a_cluster_of_two_write_the_same_cells(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here"), filled(tmp_path / "there")
    ran = run_day(here, day=DAY, run=1, parameters=Parameters())
    assert ran.estimated > METERS // 3
    assert {"missing", "spike_load", "register_sum", "no_current", "clock_drift", "reverse"} <= ran.findings.keys()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.lake.cluster_run", there.uri, DAY.isoformat(), "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split()[-3:] == ["2", str(METERS), str(ran.estimated)], done.stderr[-2_000:]
    tables = [lake.rows("validated", day=DAY).sort_by("meter") for lake in (here, there)]
    assert tables[0].num_rows == METERS
    assert tables[0].combine_chunks().equals(tables[1].combine_chunks())
    assert tables[0]["estimated"].null_count == METERS - ran.estimated


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    lake = make_lake(str(tmp_path / "lake"))
    with pytest.raises(ClusterSilent):
        run_day(lake, day=DAY, run=1, parameters=Parameters(), address="no-scheme://127.0.0.1:1")
