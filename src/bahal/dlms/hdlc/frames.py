"""Frames of IEC 62056-46, format type 3: addresses, control field, check sequences, and a stream cut into frames.

A frame is flag, format (type 3, segmentation bit, 11-bit length), destination, source, control, then either the frame
check sequence alone, or header check sequence, information and frame check sequence, and a flag, which may open the
next frame.  Nothing is stuffed: the length says where a frame ends.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final, NamedTuple

from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

FLAG: Final = 0x7E
FRAME_LIMIT: Final = 0x7FF
"""Longest frame in bytes, flags not counted: the format field has 11 bits for it."""

POLL: Final = 0x10
RR: Final = 0x01
RNR: Final = 0x05
REJ: Final = 0x09
SNRM: Final = 0x83
DISC: Final = 0x43
UA: Final = 0x63
DM: Final = 0x0F
FRMR: Final = 0x87
UI: Final = 0x03

ALL_STATIONS: Final = {1: 0x7F, 2: 0x3FFF}
"""The lower or upper address of everybody, by the bytes that this part takes."""

_SHORTEST: Final = 7  # format 2, addresses 1 and 1, control 1, check sequence 2
_ADDRESS_SIZES: Final = (1, 2, 4)
_GOOD: Final = 0x1D0F

# The check is CRC-16/X.25, which runs through each byte from its low bit; the one that binascii computes in C runs from
# the high bit.  Mirroring the bytes before and after makes one the other.
_MIRROR: Final = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))


def check_sequence(data: bytes) -> bytes:
    """CRC-16/X.25 of the data as it stands in a frame, low byte first."""
    return (crc_hqx(data.translate(_MIRROR), 0xFFFF) ^ 0xFFFF).to_bytes(2, "big").translate(_MIRROR)


def checks(data: bytes) -> bool:
    """Whether the last two bytes are the check sequence of what precedes them."""
    return crc_hqx(data.translate(_MIRROR), 0xFFFF) == _GOOD


class Address(NamedTuple):
    """A station: upper part (client, or logical device) and lower part (physical device), None where it has none."""

    upper: int
    lower: int | None = None

    def encode(self, size: int) -> bytes:
        """The address in 1 byte (upper alone), 2 (7 bits each) or 4 (14 bits each).

        :raises ValueOutOfRange: another size, or a part that does not fit.
        """
        parts = (self.upper,) if self.lower is None else (self.upper, self.lower)
        width = {1: 1, 2: 2 // len(parts), 4: 4 // len(parts)}.get(size, 0)
        if size not in _ADDRESS_SIZES or (size == 1 and len(parts) == 2) or (size == 4 and len(parts) == 1):
            raise ValueOutOfRange("HDLC address size", (self, size))
        if any(not 0 <= part < 1 << 7 * width for part in parts):
            raise ValueOutOfRange("HDLC address", self)
        sevens = [part >> 7 * n & 0x7F for part in parts for n in range(width - 1, -1, -1)]
        return bytes(seven << 1 for seven in sevens[:-1]) + bytes((sevens[-1] << 1 | 1,))

    @classmethod
    def decode(cls, raw: bytes) -> Address:
        """The parts of an address field as :class:`Frame` holds it."""
        sevens = [byte >> 1 for byte in raw]
        if len(raw) == 1:
            return cls(sevens[0])
        if len(raw) == 2:
            return cls(*sevens)
        return cls(sevens[0] << 7 | sevens[1], sevens[2] << 7 | sevens[3])


class Frame(NamedTuple):
    """One frame whose check sequences are right.  Addresses are raw; ``control`` has the poll/final bit cut out."""

    destination: bytes
    source: bytes
    control: int
    poll: bool
    segmented: bool
    info: bytes

    @property
    def is_information(self) -> bool:
        """Whether it is an I frame."""
        return not self.control & 1

    @property
    def sent(self) -> int:
        """N(S) of an I frame."""
        return self.control >> 1 & 7

    @property
    def awaited(self) -> int:
        """N(R) of an I, RR, RNR or REJ frame: the number its sender expects next."""
        return self.control >> 5


def frame(
    destination: bytes, source: bytes, control: int, info: bytes = b"", *, poll: bool = True, segmented: bool = False
) -> bytes:
    """Build one frame with both flags; addresses as :meth:`Address.encode` gives them.

    :raises ValueOutOfRange: longer than ``FRAME_LIMIT``.
    """
    length = 5 + len(destination) + len(source) + (len(info) + 2 if info else 0)
    if length > FRAME_LIMIT:
        raise ValueOutOfRange("HDLC frame", length)
    head = (0xA000 | segmented << 11 | length).to_bytes(2, "big") + destination + source
    body = head + bytes((control | POLL if poll else control,))
    if info:
        body += check_sequence(body) + info
    return b"\x7e" + body + check_sequence(body) + b"\x7e"


class Deframer:
    """Cuts a byte stream into frames; what does not check is passed over, as HDLC wants it, and counted in ``damaged``.

    Holds at most one unfinished frame.  The header's own check sequence is looked at first, so that a damaged length
    never makes it wait for bytes that do not come.
    """

    __slots__ = ("_buffer", "damaged")

    def __init__(self) -> None:
        self._buffer = b""
        self.damaged = 0

    @property
    def pending(self) -> int:
        """Bytes held of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they come; return the frames now complete."""
        data = self._buffer + data
        frames: list[Frame] = []
        at = 0
        while True:
            at = data.find(b"\x7e", at)
            if at < 0:
                self._buffer = b""
                return frames
            length, header = _measure(data, at + 1)
            end = at + 1 + length
            if length and end >= len(data):
                self._buffer = data[at:]
                return frames
            found = _read(data[at + 1 : end], header) if length and data[end] == FLAG else None
            if found is None:
                # Two flags in a row only fill the line; anything else that follows a flag was meant to be a frame.
                if length or (data[at + 1] != FLAG and data[at + 1] >> 4 == 0xA):
                    self.damaged += 1
                at += 1
            else:
                frames.append(found)
                at = end


def _measure(data: bytes, at: int) -> tuple[int, int]:
    """Length of the frame whose format field is at ``at`` and of its header without check sequence.

    (0, 0) for what is no frame; a length beyond the data for what cannot be judged yet.
    """
    waits = (FRAME_LIMIT + len(data), 0)
    if at + 2 > len(data):
        return waits if at >= len(data) or data[at] >> 4 == 0xA else (0, 0)
    if data[at] >> 4 != 0xA:
        return 0, 0
    length = (data[at] << 8 | data[at + 1]) & FRAME_LIMIT
    if length < _SHORTEST:
        return 0, 0
    header = 2
    for _ in range(2):
        start = header
        while True:
            if at + header >= len(data):
                return waits
            header += 1
            if data[at + header - 1] & 1:
                break
            if header - start == 4:
                return 0, 0
        if header - start == 3:
            return 0, 0
    header += 1
    rest = length - header
    # A check sequence alone, or one more, at least one byte of information, and the frame's own.
    if rest != 2 and rest < 5:
        return 0, 0
    if at + header + 2 > len(data):
        return waits
    return (length, header) if checks(data[at : at + header + 2]) else (0, 0)


def _read(body: bytes, header: int) -> Frame | None:
    if not checks(body):
        return None
    at = 2
    while not body[at] & 1:
        at += 1
    destination, source, control = body[2 : at + 1], body[at + 1 : header - 1], body[header - 1]
    segmented = bool(body[0] & 0x08)
    return Frame(destination, source, control & ~POLL, bool(control & POLL), segmented, body[header + 2 : -2])


def client_address(sap: int) -> bytes:
    """The address of a client: always one byte.

    :raises ValueOutOfRange: a SAP above 127.
    """
    return Address(sap).encode(1)


def sap_of(source: bytes) -> int:
    """The SAP of a client by its address.

    :raises MalformedApdu: not one byte.
    """
    if len(source) != 1:
        raise MalformedApdu("address of a client is not one byte")
    return source[0] >> 1
