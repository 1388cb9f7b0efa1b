"""What is known of each meter before its day is judged: its place and load from the business, its habits from itself.

Habits are carried from day to day, so that a day needs yesterday and the same weekday a week ago and nothing older:

* the highest interval sinks by a fiftieth a day and rises with what was measured;
* the usual profile of a weekday is three parts what it was and one part what that day was a week ago.

Only what was measured teaches: an estimated interval leaves the habit as it was.
"""

from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bahal.lake.layout import FACTS, Lake, grid, lists
from bahal.lake.vee.rules import UNUSABLE

Ints = npt.NDArray[np.int32]

_A_WEEK: Final = timedelta(days=7)
_A_DAY: Final = timedelta(days=1)
_SINKS: Final = (49, 50)
_KEPT, _PARTS = 3, 4

KNOWN: Final = pa.schema(
    [("meter", pa.string()), ("transformer", pa.int64()), ("load_w", pa.int32()), ("exports", pa.bool_())]
)
"""What the business says of each meter: a row each."""


def know(lake: Lake, *, day: date, known: pa.Table, slots: int, batch: int) -> int:
    """Write the facts of a day, once per `batch`; how many meters.

    :param known: a row for each meter, as `KNOWN`.
    :param slots: how many intervals a day a meter has of which nothing came that day.
    :raises pa.ArrowInvalid: columns of other types.
    """
    known = known.select(KNOWN.names).cast(KNOWN)
    buckets = lake.bucket_of(known["meter"].to_pylist())
    count = 0
    for bucket in range(lake.buckets):
        mine = known.filter(pa.array(buckets == bucket)).combine_chunks()
        if not mine.num_rows:
            continue
        meters = mine["meter"].combine_chunks()
        rows = pa.Table.from_arrays(
            [
                pa.repeat(pa.scalar(day, pa.date32()), len(meters)),
                pa.array(np.full(len(meters), bucket, np.int32)),
                meters,
                mine["transformer"],
                mine["load_w"],
                mine["exports"],
                pa.array(_highest(lake, meters, day - _A_DAY, bucket)),
                _usual_of_each(lake, meters, day, bucket, slots),
            ],
            schema=FACTS,
        )
        count += lake.append("facts", rows, writer=f"facts {day} {bucket}", batch=batch) * len(meters)
    return count


def _highest(lake: Lake, meters: pa.Array, yesterday: date, bucket: int) -> Ints:
    """The highest interval of each meter's recent history; 0 where there is none."""
    before = _beside(meters, lake.rows("facts", day=yesterday, bucket=bucket, columns=["meter", "highest_wh"]))
    sunk = np.zeros(len(meters), np.int64)
    sunk[before[0]] = before[1]["highest_wh"].fill_null(0).to_numpy().astype(np.int64)
    sunk = sunk * _SINKS[0] // _SINKS[1]
    measured = np.zeros(len(meters), np.int64)
    there, rows = _judged(lake, meters, yesterday, bucket)
    for slots in np.unique(rows["slots"].to_numpy()).tolist():
        of_length = rows["slots"].to_numpy() == slots
        wh, guessed = _measured(rows.filter(pa.array(of_length)), slots)
        places = np.flatnonzero(there)[of_length]
        measured[places] = np.where(guessed, 0, wh).max(axis=1)
    return np.maximum(sunk, measured).astype(np.int32)


def _usual_of_each(lake: Lake, meters: pa.Array, day: date, bucket: int, otherwise: int) -> pa.Array:
    """Each meter's profile of this weekday, in as many intervals as it has on this day."""
    came = lake.rows("interval", day=day, bucket=bucket, columns=["meter", "slots"])
    own = np.full(len(meters), otherwise, np.int64)
    if came.num_rows:
        place = pc.index_in(came["meter"].combine_chunks(), meters)
        there = place.is_valid().to_numpy(zero_copy_only=False)
        own[place.drop_null().to_numpy()] = came["slots"].to_numpy()[there]
    lengths = np.unique(own).tolist()
    if len(lengths) == 1:
        return lists(_usual(lake, meters, day - _A_WEEK, bucket, lengths[0]))
    order = np.argsort(own, kind="stable")
    parts = [
        lists(_usual(lake, meters.take(pa.array(np.flatnonzero(own == each))), day - _A_WEEK, bucket, each))
        for each in lengths
    ]
    return pa.concat_arrays(parts).take(pa.array(np.argsort(order)))


def _usual(lake: Lake, meters: pa.Array, last_week: date, bucket: int, slots: int) -> Ints:
    """Each meter's profile of this weekday; nothing where there is none."""
    facts = lake.rows("facts", day=last_week, bucket=bucket, columns=["meter", "usual"])
    there, facts = _beside(meters, of_length(facts, slots))
    habit = np.zeros((len(meters), slots), np.int64)
    habit[there] = np.maximum(grid(facts["usual"], slots, missing=0), 0)
    known = np.zeros(len(meters), np.bool_)
    known[there] = habit[there].any(axis=1)
    judged, rows = _judged(lake, meters, last_week, bucket)
    alike = rows["slots"].to_numpy() == slots
    if alike.any():
        wh, guessed = _measured(rows.filter(pa.array(alike)), slots)
        places = np.flatnonzero(judged)[alike]
        old = habit[places]
        mixed = (_KEPT * old + wh + _PARTS // 2) // _PARTS
        first = ~known[places][:, None]  # a first week teaches all that it can
        habit[places] = np.where(guessed & ~first, old, np.where(first, wh, mixed))
    return habit.astype(np.int32)


def _judged(lake: Lake, meters: pa.Array, day: date, bucket: int) -> tuple[npt.NDArray[np.bool_], pa.Table]:
    """The meters' rows of the latest run over a day that are fit to learn from."""
    rows = lake.rows("validated", day=day, bucket=bucket, columns=["meter", "run", "slots", "flags", "wh", "estimated"])
    if rows.num_rows:
        fit = pc.equal(pc.bit_wise_and(rows["flags"], int(UNUSABLE)), 0)
        rows = rows.filter(pc.and_(fit, pc.equal(rows["run"], pc.max(rows["run"]))))
    return _beside(meters, rows)


def _measured(rows: pa.Table, slots: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The intervals of rows and which of them are estimates."""
    wh = np.maximum(grid(rows["wh"], slots, missing=0), 0).astype(np.int64)
    size = (slots + 7) // 8
    bits = rows["estimated"].fill_null(b"\0" * size).to_pylist() if rows["estimated"].null_count < len(wh) else []
    guessed = np.zeros(wh.shape, np.bool_)
    if bits:
        packed = np.frombuffer(b"".join(bits), np.uint8).reshape(len(bits), size)
        guessed = np.unpackbits(packed, axis=1, count=slots).astype(np.bool_)
    return wh, guessed


def of_length(facts: pa.Table, slots: int) -> pa.Table:
    """The facts whose usual profile has so many intervals: a meter that changed its period has no history in them."""
    return facts.filter(pc.fill_null(pc.equal(pc.list_value_length(facts["usual"]), slots), False))


def _beside(meters: pa.Array, rows: pa.Table) -> tuple[npt.NDArray[np.bool_], pa.Table]:
    """Which of the meters have a row, and those rows in the meters' order."""
    if not rows.num_rows:
        return np.zeros(len(meters), np.bool_), rows
    place = pc.index_in(meters, rows["meter"].combine_chunks())
    return place.is_valid().to_numpy(zero_copy_only=False), rows.take(place.drop_null())
