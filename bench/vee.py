"""A million meter-days of 48 half hours, validated: ours against the same rules written by hand in DuckDB's SQL.

Both read the same files of the lake, on one core each, join what the business knows of a meter, put together the
batches that brought parts of a day, and count what each rule finds; the counts must be equal, or the bench fails. Our
run with estimation and writing is printed beside. A value is one half hour's Wh; what else a rule reads is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from bahal.lake.days import merged_days
from bahal.lake.layout import INTERVAL, Lake, lists, make_lake, open_lake
from bahal.lake.vee.rules import MISSING_VALUE, NOTED_AT_INTAKE, Parameters, Rule
from bahal.lake.vee.run import days_to_judge, drawing_transformers, validate_day
from bahal.lake.vee.validation import validate
from bench.figures import closing, median_of

DAY = date(2025, 11, 20)
SLOTS = 48
GOAL = 15_000_000
RATIO = 1.5
RULES = (
    Rule.MISSING, Rule.NEGATIVE, Rule.SPIKE_OWN, Rule.SPIKE_LOAD, Rule.ZERO_RUN, Rule.STUCK, Rule.REGISTER_SUM,
    Rule.REVERSE, Rule.NO_CURRENT, Rule.CLOCK_DRIFT, Rule.DUPLICATE, Rule.SEAM, Rule.FUTURE, Rule.UNIT_CHANGE,
)  # fmt: skip
BUCKETS = 8


def lay(folder: Path, meters: int) -> Lake:
    """A lake of so many meter-days; one in a hundred came in two batches, and something is wrong with many."""
    chance = np.random.default_rng(20_251_120)
    lake = make_lake(str(folder), buckets=BUCKETS)
    batch = 0
    for start in range(0, meters, 125_000):
        count = min(125_000, meters - start)
        wh = chance.gamma(2.0, 80.0, (count, SLOTS)).astype(np.int32)
        odd = chance.random((count, 6))
        wh[odd[:, 0] < 0.01, 10:50] = 0
        wh[odd[:, 1] < 0.01, 20:32] = 77
        wh[odd[:, 2] < 0.005, 7] = -5
        wh[odd[:, 3] < 0.005, 9] = 60_000
        moved = wh.sum(axis=1, dtype=np.int64) + 3_000 * (odd[:, 4] < 0.01)
        wh[chance.random(wh.shape) < 0.001] = MISSING_VALUE
        meters_here = [f"SHV{start + nth:08d}" for nth in range(count)]
        buckets = lake.bucket_of(meters_here)
        noted = np.select([odd[:, 5] < 0.002, odd[:, 5] < 0.004, odd[:, 5] < 0.006],
                          [Rule.SEAM, Rule.FUTURE, Rule.UNIT_CHANGE], 0)  # fmt: skip
        opened = chance.integers(0, 9_000_000, count)
        columns = {
            "day": pa.array([DAY], pa.date32()).take(pa.array(np.zeros(count, np.int32))),
            "bucket": pa.array(buckets),
            "meter": pa.array(meters_here),
            "batch": pa.array(np.full(count, batch, np.int64)),
            "slots": pa.array(np.full(count, SLOTS, np.int16)),
            "wh": lists(wh, missing=MISSING_VALUE),
            "out_wh": pa.nulls(count, INTERVAL.field("out_wh").type),
            "dv": lists(chance.integers(2_200, 2_400, wh.shape, dtype=np.int32)),
            "ma": lists(chance.integers(0, 9_000, wh.shape, dtype=np.int32)),
            "day_out_wh": pa.array((chance.random(count) < 0.01).astype(np.int64)),
            "highest_dv": pa.array(chance.integers(0, 2_400, count, dtype=np.int32)),
            "highest_ma": pa.array((chance.random(count) < 0.97).astype(np.int32)),
            "open_wh": pa.array(opened, mask=chance.random(count) < 0.02),
            "close_wh": pa.array(opened + moved),
            "drift_s": pa.array(chance.integers(-125, 125, count, dtype=np.int32)),
            "noted": pa.array(noted.astype(np.int32)),
        }
        rows = pa.table(columns)
        lake.append("interval", rows, writer="lay", batch=batch)
        again = rows.slice(0, count // 100).to_pydict()
        again["batch"] = [batch + 1] * (count // 100)
        again["wh"] = [[None if value is None else value + nth % 2 for value in row]
                       for nth, row in enumerate(again["wh"])]  # fmt: skip
        lake.append("interval", pa.Table.from_pydict(again, schema=rows.schema), writer="lay", batch=batch + 1)
        lake.append(
            "facts",
            pa.table(
                {
                    "day": columns["day"],
                    "bucket": columns["bucket"],
                    "meter": columns["meter"],
                    "transformer": pa.array((start + np.arange(count, dtype=np.int64)) // 40),
                    "load_w": pa.array(chance.choice(np.array([1_000, 2_000, 5_000], np.int32), count)),
                    "exports": pa.array(chance.random(count) < 0.01),
                    "highest_wh": pa.array(chance.integers(0, 900, count, dtype=np.int32)),
                    "usual": lists(np.full((count, SLOTS), 160, np.int32)),
                }
            ),
            writer="lay",
            batch=batch,
        )
        batch += 2
    return lake


def ours(lake: Lake, parameters: Parameters) -> Counter[str]:
    """What each rule finds, by the product's own code."""
    found: Counter[str] = Counter()
    drawing = drawing_transformers(lake, day=DAY)
    for bucket in range(lake.buckets):
        for days in merged_days(lake, day=DAY, bucket=bucket):
            judged = days_to_judge(lake, days, day=DAY, bucket=bucket, drawing=drawing)
            flags = validate(judged, parameters)
            for rule in RULES:
                found[str(rule.name)] += int(np.count_nonzero(flags & rule))
    return found


def by_hand(lake: Lake, p: Parameters) -> Counter[str]:
    """What each rule finds, by DuckDB over the same files on one thread."""
    files = {name: lake.table(name).file_uris() for name in ("interval", "facts")}
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        counts = connection.execute(
            _SQL.format(
                interval=files["interval"],
                facts=files["facts"],
                own=p.spike_own,
                percent=p.load_percent,
                zeros=p.zero_slots,
                stuck=p.stuck_slots - 1,
                wh=p.register_wh,
                permille=p.register_permille,
                dv=p.voltage_dv,
                drift=p.drift_s,
                noted=int(NOTED_AT_INTAKE),
                seam=int(Rule.SEAM),
                future=int(Rule.FUTURE),
                unit=int(Rule.UNIT_CHANGE),
                duplicate=int(Rule.DUPLICATE),
            )
        )
        row = counts.fetchone()
        names = [column[0] for column in counts.description]
    return Counter(dict(zip(names, row or (), strict=True)))


# A run of a length is found in the string of a day's yes and no: faster in DuckDB than a fold over the list.
_SQL = """
WITH came AS (
    SELECT meter, wh, batch, day_out_wh, highest_dv, highest_ma, open_wh, close_wh, drift_s, noted,
           count(*) OVER (PARTITION BY meter) AS parts
    FROM read_parquet({interval})
), whole AS (
    SELECT meter, wh, day_out_wh, highest_dv, highest_ma, open_wh, close_wh, drift_s, noted FROM came WHERE parts = 1
    UNION ALL
    SELECT meter,
           list_transform(generate_series(1, 48), lambda n: coalesce(last(wh)[n], first(wh)[n])),
           max(day_out_wh), max(highest_dv), max(highest_ma), coalesce(last(open_wh), first(open_wh)),
           coalesce(last(close_wh), first(close_wh)), coalesce(last(drift_s), first(drift_s)),
           bit_or(noted) | CASE WHEN len(list_filter(generate_series(1, 48),
                                lambda n: first(wh)[n] <> last(wh)[n])) > 0 THEN {duplicate} ELSE 0 END
    FROM (FROM came WHERE parts > 1 ORDER BY meter, batch) GROUP BY meter
), facts AS (
    SELECT meter, transformer, load_w, exports, highest_wh FROM read_parquet({facts})
), drawing AS (
    SELECT DISTINCT f.transformer FROM whole w JOIN facts f USING (meter) WHERE w.highest_ma > 0
), judged AS (
    SELECT w.*, f.*, d.transformer IS NOT NULL AS neighbours,
           list_count(w.wh) AS known, list_max(w.wh) AS highest, list_min(w.wh) AS lowest, list_sum(w.wh) AS total,
           array_to_string(list_transform(w.wh, lambda x: CASE WHEN x = 0 THEN '1' ELSE '0' END), '') AS zeros,
           array_to_string(list_transform(w.wh, lambda x, n: CASE WHEN x > 0 AND x = w.wh[n - 1] THEN '1'
                                                             ELSE '0' END), '') AS same
    FROM whole w LEFT JOIN facts f USING (meter) LEFT JOIN drawing d ON d.transformer = f.transformer
)
SELECT count(*) FILTER (WHERE known < 48) AS MISSING,
       count(*) FILTER (WHERE lowest < 0) AS NEGATIVE,
       count(*) FILTER (WHERE highest_wh > 0 AND highest > highest_wh * {own}) AS SPIKE_OWN,
       count(*) FILTER (WHERE highest::BIGINT * 360000 > load_w::BIGINT * 1800 * {percent}) AS SPIKE_LOAD,
       count(*) FILTER (WHERE highest_wh > 0 AND contains(zeros, repeat('1', {zeros}))) AS ZERO_RUN,
       count(*) FILTER (WHERE contains(same, repeat('1', {stuck}))) AS STUCK,
       count(*) FILTER (WHERE known = 48 AND open_wh IS NOT NULL AND close_wh IS NOT NULL
           AND abs(total - (close_wh - open_wh)) > {wh}
           AND abs(total - (close_wh - open_wh)) * 1000 > abs(close_wh - open_wh) * {permille}) AS REGISTER_SUM,
       count(*) FILTER (WHERE NOT exports AND day_out_wh > 0) AS REVERSE,
       count(*) FILTER (WHERE neighbours AND highest_ma = 0 AND highest_dv >= {dv}) AS NO_CURRENT,
       count(*) FILTER (WHERE abs(coalesce(drift_s, 0)) > {drift}) AS CLOCK_DRIFT,
       count(*) FILTER (WHERE noted & {noted} & {duplicate} > 0) AS DUPLICATE,
       count(*) FILTER (WHERE noted & {seam} > 0) AS SEAM,
       count(*) FILTER (WHERE noted & {future} > 0) AS FUTURE,
       count(*) FILTER (WHERE noted & {unit} > 0) AS UNIT_CHANGE
FROM judged
"""


def _alone(what: str, uri: str) -> tuple[float, Counter[str]]:
    """One run in a process of its own, bound to one core: its seconds and what it found."""
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-m", "bench.vee", "--run", what, "--lake", uri],
        check=True,
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    seconds, _, counts = done.stdout.partition(" ")
    return float(seconds), Counter(dict(pair.split("=") for pair in counts.split()))


def _run(what: str, uri: str) -> None:
    pa.set_cpu_count(1)
    lake, parameters = open_lake(uri), Parameters()
    began = time.perf_counter()
    found = ours(lake, parameters) if what == "ours" else by_hand(lake, parameters)
    print(time.perf_counter() - began, *(f"{name}={found[name]}" for name in sorted(found)))


def main() -> None:
    """Measure both, one after the other, and compare what they found."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--meters", type=int, default=1_000_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--run")
    asked.add_argument("--lake")
    given = asked.parse_args()
    if given.run:
        _run(given.run, given.lake)
        return
    folder = Path(tempfile.mkdtemp(prefix="bahal-vee-"))
    try:
        print(f"laying {given.meters:,} meter-days of {SLOTS} half hours", flush=True)
        lake = lay(folder / "lake", given.meters)
        rows = lake.rows("interval", day=DAY, columns=["meter"]).num_rows
        values = given.meters * SLOTS
        print(f"{rows:,} rows in {len(lake.table('interval').file_uris())} files; {len(RULES)} rules", flush=True)
        rates: dict[str, list[float]] = {"ours": [], "duckdb": []}
        for _ in range(given.runs):
            seconds, found = _alone("ours", lake.uri)
            others, reference = _alone("duckdb", lake.uri)
            if found != reference:
                raise SystemExit(f"counts differ: {found} against {reference}")
            rates["ours"].append(values / seconds / 1e6)
            rates["duckdb"].append(values / others / 1e6)
        print("found by both:", ", ".join(f"{name.lower()} {count}" for name, count in found.items()))
        mine = median_of("ours", rates["ours"], unit="million values/s on one core")
        theirs = median_of("DuckDB", rates["duckdb"], unit="million values/s on one core")
        began = time.perf_counter()
        ran = validate_day(lake, day=DAY, run=1, parameters=Parameters())
        whole = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"validated, {ran.estimated:,} estimated, written: {whole:.1f} s; {memory:,.0f} MiB at most")
        ratio = mine / theirs
        met = mine * 1e6 >= GOAL and ratio >= RATIO
        closing("vee", round(mine * 1e6), "values/s/core", reference="DuckDB SQL", ratio=ratio, goal=GOAL, met=met)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
