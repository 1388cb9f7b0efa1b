"""The lending door: the interlock borrows a meter's line over a Unix socket and passes its own ciphered frames.

One connection is one line: a first line of JSON, `{"meter", "kind", "gateway", "wport"}`, is answered by `{"peer"}`
when the line is free, or by `{"error"}` with the name of a link error; from then on frames pass, whole ones only,
between the borrower's wPort and that meter's. Closing gives the line back. Nothing is kept, and nothing can be read or
altered here: the keys are the interlock's, and what is authenticated between it and the meter would show the change. At
worst a frame is dropped, and that is a lost link like any other.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, cast

from bahal.dlms.errors import DlmsError
from bahal.dlms.wrapper import Deframer, frame
from bahal.headend.lines import Board, Strand
from bahal.headend.link import LinkLost, Opening
from bahal.headend.metrics import PushMetrics
from bahal.headend.pacing import Service

REQUEST_LIMIT: Final = 512
REQUEST_S: Final = 5.0
LENT_S: Final = 60.0
"""The longest that a line is lent: longer than any session."""
FRAME_LIMIT: Final = 2048
_SERVICES: Final = {"restore": Service.RESTORE, "cut": Service.CUT}


class Lender(asyncio.Protocol):
    """One borrower's connection, and the speaker on the line that it borrowed."""

    def __init__(self, board: Board, metrics: PushMetrics) -> None:
        self._board = board
        self._metrics = metrics
        self._transport: asyncio.Transport | None = None
        self._asked = b""
        self._deframer = Deframer(FRAME_LIMIT)
        self._wport = 0
        self._borrowing: Opening | None = None
        self._speaker: _Speaker | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request, not for long."""
        # uvloop's transports are none of asyncio's classes.
        made = cast(asyncio.Transport, transport)
        self._transport = made
        self._timer = asyncio.get_running_loop().call_later(REQUEST_S, made.abort)

    def data_received(self, data: bytes) -> None:
        """The request; after it, frames for the meter."""
        if self._speaker is None:
            self._asked += data
            request, end, rest = self._asked.partition(b"\n")
            if end:
                self._request(request)
                data = rest
            elif len(self._asked) > REQUEST_LIMIT:
                self._refuse("malformed")
        if self._speaker is not None and data:
            self._pass(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The borrower gives the line back."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._borrowing is not None:
            self._borrowing.cancel()
        if self._speaker is not None:
            self._speaker.give_back()

    def _request(self, line: bytes) -> None:
        try:
            asked: Any = json.loads(line)
            meter, service = str(asked["meter"]), _SERVICES[asked["kind"]]
            gateway, wport = asked.get("gateway"), int(asked.get("wport", 1))
            if gateway is not None and not isinstance(gateway, str):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            self._refuse("malformed")
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(LENT_S, self.hang_up)
        self._wport = wport
        self._speaker = _Speaker(self)
        try:
            self._borrowing = self._board.borrow(meter, service, self._speaker, gateway=gateway, wport=wport)
        except LinkLost as lost:
            self._refuse(lost.name)

    def _refuse(self, name: str) -> None:
        self._metrics.lent.labels(name).inc()
        self._say({"error": name})
        if self._transport is not None:
            self._transport.close()

    def _pass(self, data: bytes) -> None:
        try:
            frames = self._deframer.feed(data)
        except DlmsError:
            self.hang_up()
            return
        for source, destination, apdu in frames:
            if (
                destination != self._wport
                or self._speaker is None
                or not self._speaker.say(frame(source, destination, apdu))
            ):
                self.hang_up()
                return

    # --- the speaker's side ------------------------------------------------------------------------------------------

    def lent(self, peer: str) -> None:
        """The line is there."""
        self._borrowing = None
        self._metrics.lent.labels("lent").inc()
        self._say({"peer": peer})

    def answered(self, data: bytes) -> None:
        """A frame of the meter."""
        if self._transport is not None:
            self._transport.write(data)

    def lost(self, name: str, *, had: bool) -> None:
        """The line is gone, or never came."""
        if had:
            self.hang_up()
        else:
            self._refuse(name)

    def hang_up(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.abort()

    def _say(self, answer: dict[str, str]) -> None:
        if self._transport is not None:
            self._transport.write(json.dumps(answer).encode() + b"\n")


class _Speaker:
    """Who speaks on the line for the borrower."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._strand: Strand | None = None
        self._had = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is his."""
        self._strand = strand = cast(Strand, transport)
        self._had = True
        self._lender.lent(strand.peer)

    def data_received(self, data: bytes) -> None:
        """A whole frame of the meter."""
        self._lender.answered(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone, or never came."""
        self._strand = None
        self._lender.lost(exc.name if isinstance(exc, LinkLost) else "connection_lost", had=self._had)

    def say(self, frames: bytes) -> bool:
        """Pass a frame on; False if there is no line."""
        if self._strand is None:
            return False
        self._strand.write(frames)
        return True

    def give_back(self) -> None:
        """He is done."""
        strand, self._strand = self._strand, None
        if strand is not None:
            strand.close()
