"""APDUs that nobody asked for: DataNotification and EventNotification (Green Book 9.3.10 and 9.3.9)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from bahal.dlms import axdr
from bahal.dlms.apdu.codes import DATA_NOTIFICATION, EVENT_NOTIFICATION
from bahal.dlms.apdu.requests import Target
from bahal.dlms.errors import MalformedApdu, UnexpectedApdu

_ATTRIBUTE = struct.Struct(">H6sB")


class DataNotification(NamedTuple):
    """Long invoke-id and priority, 12-byte date-time (empty when absent), body as raw A-XDR."""

    invoke: int
    clock: bytes
    body: bytes


class EventNotification(NamedTuple):
    """12-byte date-time (empty when absent), the attribute and its raw A-XDR."""

    clock: bytes
    target: Target
    value: bytes


def data_notification(invoke: int, clock: bytes, body: bytes) -> bytes:
    """DataNotification; ``invoke`` has 32 bits, ``clock`` 12 bytes or none."""
    return b"\x0f" + invoke.to_bytes(4, "big") + axdr.length(len(clock)) + clock + body


def parse_data_notification(apdu: bytes) -> DataNotification:
    """Read a plain DataNotification.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not apdu or apdu[0] != DATA_NOTIFICATION:
        raise UnexpectedApdu(apdu[0] if apdu else 0, "DataNotification awaited")
    if len(apdu) < 7 or apdu[5] not in (0, 12) or len(apdu) < 7 + apdu[5]:
        raise MalformedApdu("DataNotification cut short")
    at = 6 + apdu[5]
    return DataNotification(int.from_bytes(apdu[1:5], "big"), apdu[6:at], apdu[at:])


def event_notification(clock: bytes, target: Target, value: bytes) -> bytes:
    """EventNotification; ``clock`` 12 bytes or none."""
    head = b"\xc2\x01" + axdr.length(len(clock)) + clock if clock else b"\xc2\x00"
    return head + _ATTRIBUTE.pack(target.class_id, target.obis, target.number) + value


def parse_event_notification(apdu: bytes) -> EventNotification:
    """Read a plain EventNotification.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not apdu or apdu[0] != EVENT_NOTIFICATION:
        raise UnexpectedApdu(apdu[0] if apdu else 0, "EventNotification awaited")
    clock = b""
    at = 2
    if len(apdu) > 2 and apdu[1]:
        if apdu[2] != 12:
            raise MalformedApdu("EventNotification time is not 12 bytes")
        clock = apdu[3:15]
        at = 15
    if len(apdu) < at + 10:
        raise MalformedApdu("EventNotification cut short")
    class_id, obis, attribute = _ATTRIBUTE.unpack_from(apdu, at)
    return EventNotification(clock, Target(class_id, obis, attribute), apdu[at + 9 :])
