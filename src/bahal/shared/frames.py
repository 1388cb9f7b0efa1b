"""What went over the wire between the interlock and one meter, kept as it went: for who may have to prove it later.

The frames are ciphered and stay so: nobody reads them without the meter's keys. What is kept is a run of records, each
a direction (`>` to the meter, `<` from it), a length of two bytes and the bytes. One record is one frame of the wrapper
(IEC 62056-47) where the bytes are that, and else what was written or came between two turns.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

TO_METER = ">"
FROM_METER = "<"
KEPT_AT_MOST = 16_384
"""Bytes of one session. An order takes about a thousand; who floods us is cut off elsewhere and not kept."""

_RECORD = struct.Struct(">cH")
_HEADER = struct.Struct(">HHHH")
_WRAPPER = 1


class Tape:
    """Takes down one session. `full` says that something was left out at its end."""

    __slots__ = ("_kept", "_turns", "full")

    def __init__(self) -> None:
        self._turns: list[tuple[str, bytes]] = []
        self._kept = 0
        self.full = False

    def take(self, direction: str, data: bytes) -> None:
        """These bytes went that way."""
        if not data:
            return
        self._kept += len(data)
        if self.full or self._kept > KEPT_AT_MOST:
            self.full = True
            return
        if self._turns and self._turns[-1][0] == direction:
            # Bytes come in pieces; a frame may have come in two.
            self._turns[-1] = (direction, self._turns[-1][1] + data)
        else:
            self._turns.append((direction, data))

    def packed(self) -> bytes:
        """All of it, for the table; empty if nothing was said."""
        return b"".join(
            _RECORD.pack(direction.encode(), len(frame)) + frame
            for direction, data in self._turns
            for frame in _frames(data)
        )


def unpacked(kept: bytes) -> Iterator[tuple[str, bytes]]:
    """Direction and bytes of each frame, in order.

    :raises ValueError: it is no such run of records.
    """
    at = 0
    while at < len(kept):
        if at + _RECORD.size > len(kept):
            raise ValueError("a record is cut off")
        direction, length = _RECORD.unpack_from(kept, at)
        at += _RECORD.size
        if direction not in (b">", b"<") or at + length > len(kept):
            raise ValueError("a record is cut off")
        yield direction.decode(), kept[at : at + length]
        at += length


def _frames(data: bytes) -> Iterator[bytes]:
    """The frames of the wrapper in these bytes; what is none of them comes as one."""
    at = 0
    while at + _HEADER.size <= len(data):
        version, _, _, length = _HEADER.unpack_from(data, at)
        end = at + _HEADER.size + length
        if version != _WRAPPER or end > len(data):
            break
        yield data[at:end]
        at = end
    if at < len(data):
        yield data[at:]
