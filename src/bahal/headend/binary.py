"""Rows for PostgreSQL's COPY in its binary format, from arrays: no object per value.

Rows of one shape (the same length of text, the same columns null, no gap in a list) are one array of records, filled
column by column. A row with a gap in a list has a length of its own and is written by itself.

Source: PostgreSQL manual, COPY, "Binary Format"; the send functions of its types.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Kind = Literal["date", "int2", "int4", "int8", "moment", "bits", "char", "text", "list"]

HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL: Final = b"\xff\xff"
GAP: Final = -(2**31)
"""Stands in a list for an element that is null."""
BITS: Final = 96

_INT4_OID: Final = 23
_DAYS: Final = 10_957
"""Days from 1970 to 2000, PostgreSQL's own beginning."""
_MOMENT: Final = _DAYS * 86_400 * 1_000_000
_NULL: Final = struct.pack(">i", -1)
_WIRE: Final[Mapping[str, str]] = {
    "date": ">i4", "int2": ">i2", "int4": ">i4", "int8": ">i8", "moment": ">i8", "char": "u1",
}  # fmt: skip


class Field(NamedTuple):
    """A column: its name and kind. `date` takes days since 1970, `moment` microseconds since then, `bits` a grid of
    `BITS` truths, `text` an array of bytes (numpy `S`), `char` a byte, `list` a grid of int32 with `GAP`."""

    name: str
    kind: Kind


def encoded(fields: Sequence[Field], columns: Mapping[str, Array], nulls: Mapping[str, Array]) -> bytes:
    """The rows, without head and tail. Each column has a value for each row; `nulls` says where it does not count.

    A list without any element that is no gap is null as a whole.
    """
    lists = [field.name for field in fields if field.kind == "list"]
    texts = [field.name for field in fields if field.kind == "text"]
    count = len(columns[fields[0].name])
    nulls = dict(nulls)
    gapped = np.zeros(count, np.bool_)
    for name in lists:
        gaps = columns[name] == GAP
        none = gaps.all(axis=1)
        gapped |= gaps.any(axis=1) & ~none
        nulls[name] = none
    shape = gapped.astype(np.int64)
    for name, mask in nulls.items():
        if name in columns:
            shape = shape * 2 + mask
    for name in texts:
        shape = shape * 4096 + np.char.str_len(columns[name])
    parts: list[bytes] = []
    for each in np.unique(shape).tolist():
        rows = np.flatnonzero(shape == each)
        first = int(rows[0])
        layout = tuple(
            (
                field.kind,
                bool(nulls[field.name][first]) if field.name in nulls else False,
                int(np.char.str_len(columns[field.name][first])) if field.kind == "text"
                else columns[field.name].shape[1] if field.kind == "list" else 0,
            )
            for field in fields
        )  # fmt: skip
        records = _records(fields, columns, layout, rows)
        if gapped[first]:
            parts += [_ragged(layout, records[n : n + 1]) for n in range(len(rows))]
        else:
            parts.append(records.tobytes())
    return b"".join(parts)


_Layout = tuple[tuple[str, bool, int], ...]


@lru_cache(maxsize=256)
def _dtype(layout: _Layout) -> np.dtype[Any]:
    made: list[Any] = [("count", ">i2")]
    for n, (kind, null, size) in enumerate(layout):
        made.append((f"l{n}", ">i4"))
        if null:
            continue
        if kind == "text":
            made.append((f"v{n}", f"S{size}"))
        elif kind == "bits":
            made += [(f"h{n}", ">i4"), (f"v{n}", "u1", (BITS // 8,))]
        elif kind == "list":
            made += [(f"h{n}", ">i4", (5,)), (f"v{n}", [("l", ">i4"), ("v", ">i4")], (size,))]
        else:
            made.append((f"v{n}", _WIRE[kind]))
    return np.dtype(made)


def _records(fields: Sequence[Field], columns: Mapping[str, Array], layout: _Layout, rows: Array) -> Array:
    dtype = _dtype(layout)
    records = np.empty(len(rows), dtype)
    records["count"] = len(fields)
    whole = len(rows) == len(columns[fields[0].name])
    for n, (field, (kind, null, size)) in enumerate(zip(fields, layout, strict=True)):
        if null:
            records[f"l{n}"] = -1
            continue
        column = columns[field.name]
        values = column if whole else column[rows]
        if kind == "list":
            records[f"l{n}"] = 20 + 8 * size
            records[f"h{n}"] = (1, 0, _INT4_OID, size, 1)
            cells = records[f"v{n}"]
            cells["l"] = 4
            cells["v"] = values
            continue
        if kind == "bits":
            records[f"l{n}"] = 4 + BITS // 8
            records[f"h{n}"] = BITS
            records[f"v{n}"] = np.packbits(values, axis=1)
            continue
        records[f"l{n}"] = dtype[f"v{n}"].itemsize
        records[f"v{n}"] = values - _DAYS if kind == "date" else values - _MOMENT if kind == "moment" else values
    return records


def _ragged(layout: _Layout, record: Array) -> bytes:
    """One row, an array of one record, in which a list has gaps."""
    out = [record["count"].tobytes()]
    for n, (kind, null, size) in enumerate(layout):
        if null:
            out.append(_NULL)
        elif kind == "list":
            cells = record[f"v{n}"]
            gaps = cells["v"][0] == GAP
            if gaps.any():
                flat = np.empty((size, 2), ">i4")
                flat[:, 0] = np.where(gaps, -1, 4)
                flat[:, 1] = cells["v"][0]
                there = np.ones((size, 2), np.bool_)
                there[:, 1] = ~gaps
                body = flat[there].tobytes()
            else:
                body = cells.tobytes()
            out.append(struct.pack(">6i", 20 + len(body), 1, int(gaps.any()), _INT4_OID, size, 1) + body)
        else:
            out.append(record[f"l{n}"].tobytes())
            if kind == "bits":
                out.append(record[f"h{n}"].tobytes())
            out.append(record[f"v{n}"].tobytes())
    return b"".join(out)
