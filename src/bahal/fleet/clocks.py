"""Meters' clocks that are off: how far by the seed, what their profiles then hold, and the log of every setting.

A row of a profile is captured when the meter's own clock comes to its stamp. A clock that is set back over a stamp
captures it twice, one that is set over it never: so the profile of a meter tells what was done to its clock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bahal.dlms import clock
from bahal.dlms.india import IST
from bahal.dlms.objects.model import Column
from bahal.dlms.objects.profile import Between, RowChoice
from bahal.dlms.objects.serving import Origin
from bahal.fleet import consumption
from bahal.fleet.consumption import BLOCK, DAY
from bahal.fleet.faults import chance
from bahal.fleet.store import ALWAYS, Era, MeterColumns

if TYPE_CHECKING:
    from bahal.fleet.meter import SimulatedMeter

KEPT: Final = {"block_profile": 2880, "daily_profile": 60, "billing_profile": 12}
"""The profiles that capture by the clock, and how many rows each keeps."""

_RIGHT: Final = (Era(ALWAYS, 0),)
_LEAST_S: Final = 45
_MOST_S: Final = 420
_BY_STAMP: Final = frozenset(("demand_active", "demand_apparent"))
"""What belongs to the month that a stamp closes, however late it was captured."""


class Captured(NamedTuple):
    """A row's stamp by the meter's clock, the UTC second at which it was captured, and that of the row before it."""

    stamp: int
    moment: int
    before: int


def drift_of(*, seed: int, serial: str, share: float) -> int:
    """How many seconds a meter's clock is off from the first: nothing for all but a share of the meters."""
    if chance(seed, serial, "drifts") >= share:
        return 0
    off = _LEAST_S + int((_MOST_S - _LEAST_S) * chance(seed, serial, "drift"))
    return off if chance(seed, serial, "fast") < 0.5 else -off


def let_drift(columns: MeterColumns, *, share: float, seed: int) -> int:
    """Let a share of the clocks be off, as they have always been; how many are."""
    drifting = 0
    for row in range(len(columns)):
        off = drift_of(seed=seed, serial=columns.serial_of(row), share=share)
        if off:
            columns.move_clock(row, ALWAYS, off)
            drifting += 1
    return drifting


def offset_at(eras: Sequence[Era], moment: int) -> int:
    """How far ahead the clock stood at a moment."""
    found = 0
    for era in eras:
        if era.since > moment:
            break
        found = era.offset
    return found


def captures(meter: SimulatedMeter, name: str) -> list[Captured]:
    """The rows that a profile holds now, oldest first."""
    depth = KEPT[name]
    found: list[tuple[int, int]] = []
    until = meter.now
    for era in reversed(meter.eras or _RIGHT):
        first = era.since + era.offset
        for stamp in _stamps(name, until + era.offset):
            if stamp <= first or len(found) > depth:
                break
            found.append((stamp, stamp - era.offset))
        until = era.since
    found.reverse()
    return [
        Captured(stamp, moment, found[n - 1][1] if n else moment - BLOCK)
        for n, (stamp, moment) in enumerate(found)
        if n or len(found) <= depth
    ]


def _stamps(name: str, until: int) -> Iterator[int]:
    """A profile's stamps up to one, latest first, without end."""
    if name == "billing_profile":
        yield from reversed(consumption.month_starts(before=until, count=KEPT[name] + 1))
        return
    step = BLOCK if name == "block_profile" else DAY
    stamp = until - until % BLOCK if step == BLOCK else consumption.day_start(consumption.day_of(until))
    while True:
        yield stamp
        stamp -= step


def chosen(meter: SimulatedMeter, name: str, choice: RowChoice) -> list[Captured]:
    """The rows of a profile that were asked for."""
    found = captures(meter, name)
    if isinstance(choice, Between):
        first, last = choice.from_at.timestamp(), choice.to_at.timestamp()
        return [each for each in found if first <= each.stamp <= last]
    return found[choice.first - 1 : choice.last or None]


def blocks(meter: SimulatedMeter, captured: Sequence[Captured]) -> list[list[Any]]:
    """Rows of the block load profile: what was used since the row before, however long that was."""
    rows: list[list[Any]] = []
    for stamp, moment, before in captured:
        used, volts = meter.energy(moment) - meter.energy(before), consumption.voltage(meter.seed, moment - 1)
        drawn = used * 3600 // max(1, moment - before)
        amperes = consumption.current(meter.apparent(drawn), volts) // 10
        rows.append([_twelve(stamp), volts, used, meter.apparent(used), 0, 0, amperes])
    return rows


def stamped(column: Column, captured: Captured) -> int | bytes:
    """For a cell of a daily or billing row: its bytes where it is the stamp, else the second to compute it for."""
    if column.source.name in ("clock", "billing_date"):
        return _twelve(captured.stamp)
    return captured.stamp if column.source.name in _BY_STAMP else captured.moment


def _twelve(moment: int) -> bytes:
    return clock.encode(datetime.fromtimestamp(moment, IST))


class ClockLog:
    """The outside world's log of clocks that were set: one JSON line each, written before the clock moves.

    `at`, `business_at` (UTC), `meter`, `from_s` and `to_s` (seconds ahead before and after), `sap`, `counter`.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only.

        :raises OSError: it cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, *, at: datetime, business_at: datetime, meter: str, from_s: int, to_s: int, origin: Origin) -> None:
        """Write one setting.

        :raises OSError: it is not in the file; the clock must not be set.
        """
        entry = {
            "at": at.isoformat(timespec="microseconds"),
            "business_at": business_at.isoformat(timespec="microseconds"),
            "meter": meter,
            "from_s": from_s,
            "to_s": to_s,
            "sap": origin.sap,
            "counter": origin.counter,
        }
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def restore(self, columns: MeterColumns) -> int:
        """Put clocks where earlier settings left them; how many settings were read."""
        rows: dict[str, int] = {}
        read = 0
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut short by a crash
            rows = rows or {columns.serial_of(row): row for row in range(len(columns))}
            row = rows.get(entry["meter"])
            if row is not None:
                moment = int(datetime.fromisoformat(entry["business_at"]).timestamp())
                columns.move_clock(row, moment, int(entry["to_s"]))
                read += 1
        return read
