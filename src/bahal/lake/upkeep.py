"""Keeping the lake in order: few large files in place of many small ones, an end to old data, and a look for faults."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow.compute as pc

from bahal.lake.layout import SCHEMAS, WRITER, Lake, grid
from bahal.lake.vee.rules import MISSING_VALUE, Rule

SAFE: Final = timedelta(days=7)
"""Files that no table names any more stay this long: a reader that began before may still hold them."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Files before and after, and those taken away for good."""

    before: int
    after: int
    removed: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a day found: meters of the latest run, and how many had which fault."""

    meters: int
    faults: Mapping[str, int]


def compact(lake: Lake, *, day: date, safe: timedelta = SAFE) -> Compacted:
    """Write the files of each bucket's day into one, sorted as they come, and take away what is long unused.

    Rows stay as they are: versions are merged when they are read, so that evidence is kept.
    """
    before = after = removed = 0
    for name in SCHEMAS:
        table = lake.table(name)
        done = table.optimize.compact(partition_filters=[("day", "=", day.isoformat())], writer_properties=WRITER)
        before += done["numFilesRemoved"]
        after += done["numFilesAdded"]
        removed += len(
            table.vacuum(
                retention_hours=int(safe.total_seconds() // 3_600),
                dry_run=False,
                enforce_retention_duration=safe >= SAFE,
            )
        )
    return Compacted(before, after, removed)


def retain(lake: Lake, *, name: str, before: date) -> int:
    """Take the days before a day out of a table; how many rows went. The files themselves go with `compact`."""
    return int(lake.table(name).delete(f"day < '{before.isoformat()}'")["num_deleted_rows"] or 0)


def look(lake: Lake, *, day: date) -> Looked:
    """Look at the latest run over a day: each meter once, whole, nothing below zero, sums that meet the registers.

    Faults: `not_validated` (came but has no result), `twice` (one run wrote a meter twice), `hole`, `below_zero`,
    `wrong_total` (not the sum of its intervals), `off_register` (estimated, and yet not what the register moved by).
    """
    faults: Counter[str] = Counter()
    meters = 0
    for bucket in range(lake.buckets):
        rows = lake.rows("validated", day=day, bucket=bucket)
        came = lake.rows("interval", day=day, bucket=bucket, columns=["meter"])["meter"]
        if rows.num_rows:
            rows = rows.filter(pc.equal(rows["run"], pc.max(rows["run"])))
        faults["not_validated"] += len(np.setdiff1d(came.to_numpy(), rows["meter"].to_numpy()))
        faults["twice"] += rows.num_rows - len(pc.unique(rows["meter"]))
        meters += rows.num_rows
        slots = rows["slots"].to_numpy()
        for each in np.unique(slots).tolist():
            part = rows.filter(pc.equal(rows["slots"], each))
            wh = grid(part["wh"], each, missing=MISSING_VALUE)
            total = np.where(wh == MISSING_VALUE, 0, wh).sum(axis=1, dtype=np.int64)
            faults["hole"] += int((wh == MISSING_VALUE).any(axis=1).sum())
            faults["below_zero"] += int(((wh < 0) & (wh != MISSING_VALUE)).any(axis=1).sum())
            faults["wrong_total"] += int((total != part["total_wh"].to_numpy()).sum())
            moved = pc.subtract(part["close_wh"], part["open_wh"])
            edited = pc.not_equal(pc.bit_wise_and(part["flags"], int(Rule.EDITED)), 0)
            unsure = pc.and_not(part["estimated"].is_valid(), edited)  # for an edit two officers stand
            off = pc.and_(unsure, pc.not_equal(moved, part["total_wh"]))
            faults["off_register"] += pc.sum(pc.fill_null(off, False)).as_py() or 0
    return Looked(meters, {name: count for name, count in faults.items() if count})
