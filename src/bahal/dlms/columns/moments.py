"""COSEM date-times (12 bytes, ``bahal.dlms.clock``) to UTC seconds, a whole column at once.

Each part of a date-time is two bytes wide or can be taken so (month with day, hour with minute, second with
hundredths), and every pair of bytes has its seconds, or the mark of "no such thing", in a table of 65,536.  A moment is
then the sum of five look-ups, and one comparison finds what is no moment.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from functools import cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bahal.dlms import clock
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

Integers: TypeAlias = NDArray[np.int64]
Octets: TypeAlias = NDArray[np.uint8]

# Far below any sum of moments; five of them still fit 64 bits.
_NO_MOMENT: Final = -(1 << 59)
_WORST_MOMENT: Final = -(1 << 58)

_PAIRS: Final = 1 << 16
_PAIR: Final = np.dtype(">u2")
_STRIDES: Final = (2, clock.LENGTH)
_DAY_S: Final = 86_400
_UNSPECIFIED: Final = 0xFF
_DEVIATION_LIMIT: Final = 840  # as in `clock`
_NOT_SPECIFIED: Final = 0xFF

# Columns of clocks kept by their bytes, and how long they may be.
_KEPT: Final = 512
_SHORT: Final = 192


class Moments(NamedTuple):
    """A clock column: whole UTC seconds since 1970 (int64; hundredths are cut off) and the clock status bytes.

    ``status`` has the bits of ``clock.STATUS_*``; 0xFF says that the meter gives no status.  Both arrays may be shared
    with other profiles of the same clocks and are read-only.
    """

    seconds: Integers
    status: Octets

    @property
    def invalid(self) -> NDArray[np.bool_]:
        """Where the meter itself says that its time is invalid (Blue Book, clock status bit 0)."""
        told: NDArray[np.bool_] = (self.status & clock.STATUS_INVALID != 0) & (self.status != _NOT_SPECIFIED)
        return told


class MomentUnspecified(MalformedApdu):
    """A captured date-time leaves year, month, day, hour or minute open (0xFF): it names no moment.

    Attributes: ``row`` (counted from 0), ``raw`` (12 bytes).
    """

    name = "moment_unspecified"

    def __init__(self, row: int, raw: bytes) -> None:
        super().__init__(f"row {row}: date-time with open parts: {raw.hex()}")
        self.row = row
        self.raw = raw


class _Tables(NamedTuple):
    """Seconds by pairs of bytes; ``leap`` is what to add to month and day before the look-up."""

    year: Integers
    leap: NDArray[np.intp]
    month_day: Integers
    hour_minute: Integers
    second: Integers


@cache
def _tables() -> _Tables:
    numbers = np.arange(_PAIRS, dtype=np.int64)
    high, low = numbers >> 8, numbers & 0xFF
    before = numbers - 1
    since = np.where(
        (numbers >= 1) & (numbers <= 9999),
        (before * 365 + before // 4 - before // 100 + before // 400 - 719_162) * _DAY_S,
        _NO_MOMENT,
    )
    leap = ((numbers % 4 == 0) & (numbers % 100 != 0)) | (numbers % 400 == 0)
    days: list[Integers] = []
    for february in (28, 29):
        lengths = np.array([0, 31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
        begins = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        month = np.where(high <= 12, high, 0)
        good = (low >= 1) & (low <= lengths[month])
        days.append(np.where(good, (begins[month] + low - 1) * _DAY_S, _NO_MOMENT))
    seconds = np.where(high == _UNSPECIFIED, 0, high)
    hundredths = np.where(low == _UNSPECIFIED, 0, low)
    return _Tables(
        year=since,
        leap=np.where(leap, _PAIRS, 0).astype(np.intp),
        month_day=np.concatenate(days),
        hour_minute=np.where((high < 24) & (low < 60), high * 3600 + low * 60, _NO_MOMENT),
        second=np.where((seconds < 60) & (hundredths < 100), seconds, _NO_MOMENT),
    )


@cache
def _deviations(zone: timezone) -> Integers:
    """Seconds to add to local time for UTC, by the deviation's two bytes; ``zone`` serves where none is given.

    :raises ValueOutOfRange: a zone that is not whole seconds.
    """
    offset = zone.utcoffset(None)
    if offset.microseconds:
        raise ValueOutOfRange("zone", zone)
    signed = np.arange(_PAIRS, dtype=np.int64)
    signed[_PAIRS // 2 :] -= _PAIRS
    table = np.where(np.abs(signed) <= _DEVIATION_LIMIT, signed * 60, _NO_MOMENT)
    table[clock.DEVIATION_UNSPECIFIED & 0xFFFF] = -(offset // timedelta(seconds=1))
    return table


class MomentReader:
    """Reads columns of date-times.

    All meters of a circle capture a day at the same 48 moments, so short columns are remembered by their bytes: reading
    one again takes a tenth of the time.
    """

    __slots__ = ("_deviation", "_kept", "_tables", "_zone")

    def __init__(self, zone: timezone) -> None:
        """:raises ValueOutOfRange: a zone that is not whole seconds."""
        self._tables = _tables()
        self._deviation = _deviations(zone)
        self._zone = zone
        self._kept: dict[bytes, Moments] = {}

    def read(self, raw: Octets) -> Moments:
        """The moments of an array (rows, 12) of bytes; it may be a strided view.

        :raises MomentUnspecified: a moment with open parts.
        :raises MalformedApdu: no such moment.
        """
        count = len(raw)
        key = raw.tobytes()
        if count > _SHORT:
            return self._read(key, count)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._read(key, count)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = kept
        return kept

    def _read(self, raw: bytes, count: int) -> Moments:
        if not count:
            return Moments(np.empty(0, np.int64), np.empty(0, np.uint8))
        tables = self._tables
        year, month_day = np.ndarray((2, count), _PAIR, raw, 0, _STRIDES).astype(np.intp)
        hour_minute, second, deviation = np.ndarray((3, count), _PAIR, raw, 5, _STRIDES).astype(np.intp)
        month_day += tables.leap[year]
        seconds = tables.year[year]
        seconds += tables.month_day[month_day]
        seconds += tables.hour_minute[hour_minute]
        seconds += tables.second[second]
        seconds += self._deviation[deviation]
        if seconds.min() < _WORST_MOMENT:
            row = int(np.argmax(seconds < _WORST_MOMENT))
            refuse_moment(row, raw[clock.LENGTH * row : clock.LENGTH * (row + 1)], self._zone)
        status = np.frombuffer(raw[11 :: clock.LENGTH], np.uint8)
        seconds.flags.writeable = False
        return Moments(seconds, status)


def refuse_moment(row: int, raw: bytes, zone: timezone) -> None:
    """Say what is wrong with a moment.

    :raises MomentUnspecified: it leaves parts open.
    :raises MalformedApdu: it does not exist.
    """
    if raw[:2] == b"\xff\xff" or _UNSPECIFIED in (raw[2], raw[3], raw[5], raw[6]):
        raise MomentUnspecified(row, raw)
    clock.decode(raw, zone=zone)
    raise MalformedApdu(f"row {row}: no such moment: {raw.hex()}")
