"""Buffers of many meters to rows of days and registers, by arrays.

Energy becomes Wh, voltage tenths of a volt, current milliamperes, by the scalers of the layout. A row of the load
profile belongs to the interval that ends at its stamp; one that stands beside the meter's own grid is put into the
nearest interval and the day is marked. What is stamped more than a day ahead, or long ago, is no reading: it is left
out and told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bahal.dlms.columns import Batch, Columns, Moments
from bahal.headend.binary import BITS, GAP
from bahal.headend.gaps import DAY_S, IST_S
from bahal.headend.layouts import Layout
from bahal.lake.vee.rules import Rule

Longs = NDArray[np.int64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]

SETTLED_S: Final = 7_200
"""An interval that ended so long ago and was asked for and did not come is not there."""
_AHEAD_S: Final = 300
_FUTURE_S: Final = DAY_S
_STALE_S: Final = 400 * DAY_S
_OLD_S: Final = 60 * DAY_S
_STEPS: Final = (900, 1_800, 3_600)
_LIMIT: Final = 2**31 - 1
_OWNERS: Final = 1 << 20

# Columns of the lake, the object that holds them in a block load profile, and the power of ten they are kept in.
LOAD_COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    "wh": ("block_energy_import", 0),
    "out_wh": ("block_energy_export", 0),
    "vah": ("block_apparent_import", 0),
    "out_vah": ("block_apparent_export", 0),
    "dv": ("block_voltage", -1),
    "ma": ("block_current", -3),
}
REGISTER_COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    "wh": ("energy_import", 0),
    "vah": ("apparent_import", 0),
    "out_wh": ("energy_export", 0),
    "out_vah": ("apparent_export", 0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of many buffers: which buffer each came in, its stamp in UTC seconds, and columns (int64, `GAP` for null).

    Of a buffer that cannot be used `refused` has the name of why.
    """

    owner: Longs
    stamp: Longs
    columns: Mapping[str, Longs]
    refused: Mapping[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class LoadDays:
    """Days of intervals of one length, a row for each meter and day that came or was asked for.

    `owner` as the caller numbered them, `day` since 1970 in India; grids (n, slots) with `GAP`; `asked` (n, slots) says
    which intervals are known not to be there, or came.
    """

    slots: int
    owner: Longs
    day: Longs
    grids: Mapping[str, Ints]
    asked: Bools
    noted: Ints

    def __len__(self) -> int:
        return len(self.owner)

    def bits(self, which: Bools) -> Bools:
        """A grid of truths as wide as the row of bits in PostgreSQL."""
        wide = np.zeros((len(which), BITS), np.bool_)
        wide[:, : self.slots] = which
        return wide


def rows_of(batch: Batch, layout: Layout, wanted: Mapping[str, tuple[str, int]], clock: str = "clock") -> Rows:
    """The wanted columns of a decoded batch, in base units."""
    refused = {n: error.name for n, error in batch.refused.items()}
    place = layout.places.get(clock)
    none = np.empty(0, np.int64)
    if place is None:
        return Rows(none, none, dict.fromkeys(wanted, none), dict.fromkeys(range(len(batch)), "no_clock"))
    main = [n for n, start in enumerate(batch.starts) if start >= 0]
    pieces: list[tuple[Longs, Columns]] = []
    if main:
        owner = np.repeat(np.array(main, np.int64), np.array([batch.counts[n] for n in main]))
        pieces.append((owner, batch.columns))
    pieces += [(np.full(odd.count, n, np.int64), odd) for n, odd in batch.odd.items() if odd.count]
    owners, stamps, columns = [], [], {name: [] for name in wanted}  # type: ignore[var-annotated]
    for owner, piece in pieces:
        moments = piece.values[place]
        if not isinstance(moments, Moments) or place in piece.missing:
            refused.update((n, "moment_missing") for n in np.unique(owner).tolist())
            continue
        owners.append(owner)
        stamps.append(moments.seconds)
        for name, (source, power) in wanted.items():
            columns[name].append(_scaled(piece, layout, source, power))
    joined = {name: np.concatenate(parts) if parts else none for name, parts in columns.items()}
    return Rows(np.concatenate(owners) if owners else none, np.concatenate(stamps) if stamps else none, joined, refused)


def _scaled(piece: Columns, layout: Layout, source: str, power: int) -> Longs:
    place = layout.places.get(source)
    values: Any = None if place is None else piece.values[place]
    if place is None or not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        return np.full(piece.count, GAP, np.int64)
    found = values.astype(np.int64)
    by = layout.powers.get(source, 0) - power
    if by > 0:
        found *= 10**by
    elif by < 0:
        found = (found + 10**-by // 2) // 10**-by
    mask = piece.missing.get(place)
    if mask is not None:
        found[mask] = GAP
    return found


def outside(rows: Rows, at: Longs) -> Bools:
    """Which rows are stamped so far ahead or so long ago that they are no readings; `at` is the time of each row."""
    found: Bools = (rows.stamp > at + _FUTURE_S) | (rows.stamp < at - _STALE_S)
    return found


def too_large(rows: Rows) -> Bools:
    """Which rows hold a value that the lake's columns cannot."""
    found = np.zeros(len(rows.owner), np.bool_)
    for column in rows.columns.values():
        found |= (np.abs(column) > _LIMIT) & (column != GAP)
    return found


def load_days(rows: Rows, *, at: Longs, period_s: int, asked: Sequence[tuple[int, int, int, int]]) -> list[LoadDays]:
    """Days from rows whose `owner` is the caller's own number, below 2^20, in one part for each length of interval.

    `at` has the time of each row's reading. `asked` are (owner, first, last, at) in UTC seconds: what was asked for and
    had ended a while ago counts as known, whether it came or not.
    """
    step = _steps(rows, period_s)
    own = dict(zip(rows.owner[step != period_s].tolist(), step[step != period_s].tolist(), strict=True))
    parts = []
    for each in sorted({period_s, *own.values()}):
        chosen = step == each
        whole = bool(chosen.all())
        of_these = [one for one in asked if own.get(one[0], period_s) == each] if own else asked
        made = _days(rows if whole else _some(rows, chosen), at if whole else at[chosen], each, of_these)
        if len(made):
            parts.append(made)
    return parts


def _some(rows: Rows, chosen: Bools) -> Rows:
    return Rows(
        rows.owner[chosen],
        rows.stamp[chosen],
        {name: column[chosen] for name, column in rows.columns.items()},
        rows.refused,
    )


def _steps(rows: Rows, period_s: int) -> Longs:
    """The length of each row's intervals: the layout's, or a shorter one that its meter's own stamps show."""
    step = np.full(len(rows.owner), period_s, np.int64)
    if len(step) < 2:
        return step
    apart = np.diff(rows.stamp)
    shorter = (np.diff(rows.owner) == 0) & (apart > 0) & (apart < period_s) & np.isin(apart, _STEPS)
    for owner in np.unique(rows.owner[1:][shorter]).tolist():
        mine = rows.owner == owner
        step[mine] = apart[shorter & (rows.owner[1:] == owner)].min()
    return step


def _days(rows: Rows, at: Longs, period_s: int, asked: Sequence[tuple[int, int, int, int]]) -> LoadDays:
    slots = DAY_S // period_s
    began = rows.stamp + (IST_S - period_s)
    beside = began % period_s
    nearest = (began + period_s // 2) // period_s
    day, slot = nearest // slots, nearest % slots
    keys = rows.owner * _OWNERS + day
    spans = _spans(asked, period_s)
    wanted = np.array([owner * _OWNERS + on for owner, on, _, _ in spans], np.int64)
    both, place = np.unique(np.concatenate((keys, wanted)), return_inverse=True)
    at_row, at_span = place[: len(keys)], place[len(keys) :]
    count = len(both)
    grids = {}
    differs = np.zeros(count, np.bool_)
    cell = at_row * slots + slot
    for name, column in rows.columns.items():
        flat = np.full(count * slots, GAP, np.int32)
        flat[cell] = column
        if name == "wh":
            again = flat[cell] != column
            differs[at_row[again]] = True
        grids[name] = flat.reshape(count, slots)
    noted = differs.astype(np.int32) * np.int32(Rule.DUPLICATE)
    for rule, holds in (
        (Rule.OVERLAP, beside != 0),
        (Rule.FUTURE, rows.stamp > at + _AHEAD_S),
        (Rule.STALE, rows.stamp < at - _OLD_S),
    ):
        if holds.any():
            noted[np.unique(at_row[holds])] |= np.int32(rule)
    known = np.zeros((count, slots), np.bool_)
    for n, (_, _, first, last) in zip(at_span.tolist(), spans, strict=True):
        known[n, first:last] = True
    return LoadDays(slots, both // _OWNERS, both % _OWNERS, grids, known, noted)


def _spans(asked: Sequence[tuple[int, int, int, int]], period_s: int) -> list[tuple[int, int, int, int]]:
    """What was asked for as (owner, day, first slot, slot after the last), of intervals that had ended a while ago."""
    slots = DAY_S // period_s
    spans = []
    for owner, first, last, at in asked:
        begin = (first + IST_S) // period_s - 1
        end = (min(last, at - SETTLED_S) + IST_S) // period_s
        while begin < end:
            day = begin // slots
            stop = min(end, (day + 1) * slots)
            spans.append((owner, day, begin - day * slots, stop - day * slots))
            begin = stop
    return spans
