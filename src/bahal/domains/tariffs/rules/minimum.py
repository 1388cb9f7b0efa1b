"""A component costs at least so much a month, by phase: what is missing is a line of its own."""

from __future__ import annotations

from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import DIVISOR, Line
from bahal.domains.tariffs.rules.contract import AT_LEAST, Act, Base, Charge, Piece, Rule, Slip
from bahal.domains.tariffs.table import Table
from bahal.shared.money import divided


@dataclass(frozen=True, slots=True)
class Params:
    """Of which component; rates by the number of phases, each with its path."""

    of: str
    rates: dict[int, tuple[int, str]]


def _read(table: Table) -> Params:
    of = table.text("of", allowed=("fixed", "energy"))
    rates = {}
    for phases, key in ((1, "single_phase"), (3, "three_phase")):
        rates[phases] = (table.rate(key), table.record(key))
    return Params(of, rates)


def _make(charge: Charge, facts: Facts, base: Base) -> Act:
    params: Params = charge.params
    rate, path = params.rates[facts.phases]
    component = params.of

    def act(piece: Piece, slip: Slip) -> None:
        numerator, denominator = piece.numerator, piece.denominator
        least = divided(1000 * rate * numerator, DIVISOR["connection"] * denominator)
        charged = slip.sums.get(component, 0)
        if charged < least:
            slip.add(
                Line(
                    "minimum", component, path, "connection", 1000, rate, numerator, denominator, 0, 0, charged,
                    least - charged,
                )
            )  # fmt: skip

    return act


MINIMUM = Rule(
    name="minimum",
    stage=AT_LEAST,
    read=_read,
    make=_make,
    looks_at=frozenset({"phases"}),
    hi="न्यूनतम {component}: {rate} प्रति माह × {months}, इसमें से {less} लग चुका; शेष {paise}",
    en="Minimum {component}: {rate} a month x {months}, of which {less} is charged; the rest is {paise}",
)
RULES = (MINIMUM,)
