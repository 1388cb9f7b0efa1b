"""What the State takes off a household's bill: free units of BPL households, and the half-bill scheme.

Both are a share of what the first units of the period would have cost (fixed and energy charge with the minimum),
limits in proportion to the days. The half bill of a BPL household is half of what the free units leave.
"""

from __future__ import annotations

from dataclasses import dataclass

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.rules.contract import (
    FREE,
    SCHEME,
    Act,
    Base,
    Charge,
    Piece,
    Rule,
    Slip,
    percent_line,
    share,
)
from bahal.domains.tariffs.table import Slab, Table

_ALL = 10_000


@dataclass(frozen=True, slots=True)
class Free:
    """So many Wh a month are free."""

    wh: int
    path: str


def _read_free(table: Table) -> Free:
    return Free(table.quantity("units"), table.record())


def _read_half(table: Table) -> tuple[Slab, ...]:
    return table.slabs("bands", "percent", percent=True, more=("first",))


def _free(charge: Charge, facts: Facts, base: Base) -> Act:
    free: Free = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        if not facts.bpl or facts.temporary:
            return
        limit = share(free.wh, piece.months)
        price = base(piece, min(piece.wh, limit))
        slip.add(percent_line("free_units", "free_units", free.path, price, -_ALL, upto=limit))

    return act


def _half(charge: Charge, facts: Facts, base: Base) -> Act:
    bands: tuple[Slab, ...] = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        if facts.temporary:
            return
        for band in bands:
            if band.upto is None or piece.wh <= share(band.upto, piece.months):
                first = share(band.more["first"], piece.months)
                price = base(piece, min(piece.wh, first)) + slip.sums.get("free_units", 0)
                slip.add(percent_line("half_bill", "scheme", band.path, price, -band.value, upto=first))
                return

    return act


FREE_UNITS = Rule(
    name="free_units",
    stage=FREE,
    read=_read_free,
    make=_free,
    looks_at=frozenset({"bpl", "temporary"}),
    hi="{component}: पहली {upto} यूनिट का {base} शासन द्वारा देय = {paise}",
    en="{component}: the State pays {base} for the first {upto} units = {paise}",
)
HALF_BILL = Rule(
    name="half_bill",
    stage=SCHEME,
    read=_read_half,
    make=_half,
    looks_at=frozenset({"bpl", "temporary"}),
    hi="{component}: पहली {upto} यूनिट तक के {base} का {percent} = {paise}",
    en="{component}: {percent} of {base} for the first {upto} units = {paise}",
)
RULES = (FREE_UNITS, HALF_BILL)
