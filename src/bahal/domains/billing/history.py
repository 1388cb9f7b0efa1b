"""What a consumer's own past says: an estimate where no reading came, and a bill that does not look like his."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from bahal.domains.billing.registers import most_wh

ACTUAL_WANTED = 3
"""An average is made of so many actual periods, the latest ones."""


class Past(NamedTuple):
    """One period that was billed, `[start, end)`, and whether by estimate."""

    start: date
    end: date
    wh: int
    estimated: bool


class Estimate(NamedTuple):
    """What is billed for want of a reading; `how` is `average` or `last_year`, `of` the periods it rests on."""

    wh: int
    how: str
    of: tuple[Past, ...]

    def as_json(self) -> dict[str, Any]:
        """The basis as it is kept with the bill."""
        return {"how": self.how, "of": [[p.start.isoformat(), p.end.isoformat(), p.wh] for p in self.of]}


@dataclass(frozen=True, slots=True)
class Limits:
    """When a bill is outside the consumer's own history; uses are compared by the day.

    More than `high_percent` of his highest and by more than `least_wh` a month over it, or under `low_percent` of his
    lowest where that was over `least_wh` a month; with fewer than `periods` behind him, more than `load_percent` of
    what his load can draw.
    """

    periods: int = 2
    high_percent: int = 250
    low_percent: int = 10
    load_percent: int = 60
    least_wh: int = 100_000


def estimate(past: Sequence[Past], *, start: date, end: date) -> Estimate | None:
    """The use to bill for `[start, end)` without a reading; None where the past has no actual period.

    The average by the day of the last three actual periods; with fewer than three, the same month of the last year, and
    without that the average of those there are.
    """
    days = (end - start).days
    actual = sorted(each for each in past if not each.estimated and each.end <= start)
    latest = actual[-ACTUAL_WANTED:]
    if len(latest) < ACTUAL_WANTED:
        year_ago = [each for each in actual if (each.start.year, each.start.month) == (start.year - 1, start.month)]
        if year_ago:
            each = year_ago[-1]
            return Estimate(each.wh * days // (each.end - each.start).days, "last_year", (each,))
    if not latest:
        return None
    known = sum((each.end - each.start).days for each in latest)
    return Estimate(sum(each.wh for each in latest) * days // known, "average", tuple(latest))


def unusual(past: Sequence[Past], *, wh: int, days: int, load_w: int, limits: Limits) -> bool:
    """Whether a use of `wh` in so many days does not look like this consumer's."""
    actual = [each for each in past if not each.estimated]
    if len(actual) < limits.periods:
        return wh * 100 > most_wh(load_w, days) * limits.load_percent
    rates = [each.wh * 30 // max(1, (each.end - each.start).days) for each in actual]  # Wh in thirty days
    now = wh * 30 // days
    high, low = max(rates), min(rates)
    if now * 100 > high * limits.high_percent and now - high > limits.least_wh:
        return True
    return low > limits.least_wh and now * 100 < low * limits.low_percent
