"""Instalments: a due paid in parts on agreed days. Missing one beyond the days of grace breaks the plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from bahal.domains.arrears.rules.months import months_after

Standing = Literal["kept", "broken", "fulfilled"]


@dataclass(frozen=True, slots=True)
class Instalment:
    """So many paise until a day."""

    due_on: date
    paise: int


def schedule(*, paise: int, parts: int, first_on: date) -> Sequence[Instalment]:
    """Equal monthly parts; what does not divide is in the first.

    :raises ValueError: fewer than two parts, or less than a paisa for each.
    """
    if parts < 2 or paise < parts:
        raise ValueError(f"{paise} paise in {parts} parts")
    each, rest = divmod(paise, parts)
    return [Instalment(months_after(first_on, nth), each + (rest if nth == 0 else 0)) for nth in range(parts)]


def standing(
    instalments: Sequence[Instalment], paid: Iterable[tuple[date, int]], *, day: date, grace_days: int
) -> tuple[Standing, Instalment | None]:
    """How a plan stands on a day, and the first instalment that was missed. `paid` is since it was agreed.

    An instalment is kept when all that was due by then was paid by its last day of grace; paying more counts ahead.
    """
    received = list(paid)
    wanted = 0
    for each in instalments:
        wanted += each.paise
        last = each.due_on + timedelta(days=grace_days)
        if day > last and sum(paise for on, paise in received if on <= last) < wanted:
            return "broken", each
    return ("fulfilled" if sum(paise for on, paise in received if on <= day) >= wanted else "kept"), None
