"""What both ends of an HDLC link do: cut and join APDUs, count frames, and send again what was not acknowledged.

Two-way alternate: the turn passes with the poll/final bit.  Whoever has the turn sends as many I frames as the window
allows and gives the turn away with the last of them.  When it comes back, what was acknowledged is forgotten and the
rest is sent again, so that a lost, doubled or damaged frame costs time and never an APDU.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from bahal.dlms.errors import LinkLost, MalformedApdu, OversizedApdu
from bahal.dlms.hdlc.frames import REJ, RNR, RR, Deframer, Frame, frame
from bahal.dlms.hdlc.parameters import Parameters

TO_SERVER: Final = b"\xe6\xe6\x00"
FROM_SERVER: Final = b"\xe6\xe7\x00"
"""The three bytes of LLC that stand before each APDU (IEC 61334-4-32 as the Green Book uses it)."""

STALLS_AT_MOST: Final = 8
SUPERVISORY: Final = frozenset((RR, RNR, REJ))


class Link:
    """Sequence numbers, windows and segments of one end; base of the client's and the server's."""

    __slots__ = (
        "_assembled",
        "_deframer",
        "_heading_in",
        "_heading_out",
        "_limit",
        "_other",
        "_out",
        "_own",
        "_parts",
        "_peer_busy",
        "_queue",
        "_received",
        "_sent",
        "_stalls",
        "_unacknowledged",
        "parameters",
        "proposal",
    )

    def __init__(self, *, proposal: Parameters, limit: int, heading_out: bytes, heading_in: bytes) -> None:
        self.proposal = proposal
        self.parameters = proposal
        self._limit = limit
        self._heading_out = heading_out
        self._heading_in = heading_in
        self._deframer = Deframer()
        self._own = b""
        self._other = b""
        self._out: list[bytes] = []
        self._start()

    @property
    def damaged(self) -> int:
        """How many frames came with a wrong check sequence."""
        return self._deframer.damaged

    def address(self, source: int, destination: int) -> bytes:
        """Nothing: a link frames by itself."""
        return b""

    def outgoing(self) -> bytes:
        """What the link has to say now; empty for nothing.  Given once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _start(self) -> None:
        """A link just connected: nothing sent, nothing received."""
        self._sent = 0  # V(S): the number of the next new I frame
        self._received = 0  # V(R): the number awaited
        self._unacknowledged: deque[tuple[bytes, bool]] = deque()  # I frames sent: information, segmentation bit
        self._queue: deque[tuple[bytes, bool]] = deque()
        self._peer_busy = False
        self._stalls = 0
        self._forget_parts()

    def _forget_parts(self) -> None:
        self._parts: list[bytes] = []
        self._assembled = 0

    # --- sending -----------------------------------------------------------------------------------------------------

    def _cut(self, apdu: bytes) -> None:
        """Queue an APDU in segments."""
        data = self._heading_out + apdu
        size = self.parameters.transmit
        for at in range(0, len(data), size):
            self._queue.append((data[at : at + size], at + size < len(data)))

    def _say(self, control: int, info: bytes = b"", *, poll: bool = True) -> None:
        self._out.append(frame(self._other, self._own, control, info, poll=poll))

    def _take_turn(self) -> None:
        """Send again what was not acknowledged, and new frames as far as the window goes; else say what is awaited.

        :raises LinkLost: the same frames were sent ``STALLS_AT_MOST`` times and never acknowledged.
        """
        if self._peer_busy or not (self._unacknowledged or self._queue):
            self._say(self._received << 5 | RR)
            return
        if self._unacknowledged:
            self._stalls += 1
            if self._stalls > STALLS_AT_MOST:
                raise LinkLost(self._stalls)
        number = self._sent - len(self._unacknowledged)
        while self._queue and len(self._unacknowledged) < self.parameters.transmit_window:
            self._unacknowledged.append(self._queue.popleft())
            self._sent += 1
        last = len(self._unacknowledged) - 1
        for n, (info, segmented) in enumerate(self._unacknowledged):
            control = self._received << 5 | (number + n & 7) << 1
            self._out.append(frame(self._other, self._own, control, info, poll=n == last, segmented=segmented))

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _acknowledge(self, awaited: int) -> bool:
        """Forget the frames below N(R); False for a number that was never sent."""
        waiting = len(self._unacknowledged)
        fresh = (awaited - (self._sent - waiting)) & 7
        if fresh > waiting:
            return False
        if fresh:
            self._stalls = 0
            for _ in range(fresh):
                self._unacknowledged.popleft()
        return True

    def _accept(self, found: Frame) -> bytes:
        """Take the information of an I frame; return the APDU that it completes, else nothing.

        A frame out of its order is passed over: its sender learns from N(R) where to go on.

        :raises MalformedApdu: an APDU without its LLC heading.
        :raises OversizedApdu: an APDU longer than this end takes.
        """
        if found.sent != self._received:
            return b""
        self._received = self._received + 1 & 7
        self._stalls = 0
        self._parts.append(found.info)
        self._assembled += len(found.info)
        if self._assembled > self._limit + len(self._heading_in):
            raise OversizedApdu(self._assembled, self._limit)
        if found.segmented:
            return b""
        data = b"".join(self._parts)
        self._forget_parts()
        return self._headless(data)

    def _headless(self, data: bytes) -> bytes:
        heading = self._heading_in
        if len(data) <= len(heading) or not data.startswith(heading):
            raise MalformedApdu("APDU without its LLC heading")
        return data[len(heading) :]
