"""Meters that call: each dials the head-end from its own address, says what it has to say, and stays to be asked.

What ends a call tells the meter what to do. A connection that is closed in order was served: it calls again when it has
something to say or is woken by SMS. One that is reset, or that nobody takes, was turned away: it calls again by itself,
after a pause that doubles up to a minute and is drawn anew each time, so that a hundred thousand turned away together
do not come back together. `calls` in the figures says what became of each.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from typing import Final

from bahal.dlms.errors import DlmsError
from bahal.fleet.alerts import alert_frame
from bahal.fleet.circle import Circle
from bahal.fleet.link import Links, MeterLink

DIAL_DEADLINE_S: Final = 10.0
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
MOST_CALLS: Final = 12
"""How often a meter that is turned away calls before it waits for its next reason."""
DIALLING_AT_MOST: Final = 512


class Caller:
    """Lets meters call one head-end. `speaks`: whether a call begins with a push of the meter's status."""

    def __init__(self, circle: Circle, links: Links, *, host: str, port: int, speaks: bool = True) -> None:
        self._circle = circle
        self._links = links
        self._host = host
        self._port = port
        self._speaks = speaks
        self._loop = asyncio.get_running_loop()
        self._lines: dict[int, _CallingLink] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, int] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self.begun: dict[int, float] | None = None
        self._dialling = asyncio.Semaphore(DIALLING_AT_MOST)
        self._random = random.Random(0)  # noqa: S311  # it spreads calls, and hides nothing

    @property
    def on_the_line(self) -> int:
        """How many calls stand."""
        return len(self._lines)

    def call(self, row: int, *, after_s: float = 0.0) -> None:
        """Let a meter call, now or later; one that is on the line, or about to be, only says its status again."""
        line = self._lines.get(row)
        if line is not None:
            line.push()
        elif row not in self._tasks and row not in self._timers:
            if after_s > 0:
                self._timers[row] = self._loop.call_later(after_s, self._begin, row, 0)
            else:
                self._begin(row, 0)

    def call_all(self, within_s: float) -> int:
        """Let every meter that calls do so within this time, each at a moment of its own; how many there are.

        From now on `begun` says when each first dialled (the wall's clock, in seconds), by row.
        """
        self.begun = {}
        for row in self._circle.columns.callers:
            self.call(row, after_s=self._random.random() * within_s)
        return len(self._circle.columns.callers)

    def lost(self, row: int, link: _CallingLink, *, turned_away: bool, nth: int) -> None:
        """A call is over."""
        if self._lines.get(row) is link:
            del self._lines[row]
        stats = self._circle.stats
        if not turned_away:
            stats.calls["served"] += 1
        else:
            self._turned_away(row, nth, "reset")

    def close(self) -> None:
        """Nobody calls any more."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks.values():
            task.cancel()

    def _begin(self, row: int, nth: int) -> None:
        self._timers.pop(row, None)
        task = self._tasks[row] = self._loop.create_task(self._dial(row, nth))
        task.add_done_callback(lambda _: self._dialled(row))

    def _dialled(self, row: int) -> None:
        del self._tasks[row]
        nth = self._again.pop(row, None)
        if nth is not None:
            self._call_again(row, nth)

    async def _dial(self, row: int, nth: int) -> None:
        own = str(ipaddress.IPv4Address(self._circle.columns.address_of(row)))
        self._circle.stats.calls["made"] += 1
        if self.begun is not None and row not in self.begun:
            self.begun[row] = self._circle.clock.wall().timestamp()
        link = _CallingLink(self._links, self, row, nth)
        try:
            async with self._dialling, asyncio.timeout(DIAL_DEADLINE_S):
                await self._loop.create_connection(lambda: link, self._host, self._port, local_addr=(own, 0))
        except OSError:
            # A deadline that passes is an OSError too.
            self._turned_away(row, nth, "not_taken")

    def taken(self, row: int, link: _CallingLink) -> None:
        """A call stands."""
        self._lines[row] = link
        if self._speaks:
            link.push()

    def _turned_away(self, row: int, nth: int, why: str) -> None:
        self._circle.stats.calls[why] += 1
        if nth + 1 >= MOST_CALLS:
            self._circle.stats.calls["given_up"] += 1
        elif row in self._tasks:
            # It may be reset before its dialling has ended.
            self._again[row] = nth
        else:
            self._call_again(row, nth)

    def _call_again(self, row: int, nth: int) -> None:
        if row not in self._timers:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**nth) * (0.5 + self._random.random())
            self._timers[row] = self._loop.call_later(pause, self._begin, row, nth + 1)


class _CallingLink(MeterLink):
    """One call; from its first request on it is served as if the meter had been dialled."""

    __slots__ = ("_caller", "_nth", "_row")

    def __init__(self, links: Links, caller: Caller, row: int, nth: int) -> None:
        super().__init__(links)
        self._caller = caller
        self._row = row
        self._nth = nth

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The head-end took the call."""
        super().connection_made(transport)
        self._caller.taken(self._row, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The head-end ended it, in order or by a reset."""
        super().connection_lost(exc)
        self._caller.lost(self._row, self, turned_away=exc is not None, nth=self._nth)

    def push(self) -> None:
        """Say the meter's status as it stands."""
        try:
            self._transport.write(alert_frame(self._circle, self._row))
        except DlmsError as error:
            self._circle.stats.errors[error.name] += 1
