"""Validation of many days at once: arrays in, one bit field of findings for each day out. A pure function.

The same function runs in a process on a laptop and in the batches of a cluster; an interval that never came is
`MISSING_VALUE`. Rows are worked through in pieces that stay in the processor's cache.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bahal.lake.vee.rules import MISSING_VALUE, NOTED_AT_INTAKE, Parameters, Rule
from bahal.lake.vee.runs import runs

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.int32]

DAY_S: Final = 86_400
_PIECE: Final = 4_096
_HOUR_S: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days of intervals, a row each: `wh` is the energy taken, (n, slots).

    And for each day, (n,): `out_wh` the energy given back, `highest_dv` and `highest_ma` the highest averages of
    voltage and current, `open_wh` and `close_wh` the register at both midnights (`MISSING_VALUE` where unknown),
    `load_w` the sanctioned load, `highest_wh` the highest interval of its own recent history (0: it rested), `exports`
    whether giving back is agreed, `neighbours` whether those on the same transformer drew, `drift_s` how far its clock
    was off, `noted` what was found at intake (`Rule` bits).
    """

    wh: Ints
    out_wh: Longs
    highest_dv: Ints
    highest_ma: Ints
    open_wh: Longs
    close_wh: Longs
    load_w: Ints
    highest_wh: Ints
    exports: npt.NDArray[np.bool_]
    neighbours: npt.NDArray[np.bool_]
    drift_s: Ints
    noted: Ints

    def __len__(self) -> int:
        return len(self.wh)

    def piece(self, start: int, stop: int) -> "Days":
        """Some of the rows, without copying them."""
        return Days(**{name: getattr(self, name)[start:stop] for name in self.__slots__})


def validate(days: Days, parameters: Parameters) -> Flags:
    """What each rule finds in each day: `Rule` bits, int32 (n,).

    :raises ValueError: intervals that do not divide a day, or arrays of different lengths.
    """
    slots = days.wh.shape[1]
    if not slots or DAY_S % slots:
        raise ValueError(f"{slots} intervals do not divide a day")
    if any(len(getattr(days, name)) != len(days) for name in days.__slots__):
        raise ValueError("arrays of different lengths")
    found = np.empty(len(days), dtype=np.int32)
    for start in range(0, len(days), _PIECE):
        stop = start + _PIECE
        found[start:stop] = _validate(days.piece(start, stop), parameters, DAY_S // slots)
    return found


def _validate(days: Days, p: Parameters, interval_s: int) -> Flags:
    wh = days.wh
    absent = wh == MISSING_VALUE
    missing = absent.any(axis=1)
    highest = wh.max(axis=1)
    negative = ((wh < 0) & ~absent).any(axis=1)
    own = days.highest_wh.astype(np.int64)
    spike_own = (own > 0) & (highest > own * p.spike_own)
    # Wh in an interval at full load, times the percentage: compared without a division.
    full = days.load_w.astype(np.int64) * interval_s * p.load_percent
    spike_load = highest.astype(np.int64) * (_HOUR_S * 100) > full
    zero_run = (own > 0) & runs(wh == 0, p.zero_slots)
    same = np.empty(wh.shape, dtype=np.bool_)
    same[:, 0] = False
    np.equal(wh[:, 1:], wh[:, :-1], out=same[:, 1:])
    same &= wh > 0
    stuck = runs(same, p.stuck_slots - 1)
    total = wh.sum(axis=1, dtype=np.int64)
    moved = days.close_wh - days.open_wh
    known = (days.open_wh != MISSING_VALUE) & (days.close_wh != MISSING_VALUE) & ~missing
    apart = np.abs(total - moved)
    register_sum = known & (apart > p.register_wh) & (apart * 1_000 > np.abs(moved) * p.register_permille)
    reverse = ~days.exports & (days.out_wh > 0)
    no_current = days.neighbours & (days.highest_ma == 0) & (days.highest_dv >= p.voltage_dv)
    drift = np.abs(days.drift_s) > p.drift_s
    flags = days.noted & np.int32(NOTED_AT_INTAKE)
    for rule, holds in (
        (Rule.MISSING, missing),
        (Rule.NEGATIVE, negative),
        (Rule.SPIKE_OWN, spike_own),
        (Rule.SPIKE_LOAD, spike_load),
        (Rule.ZERO_RUN, zero_run),
        (Rule.STUCK, stuck),
        (Rule.REGISTER_SUM, register_sum),
        (Rule.REVERSE, reverse),
        (Rule.NO_CURRENT, no_current),
        (Rule.CLOCK_DRIFT, drift),
    ):
        flags |= holds.astype(np.int32) * np.int32(rule)
    return flags
