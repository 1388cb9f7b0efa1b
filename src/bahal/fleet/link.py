"""One TCP connection to a meter: a protocol object between the socket and a `ServerAssociation`."""

import asyncio
import socket
from typing import Final, cast

from bahal.dlms import india
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.errors import DlmsError
from bahal.fleet.circle import Circle
from bahal.fleet.gateway import GatewayLink
from bahal.fleet.trouble import Trouble, TroubledMeter

# Replies under way on one connection, delayed or not yet taken by the client: beyond that it is not read from.
_REPLIES_AT_MOST: Final = 16

_LOOPBACK_NETWORK: Final = 127


class Links:
    """All open connections, their idle deadline and their common end."""

    def __init__(self, circle: Circle, *, idle_deadline: float) -> None:
        self.circle = circle
        self.open: set[MeterLink | GatewayLink] = set()
        self.behind: dict[int, tuple[GatewayLink, int]] = {}
        """Of meters whose gateway somebody is connected to: that connection, and the meter's wPort on it."""
        self._idle_deadline = idle_deadline

    def new(self) -> asyncio.Protocol:
        """The protocol of a connection just accepted."""
        return MeterLink(self)

    def close_idle(self, now: float) -> None:
        """Close what has been silent for longer than the deadline."""
        oldest = now - self._idle_deadline
        for link in [link for link in self.open if link.heard_at < oldest]:
            self.circle.stats.errors["idle"] += 1
            link.end()

    def close_all(self) -> None:
        """Close every connection."""
        for link in list(self.open):
            link.end()


class MeterLink(asyncio.Protocol):
    """The meter whose address the client dialled."""

    __slots__ = (
        "_association",
        "_circle",
        "_delay",
        "_links",
        "_loop",
        "_refusals",
        "_transport",
        "_trouble",
        "_waiting",
        "heard_at",
    )

    _association: ServerAssociation
    _transport: asyncio.Transport

    def __init__(self, links: Links) -> None:
        self._links = links
        self._circle = links.circle
        self._loop = asyncio.get_running_loop()
        self._trouble: Trouble | None = None
        self._waiting = 0
        self._refusals = 0
        self.heard_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find the meter by the address that was dialled; anything else is refused."""
        # uvloop's transports have the methods of asyncio.Transport but not its name.
        self._transport = cast(asyncio.Transport, transport)
        stats = self._circle.stats
        sockname = transport.get_extra_info("sockname")
        row = None
        if sockname is not None:
            address = int.from_bytes(socket.inet_aton(sockname[0]), "big")
            if address >> 24 == _LOOPBACK_NETWORK:
                row = self._circle.columns.at_address(address)
            if row is None and address in self._circle.columns.gateways:
                behind = GatewayLink(self._links, self._circle.columns.gateways[address])
                self._transport.set_protocol(behind)
                behind.connection_made(transport)
                return
        if row is None:
            stats.refused_connections += 1
            self._transport.abort()
            return
        stats.connections += 1
        self._links.open.add(self)
        behaviour = self._circle.behaviour_of(row)
        self._delay = behaviour.reply_delay
        meter = self._circle.meter(row)
        if behaviour.troubled:
            self._trouble = Trouble(self._circle, row, behaviour)
            meter = TroubledMeter(self._circle, row, self._trouble)
        self._association = ServerAssociation(meter, answers=india.single_phase_answers())

    def data_received(self, data: bytes) -> None:
        """Answer at once or after the link's delay; an error ends the connection, never the process."""
        association = self._association
        stats = self._circle.stats
        trouble = self._trouble
        if trouble is not None and not trouble.serves():
            if trouble.hung_up:
                self._transport.abort()
            return
        try:
            reply = association.receive(data)
        except DlmsError as error:
            stats.errors[error.name] += 1
            self._count_refusals(association)
            self._last(association.last_words)
            return
        if association.refusals:
            self._count_refusals(association)
        if trouble is not None:
            reply = trouble.bent(reply)
            if trouble.hung_up:
                self._transport.abort()
                return
        if not reply:
            return
        # Only a whole request counts as being heard from: bytes that drip in do not put the deadline off.
        self.heard_at = self._loop.time()
        stats.frames += 1
        if trouble is not None and trouble.drip_s:
            self._drip(reply, 0, trouble.drip_s)
        elif self._delay:
            self._waiting += 1
            if self._waiting >= _REPLIES_AT_MOST:
                self._transport.pause_reading()
            self._loop.call_later(self._delay, self._reply, reply)
        else:
            self._transport.write(reply)

    def _count_refusals(self, association: ServerAssociation) -> None:
        for refusal in association.refusals[self._refusals :]:
            self._circle.stats.refusals[refusal.name] += 1
        self._refusals = len(association.refusals)

    def _reply(self, reply: bytes) -> None:
        self._waiting -= 1
        if self._transport.is_closing():
            return
        self._transport.write(reply)
        if self._waiting == _REPLIES_AT_MOST - 1:
            self._transport.resume_reading()

    def _drip(self, reply: bytes, at: int, pause: float) -> None:
        """Write a reply byte by byte, for as long as somebody listens."""
        if self._transport.is_closing() or at == len(reply):
            return
        self._transport.write(reply[at : at + 1])
        self._loop.call_later(pause, self._drip, reply, at + 1, pause)

    def _last(self, words: bytes) -> None:
        if words:
            self._transport.write(words)
        self._transport.close()

    def end(self) -> None:
        """Close the connection after what was written."""
        self._transport.close()

    def pause_writing(self) -> None:
        """The client does not read: nothing more is taken from it."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._links.open.discard(self)
        if self._trouble is not None:
            self._trouble.ended()
