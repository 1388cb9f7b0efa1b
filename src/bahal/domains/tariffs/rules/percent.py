"""A percentage of what other components come to: duty, fuel and power purchase adjustment, a rebate for a kind of user,
temporary supply."""

from __future__ import annotations

from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.rules.contract import (
    ADJUSTED,
    REBATED,
    TAXED,
    TEMPORARY,
    Act,
    Base,
    Charge,
    Piece,
    Rule,
    Slip,
    percent_line,
)
from bahal.domains.tariffs.table import Table

_CHARGES = ("fixed", "energy", "demand", "time_of_day", "power_factor", "temporary")
_BASES = (*_CHARGES, "rebate", "free_units", "scheme", "fppas")


@dataclass(frozen=True, slots=True)
class Params:
    """A percentage (ten-thousandths, signed) of these components; a rebate is for one kind of user."""

    percent: int
    on: tuple[str, ...]
    path: str
    kind: str = ""


def _read(table: Table) -> Params:
    percent = table.percent("percent")
    return Params(percent, table.texts("on", allowed=_BASES), table.record())


def _read_rebate(table: Table) -> Params:
    percent = table.percent("percent")
    return Params(-percent, table.texts("on", allowed=_CHARGES), table.record(), table.text("kind"))


def _taking(rule: str, component: str, charge: Charge) -> Act:
    params: Params = charge.params
    percent, on, path = params.percent, frozenset(params.on), params.path

    def act(piece: Piece, slip: Slip) -> None:
        base = 0
        for each, paise in slip.sums.items():
            if each in on:
                base += paise
        slip.add(percent_line(rule, component, path, base, percent))

    return act


def _nothing(piece: Piece, slip: Slip) -> None:
    """For whom the rule is not."""


def _duty(charge: Charge, facts: Facts, base: Base) -> Act:
    return _taking("duty", "duty", charge)


def _fppas(charge: Charge, facts: Facts, base: Base) -> Act:
    return _taking("fppas", "fppas", charge)


def _rebate(charge: Charge, facts: Facts, base: Base) -> Act:
    return _taking("rebate", "rebate", charge) if facts.kind == charge.params.kind else _nothing


def _temporary(charge: Charge, facts: Facts, base: Base) -> Act:
    return _taking("temporary", "temporary", charge) if facts.temporary else _nothing


DUTY = Rule(
    name="duty",
    stage=TAXED,
    read=_read,
    make=_duty,
    hi="{component}: {base} का {percent} = {paise}",
    en="{component}: {percent} of {base} = {paise}",
)
FPPAS = Rule(
    name="fppas",
    stage=ADJUSTED,
    read=_read,
    make=_fppas,
    by_bill=True,
    hi="{component}: {base} का {percent} = {paise}",
    en="{component}: {percent} of {base} = {paise}",
)
REBATE = Rule(
    name="rebate",
    stage=REBATED,
    read=_read_rebate,
    make=_rebate,
    looks_at=frozenset({"kind"}),
    hi="{component}: {base} का {percent} = {paise}",
    en="{component}: {percent} of {base} = {paise}",
)
TEMPORARY_SUPPLY = Rule(
    name="temporary",
    stage=TEMPORARY,
    read=_read,
    make=_temporary,
    looks_at=frozenset({"temporary"}),
    hi="{component}, सामान्य दर के ऊपर: {base} का {percent} = {paise}",
    en="{component}, above the normal tariff: {percent} of {base} = {paise}",
)
RULES = (DUTY, FPPAS, REBATE, TEMPORARY_SUPPLY)
