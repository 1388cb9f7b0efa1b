"""The 8-byte wrapper of IEC 62056-47 (DLMS over TCP): version 1, source wPort, destination wPort, length, APDU."""

from __future__ import annotations

import struct

from bahal.dlms.errors import MalformedApdu, OversizedApdu, ValueOutOfRange

VERSION = 1
HEADER_LENGTH = 8
LENGTH_LIMIT = 0xFFFF

HEADER = struct.Struct(">HHHH")
_unpack = HEADER.unpack_from


def frame(source: int, destination: int, apdu: bytes) -> bytes:
    """Wrap one APDU of 1 to 65,535 bytes.

    :raises ValueOutOfRange: a wPort or the length does not fit 16 bits.
    """
    if not apdu:
        raise ValueOutOfRange("wrapper", apdu)
    try:
        return HEADER.pack(VERSION, source, destination, len(apdu)) + apdu
    except struct.error:
        raise ValueOutOfRange("wrapper", (source, destination, len(apdu))) from None


class Deframer:
    """Cuts a byte stream into frames; holds at most one unfinished frame of ``max_length`` bytes.

    After an error the stream has no frame boundary any more: end the connection.
    """

    __slots__ = ("_buffer", "_max_length")

    def __init__(self, max_length: int = LENGTH_LIMIT) -> None:
        self._buffer = b""
        self._max_length = max_length

    @property
    def pending(self) -> int:
        """Bytes held of a frame that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes as they come; return the frames now complete as ``(source, destination, apdu)``.

        :raises MalformedApdu: another version than 1, or an empty APDU.
        :raises OversizedApdu: a frame that claims more than ``max_length`` bytes; nothing of it is kept.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        elif len(data) > HEADER_LENGTH:
            # Nearly always one whole frame comes at once.
            version, source, destination, length = _unpack(data)
            if version == VERSION and 0 < length == len(data) - HEADER_LENGTH <= self._max_length:
                return [(source, destination, data[HEADER_LENGTH:])]
        frames: list[tuple[int, int, bytes]] = []
        at = 0
        size = len(data)
        while size - at >= HEADER_LENGTH:
            version, source, destination, length = _unpack(data, at)
            if version != VERSION:
                raise MalformedApdu(f"wrapper version {version}")
            if length > self._max_length:
                raise OversizedApdu(length, self._max_length)
            if not length:
                raise MalformedApdu("empty APDU")
            end = at + HEADER_LENGTH + length
            if end > size:
                break
            frames.append((source, destination, data[at + HEADER_LENGTH : end]))
            at = end
        if at < size:
            self._buffer = data[at:]
            # A header that is still short is judged as early as its first bytes allow.
            if size - at < HEADER_LENGTH and not b"\x00\x01".startswith(data[at : at + 2]):
                raise MalformedApdu("wrapper version")
        return frames
