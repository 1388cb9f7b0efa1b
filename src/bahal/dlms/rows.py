"""Profile buffers at speed: rows of one known shape by ``struct``, anything else by the generic decoder."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange

_COLUMNS = {
    "boolean": (axdr.BOOLEAN, "?"),
    "int8": (axdr.INT8, "b"),
    "int16": (axdr.INT16, "h"),
    "int32": (axdr.INT32, "i"),
    "int64": (axdr.INT64, "q"),
    "uint8": (axdr.UINT8, "B"),
    "uint16": (axdr.UINT16, "H"),
    "uint32": (axdr.UINT32, "I"),
    "uint64": (axdr.UINT64, "Q"),
    "enum": (axdr.ENUM, "B"),
    "float32": (axdr.FLOAT32, "f"),
    "float64": (axdr.FLOAT64, "d"),
}

Row = tuple[axdr.Value, ...]


class CompiledRows:
    """A buffer (array of structures) whose rows all have the columns of ``layout``.

    A column is ``"octets:N"`` (octet-string of N bytes, N below 128) or the name of an ``axdr`` function of fixed size,
    such as ``"uint32"``.  48 rows of a clock and four registers take a tenth of the generic decoder's time.  Rows that
    depart from the layout (null for "as before", another type, a short octet-string) are decoded generically, so the
    answer is always the same.
    """

    __slots__ = ("_marks", "_row", "layout")

    def __init__(self, layout: Sequence[str]) -> None:
        """:raises ValueOutOfRange: a column name that is not known, or more than 127 columns."""
        self.layout = tuple(layout)
        if not 1 <= len(self.layout) < 0x80:
            raise ValueOutOfRange("layout", self.layout)
        code = ">xx"
        marks = [(0, axdr.STRUCTURE), (1, len(self.layout))]
        at = 2
        for column in self.layout:
            marks.append((at, axdr.OCTET_STRING if column.startswith("octets:") else _column(column)[0]))
            if column.startswith("octets:"):
                size = _octets_size(column)
                marks.append((at + 1, size))
                code += f"xx{size}s"
                at += 2 + size
            else:
                code += "x" + _column(column)[1]
                at += 1 + struct.calcsize(">" + _column(column)[1])
        self._row = struct.Struct(code)
        self._marks = tuple((offset, bytes((mark,))) for offset, mark in marks)

    def rows(self, data: bytes | memoryview) -> list[Row]:
        """All rows of the encoded array, in order; values as ``axdr.decode`` gives them.

        :raises MalformedApdu: not an array of structures, or not A-XDR.
        :raises OversizedApdu: a limit of ``axdr`` is passed.
        """
        data = bytes(data)
        if len(data) > 1 and data[0] == axdr.ARRAY:
            count, at = axdr.read_length(data, 1)
            size = self._row.size
            if len(data) - at == count * size and len(data) <= axdr.SIZE_LIMIT:
                body = data[at:]
                # A tag or length of one column stands `size` bytes apart: one strided slice checks it in all rows.
                for offset, mark in self._marks:
                    if body[offset::size] != mark * count:
                        break
                else:
                    return list(self._row.iter_unpack(body))
        return generic_rows(data)

    def columns(self, data: bytes | memoryview) -> list[tuple[axdr.Value, ...]]:
        """The same values by column; as many columns as the layout has, each empty for an empty buffer.

        :raises MalformedApdu: as :meth:`rows`, or rows with another number of columns.
        """
        rows = self.rows(data)
        width = len(self.layout)
        if any(len(row) != width for row in rows):
            raise MalformedApdu(f"rows of another width than {width}")
        return list(zip(*rows, strict=True)) if rows else [()] * width


def generic_rows(data: bytes | memoryview) -> list[Row]:
    """The rows of any array of structures.

    :raises MalformedApdu: not an array of structures.
    """
    value = axdr.decode(data)
    if not isinstance(value, list):
        raise MalformedApdu("profile buffer is not an array")
    rows: list[Row] = []
    for row in value:
        if not isinstance(row, tuple):
            raise MalformedApdu("profile row is not a structure")
        rows.append(row)
    return rows


@lru_cache(maxsize=256)
def compiled(layout: tuple[str, ...]) -> CompiledRows:
    """The compiled form of a layout, kept for the 256 latest ones."""
    return CompiledRows(layout)


def _column(name: str) -> tuple[int, str]:
    try:
        return _COLUMNS[name]
    except KeyError:
        raise ValueOutOfRange("column", name) from None


def _octets_size(column: str) -> int:
    size = column.removeprefix("octets:")
    if not size.isdecimal() or int(size) >= 0x80:
        raise ValueOutOfRange("column", column)
    return int(size)
