"""A gateway (data concentrator): one TCP connection, a meter behind each wPort.

It readdresses frames and knows nothing of what they say: the meter behind it is its own wPort 1, as on its own address.
Faults of a meter make that meter silent, never the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from bahal.dlms import acse, india
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.serving import SERVER_SAP
from bahal.dlms.wrapper import Deframer, frame
from bahal.fleet.alerts import alert_frame
from bahal.fleet.trouble import Trouble, TroubledMeter

if TYPE_CHECKING:
    from bahal.fleet.circle import Circle
    from bahal.fleet.link import Links

_REPLIES_AT_MOST: Final = 4096
"""Replies under way on one connection: beyond that it is not read from."""


class GatewayLink(asyncio.Protocol):
    """A connection to one gateway. `meters`: rows by wPort."""

    _transport: asyncio.Transport

    def __init__(self, links: Links, meters: Mapping[int, int]) -> None:
        self._links = links
        self._circle = links.circle
        self._loop = asyncio.get_running_loop()
        self._meters = meters
        self._served: dict[int, _Served] = {}
        self._deframer = Deframer()
        self._waiting = 0
        self.heard_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody dialled the gateway."""
        # uvloop's transports have the methods of asyncio.Transport but not its name.
        self._transport = cast(asyncio.Transport, transport)
        self._circle.stats.connections += 1
        self._links.open.add(self)
        for wport, row in self._meters.items():
            self._links.behind[row] = (self, wport)

    def data_received(self, data: bytes) -> None:
        """Give each frame to its meter; one for nobody is dropped."""
        stats = self._circle.stats
        try:
            frames = self._deframer.feed(data)
        except DlmsError as error:
            stats.errors[error.name] += 1
            self._transport.close()
            return
        for source, destination, apdu in frames:
            self.heard_at = self._loop.time()
            row = self._meters.get(destination)
            if row is None:
                stats.errors["no_such_wport"] += 1
                continue
            served = self._served.get(destination)
            if served is None or (apdu[0] == acse.AARQ and served.silent):
                served = self._served[destination] = _Served(self._circle, row)
            reply = served.answer(frame(source, SERVER_SAP, apdu))
            if not reply:
                continue
            stats.frames += 1
            reply = b"".join(frame(destination, to, each) for _, to, each in Deframer().feed(reply))
            if served.delay:
                self._waiting += 1
                if self._waiting == _REPLIES_AT_MOST:
                    self._transport.pause_reading()
                self._loop.call_later(served.delay, self._reply, reply)
            else:
                self._transport.write(reply)

    def _reply(self, reply: bytes) -> None:
        self._waiting -= 1
        if not self._transport.is_closing():
            self._transport.write(reply)
            if self._waiting == _REPLIES_AT_MOST - 1:
                self._transport.resume_reading()

    def push(self, wport: int, row: int) -> None:
        """Pass on a meter's status as it stands."""
        try:
            alert = alert_frame(self._circle, row)
        except DlmsError as error:
            self._circle.stats.errors[error.name] += 1
            return
        for _, destination, apdu in Deframer().feed(alert):
            self._transport.write(frame(wport, destination, apdu))
        self._circle.stats.alerts_sent += 1

    def end(self) -> None:
        """Close the connection after what was written."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._links.open.discard(self)
        for row in self._meters.values():
            if self._links.behind.get(row, (None, 0))[0] is self:
                del self._links.behind[row]
        for served in self._served.values():
            served.ended()


class _Served:
    """One meter behind the gateway, with its association."""

    def __init__(self, circle: Circle, row: int) -> None:
        behaviour = circle.behaviour_of(row)
        meter = circle.meter(row)
        self._stats = circle.stats
        self._trouble: Trouble | None = None
        self._refusals = 0
        self.delay = behaviour.reply_delay
        self.silent = False
        if behaviour.troubled:
            self._trouble = Trouble(circle, row, behaviour)
            meter = TroubledMeter(circle, row, self._trouble)
        self._association = ServerAssociation(meter, answers=india.single_phase_answers())

    def answer(self, data: bytes) -> bytes:
        """The reply to one frame, or nothing."""
        trouble = self._trouble
        if self.silent or (trouble is not None and not trouble.serves()):
            self.silent = True
            return b""
        try:
            reply = self._association.receive(data)
        except DlmsError as error:
            self._stats.errors[error.name] += 1
            self.silent = True
            reply = self._association.last_words
        for refusal in self._association.refusals[self._refusals :]:
            self._stats.refusals[refusal.name] += 1
        self._refusals = len(self._association.refusals)
        if trouble is not None:
            reply = trouble.bent(reply)
            if trouble.hung_up or trouble.drip_s:
                # A byte a second fills no frame in time.
                self.silent = True
                return b""
        return reply

    def ended(self) -> None:
        """The gateway's connection is over."""
        if self._trouble is not None:
            self._trouble.ended()
