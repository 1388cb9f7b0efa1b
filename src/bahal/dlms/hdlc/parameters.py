"""What the ends of an HDLC link negotiate in SNRM and UA: longest information field and window, each way.

Format 0x81, group 0x80; parameters 5 and 6 are the longest information field sent and received, 7 and 8 the windows, as
seen by the station that sends them.  What is absent has its default: 128 bytes, one frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

INFO_LIMIT: Final = 2030
"""Longest information field that fits a frame with addresses of 4 bytes, rounded down as meters do it."""

WINDOW_LIMIT: Final = 7
_SMALLEST_INFO: Final = 32

_FORMAT: Final = 0x81
_GROUP: Final = 0x80
_NAMES: Final = {5: "transmit", 6: "receive", 7: "transmit_window", 8: "receive_window"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Bytes of information in one frame (32 to 2030) and frames under way (1 to 7), as this station sees them."""

    transmit: int = 128
    receive: int = 128
    transmit_window: int = 1
    receive_window: int = 1

    def __post_init__(self) -> None:
        """:raises ValueOutOfRange: outside what a frame can carry."""
        if not all(_SMALLEST_INFO <= size <= INFO_LIMIT for size in (self.transmit, self.receive)):
            raise ValueOutOfRange("HDLC information field", (self.transmit, self.receive))
        if not all(1 <= size <= WINDOW_LIMIT for size in (self.transmit_window, self.receive_window)):
            raise ValueOutOfRange("HDLC window", (self.transmit_window, self.receive_window))

    def encode(self) -> bytes:
        """The information field of an SNRM or UA."""
        body = b"".join(
            bytes((number, len(value))) + value
            for number, value in (
                (5, _short(self.transmit)),
                (6, _short(self.receive)),
                (7, self.transmit_window.to_bytes(4, "big")),
                (8, self.receive_window.to_bytes(4, "big")),
            )
        )
        return bytes((_FORMAT, _GROUP, len(body))) + body

    def agreed(self, other: Parameters) -> Parameters:
        """What holds for this station when the other one offers ``other``: the smaller of both, each way."""
        return Parameters(
            transmit=min(self.transmit, other.receive),
            receive=min(self.receive, other.transmit),
            transmit_window=min(self.transmit_window, other.receive_window),
            receive_window=min(self.receive_window, other.transmit_window),
        )


DEFAULTS: Final = Parameters()


def _short(size: int) -> bytes:
    return size.to_bytes(1 if size < 0x100 else 2, "big")


def read_parameters(info: bytes) -> Parameters:
    """The information field of an SNRM or UA, as its sender sees it; more than a frame can carry counts as its most.

    :raises MalformedApdu: the bytes do not follow their encoding, or a size is too small to work with.
    """
    found: dict[str, int] = {}
    if info:
        if len(info) < 3 or info[0] != _FORMAT or info[1] != _GROUP or len(info) < 3 + info[2]:
            raise MalformedApdu("link parameters of unusual form")
        at, end = 3, 3 + info[2]
        while at < end:
            if at + 2 > end or at + 2 + info[at + 1] > end:
                raise MalformedApdu("link parameter cut short")
            number, size = info[at], info[at + 1]
            value = int.from_bytes(info[at + 2 : at + 2 + size], "big")
            at += 2 + size
            if number in _NAMES:
                found[_NAMES[number]] = min(value, INFO_LIMIT if number < 7 else WINDOW_LIMIT)
    try:
        return Parameters(**found)
    except ValueOutOfRange:
        raise MalformedApdu("link parameters too small to work with") from None
