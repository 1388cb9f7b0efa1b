"""Selective access to the buffer of a profile (Blue Book, class 7): by range and by entry.

A *selection* is the selector byte followed by its A-XDR parameters.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu

BY_RANGE: Final = 1
BY_ENTRY: Final = 2

CLOCK_OBIS: Final = bytes((0, 0, 1, 0, 0, 255))


class Range(NamedTuple):
    """A range: the restricting object (class, logical name, attribute) and both bounds, included, as A-XDR."""

    class_id: int
    obis: bytes
    attribute: int
    first: bytes
    last: bytes


class Entries(NamedTuple):
    """Entries ``first`` to ``last`` counted from 1, columns likewise; 0 as last means up to the end."""

    first: int
    last: int
    first_column: int
    last_column: int


def by_range(first: bytes, last: bytes, *, class_id: int = 8, obis: bytes = CLOCK_OBIS, attribute: int = 2) -> bytes:
    """Selection of profile rows whose restricting object (the clock) lies between two A-XDR values, both included.

    ``first`` and ``last`` are encoded: ``axdr.octets(clock.encode(moment))``.  All columns are asked for.
    """
    restricting = axdr.structure(axdr.uint16(class_id), axdr.octets(obis), axdr.int8(attribute), axdr.uint16(0))
    return b"\x01" + axdr.structure(restricting, first, last, axdr.array())


def by_entry(first: int, last: int, *, first_column: int = 1, last_column: int = 0) -> bytes:
    """Selection of profile rows by number, counted from 1; ``last`` 0 asks up to the newest."""
    return b"\x02" + axdr.structure(
        axdr.uint32(first), axdr.uint32(last), axdr.uint16(first_column), axdr.uint16(last_column)
    )


def parse_selection(selection: bytes) -> Range | Entries:
    """Read a selection of class 7.

    :raises MalformedApdu: not A-XDR, or not the structure of its selector.
    """
    if not selection:
        raise MalformedApdu("empty selection")
    value = axdr.decode(selection[1:])
    if selection[0] == BY_ENTRY and isinstance(value, tuple) and len(value) == 4:
        first, last, first_column, last_column = value
        if (
            isinstance(first, int)
            and isinstance(last, int)
            and isinstance(first_column, int)
            and isinstance(last_column, int)
        ):
            return Entries(first, last, first_column, last_column)
    if selection[0] == BY_RANGE and isinstance(value, tuple) and len(value) == 4:
        restricting = value[0]
        if isinstance(restricting, tuple) and len(restricting) == 4:
            class_id, obis, attribute, _ = restricting
            if isinstance(class_id, int) and isinstance(obis, bytes) and isinstance(attribute, int):
                _, at = axdr.decode_prefix(selection, 3)
                _, middle = axdr.decode_prefix(selection, at)
                _, end = axdr.decode_prefix(selection, middle)
                return Range(class_id, obis, attribute, selection[at:middle], selection[middle:end])
    raise MalformedApdu(f"selection by selector {selection[0]} of unusual form")
