"""Energy balance: what went into a transformer or feeder against what its meters measured, with how sure one can be.

What is missing is loss in wires and whoever draws past his meter. Intervals that were estimated count as measured but
lower the confidence; where too little is known nothing is claimed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SURE: Final = 0.95
"""The share of measured intervals from which a loss is claimed."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Row by row for each place: Wh in, Wh measured, Wh lost (below zero: more came out than went in), the share lost
    (nan where nothing went in), and the confidence, the share of its intervals that were measured and not estimated."""

    place: Longs
    in_wh: Longs
    out_wh: Longs
    lost_wh: Longs
    lost_share: Floats
    confidence: Floats

    def worst_first(self) -> npt.NDArray[np.int64]:
        """The rows of places of which enough is known, by energy lost."""
        sure = np.flatnonzero((self.confidence >= SURE) & (self.in_wh > 0))
        return sure[np.argsort(-self.lost_wh[sure], kind="stable")]


def balance(
    *,
    place_in: Longs,
    in_wh: Longs,
    place_out: Longs,
    out_wh: Longs,
    estimated: Longs,
    expected: Longs,
) -> Balance:
    """Balance each place that has an input meter.

    :param place_in: the place of each input meter, (m,), with `in_wh` its energy; several are summed.
    :param place_out: the place of each consumer's meter, (n,), with `out_wh`, and of its `expected` intervals how many
        were `estimated`; a meter of which nothing is known has all of them estimated.
    """
    places, inverse = np.unique(place_in, return_inverse=True)
    total_in = np.bincount(inverse, weights=in_wh, minlength=len(places)).astype(np.int64)
    where = np.searchsorted(places, place_out)
    where[where == len(places)] = 0
    mine = places[where] == place_out if len(places) else np.zeros(len(place_out), np.bool_)
    there = where[mine]

    def summed(values: Longs) -> Longs:
        return np.bincount(there, weights=values[mine], minlength=len(places)).astype(np.int64)

    total_out, guessed, wanted = summed(out_wh), summed(estimated), summed(expected)
    lost = total_in - total_out
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total_in > 0, lost / total_in, np.nan)
        confidence = np.where(wanted > 0, 1 - guessed / wanted, 0.0)
    return Balance(places, total_in, total_out, lost, share, confidence)


def hours(wh: npt.NDArray[np.int32]) -> Longs:
    """Intervals of days, (n, slots), as 24 hours, (n, 24)."""
    return np.asarray(wh.reshape(len(wh), 24, -1).sum(axis=2, dtype=np.int64))
