"""What depends on how the load behaves: demand above the sanctioned load, time of day, power factor.

Each acts only where the meter measured it: no highest demand, no zones and no apparent energy charge nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import DIVISOR, Line
from bahal.domains.tariffs.rules.contract import BY_DEMAND, Act, Base, Charge, Piece, Rule, Slip, percent_line
from bahal.domains.tariffs.table import Table
from bahal.shared.money import divided

HALF_HOURS = 48
_STRETCH = re.compile(r"([01][0-9]|2[0-3]):(00|30)-([01][0-9]|2[0-4]):(00|30)")


@dataclass(frozen=True, slots=True)
class Excess:
    """A rate for each kW above the sanctioned load, a month."""

    rate: int
    path: str


@dataclass(frozen=True, slots=True)
class Zones:
    """For loads above `above` W: a signed percentage of the energy charge by zone, each with its path.

    `hours` are each zone's half hours of the day, counted from midnight, as the schedule states them. They tell which
    half hours are behind a line; what is billed is what the meter counted in its zones.
    """

    above: int
    percents: dict[str, tuple[int, str]]
    hours: dict[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Factor:
    """Below `below` (thousandths) a percentage of the energy charge for each hundredth missing; from `reward_from` on a
    rebate for each hundredth reached, the first one counted."""

    below: int
    penalty: tuple[int, str]
    reward_from: int
    reward: tuple[int, str]


def _read_excess(table: Table) -> Excess:
    return Excess(table.rate("rate"), table.record())


def _read_zones(table: Table) -> Zones:
    above = table.quantity("above_kw")
    percents = {}
    for zone, key, sign in (("peak", "peak_percent", 1), ("solar", "solar_rebate_percent", -1)):
        percents[zone] = (sign * table.percent(key), table.record(key))
    hours = {zone: _hours(table, f"{zone}_hours") for zone in percents if f"{zone}_hours" in table}
    if len(frozenset[int]().union(*hours.values())) != sum(map(len, hours.values())):
        raise table.wrong("solar_hours", "hours of two zones")
    return Zones(above, percents, hours)


def _hours(table: Table, key: str) -> frozenset[int]:
    """The half hours of stretches such as `18:00-22:30`."""
    found: set[int] = set()
    for each in table.texts(key):
        match = _STRETCH.fullmatch(each)
        low, high = (
            (int(match[1]) * 2 + int(match[2]) // 30, int(match[3]) * 2 + int(match[4]) // 30) if match else (0, 0)
        )
        if not low < high <= HALF_HOURS:
            raise table.wrong(key, f"{each}: half hours such as 18:00-22:30 expected")
        found.update(range(low, high))
    return frozenset(found)


def _read_factor(table: Table) -> Factor:
    return Factor(
        table.quantity("below"),
        (table.percent("penalty_percent"), table.record("penalty_percent")),
        table.quantity("reward_from"),
        (table.percent("reward_percent"), table.record("reward_percent")),
    )


def _excess(charge: Charge, facts: Facts, base: Base) -> Act:
    excess: Excess = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        above = piece.demand_w - facts.load_w
        if above > 0:
            numerator, denominator = piece.numerator, piece.denominator
            paise = divided(above * excess.rate * numerator, DIVISOR["kW"] * denominator)
            slip.add(
                Line(
                    "excess_demand", "demand", excess.path, "kW", above, excess.rate, numerator, denominator,
                    facts.load_w, 0, 0, paise,
                )
            )  # fmt: skip

    return act


def _zones(charge: Charge, facts: Facts, base: Base) -> Act:
    zones: Zones = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        if facts.load_w <= zones.above:
            return
        energy = slip.sums.get("energy", 0)
        whole = sum(wh for _, wh in piece.zones)
        for zone, wh in piece.zones:
            if zone in zones.percents and wh:
                percent, path = zones.percents[zone]
                paise = divided(energy * percent * wh, 10_000 * whole)
                slip.add(Line("time_of_day", "time_of_day", path, "paise", energy, percent, wh, whole, 0, 0, 0, paise))

    return act


def _factor(charge: Charge, facts: Facts, base: Base) -> Act:
    factor: Factor = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        if not piece.vah:
            return
        measured = min(divided(piece.wh * 1000, piece.vah), 1000)
        energy = slip.sums.get("energy", 0)
        if measured < factor.below:
            percent, path = factor.penalty
            hundredths = -((measured - factor.below) // 10)
        elif measured >= factor.reward_from:
            percent, path = -factor.reward[0], factor.reward[1]
            hundredths = (measured - factor.reward_from) // 10 + 1
        else:
            return
        slip.add(percent_line("power_factor", "power_factor", path, energy, percent * hundredths, upto=measured))

    return act


EXCESS_DEMAND = Rule(
    name="excess_demand",
    stage=BY_DEMAND,
    read=_read_excess,
    make=_excess,
    looks_at=frozenset({"load_w"}),
    hi="{component}: स्वीकृत {above} kW से ऊपर {quantity} kW × {rate} प्रति माह × {months} = {paise}",
    en="{component}: {quantity} kW above the sanctioned {above} kW x {rate} a month x {months} = {paise}",
)
TIME_OF_DAY = Rule(
    name="time_of_day",
    stage=BY_DEMAND,
    read=_read_zones,
    make=_zones,
    looks_at=frozenset({"load_w"}),
    hi="{component} ({name}): ऊर्जा प्रभार {base} के {share} भाग का {percent} = {paise}",
    en="{component} ({name}): {percent} of {share} of the energy charge {base} = {paise}",
)
POWER_FACTOR = Rule(
    name="power_factor",
    stage=BY_DEMAND,
    read=_read_factor,
    make=_factor,
    hi="{component} {upto}: ऊर्जा प्रभार {base} का {percent} = {paise}",
    en="{component} {upto}: {percent} of the energy charge {base} = {paise}",
)
RULES = (EXCESS_DEMAND, TIME_OF_DAY, POWER_FACTOR)
