"""Energy of a day by transformer and hour, and that of single meters, from the lake bucket by bucket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bahal.lake.layout import Lake
from bahal.lake.signals.balance import hours
from bahal.lake.signals.reading import SLOTS, valid_day
from bahal.lake.signals.weeks import PlaceOf

Longs = npt.NDArray[np.int64]
HOURS = 24


@dataclass(frozen=True, slots=True)
class Placed:
    """Row by row for each transformer, rising: Wh by hour (n, 24), estimated half hours by hour, meters that came.

    `single` are the days of the meters that were asked for: Wh by hour, and estimated half hours by hour.
    """

    transformer: Longs
    wh: Longs
    estimated: Longs
    meters: Longs
    single: Mapping[str, tuple[Longs, Longs]]


def placed(lake: Lake, *, day: date, place_of: PlaceOf, single: Sequence[str]) -> Placed:
    """The energy of a day by place; meters that hang nowhere are in no transformer's."""
    transformer = np.empty(0, np.int64)
    wh, estimated, meters = np.zeros((0, HOURS), np.int64), np.zeros((0, HOURS), np.int64), np.zeros(0, np.int64)
    asked = pa.array(sorted(single), pa.string())
    found: dict[str, tuple[Longs, Longs]] = {}
    for bucket in range(lake.buckets):
        read = valid_day(lake, day=day, bucket=bucket)
        if not len(read.meter):
            continue
        by_hour = hours(read.wh)
        guessed = read.estimated.reshape(len(read.meter), HOURS, SLOTS // HOURS).sum(axis=2)
        alone = np.flatnonzero(pc.is_in(read.meter, asked).to_numpy(zero_copy_only=False))
        for row, name in zip(alone.tolist(), read.meter.take(pa.array(alone)).to_pylist(), strict=True):
            found[name] = (by_hour[row], guessed[row].astype(np.int64))
        place = place_of(read.meter)
        there = np.flatnonzero(place >= 0)
        if not len(there):
            continue
        here, mine = np.unique(place[there], return_inverse=True)
        every = np.union1d(transformer, here)
        wide = [np.zeros((len(every), HOURS), np.int64) for _ in range(2)]
        count = np.zeros(len(every), np.int64)
        old, new = np.searchsorted(every, transformer), np.searchsorted(every, here)
        wide[0][old], wide[1][old], count[old] = wh, estimated, meters
        order = np.argsort(mine, kind="stable")
        starts = np.searchsorted(mine[order], np.arange(len(here)))
        wide[0][new] += np.add.reduceat(by_hour[there][order], starts, axis=0)
        wide[1][new] += np.add.reduceat(guessed[there][order], starts, axis=0)
        count[new] += np.bincount(mine, minlength=len(here))
        transformer, wh, estimated, meters = every, wide[0], wide[1], count
    return Placed(transformer, wh, estimated, meters, found)
