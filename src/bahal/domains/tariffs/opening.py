"""Which half hours stand behind a line of a bill: a pure function of the line and of the use by half hours.

A slab's line stands on those half hours in which the use of its piece, added up from its first half hour on, went from
the slab's lower limit to its upper one. A line of a zone stands on the half hours of its zone, one of demand above the
sanctioned load on those whose mean load was above it. What the meter's registers say is billed; this only shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from bahal.domains.tariffs.book import Book
from bahal.domains.tariffs.lines import Line, RatedPiece, Rating
from bahal.domains.tariffs.rules.demand import HALF_HOURS, TIME_OF_DAY, Zones

Way = Literal["slab", "all", "zone", "demand"]
HALVES_AN_HOUR = 2

_WAYS: Mapping[str, Way] = {
    "telescopic": "slab",
    "non_telescopic": "all",
    "cess": "all",
    "time_of_day": "zone",
    "excess_demand": "demand",
}


def way_of(line: Line, piece: RatedPiece) -> Way | None:
    """How a line opens; None where it rests on amounts or on the load that is sanctioned, not on what was used.

    Where energy given back was set off, nobody can say at which hour a slab was reached: all half hours are behind it.
    """
    way = _WAYS.get(line.rule)
    return "all" if way == "slab" and any(each.rule == "net_metering" for each in piece.lines) else way


def opening_of(rating: Rating) -> dict[int, tuple[Way, RatedPiece]]:
    """The lines of a bill that open, counted from 1, each with its way and its piece."""
    found = {}
    nth = 0
    for piece in rating.pieces:
        for line in piece.lines:
            nth += 1
            way = way_of(line, piece)
            if way is not None:
                found[nth] = (way, piece)
    return found


def zone_of(line: Line) -> str:
    """The zone of the day of a time-of-day line."""
    return line.path.rpartition("/")[2].partition("_")[0]


def zone_hours(book: Book, line: Line, piece: RatedPiece) -> frozenset[int] | None:
    """The half hours of a day, counted from midnight, that are the line's zone; None where the schedule states none."""
    for rule, row in book.card(piece.category, piece.start).rows:
        params = row.charge.params
        if rule is TIME_OF_DAY and isinstance(params, Zones):
            zone = zone_of(line)
            if params.percents.get(zone, (0, ""))[1] == line.path:
                return params.hours.get(zone)
    return None


def behind(way: Way, line: Line, wh: Sequence[int | None], *, hours: Iterable[int] = ()) -> list[int | None]:
    """What of each half hour is behind the line: Wh, and for demand the W above what is sanctioned.

    :param wh: the piece's half hours in their order from midnight of its first day on; None for one that is not known.
    :param hours: the zone's half hours of a day.
    """
    if way == "slab":
        return _between(wh, line.above, line.upto)
    if way == "demand":
        return [None if each is None else max(0, each * HALVES_AN_HOUR - line.above) for each in wh]
    if way == "zone":
        mine = frozenset(hours)
        return [None if each is None else each if nth % HALF_HOURS in mine else 0 for nth, each in enumerate(wh)]
    return list(wh)


def _between(wh: Sequence[int | None], above: int, upto: int) -> list[int | None]:
    """Of each half hour what lies between two limits of the use added up; `upto` 0: no upper one."""
    found: list[int | None] = []
    used = 0
    for each in wh:
        if each is None:
            found.append(None)
            continue
        low, high = max(used, above), used + each if not upto else min(used + each, upto)
        found.append(max(0, high - low))
        used += each
    return found
