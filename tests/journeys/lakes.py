"""A small lake whose validated days a test writes by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bahal.lake.layout import VALIDATED, Lake, lists, make_lake

Ints = npt.NDArray[np.int32]


def lay_lake(folder: Path, *, buckets: int = 2) -> Lake:
    """An empty lake."""
    return make_lake(str(folder), buckets=buckets)


def validated(
    lake: Lake, day: date, days: Mapping[str, Ints], *, run: int = 1, estimated: Mapping[str, list[int]] | None = None,
    flags: int = 0,
) -> None:  # fmt: skip
    """Write meters' validated days (Wh by interval); `estimated` names the intervals that were not measured."""
    marks = estimated or {}
    for bucket in range(lake.buckets):
        mine = [meter for meter in days if int(lake.bucket_of([meter])[0]) == bucket]
        for slots in sorted({len(days[meter]) for meter in mine}):
            these = [meter for meter in mine if len(days[meter]) == slots]
            wh = np.stack([days[meter] for meter in these]).astype(np.int32)
            bits = []
            for meter in these:
                row = np.zeros(slots, np.bool_)
                row[marks.get(meter, [])] = True
                bits.append(np.packbits(row).tobytes() if row.any() else None)
            count = len(these)
            columns: dict[str, pa.Array] = {
                "day": pa.array([day] * count, pa.date32()),
                "bucket": pa.array([bucket] * count, pa.int32()),
                "meter": pa.array(these, pa.string()),
                "run": pa.array([run] * count, pa.int64()),
                "slots": pa.array([slots] * count, pa.int16()),
                "flags": pa.array([flags] * count, pa.int32()),
                "wh": lists(wh),
                "estimated": pa.array(bits, pa.binary()),
                "total_wh": pa.array(wh.sum(axis=1, dtype=np.int64)),
                "open_wh": pa.array([None] * count, pa.int64()),
                "close_wh": pa.array([None] * count, pa.int64()),
                "parameters": pa.array(["test"] * count, pa.string()),
            }
            rows = pa.Table.from_arrays([columns[field.name] for field in VALIDATED], schema=VALIDATED)
            lake.append("validated", rows, writer=f"test {day} {bucket} {slots}", batch=run)
