"""A day of one bucket, put together from every batch that brought a part of it: late, twice or out of order.

Batches count in their order: a later value of an interval takes the earlier one's place, and where both differ the day
is marked. So replays change nothing, and any order of arrival with the same batches gives the same day.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bahal.lake.layout import Lake, day_rows, grid
from bahal.lake.vee.rules import MISSING_VALUE, Rule

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

_COLUMNS: Final = [
    "meter", "batch", "slots", "wh", "day_out_wh", "highest_dv", "highest_ma", "open_wh", "close_wh", "drift_s",
    "noted",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A row for each meter, by serial: what is known of its day. Unknown is `MISSING_VALUE`, of a sum or height 0."""

    meter: pa.Array
    wh: Ints
    out_wh: Longs
    highest_dv: Ints
    highest_ma: Ints
    open_wh: Longs
    close_wh: Longs
    drift_s: Ints
    noted: Ints

    @property
    def slots(self) -> int:
        """Intervals of this day."""
        return int(self.wh.shape[1])


def merged_days(lake: Lake, *, day: date, bucket: int) -> list[Merged]:
    """The days of a bucket's meters, in one part for each length of interval that they use."""
    rows = day_rows(lake.table("interval"), day=day, bucket=bucket, columns=_COLUMNS)
    if not rows.num_rows:
        return []
    slots = rows["slots"].to_numpy()
    parts = []
    for each in np.unique(slots).tolist():
        part = rows if len(slots) and (slots == each).all() else rows.filter(pa.array(slots == each))
        parts.append(_merged(part, each))
    return parts


def _merged(rows: pa.Table, slots: int) -> Merged:
    rows = rows.sort_by([("meter", "ascending"), ("batch", "ascending")])
    meters = rows["meter"].combine_chunks()
    if isinstance(meters, pa.ChunkedArray):
        meters = pa.concat_arrays(meters.chunks)
    wh = grid(rows["wh"], slots, missing=MISSING_VALUE)
    count = rows.num_rows
    # Where a new meter begins, and which of its rows each row is: 0 is its first.
    first = np.ones(count, dtype=np.bool_)
    if count > 1:
        first[1:] = ~np.asarray(
            pa.compute.equal(meters.slice(1), meters.slice(0, count - 1)).to_numpy(zero_copy_only=False)
        )
    owner = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    columns = {name: rows[name].fill_null(MISSING_VALUE).to_numpy() for name in ("open_wh", "close_wh", "drift_s")}
    heights = {name: rows[name].fill_null(0).to_numpy() for name in ("day_out_wh", "highest_dv", "highest_ma")}
    noted = rows["noted"].fill_null(0).to_numpy().astype(np.int32)
    if len(starts) == count:
        return Merged(
            meter=meters,
            wh=wh,
            out_wh=heights["day_out_wh"].astype(np.int64),
            highest_dv=heights["highest_dv"].astype(np.int32),
            highest_ma=heights["highest_ma"].astype(np.int32),
            open_wh=columns["open_wh"].astype(np.int64),
            close_wh=columns["close_wh"].astype(np.int64),
            drift_s=_known(columns["drift_s"]),
            noted=noted,
        )
    whole = wh[starts]
    latest = {name: column[starts] for name, column in columns.items()}
    differs = np.zeros(len(starts), dtype=np.bool_)
    nth = np.arange(count) - starts[owner]
    for layer in range(1, int(nth.max()) + 1):
        these = np.flatnonzero(nth == layer)
        owners = owner[these]
        came, had = wh[these], whole[owners]
        there = came != MISSING_VALUE
        differs[owners] |= (there & (had != MISSING_VALUE) & (came != had)).any(axis=1)
        whole[owners] = np.where(there, came, had)
        for name, column in columns.items():
            value = column[these]
            latest[name][owners] = np.where(value != MISSING_VALUE, value, latest[name][owners])
    noted = np.bitwise_or.reduceat(noted, starts) | (differs * np.int32(Rule.DUPLICATE))
    return Merged(
        meter=meters.take(pa.array(starts)),
        wh=whole,
        out_wh=np.maximum.reduceat(heights["day_out_wh"], starts).astype(np.int64),
        highest_dv=np.maximum.reduceat(heights["highest_dv"], starts).astype(np.int32),
        highest_ma=np.maximum.reduceat(heights["highest_ma"], starts).astype(np.int32),
        open_wh=latest["open_wh"].astype(np.int64),
        close_wh=latest["close_wh"].astype(np.int64),
        drift_s=_known(latest["drift_s"]),
        noted=noted.astype(np.int32),
    )


def _known(drift: npt.NDArray[np.generic]) -> Ints:
    """A clock that nobody compared counts as right."""
    return np.asarray(np.where(drift == MISSING_VALUE, 0, drift), dtype=np.int32)
