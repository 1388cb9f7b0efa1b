"""What a rule is. A file of this folder holds one rule or a few of a kind; `rules/__init__.py` lists the files.

A rule reads its keys of a `[[charge]]`, and makes of them an act that adds lines to the slip of a piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import MONTH, Line
from bahal.domains.tariffs.table import RateRow, Table
from bahal.shared.money import divided

# When in a bill a rule acts. What acts later may build on the lines of what acted before.
NETTED = 0
CHARGED = 10
AT_LEAST = 20
BY_DEMAND = 30
TEMPORARY = 40
REBATED = 50
FREE = 55
SCHEME = 60
ADJUSTED = 70
TAXED = 80


@dataclass(slots=True)
class Piece:
    """Days under one tariff and the same facts. `months` in parts of `MONTH`; `numerator`/`denominator` it reduced.

    `wh` is what is charged; `carried_wh` export left so far, which netting takes from and adds to.
    """

    facts: Facts
    months: int
    numerator: int
    denominator: int
    wh: int
    zones: tuple[tuple[str, int], ...] = ()
    export_wh: int = 0
    demand_w: int = 0
    vah: int = 0
    carried_wh: int = 0
    netted: bool = False


@dataclass(slots=True)
class Slip:
    """The lines so far, and what each component sums to."""

    lines: list[Line] = field(default_factory=list)
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """One more line."""
        self.lines.append(line)
        self.sums[line.component] = self.sums.get(line.component, 0) + line.paise


Act = Callable[[Piece, Slip], None]
Base = Callable[[Piece, int], int]
"""What charges and minimum of a piece would be for so many Wh, in paise."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One `[[charge]]` as its rule has read it."""

    name: str
    path: str
    params: Any
    rates: tuple[RateRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A way to charge.

    `looks_at` names the facts that it depends on: a change of another fact splits nothing. `by_bill` rules take the row
    in force when the bill's period begins, the others are split by days. `hi` and `en` tell a line.
    """

    name: str
    stage: int
    read: Callable[[Table], Any]
    make: Callable[[Charge, Facts, Base], Act]
    hi: str
    en: str
    looks_at: frozenset[str] = frozenset()
    by_bill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A way to charge for the whole bill and not by days. Such a rule's own module says what its `params` are; the
    engine asks for them by name (`delayed_payment`, `advance_rebate`, `deposit_interest`)."""

    name: str
    read: Callable[[Table], Any]
    hi: str
    en: str


def share(limit: int, months: int) -> int:
    """A monthly limit for these months (parts of `MONTH`), in thousandths of the unit, halves away from zero."""
    return limit if months == MONTH else divided(limit * months, MONTH)


def percent_line(rule: str, component: str, path: str, base: int, percent: int, *, upto: int = 0) -> Line:
    """A percentage (ten-thousandths) of an amount, as a line."""
    paise = divided(base * percent, 10_000)
    return Line(rule, component, path, "paise", base, percent, 1, 1, 0, upto, 0, paise)
