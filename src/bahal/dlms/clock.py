"""The 12-byte COSEM date-time (Blue Book, common data types) and aware ``datetime``.

Year (2), month, day of month, day of week (1 = Monday), hour, minute, second, hundredths, deviation (2, signed),
status.  The deviation is minutes from local time to UTC, positive west: local + deviation = UTC, so Indian time carries
-330.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta, timezone, tzinfo

from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

LENGTH = 12
SHIFT_TIME = 6
"""The method of class 8 that moves a clock by some seconds."""
LONGEST_SHIFT_S = 900
"""By how much at most, either way (Blue Book, class 8)."""
DEVIATION_UNSPECIFIED = -0x8000

STATUS_INVALID = 0x01
STATUS_DOUBTFUL = 0x02
STATUS_OTHER_BASE = 0x04
STATUS_INVALID_STATUS = 0x08
STATUS_DAYLIGHT_SAVING = 0x80

_LAYOUT = struct.Struct(">HBBBBBBBhB")
_MINUTE = timedelta(minutes=1)
_DEVIATION_LIMIT = 840  # the standard says 720; two zones of the world lie further out


def encode(moment: datetime, *, status: int = 0) -> bytes:
    """12 bytes of an aware moment in its own zone, to the hundredth of a second.

    :raises ValueOutOfRange: the moment is naive, or its offset is no whole number of minutes.
    """
    offset = moment.utcoffset()
    if offset is None or offset % _MINUTE:
        raise ValueOutOfRange("date-time", moment)
    return _LAYOUT.pack(
        moment.year,
        moment.month,
        moment.day,
        moment.isoweekday(),
        moment.hour,
        moment.minute,
        moment.second,
        moment.microsecond // 10_000,
        -(offset // _MINUTE),
        status,
    )


def decode(raw: bytes, *, zone: tzinfo) -> datetime:
    """An aware moment; ``zone`` serves where the meter leaves the deviation unspecified (0x8000).

    Seconds and hundredths left unspecified (0xFF) count as zero.

    :raises MalformedApdu: not 12 bytes, a date or hour left unspecified, or no such date.
    """
    if len(raw) != LENGTH:
        raise MalformedApdu(f"date-time of {len(raw)} bytes")
    year, month, day, _, hour, minute, second, hundredths, deviation, _ = _LAYOUT.unpack(raw)
    if deviation == DEVIATION_UNSPECIFIED:
        there = zone
    elif -_DEVIATION_LIMIT <= deviation <= _DEVIATION_LIMIT:
        there = timezone(timedelta(minutes=-deviation))
    else:
        raise MalformedApdu(f"deviation {deviation}")
    if second == 0xFF:
        second = 0
    if hundredths == 0xFF:
        hundredths = 0
    try:
        return datetime(year, month, day, hour, minute, second, hundredths * 10_000, there)
    except ValueError:
        raise MalformedApdu(f"no such moment: {raw.hex()}") from None


def status_of(raw: bytes) -> int:
    """The clock status byte; bits as the ``STATUS_`` constants.

    :raises MalformedApdu: not 12 bytes.
    """
    if len(raw) != LENGTH:
        raise MalformedApdu(f"date-time of {len(raw)} bytes")
    return raw[11]
