"""A bucket's validated day as signals read it: each meter once, by its latest run, in half hours."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bahal.lake.layout import Lake, grid
from bahal.lake.vee.rules import MISSING_VALUE

SLOTS: Final = 48
"""Half hours of a day; quarters are summed, hours are halved."""

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ValidDay:
    """Row by row for each meter: Wh by half hour, which of them are estimated, Wh of the day."""

    meter: pa.Array
    wh: Ints
    estimated: Mask
    total_wh: Longs


def latest_rows(rows: pa.Table) -> pa.Table:
    """Each meter's row of its latest run."""
    if rows.num_rows < 2:
        return rows
    encoded = rows["meter"].combine_chunks().dictionary_encode()
    owner = encoded.indices.to_numpy()
    order = np.lexsort((rows["run"].to_numpy(), owner))
    last = np.flatnonzero(np.diff(owner[order], append=-1))
    return rows if len(last) == rows.num_rows else rows.take(pa.array(order[last]))


def valid_day(lake: Lake, *, day: date, bucket: int) -> ValidDay:
    """The meters of a bucket on a day."""
    columns = ["meter", "run", "slots", "wh", "estimated", "total_wh"]
    rows = latest_rows(lake.rows("validated", day=day, bucket=bucket, columns=columns))
    parts = [_part(rows.filter(pc.equal(rows["slots"], each)), each) for each in pc.unique(rows["slots"]).to_pylist()]
    if len(parts) == 1:
        return parts[0]
    return ValidDay(
        pa.concat_arrays([part.meter for part in parts]) if parts else pa.array([], pa.string()),
        np.concatenate([part.wh for part in parts]) if parts else np.empty((0, SLOTS), np.int32),
        np.concatenate([part.estimated for part in parts]) if parts else np.empty((0, SLOTS), np.bool_),
        np.concatenate([part.total_wh for part in parts]) if parts else np.empty(0, np.int64),
    )


def _part(rows: pa.Table, slots: int) -> ValidDay:
    wh = grid(rows["wh"], slots, missing=0)
    marks = np.zeros((rows.num_rows, slots), np.bool_)
    guessed = np.flatnonzero(rows["estimated"].is_valid().to_numpy(zero_copy_only=False))
    if len(guessed):
        raw = np.frombuffer(b"".join(rows["estimated"].take(pa.array(guessed)).to_pylist()), np.uint8)
        marks[guessed] = np.unpackbits(raw.reshape(len(guessed), -1), axis=1, count=slots).astype(np.bool_)
    meter = rows["meter"].combine_chunks()
    meter = pa.concat_arrays(meter.chunks) if isinstance(meter, pa.ChunkedArray) else meter
    return ValidDay(meter, _halved(wh), _half_marks(marks), rows["total_wh"].to_numpy().astype(np.int64))


def _halved(wh: Ints) -> Ints:
    slots = wh.shape[1]
    if slots == SLOTS:
        return wh
    if slots % SLOTS == 0:
        return np.asarray(wh.reshape(len(wh), SLOTS, -1).sum(axis=2), np.int32)
    parts = SLOTS // slots
    wide = np.repeat(wh // parts, parts, axis=1)
    wide[:, ::parts] += wh % parts  # nothing is lost by halving
    return wide


def _half_marks(marks: Mask) -> Mask:
    slots = marks.shape[1]
    if slots % SLOTS == 0:
        return np.asarray(marks.reshape(len(marks), SLOTS, -1).any(axis=2))
    return np.repeat(marks, SLOTS // slots, axis=1)


@dataclass(frozen=True, slots=True)
class MeterDay:
    """One meter's validated day by half hours: Wh, which of them nobody measured, which stayed empty (0 Wh here), the
    intervals that the meter has a day, and what was found in it (`Rule` bits)."""

    day: date
    wh: Ints
    unmeasured: Mask
    empty: Mask
    total_wh: int
    slots: int
    flags: int

    @property
    def estimated(self) -> int:
        """How many half hours nobody measured."""
        return int(self.unmeasured.sum())


_COLUMNS: Final = ["run", "slots", "flags", "wh", "estimated", "total_wh"]


def meter_days(lake: Lake, *, meter: str, start: date, end: date) -> dict[date, MeterDay]:
    """Those of a meter's days in `[start, end)` that were validated, each by its latest run."""
    rows = lake.rows_of_meter("validated", meter=meter, start=start, end=end, columns=_COLUMNS)
    latest: dict[date, int] = {}
    runs = rows["run"].to_pylist()
    for nth, day in enumerate(rows["day"].to_pylist()):
        if day not in latest or runs[nth] > runs[latest[day]]:
            latest[day] = nth
    found = {}
    for slots in sorted(set(rows["slots"].to_pylist())):
        mine = rows.take(pa.array([nth for nth in latest.values() if rows["slots"][nth].as_py() == slots], pa.int64()))
        read = _part(mine, slots)
        holes = _half_marks(np.asarray(grid(mine["wh"], slots, missing=MISSING_VALUE) == MISSING_VALUE))
        flags = mine["flags"].to_pylist()
        for nth, day in enumerate(mine["day"].to_pylist()):
            found[day] = MeterDay(
                day, read.wh[nth], read.estimated[nth], holes[nth], int(read.total_wh[nth]), slots, flags[nth]
            )
    return dict(sorted(found.items()))


def intervals_of(lake: Lake, *, meter: str, day: date) -> list[int] | None:
    """A meter's validated intervals of a day in its own length, Wh; None where the day was not validated."""
    end = day + timedelta(days=1)
    mine = latest_rows(lake.rows_of_meter("validated", meter=meter, start=day, end=end, columns=["run", "wh"]))
    if not mine.num_rows:
        return None
    found: list[int] = mine["wh"][0].as_py()
    return found
