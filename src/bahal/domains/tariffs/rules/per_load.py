"""A fixed charge a month for each kW, HP or connection of the load that is sanctioned.

By slabs of load, never telescopic: the whole load at the rate of the slab that holds it. By phase for a connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import DIVISOR, Line
from bahal.domains.tariffs.rules.contract import CHARGED, Act, Base, Charge, Piece, Rule, Slip
from bahal.domains.tariffs.table import Slab, Table
from bahal.shared.money import divided


@dataclass(frozen=True, slots=True)
class Params:
    """For each `unit`; slabs of load, or one for each number of phases of a connection."""

    unit: str
    slabs: tuple[Slab, ...]
    phases: dict[int, Slab]


def _read(table: Table) -> Params:
    unit = table.text("unit", allowed=("kW", "HP", "connection"))
    if unit == "connection":
        by_phase = {}
        for phases, key in ((1, "single_phase"), (3, "three_phase")):
            by_phase[phases] = Slab(None, table.rate(key), table.record(key), {})
        return Params(unit, (), by_phase)
    slabs = table.slabs("slabs", "rate")
    if slabs[-1].upto is not None:
        raise table.wrong("slabs", "the last must be open: leave out its upto")
    return Params(unit, slabs, {})


def _make(charge: Charge, facts: Facts, base: Base) -> Act:
    params: Params = charge.params
    lower = 0
    if params.unit == "connection":
        load, slab = 1000, params.phases[facts.phases]
    else:
        load = facts.load_w if params.unit == "kW" else facts.load_mhp
        for slab in params.slabs:
            if slab.upto is None or load <= slab.upto:
                break
            lower = slab.upto

    def act(piece: Piece, slip: Slip) -> None:
        numerator, denominator = piece.numerator, piece.denominator
        paise = divided(load * slab.value * numerator, DIVISOR[params.unit] * denominator)
        slip.add(
            Line(
                "per_load", "fixed", slab.path, params.unit, load, slab.value, numerator, denominator, lower,
                slab.upto or 0, 0, paise,
            )
        )  # fmt: skip

    return act


PER_LOAD = Rule(
    name="per_load",
    stage=CHARGED,
    read=_read,
    make=_make,
    looks_at=frozenset({"load_w", "load_mhp", "phases"}),
    hi="{component}: {quantity} {unit} × {rate} प्रति माह × {months} = {paise}",
    en="{component}: {quantity} {unit} x {rate} a month x {months} = {paise}",
)
RULES = (PER_LOAD,)
