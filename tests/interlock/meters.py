"""Meters in the test's own loop that fail as they are told: connections refused, replies lost, relays stuck."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from bahal.dlms.objects.disconnect import Move
from bahal.fleet.calling import Caller
from bahal.fleet.circle import Circle
from bahal.fleet.faults import Behaviour
from bahal.fleet.gateway import GatewayLink
from bahal.fleet.link import Links, MeterLink
from bahal.fleet.movements import MovementLog
from bahal.fleet.roster import RosterRow
from bahal.fleet.store import MeterColumns
from bahal.shared.clock import Clock

ACTION_FRAME = 6
"""AARQ, HLS, three GETs, ACTION, GET: the sixth frame of a session moves the relay."""


class Fault(Enum):
    """What goes wrong in one connection."""

    REFUSED = "refused"
    MUTE = "mute"
    GARBAGE = "garbage"
    LOST_BEFORE_ACTION = "lost_before_action"
    LOST_AFTER_ACTION = "lost_after_action"
    LOST_BEFORE_READ_BACK = "lost_before_read_back"


class StubbornCircle(Circle):
    """Some relays answer and do not move."""

    stuck: set[int]

    def move(self, row: int, move: Move, origin: Any) -> bool:
        """As the fleet's, but not for who is stuck."""
        return row not in self.stuck and super().move(row, move, origin)


class Meters:
    """A few meters of a roster. `faults` names what happens in the next connections of a meter, one each."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._socket = _bound(0)
        self.port = int(self._socket.getsockname()[1])
        self.log_path = folder / "fleet.jsonl"
        self._clock = clock
        self.faults: dict[str, list[Fault]] = {}
        self.calls: list[str] = []
        self.acting_frame = ACTION_FRAME
        """The frame of a session that changes something."""
        self.circle: StubbornCircle
        self._links: _FaultyLinks | None = None

    def hold(self, rows: Iterable[RosterRow], *, delay: float = 0.0) -> None:
        """Be these meters, all relays closed."""
        self.circle = StubbornCircle(
            columns=MeterColumns(rows, first_counter=1000),
            clock=self._clock,
            log=MovementLog(self.log_path),
            behaviour=Behaviour(reply_delay=delay),
        )
        self.circle.stuck = set()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def caller(self, port: int, *, speaks: bool = True) -> Caller:
        """What lets them call a head-end's door. Only while they are served."""
        assert self._links is not None
        return Caller(self.circle, self._links, host="127.0.0.1", port=port, speaks=speaks)

    def behind(self, row: int) -> tuple[GatewayLink, int]:
        """The connection to a meter's gateway, and the meter's wPort on it."""
        assert self._links is not None
        return self._links.behind[row]

    def hang_up(self) -> None:
        """Every meter ends its connections now."""
        if self._links is not None:
            self._links.close_all()

    def row(self, serial: str) -> int:
        """A meter's row in the circle."""
        return self.circle.columns.with_serial(serial)

    def closed(self, serial: str) -> bool:
        """Where its relay stands."""
        return bool(self.circle.meter(self.row(serial)).connected)

    def movements(self, serial: str) -> list[str]:
        """What the outside log says of one relay, in order."""
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return [line["relay"] for line in lines if line["meter"] == serial]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        links = self._links = _FaultyLinks(self.circle, idle_deadline=60.0)
        links.meters = self
        if self._socket.fileno() < 0:
            self._socket = _bound(self.port)
        server = await asyncio.get_running_loop().create_server(links.new, sock=self._socket, backlog=256)
        try:
            yield
        finally:
            server.close()
            links.close_all()
            await asyncio.sleep(0.05)
            self._socket.close()


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("0.0.0.0", port))
    return made


class _FaultyLinks(Links):
    meters: Meters

    def new(self) -> asyncio.Protocol:
        return _FaultyLink(self)


class _FaultyLink(MeterLink):
    _fault: Fault | None = None
    _frames = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        links = self._links
        assert isinstance(links, _FaultyLinks)
        host = transport.get_extra_info("sockname")[0]
        row = links.circle.columns.at_address(int.from_bytes(bytes(int(part) for part in host.split(".")), "big"))
        if row is None:
            return
        serial = links.circle.columns.serial_of(row)
        links.meters.calls.append(serial)
        waiting = links.meters.faults.get(serial)
        self._fault = waiting.pop(0) if waiting else None
        if self._fault is Fault.REFUSED:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._frames += 1
        fault = self._fault
        links = self._links
        assert isinstance(links, _FaultyLinks)
        acting = links.meters.acting_frame
        if fault is Fault.MUTE:
            return
        if fault is Fault.GARBAGE and self._frames == 3:
            self._transport.write(os.urandom(3) + b"\x07" * 40)
            return
        if self._frames == acting and fault is Fault.LOST_BEFORE_ACTION:
            self._transport.abort()
            return
        if self._frames == acting and fault is Fault.LOST_AFTER_ACTION:
            self._association.receive(data)
            self._transport.abort()
            return
        if self._frames == acting + 1 and fault is Fault.LOST_BEFORE_READ_BACK:
            self._transport.abort()
            return
        super().data_received(data)
