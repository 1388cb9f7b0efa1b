"""The client's end of an HDLC link: it connects, polls, and repeats after silence."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from bahal.dlms.errors import LinkLost, LinkRefused, MalformedApdu, StateError
from bahal.dlms.hdlc.frames import DISC, DM, FRMR, RNR, SNRM, UA, UI, Address, Frame, client_address
from bahal.dlms.hdlc.link import FROM_SERVER, STALLS_AT_MOST, SUPERVISORY, TO_SERVER, Link
from bahal.dlms.hdlc.parameters import DEFAULTS, Parameters, read_parameters

REPEATS_AT_MOST: Final = 3


class Phase(IntEnum):
    """Where the link stands."""

    DISCONNECTED = 0
    CONNECTING = 1
    CONNECTED = 2
    CLOSING = 3


class HdlcClient(Link):
    """The framing of a client over HDLC.

    The first APDU connects: :meth:`send` returns an SNRM and keeps the APDU until the UA has come.  After silence (the
    caller knows how long that is on his line) write what :meth:`repeat` returns.

    :param physical: lower address of the meter; None where the logical device's address stands alone.
    :param address_size: bytes of the meter's address: 1 without a lower address, 2 or 4 with one.
    :param proposal: what to propose; the meter may lower it.
    :param limit: longest APDU taken, in bytes.
    """

    __slots__ = ("_address_size", "_kept", "_physical", "_repeats", "_saps", "_turn", "phase")

    def __init__(
        self,
        *,
        physical: int | None = None,
        address_size: int = 1,
        proposal: Parameters = DEFAULTS,
        limit: int = 0xFFFF,
    ) -> None:
        super().__init__(proposal=proposal, limit=limit, heading_out=TO_SERVER, heading_in=FROM_SERVER)
        self._physical = physical
        self._address_size = address_size
        self._saps = (0, 0)
        self._kept = b""
        self._repeats = 0
        self._turn = False
        self.phase = Phase.DISCONNECTED

    @property
    def closing(self) -> bool:
        """Whether a DISC is not answered yet."""
        return self.phase is Phase.CLOSING

    def send(self, source: int, destination: int, apdu: bytes) -> bytes:
        """Connect, or send I frames as far as the window goes.

        :raises ValueOutOfRange: addresses that do not fit.
        :raises StateError: the link is being closed.
        """
        if self.phase is Phase.CLOSING:
            raise StateError("closing", "send")
        self._repeats = 0
        if self.phase is Phase.CONNECTED:
            self._cut(apdu)
            if self._turn:
                self._go_on()
        else:
            self._own = client_address(source)
            self._other = Address(destination, self._physical).encode(self._address_size)
            self._saps = (destination, source)
            self._kept = apdu
            self.phase = Phase.CONNECTING
            self._ask()
        return self.outgoing()

    def close(self) -> bytes:
        """A DISC, if there is anything to disconnect."""
        if self.phase in (Phase.DISCONNECTED, Phase.CLOSING):
            return b""
        self.phase = Phase.CLOSING
        self._repeats = 0
        self._ask()
        return self.outgoing()

    def poll(self) -> bytes:
        """Give the turn back to a meter that has more to say."""
        if self.phase is Phase.CONNECTED and self._turn:
            self._go_on()
        return self.outgoing()

    def repeat(self) -> bytes:
        """What to write after silence: the same SNRM, DISC or I frames again, or a poll for the answer that is due.

        :raises LinkLost: nothing valid came in answer to ``REPEATS_AT_MOST`` repetitions.
        """
        if self.phase is Phase.DISCONNECTED:
            return b""
        self._repeats += 1
        if self._repeats > REPEATS_AT_MOST:
            self.phase = Phase.DISCONNECTED
            raise LinkLost(self._repeats)
        self._ask()
        return self.outgoing()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes as they come; return complete APDUs.  What does not check, or is for others, is passed over.

        :raises LinkRefused: the meter answers with DM or FRMR: it is not connected, or was.
        :raises LinkLost: the same frames go unacknowledged again and again.
        :raises MalformedApdu: frames that no rule allows.
        :raises OversizedApdu: an APDU longer than ``limit``.
        """
        apdus: list[tuple[int, int, bytes]] = []
        for found in self._deframer.feed(data):
            if found.destination != self._own or not self._is_other(found.source):
                continue
            self._repeats = 0
            apdu = self._take(found)
            if apdu:
                apdus.append((*self._saps, apdu))
        return apdus

    def _is_other(self, source: bytes) -> bool:
        """Whether a frame is from our meter, however many bytes it takes for its address."""
        return source == self._other or (
            len(source) in (1, 2, 4) and Address.decode(source) == Address.decode(self._other)
        )

    def _ask(self) -> None:
        if self.phase is Phase.CONNECTING:
            # Without an information field the defaults are proposed; some meters take no other SNRM.
            self._say(SNRM, b"" if self.proposal == DEFAULTS else self.proposal.encode())
        elif self.phase is Phase.CLOSING:
            self._say(DISC)
        else:
            self._peer_busy = False
            self._go_on()

    def _go_on(self) -> None:
        self._turn = False
        self._take_turn()

    def _take(self, found: Frame) -> bytes:
        if found.control == UI:
            return self._headless(found.info)
        if found.control in (DM, FRMR):
            return self._refused(found)
        if self.phase is Phase.CONNECTED:
            return self._take_connected(found)
        if found.control == UA:
            if self.phase is Phase.CLOSING:
                self.phase = Phase.DISCONNECTED
            elif self.phase is Phase.CONNECTING:
                self._connected(found.info)
        return b""

    def _refused(self, found: Frame) -> bytes:
        if self.phase is Phase.DISCONNECTED:
            return b""
        closing = self.phase is Phase.CLOSING
        self.phase = Phase.DISCONNECTED
        if closing and found.control == DM:
            return b""
        raise LinkRefused("frame reject" if found.control == FRMR else "disconnected mode", found.info)

    def _connected(self, info: bytes) -> None:
        self._start()
        self.parameters = self.proposal.agreed(read_parameters(info))
        self.phase = Phase.CONNECTED
        self._cut(self._kept)
        self._kept = b""
        self._go_on()

    def _take_connected(self, found: Frame) -> bytes:
        apdu = b""
        missed = False
        if found.is_information:
            if len(found.info) > self.parameters.receive:
                raise MalformedApdu(f"{len(found.info)} bytes in one frame, {self.parameters.receive} are agreed")
            if not self._acknowledge(found.awaited):
                return b""
            self._peer_busy = False
            missed = found.sent != self._received
            apdu = self._accept(found)
        elif found.control & 0x0F in SUPERVISORY:
            if not self._acknowledge(found.awaited):
                return b""
            self._peer_busy = found.control & 0x0F == RNR
        else:
            # A second UA to a repeated SNRM, and what nobody asked for, change nothing.
            return b""
        if found.poll:
            self._turn = True
            if self._is_more_due(missed):
                self._go_on()
        return apdu

    def _is_more_due(self, missed: bool) -> bool:
        """Whether to speak again at once.  A meter that only says RR to a whole request, or RNR, needs time: the
        caller's silence polls it."""
        if missed:
            self._stalls += 1
            if self._stalls > STALLS_AT_MOST:
                raise LinkLost(self._stalls)
            return True
        return bool(self._parts or (not self._peer_busy and (self._queue or self._unacknowledged)))
