"""What simulated meters have counted, where a story says so: in place of the habit that their seed gives them.

A file of lives is CSV with the header `meter,day,what,value,of`, a line for each fact:

| what | value | meaning |
|---|---|---|
| `stand` | Wh | the register at the midnight in India that opens `day`; a meter's first one is the day it was put up |
| `change` | percent | from that midnight on it counts so much of what it would have counted; after its last stand |
| `unused` | percent | the same, and its people draw no more than that: nobody by-passes it |
| `lost` | - | it did not keep the billing row of that day |
| `input` | per mille | it measures what goes into a transformer: the meters in `of` and so much more for losses |
| `hooked` | W | what is drawn besides from the lines behind that meter, day and night, from `day` on |

Between two stands a meter counts in the shape of its habit; after the last one it goes on at the pace of the last two.
"""

from __future__ import annotations

import csv
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

from bahal.fleet import consumption

COLUMNS: Final = ("meter", "day", "what", "value", "of")
_PERCENT: Final = 100
_PERMILLE: Final = 1000
_HOUR: Final = 3600


class LivesError(Exception):
    """A line of a file of lives cannot be used.

    Attributes: `line` (1 is the header), `reason`.
    """

    def __init__(self, *, line: int, reason: str) -> None:
        super().__init__(f"lives line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class Curve:
    """Wh counted, by the Wh that the habit alone would have counted: points, and the pace after the last one."""

    habit: array[int]
    wh: array[int]
    pace: tuple[int, int]

    def at(self, habit_wh: int) -> int:
        """Wh at a moment of the habit; before the first point the meter had counted what it was put up with."""
        n = bisect_right(self.habit, habit_wh) - 1
        if n < 0:
            return self.wh[0]
        if n == len(self.habit) - 1:
            gained, of = self.pace
        else:
            gained, of = self.wh[n + 1] - self.wh[n], self.habit[n + 1] - self.habit[n]
        return self.wh[n] + (habit_wh - self.habit[n]) * gained // of

    def scaled(self, habit_wh: int, amount: int) -> int:
        """W of the habit as they are at that moment."""
        n = bisect_right(self.habit, habit_wh) - 1
        if n < 0:
            return 0
        if n == len(self.habit) - 1:
            return amount * self.pace[0] // self.pace[1]
        return amount * (self.wh[n + 1] - self.wh[n]) // (self.habit[n + 1] - self.habit[n])


@dataclass(slots=True)
class Life:
    """One meter's: what it counts, what its people draw (None: the same), since when, and the rows it lost."""

    counted: Curve
    drawn: Curve | None
    since: int
    lost: frozenset[int] = frozenset()


@dataclass(slots=True)
class Input:
    """The rows behind an input meter, by how much more goes in, and what is hooked on: W and since when."""

    behind: array[int]
    losses: int
    hooked: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Lives:
    """The lives of a roster's rows; a row without one lives by its seed."""

    of: dict[int, Life] = field(default_factory=dict)
    inputs: dict[int, Input] = field(default_factory=dict)


@dataclass(slots=True)
class _Facts:
    stands: list[tuple[int, int]] = field(default_factory=list)
    changes: list[tuple[int, int, bool]] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)


def read_lives(path: Path, *, rows: Mapping[str, int], seed_of: Callable[[int], int]) -> Lives:
    """Read a file of lives. `rows` gives the row of each serial, `seed_of` a row's seed.

    :raises LivesError: names the first line that cannot be used.
    :raises OSError: the file cannot be read.
    """
    facts: dict[int, _Facts] = {}
    lives = Lives()
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise LivesError(line=1, reason=f"the header is not {','.join(COLUMNS)}")
        for line in reader:
            try:
                _take(line, facts, lives, rows)
            except KeyError as unknown:
                raise LivesError(line=reader.line_num, reason=f"no meter {unknown.args[0]} in the roster") from None
            except ValueError as wrong:
                raise LivesError(line=reader.line_num, reason=str(wrong)) from None
    for row, of in facts.items():
        try:
            lives.of[row] = _life(of, seed_of(row))
        except ValueError as wrong:
            raise LivesError(line=reader.line_num, reason=f"row {row}: {wrong}") from None
    return lives


def _take(line: Mapping[str, str], facts: dict[int, _Facts], lives: Lives, rows: Mapping[str, int]) -> None:
    row, what = rows[line["meter"]], line["what"]
    midnight = consumption.midnight(date.fromisoformat(line["day"]))
    value = int(line["value"] or 0)
    if what == "input":
        lives.inputs[row] = Input(array("L", (rows[serial] for serial in line["of"].split())), value)
    elif what == "hooked":
        if row not in lives.inputs:
            raise ValueError("hooked on a meter that is no input")
        lives.inputs[row].hooked = (value, midnight)
    elif what == "stand":
        facts.setdefault(row, _Facts()).stands.append((midnight, value))
    elif what in ("change", "unused"):
        facts.setdefault(row, _Facts()).changes.append((midnight, value, what == "unused"))
    elif what == "lost":
        facts.setdefault(row, _Facts()).lost.add(midnight)
    else:
        raise ValueError(f"{what} is none of stand, change, unused, lost, input, hooked")


def _life(facts: _Facts, seed: int) -> Life:
    """Curves through the stands; with changes, the meter's own and that of its people."""
    stands = sorted(facts.stands)
    if not stands:
        raise ValueError("no stand")
    habit = array("q", (consumption.energy(seed, moment) for moment, _ in stands))
    wh = array("q", (stand for _, stand in stands))
    if any(later < earlier for earlier, later in pairwise(wh)):
        raise ValueError("a stand is less than the one before")
    pace = (wh[-1] - wh[-2], habit[-1] - habit[-2]) if len(wh) > 1 else (1, 1)
    drawn = Curve(habit, wh, pace)
    counted = drawn
    for moment, percent, by_all in sorted(facts.changes):
        if moment < stands[-1][0]:
            raise ValueError("a change before the last stand")
        counted = _changed(counted, seed, moment, (pace[0] * percent, pace[1] * _PERCENT))
        if by_all:
            drawn = _changed(drawn, seed, moment, (pace[0] * percent, pace[1] * _PERCENT))
    return Life(counted, None if drawn == counted else drawn, stands[0][0], frozenset(facts.lost))


def _changed(curve: Curve, seed: int, moment: int, pace: tuple[int, int]) -> Curve:
    there = consumption.energy(seed, moment)
    return Curve(curve.habit + array("q", (there,)), curve.wh + array("q", (curve.at(there),)), pace)


def with_losses(wh: int, given: Input, moment: int) -> int:
    """What goes in, in Wh, where so much is measured behind."""
    watts, since = given.hooked
    return wh * (_PERMILLE + given.losses) // _PERMILLE + watts * max(0, moment - since) // _HOUR
