"""What meters gave, sorted into rows: days of intervals, registers, events, what they show, and what cannot be taken.

Pure: buffers in, arrays out. Each buffer is decoded with those of its layout; one that cannot be used is explained by
itself and spoils no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bahal.dlms import axdr, clock, india
from bahal.dlms.axdr import BitString
from bahal.dlms.columns import Batch, Columns, Moments
from bahal.dlms.errors import DlmsError
from bahal.headend.asking import Collected, Part
from bahal.headend.binary import GAP
from bahal.headend.gaps import DAY_S, EPOCH, IST_S
from bahal.headend.grids import (
    LOAD_COLUMNS,
    REGISTER_COLUMNS,
    LoadDays,
    Longs,
    Rows,
    load_days,
    outside,
    rows_of,
    too_large,
)
from bahal.headend.layouts import Layout
from bahal.lake.vee.rules import Rule
from bahal.shared.wanted import EVENTS, Wanted, names_of

_HALF_DAY_S: Final = DAY_S // 2
_TEXT_MOST: Final = 200


class Poison(NamedTuple):
    """A buffer that cannot be taken: whose (place in the batch), of which kind, and why."""

    owner: int
    kind: Wanted
    reason: str
    detail: str
    body: bytes
    layout: Layout


class Register(NamedTuple):
    """A billing row: whose, its day in India and stamp, Wh and VAh, and all else by name."""

    owner: int
    read_on: date
    read_at: datetime
    wh: int
    vah: int | None
    out_wh: int | None
    out_vah: int | None
    more: Mapping[str, Any]


class Logged(NamedTuple):
    """A row of an event log."""

    owner: int
    log: str
    at: datetime
    event: int
    data: Mapping[str, Any]


@dataclass(slots=True)
class Sorted:
    """A batch in rows; `owner` is everywhere the place of a meter in the batch."""

    days: list[LoadDays] = field(default_factory=list)
    daily: Rows | None = None
    read_on: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    billing: list[Register] = field(default_factory=list)
    events: list[Logged] = field(default_factory=list)
    shown: list[tuple[int, str, datetime, Mapping[str, Any]]] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    midnights: dict[tuple[int, int], int] = field(default_factory=dict)
    """Register in Wh by owner and day since 1970, at the midnight that opens it."""

    @property
    def lost(self) -> dict[int, tuple[Wanted, str]]:
        """By owner: the kinds that did not come through, and the first reason."""
        found: dict[int, tuple[Wanted, str]] = {}
        for each in self.poison:
            kinds, reason = found.get(each.owner, (Wanted(0), each.reason))
            found[each.owner] = (kinds | each.kind, reason)
        return found


def sort(batch: Sequence[Collected]) -> Sorted:
    """Decode and sort what meters gave."""
    done = Sorted()
    grouped: dict[int, list[tuple[int, Part]]] = {}
    for owner, collected in enumerate(batch):
        for part in collected.parts:
            grouped.setdefault(id(part.layout), []).append((owner, part))
        for kind, shown_at, data in collected.shown:
            done.shown.append((owner, kind, shown_at, data))
    at = np.array([int(each.at.timestamp()) for each in batch], np.int64)
    # Midnights first: they close the days of the load profile.
    for group in sorted(grouped.values(), key=lambda group: group[0][1].kind is Wanted.LOAD):
        _sort_group(done, batch, at, group)
    return done


def _sort_group(done: Sorted, batch: Sequence[Collected], at: Longs, group: Sequence[tuple[int, Part]]) -> None:
    layout, kind = group[0][1].layout, group[0][1].kind
    decoded = layout.decoder.decode_batch([part.data for _, part in group])
    for n, error in decoded.refused.items():
        owner, part = group[n]
        done.poison.append(Poison(owner, kind, error.name, str(error)[:_TEXT_MOST], part.data, layout))
    if kind is Wanted.LOAD:
        rows = _usable(done, rows_of(decoded, layout, LOAD_COLUMNS), group, at, bounded=True)
        spoilt = {each.owner for each in done.poison if each.kind is Wanted.LOAD}
        asked = [
            (owner, *part.asked, int(at[owner]) + _behind(batch[owner]))
            for owner, part in group
            if part.asked is not None and owner not in spoilt
        ]
        days = load_days(rows, at=at[rows.owner], period_s=layout.period_s, asked=asked)
        rescaled = [owner for owner, _ in group if batch[owner].rescaled]
        if rescaled:
            for each in days:
                each.noted[np.isin(each.owner, rescaled)] |= np.int32(Rule.UNIT_CHANGE)
        done.days += days
    elif kind is Wanted.DAILY:
        _sort_daily(done, batch, _usable(done, rows_of(decoded, layout, REGISTER_COLUMNS), group, at, bounded=False))
    else:
        for n, columns in _each(decoded):
            owner, part = group[n]
            try:
                _sort_shown(done, owner, kind, layout, columns, batch[owner].at)
            except (DlmsError, ValueError) as error:
                name = error.name if isinstance(error, DlmsError) else "malformed"
                done.poison.append(Poison(owner, kind, name, str(error)[:_TEXT_MOST], part.data, layout))


def _behind(came: Collected) -> int:
    """How far the meter's clock is behind ours, in seconds not above zero: before its own time nothing is missing."""
    return 0 if came.drift_s is None else min(0, max(came.drift_s, -DAY_S))


def _usable(done: Sorted, rows: Rows, group: Sequence[tuple[int, Part]], at: Longs, *, bounded: bool) -> Rows:
    """The rows under their owners' numbers, without those of buffers that cannot be used."""
    owners = np.array([owner for owner, _ in group], np.int64)
    for n, reason in rows.refused.items():
        _refuse(done, group[n], reason)
    mine = owners[rows.owner]
    away = outside(Rows(mine, rows.stamp, {}, {}), at[mine])
    for n in np.unique(rows.owner[away]).tolist():
        _refuse(done, group[n], "stamped_outside")
    wrong = away
    if bounded:
        large = too_large(rows)
        for n in np.unique(rows.owner[large]).tolist():
            _refuse(done, group[n], "value_out_of_range")
        wrong = away | np.isin(rows.owner, rows.owner[large])
    if not wrong.any():
        return Rows(mine, rows.stamp, rows.columns, {})
    keep = ~wrong
    return Rows(mine[keep], rows.stamp[keep], {name: column[keep] for name, column in rows.columns.items()}, {})


def _refuse(done: Sorted, of: tuple[int, Part], reason: str) -> None:
    owner, part = of
    if not any(each.owner == owner and each.kind is part.kind for each in done.poison):
        done.poison.append(Poison(owner, part.kind, reason, "", part.data, part.layout))


def _sort_daily(done: Sorted, batch: Sequence[Collected], rows: Rows) -> None:
    # A meter that captures a little before or after midnight means midnight.
    read_on = (rows.stamp + (IST_S + _HALF_DAY_S)) // DAY_S
    owners, days, wh = rows.owner.tolist(), read_on.tolist(), rows.columns["wh"].tolist()
    known = [
        set() if each.task is None else {(day - EPOCH).days for day in each.task.daily_days or ()} for each in batch
    ]
    new = np.ones(len(owners), np.bool_)
    seen: set[tuple[int, int]] = set()
    for n, (owner, day) in enumerate(zip(owners, days, strict=True)):
        done.midnights[owner, day] = wh[n]
        # One row a midnight: the first copy of a repeated one counts, as the meter stored it first.
        new[n] = wh[n] != GAP and day not in known[owner] and (owner, day) not in seen
        seen.add((owner, day))
    some = Rows(rows.owner[new], rows.stamp[new], {name: each[new] for name, each in rows.columns.items()}, {})
    done.read_on = np.concatenate((done.read_on, read_on[new]))
    done.daily = some if done.daily is None else _joined(done.daily, some)


def _joined(one: Rows, two: Rows) -> Rows:
    return Rows(
        np.concatenate((one.owner, two.owner)),
        np.concatenate((one.stamp, two.stamp)),
        {name: np.concatenate((column, two.columns[name])) for name, column in one.columns.items()},
        {},
    )


def _each(decoded: Batch) -> Iterator[tuple[int, Columns]]:
    for n in range(len(decoded)):
        if n not in decoded.refused:
            yield n, decoded[n]


# --- profiles of few rows, by name -----------------------------------------------------------------------------------


def _sort_shown(done: Sorted, owner: int, kind: Wanted, layout: Layout, columns: Columns, at: datetime) -> None:
    rows = list(named(columns, layout))
    if kind is Wanted.BILLING:
        for data in rows:
            done.billing.append(_billed(owner, data))
    elif kind & EVENTS:
        log = names_of(kind)[0]
        for data in rows:
            stamp, event = data.pop("clock", None), data.pop(log.replace("events_", "event_", 1), None)
            if not isinstance(stamp, datetime) or not isinstance(event, int):
                raise ValueError("an event without its time or number")
            done.events.append(Logged(owner, log, stamp, event, _plain(data)))
    elif rows:
        data = rows[-1]
        stamp = data.pop("clock", None)
        done.shown.append((owner, names_of(kind)[0], stamp if isinstance(stamp, datetime) else at, _plain(data)))


def _billed(owner: int, data: dict[str, Any]) -> Register:
    stamp = data.pop("billing_date", None)
    wh = data.pop("energy_import", None)
    if not isinstance(stamp, datetime) or not isinstance(wh, int):
        raise ValueError("a billing row without its date or energy")
    # A billing date is stamped at the midnight that opens it.
    day = EPOCH + timedelta(days=(int(stamp.timestamp()) + IST_S) // DAY_S)
    vah, out_wh, out_vah = (data.pop(name, None) for name in ("apparent_import", "energy_export", "apparent_export"))
    return Register(owner, day, stamp, wh, vah, out_wh, out_vah, _plain(data))


def named(columns: Columns, layout: Layout) -> Iterator[dict[str, Any]]:
    """The rows of a profile by the names of the object model: numbers in base units, moments aware, text as text."""
    made: dict[str, list[Any]] = {}
    for name, place in layout.places.items():
        column = columns.values[place]
        mask = columns.missing.get(place)
        cells: list[Any]
        if isinstance(column, Moments):
            cells = [datetime.fromtimestamp(second, UTC) for second in column.seconds.tolist()]
        elif isinstance(column, np.ndarray):
            cells = _in_units(column, layout.powers.get(name, 0))
        else:
            cells = [_cell(each) for each in column]
        made[name] = cells if mask is None else [None if gap else each for each, gap in zip(cells, mask, strict=True)]
    for n in range(columns.count):
        yield {name: cells[n] for name, cells in made.items()}


def _in_units(column: NDArray[Any], power: int) -> list[Any]:
    values = column.tolist()
    if power > 0:
        return [each * 10**power for each in values]
    if power < 0:
        return [round(each * 10.0**power, -power) for each in values]
    return list(values)


def _cell(value: axdr.Value) -> Any:
    if isinstance(value, BitString):
        return value.packed.hex()
    if isinstance(value, bytes):
        if len(value) == clock.LENGTH:
            try:
                return clock.decode(value, zone=india.IST)
            except DlmsError:
                return value.hex()
        text = value.decode("ascii", "replace")
        return text if text.isprintable() else value.hex()
    return value if isinstance(value, int | float | str | None) else str(value)


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value.replace("\x00", "") if isinstance(value, str)
        else value
        for name, value in data.items()
    }  # fmt: skip


def as_json(data: Mapping[str, Any]) -> str:
    """What a row of `jsonb` takes."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False)
