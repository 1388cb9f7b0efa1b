"""Energy given back is set off against energy taken; what is left over is carried to the next bill."""

from __future__ import annotations

from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.lines import Line
from bahal.domains.tariffs.rules.contract import NETTED, Act, Base, Charge, Piece, Rule, Slip
from bahal.domains.tariffs.table import Table


def _read(table: Table) -> str:
    return table.record()


def _make(charge: Charge, facts: Facts, base: Base) -> Act:
    path: str = charge.params

    def act(piece: Piece, slip: Slip) -> None:
        piece.netted = True
        given = piece.export_wh + piece.carried_wh
        if not given:
            return
        taken = piece.wh
        set_off = min(taken, given)
        piece.wh -= set_off
        piece.carried_wh = given - set_off
        slip.add(Line("net_metering", "net", path, "kWh", set_off, 0, 1, 1, taken, given, 0, 0))

    return act


NET_METERING = Rule(
    name="net_metering",
    stage=NETTED,
    read=_read,
    make=_make,
    hi="{component}: ली गई {above} यूनिट में से {quantity} यूनिट दी गई {upto} यूनिट से समायोजित",
    en="{component}: {quantity} of the {above} units taken are set off against {upto} units given",
)
RULES = (NET_METERING,)
