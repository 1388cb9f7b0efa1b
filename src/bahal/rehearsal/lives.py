"""What the circle's meters have counted, for the simulated fleet: their registers, and what goes wrong in one centre.

In the centre with the most connections some transformers have an input meter. Behind one of them somebody draws from
the bare line, and two consumers by-pass their meters from the Monday before on.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bahal.fleet.lives import COLUMNS
from bahal.rehearsal.circle import Circle
from bahal.rehearsal.dues import Account
from bahal.shared.periods import next_month

WEEK = timedelta(days=7)
CONNECTIONS_A_INPUT = 400
_LOSSES_PERMILLE = 45
_HOOKED_W = 1_500
_HOOKED_FOR = timedelta(days=40)
_BYPASSED_PERCENT = 25
_BYPASSED = 2
_LEAST_WH = 120_000
"""What somebody uses in a month whose falling is worth a look."""


def input_meters(consumers: int) -> int:
    """How many meters a circle of so many connections has besides, on transformers."""
    return consumers // CONNECTIONS_A_INPUT


@dataclass(frozen=True, slots=True)
class Watched:
    """The centre that is looked at closely: its transformers with the input meter of each, who by-passes his meter,
    behind which transformer somebody draws from the line."""

    centre: int
    inputs: dict[int, str]
    bypassed: tuple[str, ...]
    hooked: int | None


def watched(circle: Circle, *, spare: Sequence[str]) -> Watched:
    """What happens where; `spare` are the serials of meters on no connection."""
    centre = Counter(each.centre for each in circle.connections).most_common(1)[0][0]
    transformers = sorted({each.transformer for each in circle.connections if each.centre == centre})
    inputs = dict(zip(transformers, spare, strict=False))
    listed = {*circle.defaulters, *(each.connection for each in circle.dropouts)}
    steady = [
        account.connection
        for account in circle.accounts
        if account.connection.centre == centre
        and account.connection.number not in listed
        and account.hold is None
        and account.notice is None
        and not account.bills[-1].estimated
        and account.bills[-1].consumption_wh >= _LEAST_WH
    ]
    hooked = min(inputs, default=None)
    behind = [each.meter for each in steady if each.transformer in inputs and each.transformer != hooked] or [
        each.meter for each in steady
    ]
    some = behind if inputs else []
    return Watched(centre, inputs, tuple(some[:_BYPASSED]), hooked)


def write_lives(path: Path, circle: Circle, where: Watched) -> int:
    """Write the file of lives; how many lines."""
    lines = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for line in _lines(circle, where):
            writer.writerow(line)
            lines += 1
    return lines


def _lines(circle: Circle, where: Watched) -> Iterator[tuple[str, date, str, int, str]]:
    for account in circle.accounts:
        yield from _counted(account)
    since = circle.monday - WEEK
    for meter in where.bypassed:
        yield meter, since, "change", _BYPASSED_PERCENT, ""
    behind: dict[int, list[str]] = {}
    for each in circle.connections:
        behind.setdefault(each.transformer, []).append(each.meter)
    for transformer, meter in where.inputs.items():
        yield meter, circle.monday, "input", _LOSSES_PERMILLE, " ".join(behind[transformer])
    if where.hooked is not None:
        yield where.inputs[where.hooked], circle.monday - _HOOKED_FOR, "hooked", _HOOKED_W, ""


def _counted(account: Account) -> Iterator[tuple[str, date, str, int, str]]:
    meter = account.connection.meter
    for day, wh in account.registers:
        yield meter, day, "stand", wh, ""
    for bill in account.bills:
        if bill.estimated:
            yield meter, next_month(bill.month), "lost", 0, ""
