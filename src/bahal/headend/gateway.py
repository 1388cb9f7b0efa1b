"""Gateways (data concentrators): one TCP connection to each, many meters over it, told apart by the wrapper's wPort.

A gateway is dialled when the first of its meters is wanted and hung up on when none was for a while. Requests of
different meters go out as they come and replies find their way back by their source wPort; a reply that nobody waits
for is counted and dropped. While a gateway cannot be reached its meters fail at once, as `gateway_down`, and it is
dialled again after a pause that grows to half a minute.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

import structlog

from bahal.dlms.errors import DlmsError
from bahal.dlms.wrapper import Deframer, frame
from bahal.headend.config import PUSH_SAP
from bahal.headend.lines import Strand
from bahal.headend.link import LinkLost
from bahal.headend.metrics import LinkMetrics
from bahal.headend.pushes import Pusher, PushTaker

FRAME_LIMIT: Final = 2048
IDLE_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class GatewayLines:
    """All gateways of this process.

    :param rest_s: how long a meter rests after a speaker left in the middle: a late reply would find another.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        metrics: LinkMetrics,
        connect_s: float,
        rest_s: float,
        pushes: PushTaker,
    ) -> None:
        self.loop = loop
        self.metrics = metrics
        self.connect_s = connect_s
        self.rest_s = rest_s
        self.pushes = pushes
        self.log = structlog.get_logger().bind(part="gateways")
        self._gateways: dict[str, _Gateway] = {}

    def attach(self, gateway: str, wport: int, strand: Strand) -> None:
        """This one speaks with the meter behind that wPort, as soon as the gateway is connected.

        :raises LinkLost: `gateway_down`: it was tried a moment ago.
        """
        found = self._gateways.get(gateway)
        if found is None:
            found = self._gateways[gateway] = _Gateway(self, gateway)
        found.attach(wport, strand)

    def forsake(self, gateway: str, wport: int, strand: Strand) -> None:
        """He no longer waits for the gateway to be connected."""
        self._gateways[gateway].forsake(wport, strand)

    def close(self) -> None:
        """Hang up on all of them."""
        for each in self._gateways.values():
            each.close()


class _Gateway:
    """One gateway: its connection while there is one, and who speaks with which of its meters."""

    def __init__(self, lines: GatewayLines, address: str) -> None:
        self._lines = lines
        self._address = address
        self._strands: dict[int, Strand] = {}
        self._connection: _Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._down_until = 0.0

    def attach(self, wport: int, strand: Strand) -> None:
        """As `GatewayLines.attach`."""
        if self._lines.loop.time() < self._down_until or wport in self._strands:
            raise LinkLost("gateway_down")
        self._strands[wport] = strand
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._connection is not None:
            strand.run(_Behind(self, wport), self._connection.peer)
        elif self._dialling is None:
            self._dialling = self._lines.loop.create_task(self._dial())

    def forsake(self, wport: int, strand: Strand) -> None:
        """As `GatewayLines.forsake`."""
        if self._strands.get(wport) is strand:
            del self._strands[wport]

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        if self._connection is not None:
            self._connection.write(frames)

    def detach(self, wport: int, *, clean: bool) -> float:
        """The speaker with this meter is done."""
        self._strands.pop(wport, None)
        if not self._strands and self._idle is None:
            self._idle = self._lines.loop.call_later(IDLE_S, self.close)
        return 0.0 if clean else self._lines.rest_s

    def take(self, source: int, destination: int, apdu: bytes) -> None:
        """A frame of a meter."""
        strand = self._strands.get(source)
        if destination == PUSH_SAP:
            self._lines.pushes.received(_Behind(self, source), apdu)
        elif strand is None:
            self._lines.metrics.errors.labels("stray_reply").inc()
        else:
            strand.take(frame(source, destination, apdu))

    def refused(self, name: str) -> None:
        """A push that came through it was not taken."""
        self._lines.metrics.errors.labels(f"push_{name}").inc()

    def lost(self, connection: _Connection) -> None:
        """The connection is over: everybody on it hears so."""
        if self._connection is connection:
            self._connection = None
            self._fail("connection_lost")

    def close(self) -> None:
        """Hang up."""
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._fail("connection_lost")

    def _fail(self, name: str) -> None:
        strands, self._strands = self._strands, {}
        for strand in strands.values():
            strand.lose(LinkLost(name))

    async def _dial(self) -> None:
        lines = self._lines
        host, _, port = self._address.rpartition(":")
        try:
            async with asyncio.timeout(lines.connect_s):
                _, made = await lines.loop.create_connection(
                    lambda: _Connection(self), host.removeprefix("[").removesuffix("]"), int(port)
                )
        except OSError as error:
            # A deadline that passes is an OSError too.
            self._dialling = None
            self._down_until = lines.loop.time() + self._pause_s
            self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)
            lines.metrics.errors.labels("gateway_down").inc()
            lines.log.warning("gateway_down", gateway=self._address, why=str(error), meters=len(self._strands))
            self._fail("gateway_down")
            return
        self._dialling = None
        self._pause_s = _FIRST_PAUSE_S
        self._connection = made
        for wport, strand in list(self._strands.items()):
            strand.run(_Behind(self, wport), made.peer)


class _Behind(Pusher):
    """One meter behind a gateway, as its speaker's carrier and as whoever pushed."""

    __slots__ = ("_gateway", "_wport")

    def __init__(self, gateway: _Gateway, wport: int) -> None:
        self._gateway = gateway
        self._wport = wport

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        self._gateway.send(frames)

    def detach(self, strand: Strand, *, clean: bool) -> float:
        """The speaker is done."""
        return self._gateway.detach(self._wport, clean=clean)

    def refuse(self, name: str) -> None:
        """Count it; the connection is other meters' too."""
        self._gateway.refused(name)


class _Connection(asyncio.Protocol):
    """The TCP connection to one gateway."""

    def __init__(self, gateway: _Gateway) -> None:
        self._gateway = gateway
        self._deframer = Deframer(FRAME_LIMIT)
        self._transport: asyncio.Transport | None = None
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self.peer = str(transport.get_extra_info("peername")[0])
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Cut frames and route them; a stream that follows no encoding ends."""
        try:
            frames = self._deframer.feed(data)
        except DlmsError:
            self.close()
            self._gateway.lost(self)
            return
        for source, destination, apdu in frames:
            self._gateway.take(source, destination, apdu)

    def connection_lost(self, exc: Exception | None) -> None:
        """The gateway hung up."""
        self._transport = None
        self._gateway.lost(self)

    def write(self, frames: bytes) -> None:
        """Write whole frames."""
        if self._transport is not None:
            self._transport.write(frames)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
