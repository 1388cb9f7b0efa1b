"""What a profile captures and how each column is encoded: from the object model, or learnt from a first buffer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from bahal.dlms import axdr
from bahal.dlms.captures import COLUMNS_LIMIT, Capture
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange
from bahal.dlms.objects import classes
from bahal.dlms.objects.model import Column

CLOCK: Final = "clock"
DATE_TIME: Final = "date-time"
ANY: Final = "any"

# Name, tag and numpy code of what has a fixed size and is a number.
NUMBERS: Final = {
    "boolean": (axdr.BOOLEAN, "?"),
    "int8": (axdr.INT8, "i1"),
    "int16": (axdr.INT16, "i2"),
    "int32": (axdr.INT32, "i4"),
    "int64": (axdr.INT64, "i8"),
    "uint8": (axdr.UINT8, "u1"),
    "uint16": (axdr.UINT16, "u2"),
    "uint32": (axdr.UINT32, "u4"),
    "uint64": (axdr.UINT64, "u8"),
    "enum": (axdr.ENUM, "u1"),
    "bcd": (axdr.BCD, "i1"),
    "float32": (axdr.FLOAT32, "f4"),
    "float64": (axdr.FLOAT64, "f8"),
}
_BY_TAG: Final = {tag: name for name, (tag, _) in NUMBERS.items()}
_OF_MODEL: Final = {
    name: simple.column for name, simple in classes.SIMPLE_TYPES.items() if simple.column and name != classes.CLOCK
} | {classes.CLOCK: CLOCK}

MOMENT_LENGTH: Final = 12
_OCTETS_LIMIT: Final = 0x80


def types_of(columns: Iterable[Column]) -> tuple[str, ...]:
    """The types of columns that the object model knows; ``any`` for those without a fixed size."""
    return tuple(_OF_MODEL.get(column.type, ANY) for column in columns)


def learn(captures: Sequence[Capture], buffer: bytes) -> tuple[str, ...]:
    """The types of a profile's columns from a buffer: each from the first row that holds more than null-data.

    An octet-string of 12 bytes is a moment where the capture object says so (class 8 attribute 2, class 4 attribute 5).
    A column that is null in all rows, or has no fixed size, is ``any``.

    :raises MalformedApdu: not an array of structures of as many values as there are captures.
    """
    if buffer[:1] != bytes((axdr.ARRAY,)):
        raise MalformedApdu("profile buffer is not an array")
    count, at = axdr.read_length(buffer, 1)
    found = [""] * len(captures)
    for _ in range(count):
        if buffer[at : at + 1] != bytes((axdr.STRUCTURE,)):
            raise MalformedApdu("profile row is not a structure")
        width, at = axdr.read_length(buffer, at + 1)
        if width != len(captures):
            raise MalformedApdu(f"profile row of {width} values for {len(captures)} captures")
        for n, capture in enumerate(captures):
            after = axdr.decode_prefix(buffer, at)[1]
            if not found[n] and buffer[at] != axdr.NULL:
                found[n] = _type_at(buffer, at, after, capture)
            at = after
        if all(found):
            break
    return tuple(each or ANY for each in found)


def _type_at(buffer: bytes, at: int, after: int, capture: Capture) -> str:
    tag = buffer[at]
    if tag == axdr.DATE_TIME:
        return DATE_TIME
    if tag == axdr.OCTET_STRING:
        size = after - at - 2
        if size == MOMENT_LENGTH and capture.is_moment:
            return CLOCK
        return f"octets:{size}" if 0 < size < _OCTETS_LIMIT else ANY
    return _BY_TAG.get(tag, ANY)


class Place(NamedTuple):
    """Where a column stands in a row: its type, the offset of its contents and their size in bytes."""

    type: str
    offset: int
    size: int


class Fixed(NamedTuple):
    """A row layout of fixed size: bytes of a row, offsets with the byte that must stand there, and the columns."""

    size: int
    marks: tuple[tuple[int, bytes], ...]
    places: tuple[Place, ...]


def fixed(types: Sequence[str]) -> Fixed | None:
    """The fixed layout of rows of these types; None where one of them has no fixed size.

    :raises ValueOutOfRange: a type that is not known, or not 1 to 127 columns.
    """
    if not 1 <= len(types) < COLUMNS_LIMIT:
        raise ValueOutOfRange("columns", len(types))
    marks = [(0, axdr.STRUCTURE), (1, len(types))]
    places: list[Place] = []
    at = 2
    open_sized = False
    head: tuple[int, ...]
    for name in types:
        if name in NUMBERS:
            tag, code = NUMBERS[name]
            head, size = (tag,), 1 if code == "?" else int(code[1:])
        elif name == DATE_TIME:
            head, size = (axdr.DATE_TIME,), MOMENT_LENGTH
        elif name == CLOCK or name.startswith("octets:"):
            size = MOMENT_LENGTH if name == CLOCK else octets_size(name)
            head = (axdr.OCTET_STRING, size)
        elif name == ANY:
            open_sized = True
            continue
        else:
            raise ValueOutOfRange("column type", name)
        marks += [(at + n, mark) for n, mark in enumerate(head)]
        at += len(head)
        places.append(Place(name, at, size))
        at += size
    if open_sized:
        return None
    return Fixed(at, tuple((offset, bytes((mark,))) for offset, mark in marks), tuple(places))


def octets_size(name: str) -> int:
    """The N of ``octets:N``.

    :raises ValueOutOfRange: no number from 1 to 127.
    """
    size = name.removeprefix("octets:")
    if not (size.isascii() and size.isdecimal()) or not 0 < int(size) < _OCTETS_LIMIT:
        raise ValueOutOfRange("column type", name)
    return int(size)
