"""A state's night: 60 lakh meter-days generated, validated, estimated, summed, and their daily registers loaded.

Days of 48 half hours with gaps, spikes and drifting clocks go into the lake bucket by bucket, as collectors append
them; each bucket is validated and estimated, its sums compared with the registers; the registers go to PostgreSQL's
partition by COPY, fsync on, as one row a meter. The generator's time is counted in. A meter must cost the same in a
circle as in the state; a circle's night is repeated until it lasts long enough to be measured.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa

from bahal.entry.house import migrate
from bahal.entry.instance import make
from bahal.entry.postgres import EmbeddedPostgres
from bahal.lake.layout import INTERVAL, Lake, lists, make_lake
from bahal.lake.vee.rules import MISSING_VALUE, Parameters
from bahal.lake.vee.run import validate_day
from bahal.shared.home import Home
from bench.figures import closing
from bench.stage import say

STATE = 6_000_000
SIZES = (10_000, 100_000, STATE)
SLOTS = 48
A_BUCKET = 93_750
"""Meters a bucket: 64 buckets hold a state."""
DAY = date(2025, 11, 20)
GOAL_S = 1_800.0
GOAL_MIB = 12 * 1024
FLAT = 0.10
_LONG_ENOUGH = 100_000
_PIECE = 93_750


def days(lake: Lake, meters: int, chance: np.random.Generator) -> Iterator[pa.Table]:
    """The day of all meters, a piece at a time, as rows of the table `interval`."""
    for start in range(0, meters, _PIECE):
        count = min(_PIECE, meters - start)
        names = [f"SHV{start + nth:08d}" for nth in range(count)]
        wh = chance.integers(0, 400, (count, SLOTS), dtype=np.int32)
        moved = wh.sum(axis=1, dtype=np.int64)
        odd = chance.random(count)
        wh[odd < 0.005, 9] = 90_000
        wh[chance.random(count) < 0.02, 20:24] = MISSING_VALUE
        opened = chance.integers(0, 9_000_000, count)
        yield pa.table(
            {
                "day": pa.repeat(pa.scalar(DAY, pa.date32()), count),
                "bucket": pa.array(lake.bucket_of(names)),
                "meter": pa.array(names),
                "batch": pa.array(np.zeros(count, np.int64)),
                "slots": pa.array(np.full(count, SLOTS, np.int16)),
                "wh": lists(wh, missing=MISSING_VALUE),
                **{name: pa.nulls(count, INTERVAL.field(name).type) for name in ("out_wh", "dv", "ma")},
                "day_out_wh": pa.array(np.zeros(count, np.int64)),
                "highest_dv": pa.array(np.full(count, 2_300, np.int32)),
                "highest_ma": pa.array(np.full(count, 900, np.int32)),
                "open_wh": pa.array(opened),
                "close_wh": pa.array(opened + moved),
                "drift_s": pa.array(chance.integers(-125, 125, count, dtype=np.int32)),
                "noted": pa.array(np.zeros(count, np.int32)),
            }
        )


def load(dsn: str, rows: pa.Table, run: int) -> None:
    """The registers at the midnight that opens the day, by COPY into their partition."""
    meters, registers = rows["meter"].to_pylist(), rows["open_wh"].to_pylist()
    at = f"{DAY.isoformat()} 00:00:00+05:30"
    lines = [f"{DAY}\t{meter}\td\t{run}\t{at}\t{at}\t{wh}\n" for meter, wh in zip(meters, registers, strict=True)]
    into = "COPY readings_register (read_on, meter, kind, batch, at, read_at, wh) FROM STDIN"
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor, cursor.copy(into) as copy:
        copy.write("".join(lines))


def night(folder: Path, dsn: str, meters: int, run: int) -> dict[str, float]:
    """One night of so many meters; seconds by what was done.

    :raises SystemExit: what was validated is not what came.
    """
    lake = make_lake(str(folder), buckets=max(1, round(meters / A_BUCKET)))
    took = dict.fromkeys(("generated and appended", "validated and summed", "registers loaded"), 0.0)
    wanted = 0
    began = time.perf_counter()
    for nth, rows in enumerate(days(lake, meters, np.random.default_rng(run))):
        lake.append("interval", rows, writer="collector", batch=nth)
        wanted += int(np.sum(rows["close_wh"].to_numpy() - rows["open_wh"].to_numpy()))
        loading = time.perf_counter()
        took["generated and appended"] += loading - began
        load(dsn, rows, run)
        began = time.perf_counter()
        took["registers loaded"] += began - loading
    ran = validate_day(lake, day=DAY, run=run, parameters=Parameters())
    total = sum(
        int(np.sum(lake.rows("validated", day=DAY, bucket=bucket, columns=["total_wh"])["total_wh"].to_numpy()))
        for bucket in range(lake.buckets)
    )
    took["validated and summed"] = time.perf_counter() - began
    # Gaps are filled to the register; a spike that no load forbids, of a meter nobody knows, stays as it came.
    if ran.meters != meters or not wanted <= total:
        raise SystemExit(f"{ran.meters} of {meters} meters, {total} Wh of {wanted}")
    return took


def main() -> None:
    """All sizes, the smallest first; the smaller ones as often as it takes to be measured."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--meters", type=int, nargs="*", default=list(SIZES))
    given = asked.parse_args()
    for name in ("DATABASE_URL", "BAHAL_ROLE", "BAHAL_CLOCK", "BAHAL_LAKE"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="bahal-bench-") as work:
        Path(work).chmod(0o711)
        home = Home(Path(work, "home"))
        os.environ["BAHAL_HOME"] = str(home.path)
        make(home, rehearsal=True)
        postgres = EmbeddedPostgres(home.path)
        postgres.start()
        try:
            migrate(home)
            with psycopg.connect(postgres.dsn("owner")) as owner:
                owner.execute("SELECT readings_partitions(%s, %s)", [[DAY], [DAY]])
            costs: dict[int, float] = {}
            whole = 0.0
            run = 0
            for meters in given.meters:
                nights = max(1, min(10, _LONG_ENOUGH // meters))
                seconds = dict.fromkeys(("generated and appended", "validated and summed", "registers loaded"), 0.0)
                for _ in range(nights):
                    run += 1
                    with tempfile.TemporaryDirectory(prefix="bahal-lake-") as lake:
                        for what, took in night(Path(lake, "lake"), postgres.dsn("headend"), meters, run).items():
                            seconds[what] += took
                whole = sum(seconds.values())
                costs[meters] = whole / (nights * meters) * 1e6
                parts = ", ".join(f"{what} {took / nights:.1f} s" for what, took in seconds.items())
                say(f"{meters:,} meters x {nights}: {parts}; {costs[meters]:.1f} us a meter")
            highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            say(f"memory {highest:,.0f} MiB at most, PostgreSQL beside")
            spread = max(costs.values()) / min(costs.values()) - 1
            met = whole < GOAL_S and highest < GOAL_MIB and spread <= 2 * FLAT
            closing("state", round(whole, 1), "s", reference="30 minutes", ratio=whole / GOAL_S, goal=GOAL_S, met=met,
                    us_a_meter={str(size): round(cost, 1) for size, cost in costs.items()},
                    mib=round(highest))  # fmt: skip
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
