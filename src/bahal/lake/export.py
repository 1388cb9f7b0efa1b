"""Interval readings out of the lake: one line an interval, as CSV, or as Parquet.

A meter's intervals are those of the latest batch that brought each; where a validation run stands over the day, its
values, estimates among them, are given beside what came.
"""

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bahal.lake.days import Merged, merged_days
from bahal.lake.layout import Lake, grid
from bahal.lake.vee.rules import MISSING_VALUE
from bahal.shared.text import INDIA

_ALSO: Final = ("out_wh", "vah", "out_vah")
SCHEMA: Final = pa.schema(
    [
        ("meter", pa.string()),
        ("starts_at", pa.timestamp("s", tz="UTC")),
        ("seconds", pa.int32()),
        ("wh", pa.int32()),
        ("valid_wh", pa.int32()),
        *((name, pa.int32()) for name in _ALSO),
    ]
)
_DAY_S: Final = 86_400
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def export(lake: Lake, path: Path, *, start: date, end: date, form: Literal["csv", "parquet"]) -> int:
    """Write the intervals of days in `[start, end)` to a file; how many lines.

    Energy in Wh and VAh, `out_*` what was given back, moments UTC. What did not come, or what a make does not count, is
    empty, as is `valid_wh` where no run stands over the day.

    :raises OSError: the file cannot be written.
    """
    lines = 0
    if form == "parquet":
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for part in parts(lake, start=start, end=end):
                writer.write_table(part)
                lines += part.num_rows
        return lines
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(SCHEMA.names)
        for part in parts(lake, start=start, end=end):
            columns = [
                [_harmless(meter) for meter in part["meter"].to_pylist()],
                [at.isoformat() for at in part["starts_at"].to_pylist()],
                *(part[name].to_pylist() for name in SCHEMA.names[2:]),
            ]
            rows.writerows(zip(*columns, strict=True))
            lines += part.num_rows
    return lines


def parts(lake: Lake, *, start: date, end: date) -> Iterator[pa.Table]:
    """The intervals, a bucket of a day at a time."""
    for nth in range((end - start).days):
        day = start + timedelta(days=nth)
        for bucket in range(lake.buckets):
            for merged in merged_days(lake, day=day, bucket=bucket, also=_ALSO):
                yield _lines(lake, merged, day, bucket)


def _lines(lake: Lake, merged: Merged, day: date, bucket: int) -> pa.Table:
    meters, slots = len(merged.meter), merged.slots
    seconds = _DAY_S // slots
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=INDIA).astimezone(UTC).timestamp())
    starts = np.tile(midnight + np.arange(slots, dtype=np.int64) * seconds, meters)
    wh = merged.wh.reshape(-1)
    valid = _validated(lake, merged, day, bucket).reshape(-1)
    return pa.Table.from_arrays(
        [
            merged.meter.take(pa.array(np.repeat(np.arange(meters, dtype=np.int32), slots))),
            pa.array(starts).cast(pa.timestamp("s", tz="UTC")),
            pa.array(np.full(meters * slots, seconds, np.int32)),
            pa.array(wh, mask=wh == MISSING_VALUE),
            pa.array(valid, mask=valid == MISSING_VALUE),
            *(_flat(merged.also[name]) for name in _ALSO),
        ],
        schema=SCHEMA,
    )


def _flat(cells: npt.NDArray[np.int32]) -> pa.Array:
    flat = cells.reshape(-1)
    return pa.array(flat, mask=flat == MISSING_VALUE)


def _validated(lake: Lake, merged: Merged, day: date, bucket: int) -> npt.NDArray[np.int32]:
    values: npt.NDArray[np.int32] = np.full(merged.wh.shape, MISSING_VALUE, np.int32)
    rows = lake.rows("validated", day=day, bucket=bucket, columns=["meter", "run", "slots", "wh"])
    rows = rows.filter(pc.equal(rows["slots"], merged.slots))
    if rows.num_rows:
        rows = rows.filter(pc.equal(rows["run"], pc.max(rows["run"])))
        place = pc.index_in(merged.meter, rows["meter"].combine_chunks())
        there = place.is_valid().to_numpy(zero_copy_only=False)
        values[there] = grid(rows["wh"].take(place.drop_null()), merged.slots, missing=MISSING_VALUE)
    return values


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
