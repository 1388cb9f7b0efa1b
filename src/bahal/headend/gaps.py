"""What is missing of a meter, as ranges to ask for: exactly the gaps, of the days that are over or also of today.

Moments are UTC seconds. A row of the load profile is stamped with the end of its interval (IS 15959); a daily row with
the midnight that opens its day, a billing row with its billing date. Both ends of a range are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

IST_S: Final = 19_800
DAY_S: Final = 86_400
EPOCH: Final = date(1970, 1, 1)
MOST_DAYS: Final = 8
"""Days of intervals that one session asks for."""
MOST_DAYS_AT_ONCE: Final = 35
"""Where somebody waits, and the meter has not failed to give as much."""
MOST_RANGES: Final = 8
BITS: Final = 96
BILLING_DAYS: Final = 365
"""A meter keeps twelve billing rows (IS 15959)."""

Range = tuple[int, int]


class Gaps(NamedTuple):
    """Ranges to ask for, and whether these are all that is missing."""

    ranges: tuple[Range, ...]
    complete: bool


def midnight(day: date) -> int:
    """The UTC second at which a day begins in India."""
    return (day - EPOCH).days * DAY_S - IST_S


def day_at(moment: int) -> date:
    """The day in India that a UTC second belongs to."""
    return EPOCH + timedelta(days=(moment + IST_S) // DAY_S)


def load_gaps(
    known: Mapping[date, int], *, now: int, back_days: int, open_day: bool, period_s: int, most_days: int = MOST_DAYS
) -> Gaps:
    """The gaps of the load profile over the last `back_days` days, and today if `open_day`.

    `known` has the bits of each day's intervals, the first interval in the highest of `BITS` bits. Of more than
    `most_days` with a gap the oldest are asked for first.
    """
    today = day_at(now)
    slots = DAY_S // period_s
    ranges: list[Range] = []
    asked_days = 0
    for back in range(back_days, -1 if open_day else 0, -1):
        day = today - timedelta(days=back)
        start = midnight(day)
        ended = slots if back else (now - start) // period_s
        missing = ~(known.get(day, 0) >> (BITS - ended)) & ((1 << ended) - 1)
        if not missing:
            continue
        if asked_days == most_days:
            return Gaps(_few(ranges), complete=False)
        asked_days += 1
        for first, last in _runs(missing, ended):
            begin, end = start + (first + 1) * period_s, start + (last + 1) * period_s
            if ranges and ranges[-1][1] == begin - period_s:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((begin, end))
    return Gaps(_few(ranges), complete=True)


def _runs(bits: int, count: int) -> Iterator[tuple[int, int]]:
    """First and last of each run of ones among `count` bits, the highest of which is number 0."""
    while bits:
        first = count - bits.bit_length()
        # The run ends where the ones, taken as a number of their own, stop.
        rest = bits ^ ((1 << (count - first)) - 1)
        last = count - 1 - rest.bit_length()
        yield first, last
        bits &= (1 << (count - 1 - last)) - 1


def daily_gaps(known: Collection[date], *, now: int, back_days: int, beside: Collection[Range] = ()) -> Gaps:
    """The midnights whose registers are missing, as one range, back to the one that opened the first day.

    `beside` are ranges of intervals that are asked for in the same call: the midnights that open and close their days
    belong to the range, known or not, so that intervals and registers can be compared.
    """
    today = day_at(now)
    wanted = [today - timedelta(days=back) for back in range(back_days, -1, -1)]
    moments = [midnight(day) for day in wanted if day not in known]
    for first, last in beside:
        # An interval is stamped with its end: the midnight that ends a day is its last one's stamp.
        moments.append(midnight(day_at(first - 1)))
        moments.append(min(midnight(day_at(last - 1) + timedelta(days=1)), midnight(today)))
    return Gaps(((min(moments), max(moments)),), True) if moments else Gaps((), True)


def billing_gaps(known: Collection[date], *, now: int) -> Gaps:
    """The months of which no billing row is there, as one range up to now; a billing date may be any day of a month.

    A meter that showed none yet is asked for the last year; of others the oldest row known is the first they kept.
    """
    today = day_at(now)
    there = {(day.year, day.month) for day in known}
    month = (min(known) if known else today - timedelta(days=BILLING_DAYS)).replace(day=1)
    while month <= today:
        if (month.year, month.month) not in there:
            return Gaps(((midnight(month), now),), True)
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return Gaps((), True)


def _few(ranges: list[Range]) -> tuple[Range, ...]:
    """At most `MOST_RANGES`: those with the least between them are asked for as one."""
    while len(ranges) > MOST_RANGES:
        at = min(range(len(ranges) - 1), key=lambda n: ranges[n + 1][0] - ranges[n][1])
        ranges[at : at + 2] = [(ranges[at][0], ranges[at + 1][1])]
    return tuple(ranges)
