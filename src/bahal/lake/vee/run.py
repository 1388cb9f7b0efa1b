"""A run of validation and estimation over one day: bucket by bucket, on this machine or on a cluster.

What a bucket's run does is one function of the lake's address, the day and the bucket: a cluster calls it elsewhere,
and the rows that it writes are the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bahal.lake.days import Merged, merged_days
from bahal.lake.knowing import of_length
from bahal.lake.layout import VALIDATED, Lake, grid, lists, open_lake
from bahal.lake.vee.estimation import Estimated, estimate
from bahal.lake.vee.rules import MISSING_VALUE, Parameters, Rule
from bahal.lake.vee.validation import DAY_S, Days, validate

_LOAD_UNKNOWN: Final = 2**31 - 1
"""A meter of which the business knows nothing is judged by no load: a flag must not rest on what is not known."""


class Edit(NamedTuple):
    """Wh that officers put in the place of a meter's intervals of a day of `slots`, from the interval `first` on."""

    meter: str
    slots: int
    first: int
    wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run wrote: meters, of which estimated, and how often each rule found something."""

    meters: int
    estimated: int
    findings: Mapping[str, int]


def validate_day(
    lake: Lake,
    *,
    day: date,
    run: int,
    parameters: Parameters,
    buckets: Collection[int] | None = None,
    told: Mapping[str, int] | None = None,
    edits: Sequence[Edit] = (),
) -> Ran:
    """Validate a day, bucket by bucket in this process. A run that was done before is not done again.

    :param buckets: only these; None for all.
    :param told: what else the business knows of meters on this day, `Rule` bits by serial.
    :param edits: what officers put in the place of intervals, in the order in which they were accepted.
    """
    drawing = drawing_transformers(lake, day=day)
    return total(
        validate_bucket(
            lake.uri, day=day, bucket=bucket, run=run, parameters=parameters, drawing=drawing, told=told, edits=edits
        )
        for bucket in (range(lake.buckets) if buckets is None else buckets)
    )


def total(parts: Iterable[Ran]) -> Ran:
    """All parts of a run together."""
    meters = estimated = 0
    findings: Counter[str] = Counter()
    for part in parts:
        meters += part.meters
        estimated += part.estimated
        findings.update(part.findings)
    return Ran(meters, estimated, dict(sorted(findings.items())))


def drawing_transformers(lake: Lake, *, day: date) -> npt.NDArray[np.int64]:
    """The transformers of which at least one meter drew current on a day, in rising order."""
    found = []
    for bucket in range(lake.buckets):
        heights = lake.rows("interval", day=day, bucket=bucket, columns=["meter", "highest_ma"])
        drew = heights["meter"].filter(pc.greater(heights["highest_ma"], 0))
        facts = lake.rows("facts", day=day, bucket=bucket, columns=["meter", "transformer"])
        if len(drew) and facts.num_rows:
            place = pc.index_in(drew.combine_chunks(), facts["meter"].combine_chunks())
            found.append(np.unique(facts["transformer"].take(place.drop_null()).drop_null().to_numpy()))
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def validate_bucket(
    uri: str,
    *,
    day: date,
    bucket: int,
    run: int,
    parameters: Parameters,
    drawing: npt.NDArray[np.int64],
    told: Mapping[str, int] | None = None,
    edits: Sequence[Edit] = (),
) -> Ran:
    """Validate and estimate a bucket's day and append what came out, once per run."""
    lake = open_lake(uri)
    merged = [_noted(days, told or {}) for days in merged_days(lake, day=day, bucket=bucket)]
    parts = [_validated(lake, days, day, bucket, run, parameters, drawing, edits) for days in merged]
    if not parts:
        return Ran(0, 0, {})
    rows = pa.concat_tables(parts).sort_by("meter")  # so that one meter is found without reading its bucket
    lake.append("validated", rows, writer=f"vee {day} {bucket}", batch=run)
    flags = rows["flags"].to_numpy()
    findings = {(rule.name or "").lower(): int(((flags & rule) != 0).sum()) for rule in Rule}
    return Ran(
        rows.num_rows,
        rows.num_rows - rows["estimated"].null_count,
        {name: count for name, count in findings.items() if count},
    )


def _noted(days: Merged, told: Mapping[str, int]) -> Merged:
    """The days with what the business said of them."""
    if not told:
        return days
    place = pc.index_in(pa.array(list(told), pa.string()), days.meter)
    there = place.is_valid().to_numpy(zero_copy_only=False)
    noted = days.noted.copy()
    noted[place.drop_null().to_numpy()] |= np.array(list(told.values()), np.int32)[there]
    return replace(days, noted=noted)


def _validated(
    lake: Lake,
    days: Merged,
    day: date,
    bucket: int,
    run: int,
    parameters: Parameters,
    drawing: npt.NDArray[np.int64],
    edits: Sequence[Edit],
) -> pa.Table:
    judged = days_to_judge(lake, days, day=day, bucket=bucket, drawing=drawing)
    flags = validate(judged, parameters)
    wh = _without_impossible(days.wh, flags, judged.load_w, parameters)
    edited = _edited(days, wh, edits)
    if edited is not None:
        wh = edited.wh
        flags |= edited.estimated.any(axis=1).astype(np.int32) * np.int32(Rule.EDITED)
    done = _estimated(lake, days, wh, day, bucket)
    if edited is not None:
        done.estimated[edited.estimated] = True  # nobody measured it
    packed = np.packbits(done.estimated, axis=1)
    size = packed.shape[1]
    any_: npt.NDArray[np.bool_] = np.asarray(done.estimated.any(axis=1))
    bits = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), len(any_), [None, pa.py_buffer(np.ascontiguousarray(packed).tobytes())]
    )
    count = len(flags)
    return pa.Table.from_arrays(
        [
            pa.array([day] * 1, pa.date32()).take(pa.array(np.zeros(count, np.int32))),
            pa.array(np.full(count, bucket, np.int32)),
            days.meter,
            pa.array(np.full(count, run, np.int64)),
            pa.array(np.full(count, days.slots, np.int16)),
            pa.array(flags),
            lists(done.wh),
            pc.if_else(pa.array(any_), bits.cast(pa.binary()), pa.scalar(None, pa.binary())),
            pa.array(done.wh.sum(axis=1, dtype=np.int64)),
            pa.array(days.open_wh, mask=days.open_wh == MISSING_VALUE),
            pa.array(days.close_wh, mask=days.close_wh == MISSING_VALUE),
            pa.array([parameters.version]).take(pa.array(np.zeros(count, np.int32))),
        ],
        schema=VALIDATED,
    )


def _edited(days: Merged, wh: npt.NDArray[np.int32], edits: Sequence[Edit]) -> Estimated | None:
    """The days with what officers put in, and where; None where they put nothing."""
    mine = [each for each in edits if each.slots == days.slots]
    if not mine:
        return None
    place = pc.index_in(pa.array([each.meter for each in mine], pa.string()), days.meter).to_pylist()
    filled, marks = wh.copy(), np.zeros(wh.shape, np.bool_)
    for each, row in zip(mine, place, strict=True):
        if row is not None:
            filled[row, each.first : each.first + len(each.wh)] = each.wh
            marks[row, each.first : each.first + len(each.wh)] = True
    return Estimated(filled, marks) if marks.any() else None


def _without_impossible(
    wh: npt.NDArray[np.int32], flags: npt.NDArray[np.int32], load_w: npt.NDArray[np.int32], p: Parameters
) -> npt.NDArray[np.int32]:
    """Intervals that no meter can have measured are as good as missing; the flag says that they came."""
    rows = np.flatnonzero(flags & np.int32(Rule.NEGATIVE | Rule.SPIKE_LOAD))
    if not len(rows):
        return wh
    kept = wh.copy()
    some = kept[rows]
    interval_s = DAY_S // wh.shape[1]
    full = load_w[rows].astype(np.int64) * interval_s * p.load_percent
    wrong = (some < 0) | (some.astype(np.int64) * 360_000 > full[:, None])
    some[wrong] = MISSING_VALUE
    kept[rows] = some
    return kept


def days_to_judge(lake: Lake, days: Merged, *, day: date, bucket: int, drawing: npt.NDArray[np.int64]) -> Days:
    """Days with what the business knows of each meter.

    A meter of which nothing is known is judged by no load, no history and no neighbours, and may give back.
    """
    known = lake.rows(
        "facts", day=day, bucket=bucket, columns=["meter", "transformer", "load_w", "exports", "highest_wh"]
    )
    there, mine = _of(days.meter, known)

    def spread(values: npt.NDArray[Any], otherwise: object, dtype: type) -> npt.NDArray[Any]:
        whole: npt.NDArray[Any] = np.full(len(there), otherwise, dtype=dtype)
        whole[there] = values
        return whole

    near = np.isin(mine["transformer"].fill_null(-1).to_numpy(), drawing)
    return Days(
        wh=days.wh,
        out_wh=days.out_wh,
        highest_dv=days.highest_dv,
        highest_ma=days.highest_ma,
        open_wh=days.open_wh,
        close_wh=days.close_wh,
        load_w=spread(mine["load_w"].fill_null(_LOAD_UNKNOWN).to_numpy(), _LOAD_UNKNOWN, np.int32),
        highest_wh=spread(mine["highest_wh"].fill_null(0).to_numpy(), 0, np.int32),
        exports=spread(mine["exports"].fill_null(False).to_numpy(), True, np.bool_),
        neighbours=spread(near, False, np.bool_),
        drift_s=days.drift_s,
        noted=days.noted,
    )


def _estimated(lake: Lake, days: Merged, wh: npt.NDArray[np.int32], day: date, bucket: int) -> Estimated:
    """The days with their gaps filled; usual profiles are only read for the meters that need one."""
    rows = np.flatnonzero((wh == MISSING_VALUE).any(axis=1))
    usual = np.zeros((len(rows), days.slots), np.int32)
    if len(rows):
        known = of_length(lake.rows("facts", day=day, bucket=bucket, columns=["meter", "usual"]), days.slots)
        there, mine = _of(days.meter.take(pa.array(rows)), known)
        usual[there] = np.maximum(grid(mine["usual"], days.slots, missing=0), 0)
    part = estimate(wh[rows], profile=usual, open_wh=days.open_wh[rows], close_wh=days.close_wh[rows])
    filled, estimated = wh.copy(), np.zeros(wh.shape, np.bool_)
    filled[rows], estimated[rows] = part.wh, part.estimated
    return Estimated(filled, estimated)


def _of(meters: pa.Array, known: pa.Table) -> tuple[npt.NDArray[np.bool_], pa.Table]:
    """Which of the meters are known, and what is known of those, in their order."""
    if not known.num_rows:
        return np.zeros(len(meters), np.bool_), known
    place = pc.index_in(meters, known["meter"].combine_chunks())
    return place.is_valid().to_numpy(zero_copy_only=False), known.take(place.drop_null())
