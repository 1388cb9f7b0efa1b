"""What a bill depends on: the connection's facts by days, its use by days, and money that waits.

All days are India's, all periods half-open `[start, end)`. Energy is Wh, load W or thousandths of a HP, money paise.
Order, repetition and lateness of what is given do not matter: a bill is a function of the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple


class Facts(NamedTuple):
    """The connection as the tariff sees it. `kind` is a special user whom a rebate names (`hospital`); `owner` tells
    one owner from the next, whose slabs begin anew."""

    category: str
    phases: int = 1
    load_w: int = 0
    load_mhp: int = 0
    bpl: bool = False
    temporary: bool = False
    kind: str = ""
    owner: str = ""


class Span(NamedTuple):
    """Facts that hold on the days `[start, end)`."""

    start: date
    end: date
    facts: Facts


class Use(NamedTuple):
    """Energy used on the days `[start, end)` by one meter's readings.

    `zones` are all of `wh` by time of day, (zone, Wh), or nothing; `export_wh` what was given back; `demand_w` the
    highest demand; `vah` apparent energy, 0 where it is not measured. `meter` tells a swap.
    """

    start: date
    end: date
    wh: int
    zones: tuple[tuple[str, int], ...] = ()
    export_wh: int = 0
    demand_w: int = 0
    vah: int = 0
    meter: str = ""


class Arrear(NamedTuple):
    """A due without any surcharge in it, unpaid since `due_on` and until `until`; `charged_months` had their surcharge
    on earlier bills. `bill` names it: two equal dues without names are one."""

    paise: int
    due_on: date
    until: date
    charged_months: int = 0
    bill: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinants:
    """All that decides a bill for `[start, end)`. `carried_wh` is export that earlier bills left over; `advance_paise`
    and `deposit_paise` were held all the period."""

    start: date
    end: date
    spans: tuple[Span, ...]
    uses: tuple[Use, ...]
    arrears: tuple[Arrear, ...] = ()
    carried_wh: int = 0
    advance_paise: int = 0
    deposit_paise: int = 0


def steady(facts: Facts, *, start: date, end: date, wh: int) -> Determinants:
    """The determinants of a period in which nothing changed."""
    return Determinants(start=start, end=end, spans=(Span(start, end, facts),), uses=(Use(start, end, wh),))
