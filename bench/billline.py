"""A line of a bill down to its half hours: one bill's month among a hundred thousand meters, from the question to JSON.

A circle is billed for August as `bench.bills` does it; the lake holds that month of every meter as validation left it,
a day and bucket a commit. Asked is the first line of households' bills drawn at random, through the journey as the role
`app`; each figure is one bill's, none is asked twice. Of each answer the half hours are compared with what was laid.

    make bench NAME=billline [ARGS="--meters 100000 --asked 1000"]
"""

from __future__ import annotations

import argparse
import json
import random
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from bahal.entry.instance import Profile
from bahal.lake.layout import VALIDATED, lake_uri, lists, make_lake
from bahal.rehearsal.population import FIRST_CONNECTION
from bench import bills
from bench.figures import closing, percentile
from bench.stage import say, stage

if TYPE_CHECKING:
    from bahal.lake.layout import Lake

GOAL_MS: Final = 100.0
DAYS: Final = [bills.MONTH + timedelta(days=nth) for nth in range((bills.UNTIL - bills.MONTH).days)]
_SHAPES: Final = 997


def _shapes(day: date) -> np.ndarray:
    """Days as people live them: a meter takes one of these."""
    return np.random.default_rng(day.toordinal()).integers(0, 700, (_SHAPES, 48)).astype(np.int32)


def fill(lake: Lake, meters: int) -> None:
    """The month of every meter, validated, each bucket's rows by meter as a run writes them."""
    begun = time.perf_counter()
    numbers = np.arange(FIRST_CONNECTION, FIRST_CONNECTION + meters)
    serials = [f"CG{each}" for each in numbers]
    buckets = lake.bucket_of(serials)
    parts = [np.flatnonzero(buckets == bucket) for bucket in range(lake.buckets)]
    for day in DAYS:
        shapes = _shapes(day)
        for bucket, mine in enumerate(parts):
            wh = shapes[numbers[mine] % _SHAPES]
            count = len(mine)
            columns = {
                "day": pa.array([day] * count, pa.date32()),
                "bucket": pa.array(np.full(count, bucket, np.int32)),
                "meter": pa.array([serials[nth] for nth in mine], pa.string()),
                "run": pa.array(np.full(count, 1, np.int64)),
                "slots": pa.array(np.full(count, 48, np.int16)),
                "flags": pa.array(np.zeros(count, np.int32)),
                "wh": lists(wh),
                "estimated": pa.nulls(count, pa.binary()),
                "total_wh": pa.array(wh.sum(axis=1, dtype=np.int64)),
                "open_wh": pa.array(np.zeros(count, np.int64)),
                "close_wh": pa.array(np.zeros(count, np.int64)),
                "parameters": pa.array(["bench"] * count, pa.string()),
            }
            rows = pa.Table.from_arrays([columns[field.name] for field in VALIDATED], schema=VALIDATED)
            lake.append("validated", rows, writer=f"vee {day} {bucket}", batch=1)
    say(f"{meters} meters x {len(DAYS)} days laid in the lake in {time.perf_counter() - begun:.0f} s")


def main() -> None:
    """Bill the circle, lay the month, open lines, and print the closing JSON line."""
    asked = argparse.ArgumentParser(prog="make bench NAME=billline")
    asked.add_argument("--meters", type=int, default=100_000)
    asked.add_argument("--asked", type=int, default=1_000)
    given = asked.parse_args()
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-billline"))
        bills.lay(the_stage, given.meters)
        bills.bill(the_stage, 2)
        lake = make_lake(lake_uri(the_stage.home.path))
        fill(lake, given.meters)
        measure(lake, given.meters, given.asked)


def measure(lake: Lake, meters: int, count: int) -> None:
    """Open a line of so many bills, each once.

    :raises SystemExit: half hours are not those that were laid.
    """
    from bahal.journeys.open_line import open_line

    laid = np.concatenate([_shapes(day) for day in DAYS], axis=1)
    # The first line of shops and pumps is of their load; one in thirty-three has no register and no such meter.
    numbers = (FIRST_CONNECTION + n for n in range(meters))
    households = [each - FIRST_CONNECTION for each in numbers if each % 20 > 2 and each % 33]
    drawn = random.Random(5).sample(households, min(count, len(households)))  # noqa: S311  # which bills, no secret
    took, size = [], 0
    for nth, number in enumerate([drawn[0], *drawn]):
        connection = FIRST_CONNECTION + number
        begun = time.perf_counter()
        told = json.dumps(open_line(number=f"{bills.MONTH:%Y%m}-{connection}", line=1, lake=lake).as_json())
        if nth:  # the first loads the libraries
            took.append(1_000 * (time.perf_counter() - begun))
        size = len(told)
        days = json.loads(told)["days"]
        whole = [wh for day in days for wh in day["wh"]]
        if days[-1]["day"] == DAYS[-1].isoformat() and whole != laid[connection % _SHAPES].tolist():
            raise SystemExit(f"{connection}: other half hours than were laid")
    p50, p95, p99 = (percentile(took, share) for share in (0.5, 0.95, 0.99))
    say(f"{len(took)} lines of {size} bytes: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, slowest {max(took):.1f} ms")
    closing(
        "billline", round(p95, 1), "ms p95", reference="the house's own goal", ratio=p95 / GOAL_MS, goal=GOAL_MS,
        met=p95 <= GOAL_MS, p50=round(p50, 1), p99=round(p99, 1), meters=meters,
    )  # fmt: skip


if __name__ == "__main__":
    main()
