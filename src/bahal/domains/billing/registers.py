"""How a meter's registers become use: adjacent stands of one meter, rollover by digits, and what cannot be.

A stand is a register at 00:00 of a day in India. Energy is Wh; a register of `digits` digits counts kWh and begins anew
after 10^digits.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from bahal.domains.billing.errors import RegisterBackwards, RegisterBeyondLoad

WH_IN_KWH = 1000
HOURS_A_DAY = 24

LEAST_LOAD_W = 1_000
"""What every supply can draw, however small the load that was sanctioned."""


class Stand(NamedTuple):
    """One meter's registers at the start of `read_on`; `zones` are parts of `wh` by time of day."""

    read_on: date
    meter: str
    wh: int
    export_wh: int = 0
    vah: int = 0
    demand_w: int = 0
    zones: tuple[tuple[str, int], ...] = ()
    digits: int = 6


class Used(NamedTuple):
    """What one meter measured on the days `[start, end)`, from one stand to the next."""

    start: date
    end: date
    wh: int
    zones: tuple[tuple[str, int], ...]
    export_wh: int
    demand_w: int
    vah: int
    meter: str
    from_wh: int
    to_wh: int


def most_wh(load_w: int, days: int) -> int:
    """The most that the sanctioned load can draw in so many days, always on."""
    return max(load_w, LEAST_LOAD_W) * HOURS_A_DAY * days


def advance(earlier: int, later: int, *, digits: int) -> int:
    """How far a register went, rollover included: never negative."""
    whole: int = 10**digits * WH_IN_KWH
    return (later - earlier) % whole


def check(earlier: Stand, later: Stand, *, load_w: int) -> int:
    """The Wh from one stand of a meter to the next.

    :raises RegisterBackwards: it went back, and a rollover would be more than the load can draw.
    :raises RegisterBeyondLoad: it went forward by more than the load can draw.
    """
    days = (later.read_on - earlier.read_on).days
    most = most_wh(load_w, days)
    wh = advance(earlier.wh, later.wh, digits=later.digits)
    if wh > most:
        wrong = RegisterBackwards if later.wh < earlier.wh else RegisterBeyondLoad
        raise wrong(
            meter=later.meter,
            day=later.read_on,
            before_kwh=earlier.wh // WH_IN_KWH,
            kwh=later.wh // WH_IN_KWH,
            most_kwh=most // WH_IN_KWH,
            days=days,
        )
    return wh


def uses(stands: Sequence[Stand]) -> list[Used]:
    """The use between adjacent stands of each meter; `stands` in order of their days."""
    by_meter: dict[str, list[Stand]] = {}
    for stand in stands:
        by_meter.setdefault(stand.meter, []).append(stand)
    return [_used(*pair) for each in by_meter.values() for pair in pairwise(each)]


def covered(used: Sequence[Used], start: date, end: date) -> bool:
    """Whether these uses follow one another without a gap from `start` to `end`."""
    at = start
    for each in sorted(used):
        if each.start != at:
            return False
        at = each.end
    return at == end


def spread(wh: int, days: Sequence[int]) -> list[int]:
    """Whole Wh over stretches of so many days each, in proportion, with nothing lost."""
    whole = sum(days)
    edges = [0]
    passed = 0
    for each in days:
        passed += each
        edges.append(wh * passed // whole)
    return [high - low for low, high in pairwise(edges)]


def _used(earlier: Stand, later: Stand) -> Used:
    zones: tuple[tuple[str, int], ...] = ()
    if later.zones:
        before: dict[str, Any] = dict(earlier.zones)
        zones = tuple((zone, advance(before.get(zone, 0), wh, digits=later.digits)) for zone, wh in later.zones)
    return Used(
        earlier.read_on,
        later.read_on,
        advance(earlier.wh, later.wh, digits=later.digits),
        zones,
        advance(earlier.export_wh, later.export_wh, digits=later.digits) if later.export_wh else 0,
        later.demand_w,
        advance(earlier.vah, later.vah, digits=later.digits) if later.vah else 0,
        later.meter,
        earlier.wh,
        later.wh,
    )
