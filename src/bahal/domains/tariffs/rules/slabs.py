"""A rate a unit by slabs of consumption.

`telescopic`: the units of each slab at its own rate. `non_telescopic`: all units at the rate of the slab that holds the
last. Limits are a month's; a piece of another length has them in proportion to its days, to the Wh, halves up. A unit
exactly on a limit belongs to the slab below.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import Line
from bahal.domains.tariffs.rules.contract import CHARGED, TAXED, Act, Base, Charge, Piece, Rule, Slip, share
from bahal.domains.tariffs.table import Slab, Table

_WHOLE = 100_000
_HALF = _WHOLE // 2


@dataclass(frozen=True, slots=True)
class Params:
    """What of the bill it is, and its slabs."""

    component: str
    slabs: tuple[Slab, ...]


def _read(table: Table) -> Params:
    component = table.text("component", allowed=("fixed", "energy"))
    slabs = table.slabs("slabs", "rate")
    if slabs[-1].upto is not None:
        raise table.wrong("slabs", "the last must be open: leave out its upto")
    return Params(component, slabs)


def _read_cess(table: Table) -> Params:
    rate = table.rate("rate")
    return Params("cess", (Slab(None, rate, table.record(), {}),))


@dataclass(slots=True)
class _Ladder:
    """Slabs of one length of time: upper limits, and for each slab the lines and the sum of those below it."""

    limits: list[int]
    below: list[list[Line]]
    sums: list[int]
    steps: list[tuple[int, int, int, str]]


def _ladder(name: str, params: Params, months: int) -> _Ladder:
    limits, below, sums, steps = [], [], [], []
    lower, lines, total = 0, list[Line](), 0
    for slab in params.slabs:
        upto = 0 if slab.upto is None else share(slab.upto, months)
        below.append(list(lines))
        sums.append(total)
        steps.append((lower, upto, slab.value, slab.path))
        if upto:
            limits.append(upto)
            if upto > lower:
                line = _line(name, params.component, slab.path, upto - lower, slab.value, lower, upto)
                lines.append(line)
                total += line.paise
            lower = upto
    return _Ladder(limits, below, sums, steps)


def _line(name: str, component: str, path: str, wh: int, rate: int, lower: int, upto: int) -> Line:
    return Line(name, component, path, "kWh", wh, rate, 1, 1, lower, upto, 0, (wh * rate + _HALF) // _WHOLE)


def _telescopic(charge: Charge, facts: Facts, base: Base) -> Act:
    params: Params = charge.params
    component = params.component
    ladders: dict[int, _Ladder] = {}

    def act(piece: Piece, slip: Slip) -> None:
        wh, months = piece.wh, piece.months
        ladder = ladders.get(months)
        if ladder is None:
            ladder = ladders[months] = _ladder("telescopic", params, months)
        nth = bisect_left(ladder.limits, wh)
        lower, upto, rate, path = ladder.steps[nth]
        last = wh - lower
        paise = (last * rate + _HALF) // _WHOLE
        slip.lines += ladder.below[nth]
        slip.lines.append(Line("telescopic", component, path, "kWh", last, rate, 1, 1, lower, upto, 0, paise))
        slip.sums[component] = slip.sums.get(component, 0) + ladder.sums[nth] + paise

    return act


def _non_telescopic(charge: Charge, facts: Facts, base: Base) -> Act:
    params: Params = charge.params
    ladders: dict[int, _Ladder] = {}

    def act(piece: Piece, slip: Slip) -> None:
        ladder = ladders.get(piece.months)
        if ladder is None:
            ladder = ladders[piece.months] = _ladder("non_telescopic", params, piece.months)
        lower, upto, rate, path = ladder.steps[bisect_left(ladder.limits, piece.wh)]
        slip.add(_line("non_telescopic", params.component, path, piece.wh, rate, lower, upto))

    return act


def _per_unit(charge: Charge, facts: Facts, base: Base) -> Act:
    slab = charge.params.slabs[0]

    def act(piece: Piece, slip: Slip) -> None:
        slip.add(_line("cess", "cess", slab.path, piece.wh, slab.value, 0, 0))

    return act


TELESCOPIC = Rule(
    name="telescopic",
    stage=CHARGED,
    read=_read,
    make=_telescopic,
    hi="{component}, {slab}: {quantity} यूनिट × {rate} = {paise}",
    en="{component}, {slab}: {quantity} units x {rate} = {paise}",
)
NON_TELESCOPIC = Rule(
    name="non_telescopic",
    stage=CHARGED,
    read=_read,
    make=_non_telescopic,
    hi="{component}, सभी यूनिट {slab} की दर पर: {quantity} यूनिट × {rate} = {paise}",
    en="{component}, all units at the rate of {slab}: {quantity} units x {rate} = {paise}",
)
CESS = Rule(
    name="cess",
    stage=TAXED,
    read=_read_cess,
    make=_per_unit,
    hi="{component}: {quantity} यूनिट × {rate} = {paise}",
    en="{component}: {quantity} units x {rate} = {paise}",
)
RULES = (TELESCOPIC, NON_TELESCOPIC, CESS)
