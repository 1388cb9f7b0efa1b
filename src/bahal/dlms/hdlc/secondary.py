"""The server's end of an HDLC link: it answers when it is polled, and never otherwise."""

from __future__ import annotations

from typing import Final

from bahal.dlms.errors import MalformedApdu, RequestTooLong
from bahal.dlms.hdlc.frames import (
    ALL_STATIONS,
    DISC,
    DM,
    FRMR,
    RNR,
    SNRM,
    UA,
    UI,
    Address,
    Frame,
    frame,
    sap_of,
)
from bahal.dlms.hdlc.link import FROM_SERVER, SUPERVISORY, TO_SERVER, Link
from bahal.dlms.hdlc.parameters import Parameters, read_parameters

# Why a frame is rejected (the third byte of an FRMR): unknown control field, information where none may be, too much
# information, an N(R) that was never sent.
_UNKNOWN: Final = 0x01
_NO_INFO: Final = 0x03
_TOO_LONG: Final = 0x04
_NEVER_SENT: Final = 0x08

GENEROUS: Final = Parameters(transmit=2030, receive=2030, transmit_window=7, receive_window=7)
"""What a server that runs on a computer can take; the client's proposal decides."""


class HdlcServer(Link):
    """The framing of a meter over HDLC.

    :param physical: lower address; frames to another one are for somebody else on the line.  None takes any.
    :param proposal: the most that is agreed to.
    :param limit: longest APDU taken, in bytes.
    """

    __slots__ = ("_connected", "_physical", "_polled", "_rejection", "_saps")

    closing = False

    def __init__(self, *, physical: int | None = None, proposal: Parameters = GENEROUS, limit: int = 0xFFFF) -> None:
        super().__init__(proposal=proposal, limit=limit, heading_out=FROM_SERVER, heading_in=TO_SERVER)
        self._physical = physical
        self._connected = False
        self._polled = False
        self._rejection = b""
        self._saps = (0, 0)

    def send(self, source: int, destination: int, apdu: bytes) -> bytes:
        """Queue an answer; it leaves with :meth:`outgoing`, since the turn may not be ours yet."""
        self._cut(apdu)
        return b""

    def notify(self, source: int, destination: int, apdu: bytes) -> bytes:
        """A UI frame that nobody polled for, such as one with an event notification.

        :raises RequestTooLong: longer than one frame.
        """
        info = FROM_SERVER + apdu
        if len(info) > self.parameters.transmit:
            raise RequestTooLong(len(info), self.parameters.transmit)
        return frame(self._other, self._own, UI, info, poll=False)

    def poll(self) -> bytes:
        """Nothing: the client polls."""
        return b""

    def repeat(self) -> bytes:
        """Nothing: the client repeats."""
        return b""

    def close(self) -> bytes:
        """Nothing: the client disconnects."""
        return b""

    def outgoing(self) -> bytes:
        """What is due; the turn goes back to the client with it.

        :raises LinkLost: the client polls again and again and never acknowledges.
        """
        if self._polled:
            self._polled = False
            if self._connected and not self._rejection:
                self._take_turn()
        return super().outgoing()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes as they come; return complete APDUs, an empty one where the link was connected or disconnected.

        :raises MalformedApdu: link parameters, addresses or an LLC heading of unusual form.
        :raises OversizedApdu: an APDU longer than ``limit``.
        """
        apdus: list[tuple[int, int, bytes]] = []
        for found in self._deframer.feed(data):
            if not self._is_for_us(found.destination):
                continue
            if found.control == SNRM:
                self._connect(found)
                apdus.append((*self._saps, b""))
            elif not self._connected or found.source != self._other:
                if found.poll:
                    self._out.append(frame(found.source, found.destination, DM))
            elif found.control == DISC:
                self._say(UA)
                self._connected = False
                apdus.append((*self._saps, b""))
            else:
                apdu = self._take(found)
                if apdu:
                    apdus.append((*self._saps, apdu))
        return apdus

    def _is_for_us(self, destination: bytes) -> bool:
        if len(destination) not in (1, 2, 4):
            return False
        lower = Address.decode(destination).lower
        return self._physical is None or lower in (None, self._physical, ALL_STATIONS[max(1, len(destination) // 2)])

    def _connect(self, found: Frame) -> None:
        self.parameters = self.proposal.agreed(read_parameters(found.info))
        self._own, self._other = found.destination, found.source
        self._saps = (sap_of(found.source), Address.decode(found.destination).upper)
        self._start()
        self._connected = True
        self._polled = False
        self._rejection = b""
        self._out.clear()
        self._say(UA, self.parameters.encode())

    def _take(self, found: Frame) -> bytes:
        apdu = b""
        if self._rejection:
            # Only SNRM and DISC end a rejection; until then it is said again.
            if found.poll:
                self._say(FRMR, self._rejection)
            return b""
        if found.is_information:
            if len(found.info) > self.parameters.receive:
                return self._reject(found, _TOO_LONG)
            if not self._acknowledge(found.awaited):
                return self._reject(found, _NEVER_SENT)
            self._peer_busy = False
            apdu = self._accept(found)
        elif found.control & 0x0F in SUPERVISORY:
            if found.info:
                return self._reject(found, _NO_INFO)
            if not self._acknowledge(found.awaited):
                return self._reject(found, _NEVER_SENT)
            self._peer_busy = found.control & 0x0F == RNR
        elif found.control == UI:
            apdu = self._headless(found.info)
        else:
            return self._reject(found, _UNKNOWN)
        self._polled = self._polled or found.poll
        return apdu

    def _reject(self, found: Frame, why: int) -> bytes:
        states = self._received << 5 | (self._sent & 7) << 1
        self._rejection = bytes((found.control | found.poll << 4, states, why))
        self._polled = False
        self._say(FRMR, self._rejection)
        return b""


def read_rejection(info: bytes) -> tuple[int, int]:
    """Control field rejected and the reason bits of an FRMR's information.

    :raises MalformedApdu: not three bytes.
    """
    if len(info) != 3:
        raise MalformedApdu("frame reject of unusual length")
    return info[0], info[2] & 0x0F
