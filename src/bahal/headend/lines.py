"""The lines that meters keep open themselves, or share through a gateway, and who speaks on each.

One meter has one line and one speaker: whoever else wants it waits, restores first. A speaker is a session of this
process or a link lent to another one; he gets a `Strand`, which looks to him like any transport, and gives the line
back by closing it. A line is clean when its last speaker said all he had begun (an RLRQ that was answered, or nothing
at all). One that is not clean may still carry a reply to somebody who is gone: a call is then ended, so that the meter
calls anew, and a meter behind a gateway rests until no such reply can come.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final, Protocol, cast

from bahal.dlms.acse import RLRQ
from bahal.dlms.wrapper import HEADER_LENGTH
from bahal.headend.link import LinkLost, Opening, Session
from bahal.headend.pacing import Service

WAITING_AT_MOST: Final = 8
"""Speakers that may wait for one meter."""


class Speaker(Protocol):
    """Who speaks on a line: what asyncio calls a protocol."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is his."""
        ...

    def data_received(self, data: bytes) -> None:
        """A whole frame of the meter."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone, or never came: `LinkLost` says why."""
        ...


class Carrier(Protocol):
    """What a line runs over: a meter's call, or a gateway's connection."""

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        ...

    def detach(self, strand: Strand, *, clean: bool) -> float:
        """The speaker is done; for how many seconds nobody may follow him."""
        ...


class Strand:
    """A speaker's end of a line, in the shape of a transport."""

    __slots__ = ("_answered", "_asked", "_carrier", "_freed", "_speaker", "peer")

    def __init__(self, speaker: Speaker, freed: Callable[[Strand, float], None]) -> None:
        self._speaker = speaker
        self._freed = freed
        self._carrier: Carrier | None = None
        self._asked = 0
        self._answered = True
        self.peer = ""
        """The address of whoever is at the other end of the carrier's socket."""

    # --- the carrier's side ------------------------------------------------------------------------------------------

    def run(self, carrier: Carrier, peer: str) -> None:
        """The carrier is connected."""
        self._carrier = carrier
        self.peer = peer
        self._speaker.connection_made(cast(asyncio.BaseTransport, self))

    def take(self, frame: bytes) -> None:
        """A whole frame came for the speaker."""
        self._answered = True
        self._speaker.data_received(frame)

    def lose(self, error: LinkLost) -> None:
        """The carrier is gone, or never came."""
        self._carrier = None
        self._freed(self, 0.0)
        self._speaker.connection_lost(error)

    # --- the speaker's side ------------------------------------------------------------------------------------------

    def write(self, frames: bytes) -> None:
        """Say one whole frame, or several."""
        if self._carrier is not None:
            self._asked = frames[HEADER_LENGTH]
            self._answered = False
            self._carrier.send(frames)

    def close(self) -> None:
        """Give the line back."""
        self._give_back(clean=self._answered and self._asked in (0, RLRQ))

    def abort(self) -> None:
        """Give the line back, not clean, if anything was said."""
        self._give_back(clean=not self._asked)

    def is_closing(self) -> bool:
        """Whether it was given back or lost."""
        return self._carrier is None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername` only: there is no socket of its own."""
        return (self.peer, 0) if name == "peername" else default

    def _give_back(self, *, clean: bool) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            self._freed(self, carrier.detach(self, clean=clean))


class Call(Carrier, Protocol):
    """A meter's own connection, proved."""

    def attach(self, strand: Strand) -> None:
        """This one speaks now."""
        ...

    def end(self, name: str) -> None:
        """Close it, for this reason."""
        ...


class Gateways(Protocol):
    """All gateways' connections."""

    def attach(self, gateway: str, wport: int, strand: Strand) -> None:
        """This one speaks with the meter behind that wPort, as soon as the gateway is connected.

        :raises LinkLost: `gateway_down`.
        """
        ...

    def forsake(self, gateway: str, wport: int, strand: Strand) -> None:
        """He no longer waits for the gateway to be connected."""
        ...


class _Waiting:
    """One speaker's place in the queue for a meter; `cancel` leaves it, or the line that was promised meanwhile."""

    __slots__ = ("_board", "meter", "speaker", "strand")

    def __init__(self, board: Board, meter: str, speaker: Speaker) -> None:
        self._board = board
        self.meter = meter
        self.speaker = speaker
        self.strand: Strand | None = None

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._board.withdraw(self)


class _Meter:
    """One meter's speaker and queue; it exists while there is either."""

    __slots__ = ("gateway", "queue", "resting", "speaking", "wport")

    def __init__(self, gateway: str | None, wport: int) -> None:
        self.gateway = gateway
        self.wport = wport
        self.speaking: Strand | None = None
        self.resting = False
        self.queue: list[tuple[Service, int, _Waiting]] = []


class Board:
    """Which meters have a line in this process, and who speaks on each."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gateways: Gateways) -> None:
        self._loop = loop
        self._gateways = gateways
        self._meters: dict[str, _Meter] = {}
        self._order = count()
        self.calls: dict[str, Call] = {}
        """Meters whose own call stands, proved."""
        self.wanted: set[str] = set()
        """Meters that somebody asked for and that had not called."""

    # --- calls come and go -------------------------------------------------------------------------------------------

    def place(self, meter: str, call: Call) -> None:
        """The meter has proved that this call is its own; an older call of its name loses only now."""
        older = self.calls.get(meter)
        self.calls[meter] = call
        self.wanted.discard(meter)
        if older is not None and older is not call:
            older.end("superseded")
        self._next(meter)

    def remove(self, meter: str, call: Call) -> None:
        """This call is over."""
        if self.calls.get(meter) is call:
            del self.calls[meter]

    def spoken_on(self, meter: str) -> bool:
        """Whether somebody speaks on this meter's line, or waits for it."""
        return meter in self._meters

    @property
    def speaking(self) -> int:
        """How many lines are spoken on or waited for."""
        return len(self._meters)

    # --- speakers ----------------------------------------------------------------------------------------------------

    def borrow(
        self, meter: str, service: Service, speaker: Speaker, *, gateway: str | None = None, wport: int = 1
    ) -> Opening:
        """Ask for a meter's line: `speaker.connection_made` is called now or when it is free.

        :raises LinkLost: `no_line`: the meter has not called, or too many wait for it; `gateway_down`.
        """
        if gateway is None and meter not in self.calls:
            self.wanted.add(meter)
            raise LinkLost("no_line")
        place = self._meters.get(meter)
        if place is None:
            place = self._meters[meter] = _Meter(gateway, wport)
        if len(place.queue) >= WAITING_AT_MOST:
            raise LinkLost("no_line")
        waiting = _Waiting(self, meter, speaker)
        heapq.heappush(place.queue, (service, next(self._order), waiting))
        self._next(meter)
        return waiting

    def withdraw(self, waiting: _Waiting) -> None:
        """He waits no longer; a line that he was given and that is not connected yet goes to the next."""
        place = self._meters.get(waiting.meter)
        if place is None:
            return
        strand = waiting.strand
        if strand is None:
            place.queue = [each for each in place.queue if each[2] is not waiting]
            heapq.heapify(place.queue)
            self._tidy(waiting.meter, place)
        elif place.speaking is strand and place.gateway is not None and strand.is_closing():
            self._gateways.forsake(place.gateway, place.wport, strand)
            place.speaking = None
            self._next(waiting.meter)

    def _next(self, meter: str) -> None:
        """Give a free line to whoever is first."""
        while True:
            place = self._meters.get(meter)
            if place is None or place.speaking is not None or place.resting:
                return
            if not place.queue:
                self._tidy(meter, place)
                return
            waiting = heapq.heappop(place.queue)[2]
            strand = Strand(waiting.speaker, lambda freed, rest_s: self._freed(meter, freed, rest_s))
            waiting.strand = place.speaking = strand
            try:
                if place.gateway is not None:
                    self._gateways.attach(place.gateway, place.wport, strand)
                else:
                    call = self.calls.get(meter)
                    if call is None:
                        raise LinkLost("no_line")
                    call.attach(strand)
            except LinkLost as lost:
                strand.lose(lost)

    def _freed(self, meter: str, strand: Strand, rest_s: float) -> None:
        place = self._meters.get(meter)
        if place is None or place.speaking is not strand:
            return
        place.speaking = None
        if rest_s > 0:
            place.resting = True
            self._loop.call_later(rest_s, self._rested, meter)
        else:
            self._loop.call_soon(self._next, meter)

    def _rested(self, meter: str) -> None:
        place = self._meters.get(meter)
        if place is not None:
            place.resting = False
            self._next(meter)

    def _tidy(self, meter: str, place: _Meter) -> None:
        if place.speaking is None and not place.queue and not place.resting:
            self._meters.pop(meter, None)

    def take_wanted(self) -> Iterable[str]:
        """The meters that were wanted and have not called since; they are forgotten here."""
        taken, self.wanted = self.wanted, set()
        return taken


class OverLine:
    """A session's way over the meter's own call, or through its gateway."""

    __slots__ = ("_board", "_gateway", "_meter", "_service", "_wport")

    def __init__(
        self, board: Board, meter: str, service: Service, *, gateway: str | None = None, wport: int = 1
    ) -> None:
        self._board = board
        self._meter = meter
        self._service = service
        self._gateway = gateway
        self._wport = wport

    def open(self, session: Session) -> Opening:
        """Ask the board."""
        try:
            return self._board.borrow(self._meter, self._service, session, gateway=self._gateway, wport=self._wport)
        except LinkLost as lost:
            session.break_off(lost.name, lost)
            return _NOTHING


class _Nothing:
    def cancel(self) -> None:
        """There is nothing to cancel."""


_NOTHING: Final = _Nothing()
