"""Estimation of what never came: straight lines over short gaps, the same weekday's profile over long ones.

Where the register is known at both midnights, the estimates of a day are made to sum to what it says is left, to the
Wh: every interval that came stays as it is. An estimate is marked for ever.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from bahal.lake.vee.rules import MISSING_VALUE

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SHORT_GAP_S: Final = 2 * 3_600
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Estimated:
    """The days with every interval filled, and which of them were estimated, (n, slots)."""

    wh: Ints
    estimated: Mask


def estimate(wh: Ints, *, profile: Ints, open_wh: Longs, close_wh: Longs) -> Estimated:
    """Fill the missing intervals of days, (n, slots).

    :param profile: what the meter usually draws on this weekday, of the same shape; nothing below zero.
    :param open_wh: the register at the first midnight, (n,), `MISSING_VALUE` where unknown; `close_wh` at the second.
    :raises ValueError: shapes that do not fit, or a profile below zero.
    """
    if profile.shape != wh.shape or len(open_wh) != len(wh) or len(close_wh) != len(wh):
        raise ValueError("shapes that do not fit")
    if (profile < 0).any():
        raise ValueError("a profile below zero")
    absent = wh == MISSING_VALUE
    rows = np.flatnonzero(absent.any(axis=1))
    filled = wh.copy()
    if len(rows):
        gaps = absent[rows]
        shape = np.where(_short(gaps, _DAY_S // wh.shape[1]), _lines(wh[rows], gaps), profile[rows].astype(np.int64))
        shape = np.where(gaps, shape, 0)
        known = (open_wh[rows] != MISSING_VALUE) & (close_wh[rows] != MISSING_VALUE)
        came = np.where(gaps, 0, wh[rows]).sum(axis=1, dtype=np.int64)
        left = np.maximum(close_wh[rows] - open_wh[rows] - came, 0)
        shape[known] = _shared(left[known], shape[known], gaps[known])
        filled[rows] = np.where(gaps, shape, wh[rows])
    return Estimated(filled, absent)


def _short(gaps: Mask, interval_s: int) -> Mask:
    """Missing intervals whose gap is short and has something that came on both of its sides."""
    places = np.arange(gaps.shape[1])
    before = np.maximum.accumulate(np.where(gaps, -1, places), axis=1)
    after = np.minimum.accumulate(np.where(gaps, gaps.shape[1], places)[:, ::-1], axis=1)[:, ::-1]
    inside = (before >= 0) & (after < gaps.shape[1])
    return np.asarray(gaps & inside & ((after - before - 1) * interval_s <= SHORT_GAP_S))


def _lines(wh: Ints, gaps: Mask) -> Longs:
    """The straight line between the neighbours of each gap, halves rounded up; outside of both, nothing."""
    slots = wh.shape[1]
    places = np.arange(slots)
    before = np.maximum.accumulate(np.where(gaps, -1, places), axis=1)
    after = np.minimum.accumulate(np.where(gaps, slots, places)[:, ::-1], axis=1)[:, ::-1]
    low = np.take_along_axis(wh, np.clip(before, 0, slots - 1), axis=1).astype(np.int64)
    high = np.take_along_axis(wh, np.clip(after, 0, slots - 1), axis=1).astype(np.int64)
    span = np.maximum(after - before, 1)
    line = (2 * (low * (after - places) + high * (places - before)) + span) // (2 * span)
    return np.asarray(np.where((before >= 0) & (after < slots), np.maximum(line, 0), 0))


def _shared(left: Longs, shape: Longs, gaps: Mask) -> Longs:
    """What is left, shared over the gaps by their shape, to the Wh: the largest remainders get the rest."""
    total = shape.sum(axis=1)
    weights = np.where((total == 0)[:, None], gaps.astype(np.int64), shape)
    total = weights.sum(axis=1)
    scaled = left[:, None] * weights
    parts = scaled // total[:, None]
    rest = left - parts.sum(axis=1)
    # A missing interval with any weight comes before one without; a tie goes to the earlier one.
    order = np.argsort(np.where(weights > 0, -(scaled % total[:, None]), 1), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(shape.shape[1])[None, :], axis=1)
    return np.asarray(parts + (rank < rest[:, None]))
