"""Tampers: what somebody does to a meter, what the meter says of it at once, and what it keeps.

A tamper sets its bit of the event status word and writes its event into the log of its family, with the codes of
IS 15959 as `bahal.shared.is15959` has them; both go to the head-end in an alert push. Its end clears the bit, writes
the event of restoration if there is one (an opened cover has none: that log does not roll over), and is pushed too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterator
from typing import Final, NamedTuple

from bahal.fleet.circle import Circle
from bahal.shared.meter_events import events, status_bits

LONGEST_S: Final = 600.0
SHORTEST_S: Final = 20.0
_HOUR_S: Final = 3_600.0


class Tamper(NamedTuple):
    """One kind: its bit of the event status word, the event that begins it, and the one that ends it, if any."""

    name: str
    bit: int
    begins: int
    ends: int | None


class TamperUnknown(Exception):
    """The fleet knows no such tamper.

    Attributes: `asked`.
    """

    def __init__(self, asked: str) -> None:
        super().__init__(f"no tamper {asked}: {', '.join(KINDS)}")
        self.asked = asked


class AlreadySo(Exception):
    """It is being done already, or is not being done: nothing changes and nothing is told.

    Attributes: `meter`, `tamper`.
    """

    def __init__(self, meter: str, tamper: str) -> None:
        super().__init__(f"{tamper} of {meter} is so already")
        self.meter = meter
        self.tamper = tamper


def _kind(name: str) -> Tamper:
    ids = {event.name: event.id for event in events().values()}
    bits = {bit.name: bit.bit for bit in status_bits().values()}
    return Tamper(name, bits[name], ids[name], ids.get(f"{name}_restored"))


KINDS: Final = {
    name: _kind(name)
    for name in (
        "cover_open", "magnet", "neutral_disturbance", "current_bypass", "current_reverse_r", "earth_loading",
        "over_current", "low_voltage",
    )
}  # fmt: skip
"""By name. The last two are no tampers of anybody's hand, but are told in the same way."""


def tamper(circle: Circle, row: int, name: str, *, on: bool) -> None:
    """Begin or end a tamper of a meter: its word and its log change, and it tells at once.

    :raises TamperUnknown: no such kind.
    :raises AlreadySo: nothing would change.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise TamperUnknown(name)
    meter = circle.meter(row)
    mask = int(meter.setting("tampers", 0))
    if bool(mask >> kind.bit & 1) == on:
        raise AlreadySo(meter.serial, name)
    circle.columns.settings[row, "tampers"] = mask ^ (1 << kind.bit)
    event = kind.begins if on else kind.ends
    if event is not None:
        circle.columns.add_event(row, meter.now, event)
    circle.alert(row)


class Planned(NamedTuple):
    """A tamper to come: seconds after the one before it, whose, which, and how long it lasts."""

    after_s: float
    row: int
    name: str
    lasts_s: float


def planned(*, seed: int, meters: int, an_hour: float) -> Iterator[Planned]:
    """Tampers without end, so many an hour over the whole fleet; the same seed gives the same ones."""
    chance = random.Random(f"tampers {seed}")  # noqa: S311 - a simulation
    names = sorted(KINDS)
    while True:
        yield Planned(
            chance.expovariate(an_hour / _HOUR_S),
            chance.randrange(meters),
            chance.choice(names),
            chance.uniform(SHORTEST_S, LONGEST_S),
        )


class Tamperers:
    """People at work on a fleet's meters, until `close`."""

    def __init__(self, circle: Circle, *, seed: int, an_hour: float) -> None:
        self._circle = circle
        self._planned = planned(seed=seed, meters=len(circle.columns), an_hour=an_hour)
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Begin; needs a running loop."""
        self._keep(self._work())

    def close(self) -> None:
        """Leave all as it is now."""
        for task in list(self._tasks):
            task.cancel()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        for each in self._planned:
            await asyncio.sleep(each.after_s)
            try:
                tamper(self._circle, each.row, each.name, on=True)
            except AlreadySo:
                continue
            self._keep(self._end(each))

    async def _end(self, of: Planned) -> None:
        await asyncio.sleep(of.lasts_s)
        try:
            tamper(self._circle, of.row, of.name, on=False)
        except AlreadySo:
            return  # somebody at the admin door was faster
