"""Class 7, Profile generic: which rows and columns are meant, and buffers written and read by column.

Source: Blue Book, class 7. A range is one of the clock, both ends included; entries count from 1, the oldest.
`bahal.dlms.apdu` has the bytes of both selections.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from bahal.dlms import apdu, axdr, clock, rows
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects.classes import SIMPLE_TYPES
from bahal.dlms.objects.model import Column, CosemObject, ObjectModel

STRUCTURE = "structure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Rows whose time lies in [from_at, to_at], both ends included."""

    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """Rows `first` to `last`, counted from 1, the oldest; 0 as `last` means the newest."""

    first: int = 1
    last: int = 0


RowChoice = Between | Numbered

EVERY_ROW = Numbered()


def between(*, from_at: datetime, to_at: datetime) -> bytes:
    """The selection of a GET for the rows in [from_at, to_at], all columns; moments are sent in their own zone.

    :raises ValueOutOfRange: a naive moment.
    """
    return apdu.by_range(axdr.octets(clock.encode(from_at)), axdr.octets(clock.encode(to_at)))


def chosen(selection: bytes, profile: CosemObject, *, zone: tzinfo) -> tuple[RowChoice, list[int]]:
    """The rows, and the positions of the columns, that a client's selection asks for.

    `zone` serves moments that name no deviation.

    :raises MalformedApdu: not a selection of class 7, a range of something else than a moment, or columns that the
        profile does not capture.
    """
    found = apdu.parse_selection(selection)
    count = len(profile.columns)
    if isinstance(found, apdu.Entries):
        last = found.last_column or count
        if not 1 <= found.first_column <= last <= count or found.first < 1:
            raise MalformedApdu("entries outside the profile")
        return Numbered(first=found.first, last=found.last), list(range(found.first_column - 1, last))
    rows_wanted = Between(from_at=_moment(found.first, zone), to_at=_moment(found.last, zone))
    _, _, _, captures = _structure(selection)
    if not isinstance(captures, list):
        raise MalformedApdu("selected values are not an array")
    if not captures:
        return rows_wanted, list(range(count))
    places = {
        (column.source.interface.id, column.source.ln, column.attribute): n for n, column in enumerate(profile.columns)
    }
    try:
        return rows_wanted, [places[_capture(each)] for each in captures]
    except KeyError:
        raise MalformedApdu("a column that the profile does not capture") from None


def _structure(selection: bytes) -> tuple[axdr.Value, ...]:
    value = axdr.decode(selection[1:])
    if not isinstance(value, tuple) or len(value) != 4:
        raise MalformedApdu("not a range of four parts")
    return value


def _moment(encoded: bytes, zone: tzinfo) -> datetime:
    value = axdr.decode(encoded)
    if not isinstance(value, bytes):
        raise MalformedApdu("a range of something else than a moment")
    return clock.decode(value, zone=zone)


def _capture(value: axdr.Value) -> tuple[int, bytes, int]:
    match value:
        case (int() as class_id, bytes() as ln, int() as attribute, int()) if len(ln) == 6:
            return class_id, ln, attribute
    raise MalformedApdu("not a capture object definition")


def capture_objects(columns: Iterable[Column]) -> bytes:
    """Attribute 3 of a profile, or attribute 2 of a push setup: what is captured, in order."""
    return axdr.array(
        *(
            axdr.structure(
                axdr.uint16(column.source.interface.id),
                axdr.octets(column.source.ln),
                axdr.int8(column.attribute),
                axdr.uint16(0),
            )
            for column in columns
        )
    )


def read_capture_objects(value: axdr.Value, model: ObjectModel) -> list[Column | tuple[int, bytes, int]]:
    """Columns as a meter lists them; what the model does not know stays (class, logical name, attribute).

    :raises MalformedApdu: not an array of capture object definitions.
    """
    if not isinstance(value, list):
        raise MalformedApdu("capture objects are not an array")
    columns: list[Column | tuple[int, bytes, int]] = []
    for each in value:
        class_id, ln, attribute = _capture(each)
        known = model.find(class_id, ln)
        if known is None or attribute not in known.interface.attributes:
            columns.append((class_id, ln, attribute))
        else:
            columns.append(Column(known, attribute, known.type_of(attribute)))
    return columns


def layout(columns: Sequence[Column]) -> tuple[str, ...] | None:
    """The row layout for `bahal.dlms.rows`, or None where a column has no fixed size."""
    fixed: list[str] = []
    for column in columns:
        simple = SIMPLE_TYPES.get(column.type)
        if simple is None or simple.column is None:
            return None
        fixed.append(simple.column)
    return tuple(fixed)


def read_buffer(data: bytes, columns: Sequence[Column]) -> list[rows.Row]:
    """The rows of a buffer of known columns, oldest first; moments stay 12 bytes.

    :raises MalformedApdu: not an array of structures, or rows of another width.
    """
    fixed = layout(columns)
    found = rows.compiled(fixed).rows(data) if fixed else rows.generic_rows(data)
    if any(len(row) != len(columns) for row in found):
        raise MalformedApdu(f"profile rows of another width than {len(columns)}")
    return found


class BufferWriter:
    """Writes rows of one profile: one `struct` call a row where all columns have a fixed size, else value by value."""

    __slots__ = ("_encoders", "_head", "_packer", "_places", "_template")

    def __init__(self, columns: Sequence[Column]) -> None:
        simple = [None if column.type == STRUCTURE else SIMPLE_TYPES[column.type] for column in columns]
        # A structure (the scaler and unit of a register) arrives here encoded already.
        self._encoders = [bytes if each is None else each.encode for each in simple]
        self._head = b"\x02" + axdr.length(len(columns))
        self._packer: struct.Struct | None = None
        self._template: list[Any] = []
        self._places: list[int] = []
        if any(each is None or not each.code for each in simple):
            return
        code = ">"
        for each in simple:
            assert each is not None
            self._template.append(each.tag)
            code += "B"
            if each.code.endswith("s"):
                self._template.append(int(each.code[:-1]))
                code += "B"
            self._places.append(len(self._template))
            self._template.append(0)
            code += each.code
        self._packer = struct.Struct(code)

    def write(self, found: Sequence[Sequence[Any]]) -> bytes:
        """The buffer as an encoded array of structures."""
        row = self._packed if self._packer else self._joined
        return axdr.array(*(row(values) for values in found))

    def _packed(self, values: Sequence[Any]) -> bytes:
        assert self._packer is not None
        template = self._template
        for place, value in zip(self._places, values, strict=True):
            template[place] = value
        return self._head + self._packer.pack(*template)

    def _joined(self, values: Sequence[Any]) -> bytes:
        return self._head + b"".join(encode(value) for encode, value in zip(self._encoders, values, strict=True))
