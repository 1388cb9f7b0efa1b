"""Rows of the generic decoder as the same columns that the compiled layout gives: exact, and slower."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bahal.dlms import axdr, rows
from bahal.dlms.captures import Capture
from bahal.dlms.columns.layout import ANY, CLOCK, DATE_TIME, MOMENT_LENGTH, NUMBERS
from bahal.dlms.columns.moments import MomentReader, Moments, MomentUnspecified
from bahal.dlms.errors import MalformedApdu
from bahal.dlms.objects import classes

Column: TypeAlias = "NDArray[Any] | Moments | list[axdr.Value]"
Mask: TypeAlias = NDArray[np.bool_]

NO_STATUS: Final = 0xFF
_INT64: Final = (-(1 << 63), (1 << 63) - 1)
_UINT64: Final = (0, (1 << 64) - 1)


class ColumnDisagrees(MalformedApdu):
    """A cell that its column cannot hold, such as text among numbers, or integers that no 64 bits hold together.

    Attributes: ``column`` (counted from 0), ``wanted`` (the column's type).
    """

    name = "column_disagrees"

    def __init__(self, column: int, wanted: str) -> None:
        super().__init__(f"column {column} holds what {wanted} cannot be")
        self.column = column
        self.wanted = wanted


class MomentMissing(MalformedApdu):
    """A row's clock is null ("previous plus capture period") where there is no previous row or no period.

    Attributes: ``row`` (counted from 0).
    """

    name = "moment_missing"

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} has no clock, and none can be told from the row before")
        self.row = row


class Gathering:
    """How rows of one capture list become columns."""

    __slots__ = ("_captures", "_period_s", "_reader", "_types", "_zone")

    def __init__(
        self, captures: Sequence[Capture], types: Sequence[str], *, period_s: int, zone: timezone, reader: MomentReader
    ) -> None:
        self._captures = captures
        self._types = types
        self._period_s = period_s
        self._zone = zone
        self._reader = reader

    def columns(self, data: bytes) -> tuple[int, tuple[Column, ...], dict[int, Mask]]:
        """Number of rows, the columns, and by column the mask of cells that were null-data.

        :raises MalformedApdu: not an array of structures of as many values as captures, or a cell that does not fit.
        :raises OversizedApdu: a limit of ``axdr`` is passed.
        """
        found = rows.generic_rows(data)
        width = len(self._captures)
        if any(len(row) != width for row in found):
            raise MalformedApdu(f"profile rows of another width than {width}")
        missing: dict[int, Mask] = {}
        made: list[Column] = []
        for n in range(width):
            column, mask = self._column(n, [row[n] for row in found])
            made.append(column)
            if mask is not None:
                missing[n] = mask
        return len(found), tuple(made), missing

    def _column(self, n: int, cells: list[axdr.Value]) -> tuple[Column, Mask | None]:
        kind = self._types[n]
        if kind == ANY:
            kind = self._settled(n, cells)
        if kind in (CLOCK, DATE_TIME):
            return self._moments(n, cells)
        if kind in NUMBERS:
            return _numbers(n, kind, cells)
        return cells, None

    def _settled(self, n: int, cells: list[axdr.Value]) -> str:
        """The type of a column of which only its values tell."""
        kinds = {type(cell) for cell in cells if cell is not None}
        if self._captures[n].is_moment and kinds <= {bytes, axdr.DateTime}:
            return CLOCK
        if kinds == {int}:
            return "int64"
        if kinds == {float}:
            return "float64"
        if kinds == {bool}:
            return "boolean"
        return ANY

    def _moments(self, n: int, cells: list[axdr.Value]) -> tuple[Moments, Mask | None]:
        known: list[int] = []
        for row, cell in enumerate(cells):
            if isinstance(cell, bytes) and len(cell) == MOMENT_LENGTH:
                known.append(row)
            elif cell is not None:
                raise ColumnDisagrees(n, CLOCK)
        raw = np.frombuffer(b"".join(cells[row] for row in known), np.uint8)  # type: ignore[misc]
        try:
            read = self._reader.read(raw.reshape(-1, MOMENT_LENGTH))
        except MomentUnspecified as error:
            raise MomentUnspecified(known[error.row], error.raw) from None
        if len(known) == len(cells):
            return read, None
        seconds = np.zeros(len(cells), np.int64)
        status = np.full(len(cells), NO_STATUS, np.uint8)
        seconds[known] = read.seconds
        status[known] = read.status
        mask = np.ones(len(cells), np.bool_)
        mask[known] = False
        if self._captures[n].class_id == classes.CLOCK_CLASS:
            for row in np.flatnonzero(mask).tolist():
                if not row or not self._period_s:
                    raise MomentMissing(row)
                seconds[row] = seconds[row - 1] + self._period_s
            return Moments(seconds, status), None
        return Moments(seconds, status), mask


def _numbers(n: int, kind: str, cells: list[axdr.Value]) -> tuple[NDArray[Any], Mask | None]:
    mask: Mask | None = None
    filled: list[Any] = cells
    if None in cells:
        mask = np.array([cell is None for cell in cells])
        filled = [0 if cell is None else cell for cell in cells]
        # What stands in for null must be of the column's own kind.
        if kind == "boolean":
            filled = [bool(cell) if gap else cell for cell, gap in zip(filled, mask, strict=True)]
        elif kind.startswith("float"):
            filled = [float(cell) if gap else cell for cell, gap in zip(filled, mask, strict=True)]
    kinds = {type(cell) for cell in filled}
    wanted = bool if kind == "boolean" else float if kind.startswith("float") else int
    if kinds - {wanted}:
        raise ColumnDisagrees(n, kind)
    code = NUMBERS[kind][1]
    if wanted is int:
        code = _integer_code(n, code, filled)
    made = np.array(filled, np.dtype(code))
    if code == "f4":
        # A float64 among float32 keeps its digits: the whole column is then of 64 bits.
        wide = np.array(filled, np.float64)
        if not np.array_equal(made.astype(np.float64), wide, equal_nan=True):
            made = wide
    return made, mask


def _integer_code(n: int, code: str, cells: list[Any]) -> str:
    """The column's own width if it holds all, else 64 bits."""
    least, most = min(cells, default=0), max(cells, default=0)
    limits = np.iinfo(code)
    if limits.min <= least and most <= limits.max:
        return code
    if _INT64[0] <= least and most <= _INT64[1]:
        return "i8"
    if _UINT64[0] <= least and most <= _UINT64[1]:
        return "u8"
    raise ColumnDisagrees(n, "int64")
