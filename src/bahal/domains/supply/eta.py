"""How long a drive will take, from what each cell took before: a pure rule over its history. Seconds.

The radio cell is the limit: so many sessions at once, each as slow as the cell. A cell that carried enough of an
earlier drive is believed by its pace; one that carried little by the length of its sessions; one without a history is
assumed slow, and said to be. Caps do not slow a drive down: what exceeds them is quarantined, and counted here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

ENOUGH = 20
"""So many orders in one drive say how fast a cell is; fewer say only how long one takes."""
AT_ONCE = 8
"""Sessions at once in a cell, unless the interlock's file says otherwise."""
ROUND_TRIPS = 4
"""A session is so many times as long as its part from the command to the relay read back."""
ASSUMED_S = 10.0
"""A session in a cell that nobody knows."""


class CellHistory(NamedTuple):
    """What a cell did: the median seconds from command to read-back, how often an order was tried, and its largest
    share of one drive: so many orders in so many seconds."""

    cell: str
    answer_s: float
    tries: float
    orders: int
    span_s: float


@dataclass(frozen=True, slots=True)
class Eta:
    """`seconds` in all, the canary first; the cell that ends last; orders in cells without a history; orders beyond the
    caps, which will wait for two officers."""

    seconds: float
    slowest_cell: str
    unknown: int
    beyond_caps: int


def seconds_of(orders: int, history: CellHistory | None) -> float:
    """How long a cell takes for so many orders."""
    if orders <= 0:
        return 0.0
    if history is None:
        return ceil(orders / AT_ONCE) * ASSUMED_S
    session = ROUND_TRIPS * history.answer_s * max(1.0, history.tries)
    if history.orders >= ENOUGH:
        return max(session, orders * history.span_s / history.orders)
    return ceil(orders / AT_ONCE) * session


def eta(
    cells: Mapping[str, int],
    histories: Mapping[str, CellHistory],
    *,
    canary: int = 0,
    ceilings: Mapping[str, int] | None = None,
) -> Eta:
    """The time for so many orders in each cell. `canary` orders go first; `ceilings` are the caps by name."""
    total = sum(cells.values())
    if not total:
        return Eta(0.0, "", 0, 0)
    each = {cell: seconds_of(orders, histories.get(cell)) for cell, orders in cells.items()}
    slowest = max(each, key=lambda cell: (each[cell], cell))
    first = max((seconds_of(1, histories.get(cell)) for cell, orders in cells.items() if orders), default=0.0)
    least = min((ceilings or {}).values(), default=total)
    return Eta(
        seconds=(first if canary else 0.0) + each[slowest],
        slowest_cell=slowest,
        unknown=sum(orders for cell, orders in cells.items() if cell not in histories),
        beyond_caps=max(0, total - least),
    )
