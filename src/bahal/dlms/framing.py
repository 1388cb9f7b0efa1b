"""What carries the APDUs of an association: the wrapper of TCP, or HDLC (``bahal.dlms.hdlc``).

An association knows APDUs and SAPs only; a framing makes bytes of them and back.  Both are sans-I/O.
"""

from __future__ import annotations

from struct import Struct
from typing import Protocol

from bahal.dlms.errors import ValueOutOfRange
from bahal.dlms.wrapper import HEADER, LENGTH_LIMIT, VERSION, Deframer

_pack = HEADER.pack
_address = Struct(">HHH").pack


class Framing(Protocol):
    """One connection, as an association sees it."""

    @property
    def closing(self) -> bool:
        """Whether :meth:`close` was said and its answer may still come."""
        ...

    def address(self, source: int, destination: int) -> bytes:
        """What each frame between two SAPs begins with, if only the length in two bytes and the APDU follow.

        An association then frames by itself, which saves a call for each APDU.  Empty for a link that is more.
        """
        ...

    def send(self, source: int, destination: int, apdu: bytes) -> bytes:
        """The bytes to write now for one APDU between two SAPs; a link that must connect first keeps it until then."""
        ...

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes as they come; return what is complete as ``(source, destination, apdu)``.

        An empty APDU says that the link was connected anew or disconnected: an association over it is gone.

        :raises DlmsError: the connection is of no more use.
        """
        ...

    def outgoing(self) -> bytes:
        """What the link itself has to say after :meth:`feed`, to be written now; empty for nothing.  Given once."""
        ...

    def poll(self) -> bytes:
        """What to write because the other end has more to say and may not before it is asked; empty for nothing."""
        ...

    def repeat(self) -> bytes:
        """What to write again after the other end has been silent; empty where repeating is no business of the link.

        :raises LinkLost: it was repeated often enough.
        """
        ...

    def close(self) -> bytes:
        """What to write before the connection is given up; empty for nothing."""
        ...


class ServerFraming(Framing, Protocol):
    """The meter's end of a connection."""

    def notify(self, source: int, destination: int, apdu: bytes) -> bytes:
        """The bytes to write for an APDU that nobody asked for.

        :raises RequestTooLong: longer than the link carries without being asked.
        """
        ...


class WrapperFraming(Deframer):
    """The wrapper of IEC 62056-47: stateless but for one unfinished frame of at most ``max_length`` bytes."""

    __slots__ = ()

    closing = False

    def address(self, source: int, destination: int) -> bytes:
        """Version and wPorts."""
        return _address(VERSION, source, destination)

    def send(self, source: int, destination: int, apdu: bytes) -> bytes:
        """One wrapped APDU.

        :raises ValueOutOfRange: longer than 65,535 bytes.
        """
        size = len(apdu)
        if size > LENGTH_LIMIT:
            raise ValueOutOfRange("wrapper", size)
        return _pack(VERSION, source, destination, size) + apdu

    notify = send

    def outgoing(self) -> bytes:
        """Nothing."""
        return b""

    def poll(self) -> bytes:
        """Nothing."""
        return b""

    def repeat(self) -> bytes:
        """Nothing: TCP repeats by itself."""
        return b""

    def close(self) -> bytes:
        """Nothing."""
        return b""
