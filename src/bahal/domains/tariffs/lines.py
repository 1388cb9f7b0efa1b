"""What a bill is made of: lines that carry all that is needed to compute and to tell them again.

Every line but the last, the rounding, obeys one equation in integers:

    paise = round(quantity x rate x numerator / (DIVISOR[unit] x denominator)) - less

`quantity` is in thousandths of its unit (Wh of kWh, W of kW), or in paise where the unit is `paise`; `rate` in
ten-thousandths of a rupee a unit, or in ten-thousandths of the base where the unit is `paise` (700 is 7 %). Rounding is
half away from zero, to the paisa, once, at the end of a line. A bill is rounded once more, to the rupee, by a line of
its own. These are the only two roundings of money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from bahal.shared.money import divided, to_whole_rupees

MONTH = 377_580
"""One month in the engine's smallest parts of it: 28, 29, 30 and 31 divide it, so a day of any month is whole parts."""

DIVISOR: Mapping[str, int] = {
    "kWh": 100_000,
    "kW": 100_000,
    "HP": 100_000,
    "connection": 100_000,
    "paise": 10_000,
}

COMPONENTS = (
    "net", "fixed", "energy", "demand", "time_of_day", "power_factor", "temporary", "rebate", "free_units", "scheme",
    "fppas", "duty", "cess", "surcharge", "advance_rebate", "interest", "rounding",
)  # fmt: skip
"""What a line may be part of, in the order of a bill."""


class Line(NamedTuple):
    """One line. `path` names the rate, `FY2019-20/LV-1/energy/2`; `above` and `upto` its slab in thousandths of the
    unit (`upto` 0: open); `less` what is taken off, in paise."""

    rule: str
    component: str
    path: str
    unit: str
    quantity: int
    rate: int
    numerator: int
    denominator: int
    above: int
    upto: int
    less: int
    paise: int

    def computed(self) -> int:
        """The amount again, from the operands alone."""
        if self.rule == "rounding":
            return to_whole_rupees(self.quantity)[1]
        whole = divided(self.quantity * self.rate * self.numerator, DIVISOR[self.unit] * self.denominator)
        return whole - self.less


class Unverified(NamedTuple):
    """A rate that a bill took and that nobody has checked against its source. `sha256` is its document's."""

    path: str
    source: str
    sha256: str


class Split(NamedTuple):
    """A day on which something changed. `rated` when the period is rated in two pieces there: slab limits, fixed and
    minimum charges in proportion to the days, consumption too where no reading was taken on that day."""

    day: date
    what: str
    rated: bool


@dataclass(frozen=True, slots=True)
class RatedPiece:
    """Days `[start, end)` under one tariff and the same facts; `months` in parts of `MONTH`; `wh` what was charged."""

    start: date
    end: date
    category: str
    months: int
    wh: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """A bill as the tariff makes it: `pieces` by days, then `closing` lines of the whole.

    `versions` are the documents it took rates from: name and SHA-256. `carried_wh` is export left for the next bill.
    """

    pieces: tuple[RatedPiece, ...]
    closing: tuple[Line, ...]
    splits: tuple[Split, ...]
    unverified: tuple[Unverified, ...]
    versions: tuple[tuple[str, str], ...]
    carried_wh: int

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in the order of the bill."""
        return (*(line for piece in self.pieces for line in piece.lines), *self.closing)

    @property
    def total_paise(self) -> int:
        """What the bill is: the sum of its lines, whole rupees."""
        return sum(line.paise for line in self.lines)

    def paise_of(self, *components: str) -> int:
        """The sum of the lines of these components."""
        return sum(line.paise for line in self.lines if line.component in components)

    def stored(self) -> dict[str, Any]:
        """The form that is kept: JSON-able, integers and names only; `read_stored` is its inverse."""
        return {
            "schema": 1,
            "pieces": [
                [
                    piece.start.isoformat(), piece.end.isoformat(), piece.category, piece.months, piece.wh,
                    [list(line) for line in piece.lines],
                ]
                for piece in self.pieces
            ],
            "closing": [list(line) for line in self.closing],
            "splits": [[split.day.isoformat(), split.what, split.rated] for split in self.splits],
            "unverified": [list(rate) for rate in self.unverified],
            "versions": [list(version) for version in self.versions],
            "carried_wh": self.carried_wh,
        }  # fmt: skip


def read_stored(stored: Mapping[str, Any]) -> Rating:
    """A rating out of its kept form.

    :raises ValueError: another schema.
    """
    if stored.get("schema") != 1:
        raise ValueError(f"not a stored rating of schema 1: {stored.get('schema')!r}")
    return Rating(
        pieces=tuple(
            RatedPiece(date.fromisoformat(start), date.fromisoformat(end), category, months, wh, _lines(lines))
            for start, end, category, months, wh, lines in stored["pieces"]
        ),
        closing=_lines(stored["closing"]),
        splits=tuple(Split(date.fromisoformat(day), what, rated) for day, what, rated in stored["splits"]),
        unverified=tuple(Unverified(*rate) for rate in stored["unverified"]),
        versions=tuple((name, sha256) for name, sha256 in stored["versions"]),
        carried_wh=stored["carried_wh"],
    )


def rounding(paise: int) -> tuple[Line, ...]:
    """The line that makes a sum of paise whole rupees; none where it is whole already."""
    _, added = to_whole_rupees(paise)
    if not added:
        return ()
    return (Line("rounding", "rounding", "", "paise", paise, 0, 1, 1, 0, 0, 0, added),)


def _lines(rows: Iterable[Sequence[Any]]) -> tuple[Line, ...]:
    return tuple(Line._make(row) for row in rows)
