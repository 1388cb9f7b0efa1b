"""What a simulated household draws, computed and never stored.

Every figure is a pure function of a meter's seed and a moment, so that 100,000 meters keep no profile and the same
seed always shows the same past. All arithmetic is in integers. Cumulative energy is exact and monotone: the energy of
a block is the difference of two cumulative readings, so registers, blocks and days always agree.

Times are UTC seconds since 1970. Days, half hours and months are those of Asia/Kolkata, which has one fixed offset.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

IST_SECONDS: Final = 19_800
DAY: Final = 86_400
BLOCK: Final = 1_800
BLOCKS: Final = DAY // BLOCK

DARK_KEPT: Final = 256
_OFF: Final = attrgetter("off")

_FIRST_DAY: Final = date(2020, 1, 1)
_DAY_ZERO: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) - IST_SECONDS
_YEAR: Final = 365


def _season() -> tuple[int, ...]:
    """Cumulative seasonal weight in per mille: May is the hottest month, January the coolest."""
    total, sums = 0, [0]
    for day in range(_YEAR):
        total += 1000 + round(250 * math.cos(2 * math.pi * (day - 140) / _YEAR))
        sums.append(total)
    return tuple(sums)


_SEASON: Final = _season()

# Half-hour weights of a home, a shop and a cold store, from midnight to midnight.
_SHAPES: Final = tuple(
    tuple(weight for weight in hours for _ in range(2))
    for hours in (
        (4, 4, 3, 3, 3, 5, 8, 9, 8, 6, 5, 5, 6, 6, 5, 5, 6, 8, 13, 16, 16, 14, 10, 6),
        (1, 1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 13, 12, 12, 13, 14, 15, 16, 15, 10, 4, 2, 1),
        (7, 7, 7, 7, 7, 7, 7, 8, 8, 9, 9, 10, 10, 10, 10, 10, 9, 9, 8, 8, 8, 7, 7, 7),
    )
)


def _running(shape: Sequence[int]) -> tuple[int, ...]:
    sums = [0]
    for weight in shape:
        sums.append(sums[-1] + weight)
    return tuple(sums)


_RUNNING: Final = tuple(_running(shape) for shape in _SHAPES)
_PEAK_BLOCK: Final = tuple(shape.index(max(shape)) for shape in _SHAPES)


def scramble(seed: int, salt: int) -> int:
    """A cheap 32-bit hash: the only source of variety in the fleet. Not for keys."""
    x = (seed * 0x9E3779B1 ^ salt * 0x85EBCA77) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    x = ((x ^ (x >> 12)) * 0x297A2D39) & 0xFFFFFFFF
    return x ^ (x >> 15)


def day_of(moment: int) -> int:
    """The day number in Asia/Kolkata, counted from 1 January 2020."""
    return (moment - _DAY_ZERO) // DAY


def day_start(day: int) -> int:
    """UTC seconds of the midnight in Asia/Kolkata that opens `day`."""
    return _DAY_ZERO + day * DAY


def midnight(day: date) -> int:
    """UTC seconds of the midnight in Asia/Kolkata that opens a calendar day."""
    return day_start((day - _FIRST_DAY).days)


def month_starts(*, before: int, count: int) -> list[int]:
    """The last `count` month openings at or before `before`, oldest first, as UTC seconds."""
    today = _FIRST_DAY + timedelta(days=day_of(before))
    year, month, starts = today.year, today.month, []
    for _ in range(count):
        starts.append(midnight(date(year, month, 1)))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return starts[::-1]


def _habit(seed: int) -> int:
    return (0, 0, 0, 0, 0, 1, 1, 2)[scramble(seed, 1) & 7]


def _at_midnight(seed: int, day: int) -> int:
    """Cumulative Wh at the opening of `day`. The noise telescopes: it moves a day's use, never the sum of many."""
    base = 2_000 + scramble(seed, 2) % 9_000
    years, rest = divmod(day, _YEAR)
    season = years * _SEASON[_YEAR] + _SEASON[rest]
    return base * season // 1000 + base * (scramble(seed, day + 16) & 0xFFFF) // 262_144


def energy(seed: int, moment: int) -> int:
    """Cumulative active energy in Wh at `moment`, had the supply never been cut."""
    day, second = divmod(moment - _DAY_ZERO, DAY)
    block, rest = divmod(second, BLOCK)
    habit = _habit(seed)
    running = _RUNNING[habit]
    opening = _at_midnight(seed, day)
    share = running[block] * BLOCK + _SHAPES[habit][block] * rest
    return opening + (_at_midnight(seed, day + 1) - opening) * share // (running[BLOCKS] * BLOCK)


def energies(seed: int, start: int, count: int) -> list[int]:
    """`energy` at `count` half hours from `start` on, which is the beginning of one: a long answer, day by day."""
    found: list[int] = []
    running = _RUNNING[_habit(seed)]
    day, second = divmod(start - _DAY_ZERO, DAY)
    block = second // BLOCK
    opening = _at_midnight(seed, day)
    while len(found) < count:
        closing = _at_midnight(seed, day + 1)
        span, whole = closing - opening, running[BLOCKS]
        last = min(BLOCKS, block + count - len(found))
        found += [opening + span * part // whole for part in running[block:last]]
        day, block, opening = day + 1, 0, closing
    return found


class Dark(NamedTuple):
    """One period `[off, on)` without supply (None: not over), and the Wh not drawn in all periods before it."""

    off: int
    on: int | None
    lost_before: int


def darken(seed: int, periods: list[Dark], moment: int) -> None:
    """Note that the supply went off at `moment`; the latest `DARK_KEPT` periods are kept."""
    if not periods:
        periods.append(Dark(moment, None, 0))
        return
    last = periods[-1]
    if last.on is None:
        return
    lost = last.lost_before + energy(seed, last.on) - energy(seed, last.off)
    periods.append(Dark(max(moment, last.on), None, lost))
    if len(periods) > DARK_KEPT:
        del periods[0]


def lighten(periods: list[Dark], moment: int) -> None:
    """Note that the supply came back at `moment`."""
    if periods and periods[-1].on is None:
        last = periods[-1]
        periods[-1] = last._replace(on=max(moment, last.off))


def is_dark(moment: int, periods: Sequence[Dark]) -> bool:
    """Whether a moment lies in a dark period."""
    n = bisect_right(periods, moment, key=_OFF) - 1
    if n < 0:
        return False
    on = periods[n].on
    return on is None or moment < on


def energy_served(seed: int, moment: int, periods: Sequence[Dark]) -> int:
    """Cumulative Wh at `moment`, less what was not drawn in dark periods."""
    total = energy(seed, moment)
    n = bisect_right(periods, moment, key=_OFF) - 1
    if n < 0:
        return total - (periods[0].lost_before if periods else 0)
    period = periods[n]
    until = moment if period.on is None else min(period.on, moment)
    return total - period.lost_before - energy(seed, until) + energy(seed, period.off)


def power(seed: int, moment: int) -> int:
    """Active power in W at `moment` while connected."""
    day, second = divmod(moment - _DAY_ZERO, DAY)
    habit = _habit(seed)
    used = _at_midnight(seed, day + 1) - _at_midnight(seed, day)
    return used * _SHAPES[habit][second // BLOCK] * 2 // _RUNNING[habit][BLOCKS]


def power_factor(seed: int) -> int:
    """In per mille, constant for a meter."""
    return 880 + scramble(seed, 3) % 110


def apparent(seed: int, active: int) -> int:
    """VA or VAh that belong to `active` W or Wh."""
    return active * 1000 // power_factor(seed)


def voltage(seed: int, moment: int) -> int:
    """In hundredths of a volt, steady within a half hour."""
    return 22_000 + scramble(seed, moment // BLOCK) % 2_000


def current(volt_amperes: int, centivolts: int) -> int:
    """In milliamperes."""
    return volt_amperes * 100_000 // centivolts


def frequency(moment: int) -> int:
    """In thousandths of a hertz: one grid, one figure for every meter."""
    return 49_950 + scramble(50, moment // 10) % 100


@lru_cache(maxsize=256)
def peak(seed: int, start: int, end: int) -> tuple[int, int]:
    """Maximum demand in W in `[start, end)` over whole half hours, and the UTC second at which that half hour ended.

    A billing row asks for the same month's four times in a row.
    """
    habit = _habit(seed)
    block = _PEAK_BLOCK[habit]
    best, when = 0, start
    for day in range(day_of(start), day_of(end - 1) + 1):
        closes = day_start(day) + (block + 1) * BLOCK
        if closes > end:
            break
        demand = power(seed, closes - 1)
        if demand > best:
            best, when = demand, closes
    return best, when
