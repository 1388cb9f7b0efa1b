"""The weeks of a fleet as `falling` takes them, gathered from the lake in bounded memory.

A neighbourhood needs the meters of a transformer side by side; the lake keeps meters by bucket. So each bucket is read
once through all its days, and what it comes to (a total a day and two mean days a meter) is laid aside by groups of
transformers; then the groups are taken up one by one. Memory holds one bucket, then one group.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bahal.lake.layout import Lake
from bahal.lake.signals.falling import WEEK
from bahal.lake.signals.reading import SLOTS, ValidDay, valid_day
from bahal.lake.vee.rules import MISSING_VALUE

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

GUESSED_AT_MOST: Final = SLOTS // 4
"""A day of which more was estimated says nothing of its meter."""

PlaceOf = Callable[[pa.Array], Longs]
"""The transformer of each meter, -1 where it hangs nowhere."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """The meters of some transformers: what `falling` takes, and whose it is."""

    meter: npt.NDArray[np.bytes_]
    transformer: Longs
    totals: Longs
    before: Floats
    latest: Floats

    def __len__(self) -> int:
        return len(self.meter)


def gathered(lake: Lake, *, end: date, weeks: int, place_of: PlaceOf, groups: int, folder: Path) -> Iterator[Weeks]:
    """The `weeks` weeks before `end` and the week before it, group by group; meters that hang nowhere are left out.

    :param groups: into how many parts the fleet is laid aside, in files of this empty `folder`.
    """
    days = [end - timedelta(days=back) for back in range(WEEK * (weeks + 1), 0, -1)]
    for bucket in range(lake.buckets):
        part = _bucket(lake, days, bucket, place_of)
        for group in range(groups):
            mine = np.flatnonzero(part.transformer % groups == group)
            if len(mine):
                np.savez(
                    folder / f"{group}-{bucket}.npz",
                    meter=part.meter[mine],
                    transformer=part.transformer[mine],
                    totals=part.totals[mine].astype(np.int32),
                    before=part.before[mine].astype(np.float32),
                    latest=part.latest[mine].astype(np.float32),
                )
    for group in range(groups):
        files = sorted(folder.glob(f"{group}-*.npz"))
        if not files:
            continue
        loaded = [dict(np.load(file)) for file in files]
        yield Weeks(
            np.concatenate([each["meter"] for each in loaded]),
            np.concatenate([each["transformer"] for each in loaded]),
            np.concatenate([each["totals"] for each in loaded]).astype(np.int64),
            np.concatenate([each["before"] for each in loaded]).astype(np.float64),
            np.concatenate([each["latest"] for each in loaded]).astype(np.float64),
        )
        for file in files:
            file.unlink()


def _bucket(lake: Lake, days: list[date], bucket: int, place_of: PlaceOf) -> Weeks:
    known = pa.array([], pa.string())
    totals = np.empty((0, len(days)), np.int64)
    sums = np.empty((2, 0, SLOTS), np.float64)
    counts = np.empty((2, 0), np.int64)
    for nth, day in enumerate(days):
        read = valid_day(lake, day=day, bucket=bucket)
        if not len(read.meter):
            continue
        place = pc.index_in(read.meter, known)
        fresh = read.meter.filter(pc.is_null(place))
        if len(fresh):
            known = pa.concat_arrays([known, fresh])
            totals = np.concatenate([totals, np.full((len(fresh), len(days)), MISSING_VALUE, np.int64)])
            sums = np.concatenate([sums, np.zeros((2, len(fresh), SLOTS))], axis=1)
            counts = np.concatenate([counts, np.zeros((2, len(fresh)), np.int64)], axis=1)
            place = pc.index_in(read.meter, known)
        _add(read, place.to_numpy(), nth, int(nth >= len(days) - WEEK), totals, sums, counts)
    means = sums / np.maximum(counts, 1)[:, :, None]
    transformer = place_of(known) if len(known) else np.empty(0, np.int64)
    there = np.flatnonzero(transformer >= 0)
    names = np.array([name.encode() for name in known.take(pa.array(there)).to_pylist()], np.bytes_)
    return Weeks(names, transformer[there], totals[there], means[0][there], means[1][there])


def _add(
    read: ValidDay, rows: npt.NDArray[np.int32], nth: int, late: int, totals: Longs, sums: Floats, counts: Longs
) -> None:
    """Add a day to its meters' weeks, where enough of it was measured."""
    good = read.estimated.sum(axis=1) <= GUESSED_AT_MOST
    mine = rows[good]
    totals[mine, nth] = read.total_wh[good]
    sums[late, mine] += read.wh[good]
    counts[late, mine] += 1
