"""The report's figures, worked out once for the terminal and the page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bahal.rehearsal.places import DIVISIONS
from bahal.rehearsal.recovery.details import Payer
from bahal.shared.money import PAISE_IN_RUPEE
from bahal.shared.text import Language

MOST_BARS = 12
_WIDTHS_MS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 300_000, 600_000, 3_600_000)
_DIVISION_HI = {division.name: division.name_hi for division in DIVISIONS}


class Step(NamedTuple):
    """A step of the funnel; `key` names it in `words`."""

    key: str
    number: int


class Division(NamedTuple):
    """One division's row; None where the result does not tell."""

    name: str
    sent: int
    confirmed: int
    paid: int | None
    rupees: int | None
    restored: int | None
    dark: int | None


class Bar(NamedTuple):
    """`number` waits of `low` up to but not including `high` seconds; `high` None: and longer."""

    low: float
    high: float | None
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What both reports show. `waits` are seconds from payment to light, rising."""

    funnel: tuple[Step, ...]
    divisions: tuple[Division, ...]
    total: Division
    waits: tuple[float, ...]
    bars: tuple[Bar, ...]


def figures_of(result: Mapping[str, Any], details: Sequence[Payer] | None, language: Language) -> Figures:
    """Work the figures out. Without `details`, what each payer did is unknown.

    :raises KeyError: the result lacks a key that the contract names.
    """
    waits = sorted(each.seconds for each in details or () if each.seconds is not None)
    divisions = tuple(_divisions(result, details, language))
    cut = result["cut"]
    known = details is not None
    return Figures(
        funnel=_funnel(result),
        divisions=divisions,
        total=Division(
            "",
            cut["sent"],
            cut["confirmed"],
            sum(each.paid or 0 for each in divisions) if known else None,
            sum(each.rupees or 0 for each in divisions) if known else None,
            sum(each.restored or 0 for each in divisions) if known else None,
            sum(each.dark or 0 for each in divisions) if known else None,
        ),
        waits=tuple(waits),
        bars=bars_of(waits),
    )


def bars_of(waits: Sequence[float]) -> tuple[Bar, ...]:
    """A histogram of at most `MOST_BARS` bars of one width; the slowest twentieth does not stretch it."""
    if not waits:
        return ()
    ordered = sorted(round(wait * 1000) for wait in waits)
    usual = ordered[max(0, math.ceil(len(ordered) * 0.95) - 1)]
    for width in _WIDTHS_MS:
        first = ordered[0] // width
        bars = usual // width - first + 1
        if bars < MOST_BARS:
            break
    numbers = [0] * bars
    for wait in ordered:
        if wait // width - first < bars:
            numbers[wait // width - first] += 1
    edges = [(first + n) * width / 1000 for n in range(bars + 1)]
    shown = [Bar(low, high, number) for low, high, number in zip(edges, edges[1:], numbers, strict=False)]
    longer = len(ordered) - sum(numbers)
    return (*shown, Bar(edges[-1], None, longer)) if longer else tuple(shown)


def division_name(name: str, language: Language) -> str:
    """A division's name in the reader's language, as far as it is known."""
    return _DIVISION_HI.get(name, name) if language == "hi" else name


def _funnel(result: Mapping[str, Any]) -> tuple[Step, ...]:
    cut = result["cut"]
    return (
        Step("listed", result["proposed"] + result["dropped_out"]),
        Step("dropped_out", result["dropped_out"]),
        Step("proposed", result["proposed"]),
        Step("cancelled_paid", result["cancelled_paid"]),
        Step("sent", cut["sent"]),
        Step("confirmed", cut["confirmed"]),
        Step("paid", result["paid"]["count"]),
        Step("restored", result["restored"]["confirmed"]),
        Step("still_dark", result["still_dark"]),
    )


def _divisions(result: Mapping[str, Any], details: Sequence[Payer] | None, language: Language) -> list[Division]:
    rows = []
    for name, row in result["cut"]["by_division"].items():
        shown = division_name(name, language)
        if details is None:
            rows.append(Division(shown, row["sent"], row["confirmed"], None, None, None, None))
            continue
        mine = [each for each in details if each.division == name]
        lit = len({each.connection for each in mine if each.lit_at is not None})
        rows.append(
            Division(
                shown,
                row["sent"],
                row["confirmed"],
                len(mine),
                sum(each.paise for each in mine) // PAISE_IN_RUPEE,
                lit,
                row.get("dark", row["confirmed"] - lit),
            )
        )
    return rows
