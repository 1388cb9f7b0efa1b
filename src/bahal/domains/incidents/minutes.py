"""Interruption minutes: how long consumers were without supply, in whole seconds first. Pure.

Periods are half-open and merged per connection: two meters, two tellings or a storm and its echo never count twice.
What our own order cut is no interruption of the network and is taken off; what was announced is counted apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.shared.periods import Period


class Dark(NamedTuple):
    """A connection without supply, by one telling; `planned` when the work was announced."""

    connection: int
    period: Period
    planned: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one place and period. Seconds are summed over connections; `interruptions` counts a connection's dark periods.

    `saidi_min` minutes and `saifi` interruptions for an average connection, `caidi_min` minutes an interruption; the
    announced part stands in `planned_s` and is not in the others.
    """

    connections: int
    dark_s: int
    interruptions: int
    planned_s: int
    momentary: int

    @property
    def saidi_min(self) -> float:
        """Minutes without supply for an average connection."""
        return self.dark_s / 60 / self.connections if self.connections else 0.0

    @property
    def saifi(self) -> float:
        """Interruptions of an average connection."""
        return self.interruptions / self.connections if self.connections else 0.0

    @property
    def caidi_min(self) -> float:
        """Minutes that an interruption lasted."""
        return self.dark_s / 60 / self.interruptions if self.interruptions else 0.0


def merged(periods: Iterable[Period]) -> list[Period]:
    """Periods that overlap or meet as one, in order."""
    found: list[Period] = []
    for each in sorted(periods):
        if found and each.start <= found[-1].end:
            if each.end > found[-1].end:
                found[-1] = Period(found[-1].start, each.end)
        else:
            found.append(each)
    return found


def without(periods: Sequence[Period], taken: Sequence[Period]) -> list[Period]:
    """What is left of periods when others are taken off; both merged."""
    left: list[Period] = []
    for each in periods:
        start: datetime = each.start
        for other in taken:
            if other.end <= start or other.start >= each.end:
                continue
            if other.start > start:
                left.append(Period(start, other.start))
            start = max(start, other.end)
            if start >= each.end:
                break
        if start < each.end:
            left.append(Period(start, each.end))
    return left


def figures(
    dark: Iterable[Dark],
    *,
    within: Period,
    connections: int,
    ours: Mapping[int, Sequence[Period]],
    momentary: timedelta,
) -> Figures:
    """The figures of `connections` connections in a period.

    :param ours: when our own orders kept each connection without supply.
    :param momentary: a dark period no longer than this is counted apart. One that reaches over the period's edge is
        judged by its whole length.
    """
    by_connection: dict[int, list[Dark]] = {}
    for each in dark:
        by_connection.setdefault(each.connection, []).append(each)
    dark_s = planned_s = interruptions = short = 0
    for connection, theirs in by_connection.items():
        cut = merged(ours.get(connection, ()))
        announced = merged(each.period for each in theirs if each.planned)
        for out in without(merged(each.period for each in theirs if not each.planned), merged([*announced, *cut])):
            inside = out.overlap(within)
            if inside is None:
                continue
            if out.length <= momentary:
                short += 1
                continue
            interruptions += 1
            dark_s += round(inside.length.total_seconds())
        for work in without(announced, cut):
            inside = work.overlap(within)
            planned_s += round(inside.length.total_seconds()) if inside else 0
    return Figures(connections, dark_s, interruptions, planned_s, short)
