"""A day of one bucket, put together from every batch that brought a part of it: late, twice or out of order.

Batches count in their order: a later value of an interval takes the earlier one's place, and where both differ the day
is marked. So replays change nothing, and any order of arrival with the same batches gives the same day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bahal.lake.layout import Lake, grid
from bahal.lake.vee.rules import MISSING_VALUE, Rule

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

_COLUMNS: Final = [
    "meter", "batch", "slots", "wh", "day_out_wh", "highest_dv", "highest_ma", "open_wh", "close_wh", "drift_s",
    "noted",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A row for each meter: what is known of its day. Unknown is `MISSING_VALUE`, of a sum, height or drift 0.

    `also` are other grids (n, slots) that were asked for, by their column.
    """

    meter: pa.Array
    wh: Ints
    out_wh: Longs
    highest_dv: Ints
    highest_ma: Ints
    open_wh: Longs
    close_wh: Longs
    drift_s: Ints
    noted: Ints
    also: Mapping[str, Ints] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        """Intervals of this day."""
        return int(self.wh.shape[1])


def merged_days(lake: Lake, *, day: date, bucket: int, also: Sequence[str] = ()) -> list[Merged]:
    """The days of a bucket's meters, in one part for each length of interval that they use.

    :param also: other columns of lists that are wanted too.
    """
    rows = lake.rows("interval", day=day, bucket=bucket, columns=[*_COLUMNS, *also])
    if not rows.num_rows:
        return []
    slots = rows["slots"].to_numpy()
    parts = []
    for each in np.unique(slots).tolist():
        part = rows if len(slots) and (slots == each).all() else rows.filter(pa.array(slots == each))
        parts.append(_merged(part, each, also))
    return parts


def _merged(rows: pa.Table, slots: int, also: Sequence[str]) -> Merged:
    encoded = rows["meter"].combine_chunks().dictionary_encode()
    owner = encoded.indices.to_numpy()
    count, meters = len(owner), len(encoded.dictionary)
    wh = grid(rows["wh"], slots, missing=MISSING_VALUE)
    others = {name: grid(rows[name], slots, missing=MISSING_VALUE) for name in also}
    noted = rows["noted"].fill_null(0).to_numpy().astype(np.int32)
    latest = {name: rows[name].fill_null(MISSING_VALUE).to_numpy() for name in ("open_wh", "close_wh")}
    drift = rows["drift_s"].fill_null(0).to_numpy().astype(np.int32)
    heights = {name: rows[name].fill_null(0).to_numpy() for name in ("day_out_wh", "highest_dv", "highest_ma")}
    if meters < count:
        # Rows of one meter beside one another, in the order of their batches; the first carries what the others add.
        order = np.lexsort((rows["batch"].to_numpy(), owner))
        starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
        nth = np.arange(count) - np.repeat(starts, np.diff(starts, append=count))
        whole, differs = wh[order[starts]], np.zeros(meters, dtype=np.bool_)
        newest = {name: column[order[starts]] for name, column in latest.items()}
        beside = {name: column[order[starts]] for name, column in others.items()}
        for layer in range(1, int(nth.max()) + 1):
            these = order[nth == layer]
            owners = owner[these]
            came, had = wh[these], whole[owners]
            there = came != MISSING_VALUE
            differs[owners] |= (there & (had != MISSING_VALUE) & (came != had)).any(axis=1)
            whole[owners] = np.where(there, came, had)
            for name, cells in others.items():
                beside[name][owners] = np.where(cells[these] != MISSING_VALUE, cells[these], beside[name][owners])
            for name, column in latest.items():
                newest[name][owners] = np.where(column[these] != MISSING_VALUE, column[these], newest[name][owners])
        wh, latest, others = whole, newest, beside
        noted = np.bitwise_or.reduceat(noted[order], starts) | differs.astype(np.int32) * np.int32(Rule.DUPLICATE)
        # The worst that its clock was: a batch after it was set says nothing of what was stamped before.
        ahead, behind = np.maximum.reduceat(drift[order], starts), np.minimum.reduceat(drift[order], starts)
        drift = np.where(ahead >= -behind, ahead, behind)
        heights = {name: np.maximum.reduceat(column[order], starts) for name, column in heights.items()}
    return Merged(
        meter=encoded.dictionary,
        wh=wh,
        out_wh=heights["day_out_wh"].astype(np.int64),
        highest_dv=heights["highest_dv"].astype(np.int32),
        highest_ma=heights["highest_ma"].astype(np.int32),
        open_wh=latest["open_wh"].astype(np.int64),
        close_wh=latest["close_wh"].astype(np.int64),
        drift_s=drift,
        noted=noted,
        also=others,
    )
