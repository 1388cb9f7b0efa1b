"""A warning where consumption falls and neither season, neighbourhood nor an empty house explains it.

Each meter is compared with itself: its latest week with the weeks before. What all meters of a transformer do together
(a cool week, an outage, a festival) is taken off. An empty house draws little and evenly around the clock; a meter that
is bypassed goes on drawing in the shape of its household, only less of it; solar panels take the middle of the day away
and leave the evening; a few days away leave the other days as they were. The warnings are ranked by the energy at
stake, and only as many are raised as there are people to look: a warning accuses nobody.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from bahal.lake.vee.rules import MISSING_VALUE

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WEEK: Final = 7


class Finding(IntEnum):
    """What became of a meter's week."""

    USUAL = 0
    UNKNOWN = 1
    """Too few days came, or it never drew enough to say anything."""
    VACANT = 2
    SOLAR = 3
    FALLING = 4


WORDS: Final[dict[Finding, tuple[str, str]]] = {
    Finding.USUAL: ("सामान्य", "as usual"),
    Finding.UNKNOWN: ("कहने को आँकड़े कम", "too little known"),
    Finding.VACANT: ("घर खाली लगता है", "the place looks empty"),
    Finding.SOLAR: ("दिन में सौर जैसी कमी", "less by day, as with solar panels"),
    Finding.FALLING: ("खपत बिना कारण घटी", "consumption falls without a reason"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """When to warn. Judgement, effective-dated like every rule; `per_thousand` is the alarm budget a week.

    * `weeks`: how many weeks a meter is compared with; `least_wh`: a day's usual energy below which nothing is said;
    * `fall`: share that must be missing after the neighbourhood's movement is taken off; `sigmas`: times its own
      weekly restlessness; `restless`: the least restlessness believed;
    * `likeness`: how like the shape of the day must be to be its own, scaled down; `flat`: below this the day is even.
    """

    weeks: int = 6
    least_wh: int = 1_000
    fall: float = 0.35
    sigmas: float = 3.0
    restless: float = 0.07
    likeness: float = 0.80
    flat: float = 0.30
    per_thousand: float = 12.0
    version: str = "house-1"


@dataclass(frozen=True, slots=True)
class Warned:
    """Row by row: the finding, the share that is missing, sigmas, Wh a day at stake; and the rows to look at."""

    finding: npt.NDArray[np.int8]
    missing: Floats
    sigmas: Floats
    at_stake_wh: Longs
    warned: npt.NDArray[np.int64]


def falling(totals: Longs, *, before: Floats, latest: Floats, transformer: Longs, caution: Caution) -> Warned:
    """Look at the last week of each meter.

    :param totals: Wh a day, (n, weeks * 7 + 7), the latest last; `MISSING_VALUE` where a day is not known.
    :param before: the mean day of the weeks before in intervals, (n, slots); `latest` that of the last week.
    :param transformer: which transformer each meter is on, (n,).
    :raises ValueError: shapes that do not fit.
    """
    days = caution.weeks * WEEK + WEEK
    if totals.shape[1] != days or before.shape != latest.shape or len(before) != len(totals):
        raise ValueError(f"totals {totals.shape}, days {before.shape} and {latest.shape}, weeks {caution.weeks}")
    weekly = _weekly(totals)
    usual = _mean(weekly[:, :-1], axis=1, least=3)
    now = weekly[:, -1]
    known = np.isfinite(usual) & np.isfinite(now) & (usual >= caution.least_wh)
    ratio = np.where(known, now / np.where(known, usual, 1), np.nan)
    common = _common(ratio, transformer)
    alone = ratio / common
    restless = np.maximum(_restlessness(weekly[:, :-1], transformer), caution.restless)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigmas = np.log(np.maximum(alone, 0.01)) / restless
    missing = np.clip(1 - alone, 0, 1)
    fell = known & (missing >= caution.fall) & (sigmas <= -caution.sigmas)
    finding = np.where(known, Finding.USUAL, Finding.UNKNOWN).astype(np.int8)
    expected = usual[fell] * common[fell]
    finding[fell] = _why(before[fell], latest[fell] / common[fell][:, None], caution)
    finding[fell] = np.where(
        _some_days_as_usual(totals[fell, -WEEK:], expected, caution), Finding.VACANT, finding[fell]
    )
    at_stake = np.where(finding == Finding.FALLING, np.nan_to_num(missing * usual), 0).astype(np.int64)
    candidates = np.flatnonzero(finding == Finding.FALLING)
    budget = max(1, int(len(totals) * caution.per_thousand / 1_000)) if len(candidates) else 0
    order = candidates[np.argsort(-at_stake[candidates], kind="stable")][:budget]
    return Warned(finding, np.nan_to_num(missing), np.nan_to_num(sigmas), at_stake, order)


def _weekly(totals: Longs) -> Floats:
    """The mean day of each week, (n, weeks), from at least five days of it; nan otherwise."""
    weeks = totals.reshape(len(totals), -1, WEEK).astype(np.float64)
    weeks[weeks == MISSING_VALUE] = np.nan
    return _mean(weeks, axis=2, least=5)


def _mean(values: Floats, *, axis: int, least: int) -> Floats:
    there = np.isfinite(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0).sum(axis=axis)
    return np.asarray(np.where(count >= least, total / np.maximum(count, 1), np.nan))


def _common(ratio: Floats, transformer: Longs) -> Floats:
    """What the neighbourhood did: the median of a transformer with at least eight meters, else of everybody."""
    everybody = np.nanmedian(ratio) if np.isfinite(ratio).any() else 1.0
    places, place = np.unique(transformer, return_inverse=True)
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(len(places) + 1))
    common = np.full(len(places), everybody)
    for nth in range(len(places)):
        those = ratio[order[bounds[nth] : bounds[nth + 1]]]
        those = those[np.isfinite(those)]
        if len(those) >= 8:
            common[nth] = np.median(those)
    return np.asarray(np.maximum(common[place], 0.05))


def _restlessness(weekly: Floats, transformer: Longs) -> Floats:
    """How much a meter's weeks usually change one after the other, its neighbourhood's movement taken off (log)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(np.maximum(weekly, 1.0)), axis=1)
    for nth in range(steps.shape[1]):
        steps[:, nth] -= np.log(_common(np.exp(steps[:, nth]), transformer))
    return np.asarray(np.nan_to_num(1.4826 * _median_of_rows(np.abs(steps)), nan=1.0))


def _median_of_rows(values: Floats) -> Floats:
    ordered = np.sort(values, axis=1)  # nan last
    count = np.isfinite(values).sum(axis=1)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[:, None], axis=1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[1] - 1)[:, None], axis=1)[:, 0]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _some_days_as_usual(week: Longs, expected: Floats, caution: Caution) -> Mask:
    """Whether two days of the week or more were nearly what was to be expected: somebody was away, not bypassed."""
    days = np.where(week == MISSING_VALUE, 0, week)
    return np.asarray((days > (1 - caution.fall / 2) * expected[:, None]).sum(axis=1) >= 2)


def _why(before: Floats, latest: Floats, caution: Caution) -> npt.NDArray[np.int8]:
    """Of those that fell: empty, solar, or without a reason."""
    spread = latest.std(axis=1) / np.maximum(latest.mean(axis=1), 1e-9)
    own = before - before.mean(axis=1, keepdims=True)
    new = latest - latest.mean(axis=1, keepdims=True)
    length = np.sqrt((own**2).sum(axis=1) * (new**2).sum(axis=1))
    alike = np.where(length > 0, (own * new).sum(axis=1) / np.maximum(length, 1e-9), 0)
    slots = before.shape[1]
    noon, dark = slice(slots * 9 // 24, slots * 16 // 24), np.r_[0 : slots * 6 // 24, slots * 19 // 24 : slots]
    by_day = latest[:, noon].sum(axis=1) / np.maximum(before[:, noon].sum(axis=1), 1e-9)
    by_night = latest[:, dark].sum(axis=1) / np.maximum(before[:, dark].sum(axis=1), 1e-9)
    found = np.full(len(before), Finding.FALLING, dtype=np.int8)
    found[(by_night > 0.75) & (by_day < 0.5 * by_night)] = Finding.SOLAR
    by_night_alone = (by_day > 0.75) & (by_night < 0.5 * by_day)  # nobody is away only after sunset
    unlike = (alike < caution.likeness) & (found != Finding.SOLAR) & ~by_night_alone
    found[(spread < caution.flat) | unlike] = Finding.VACANT
    return found
