"""Questions about readings."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from bahal.domains.readings.errors import ScheduleUnknown
from bahal.foundation.rows import many, one, prepared_many
from bahal.shared.wanted import Wanted


class Answer(NamedTuple):
    """What became of a request: `value` in the register's base unit, or `reason` when the head-end gave up."""

    request: int
    meter: str
    done_at: datetime | None
    reason: str
    at: datetime | None
    value: int | None


def answers(*, requests: list[int]) -> list[Answer]:
    """What became of each request, with the latest reading of its register since it was asked."""
    rows = many(
        "SELECT q.id, q.meter, q.done_at, q.reason, r.at, r.value FROM readings_request q LEFT JOIN LATERAL"
        " (SELECT r.at, r.value FROM readings_reading r WHERE r.meter = q.meter AND r.register = q.register"
        " AND r.received_at >= q.asked_at ORDER BY r.at DESC LIMIT 1) r ON true"
        " WHERE q.id = ANY(%s::bigint[]) ORDER BY q.id",
        requests,
    )
    return [Answer(*row) for row in rows]


class Day(NamedTuple):
    """One meter's day as it stands: Wh taken and given back, VAh likewise, tenths of a volt, milliamperes for each
    interval from midnight in India on; None for what did not come, or what this make does not count. `open_wh` and
    `close_wh` are the register at both midnights."""

    day: date
    slots: int
    wh: list[int | None]
    out_wh: list[int | None]
    vah: list[int | None]
    out_vah: list[int | None]
    dv: list[int | None]
    ma: list[int | None]
    open_wh: int | None
    close_wh: int | None
    drift_s: int | None
    noted: int
    at: datetime


def meter_days(*, meter: str, start: date, end: date) -> list[Day]:
    """A meter's days in `[start, end)`, oldest first; of two values for an interval the later batch's counts."""
    found: dict[date, Day] = {}
    for day, slots, *lists, opened, closed, drift, noted, at in prepared_many(
        "SELECT day, slots, wh, out_wh, vah, out_vah, dv, ma, open_wh, close_wh, drift_s, noted, at FROM readings_load"
        " WHERE meter = %s::text AND day >= %s::date AND day < %s::date AND wh IS NOT NULL ORDER BY day, batch",
        meter,
        start,
        end,
    ):
        came = Day._make((day, slots, *(each or [None] * slots for each in lists), opened, closed, drift, noted, at))
        there = found.get(day)
        found[day] = came if there is None else _merged(there, came)
    return list(found.values())


def _merged(there: Day, came: Day) -> Day:
    if there.slots != came.slots:
        return max(there, came, key=lambda each: each.slots)
    lists = [
        [old if new is None else new for old, new in zip(olds, news, strict=True)]
        for olds, news in zip(there[2:8], came[2:8], strict=True)
    ]
    return Day(
        day=came.day,
        slots=came.slots,
        wh=lists[0],
        out_wh=lists[1],
        vah=lists[2],
        out_vah=lists[3],
        dv=lists[4],
        ma=lists[5],
        open_wh=there.open_wh if came.open_wh is None else came.open_wh,
        close_wh=there.close_wh if came.close_wh is None else came.close_wh,
        drift_s=there.drift_s if came.drift_s is None else came.drift_s,
        noted=there.noted | came.noted,
        at=came.at,
    )


class Stand(NamedTuple):
    """Registers at an instant in Wh and VAh: daily at the midnight that opens `read_on`, or at a billing date."""

    read_on: date
    read_at: datetime
    wh: int
    vah: int | None
    out_wh: int | None
    out_vah: int | None
    more: dict[str, Any]


def stands(*, meter: str, kind: Literal["daily", "billing"], start: date, end: date) -> list[Stand]:
    """A meter's registers read in `[start, end)`, oldest first."""
    rows = prepared_many(
        "SELECT read_on, read_at, wh, vah, out_wh, out_vah, more::text FROM readings_stand WHERE meter = %s::text"
        ' AND kind = %s::"char" AND read_on >= %s::date AND read_on < %s::date ORDER BY read_on',
        meter,
        kind[0],
        start,
        end,
    )
    return [Stand._make((*row[:-1], {} if row[-1] is None else json.loads(row[-1]))) for row in rows]


class Logged(NamedTuple):
    """A row of an event log; `event` is the id of IS 15959."""

    log: str
    at: datetime
    event: int
    data: dict[str, Any]


def events(*, meter: str, most: int = 100) -> list[Logged]:
    """The latest events of a meter, newest first."""
    rows = many(
        "SELECT log, at, event, data::text FROM readings_event WHERE meter = %s ORDER BY at DESC LIMIT %s", meter, most
    )
    return [Logged(log, at, event, json.loads(data)) for log, at, event, data in rows]


def latest_shown(*, meter: str, kind: Literal["now", "nameplate"]) -> tuple[datetime, dict[str, Any]] | None:
    """What a meter last showed, and when; None if it never did."""
    row = one(
        "SELECT at, data::text FROM readings_shown WHERE meter = %s AND kind = %s ORDER BY at DESC LIMIT 1", meter, kind
    )
    return None if row is None else (row[0], json.loads(row[1]))


class Waiting(NamedTuple):
    """What is still wanted of a meter, and why it has not come."""

    meter: str
    wants: Wanted
    tries: int
    reason: str
    answered_at: datetime | None
    drift_s: int | None


def waiting_for(*, meters: Sequence[str]) -> list[Waiting]:
    """How collecting stands for these meters; those that the head-end knows."""
    rows = many(
        "SELECT meter, wants, tries, reason, answered_at, drift_s FROM readings_meter WHERE meter = ANY(%s::text[])"
        " ORDER BY meter",
        list(meters),
    )
    return [Waiting(meter, Wanted(wants), *rest) for meter, wants, *rest in rows]


def meters_under(*, office: int) -> list[str]:
    """The meters of an office and all below it that are collected from."""
    return [
        row[0]
        for row in many(
            "SELECT meter FROM readings_meter WHERE office IN (SELECT u.office FROM readings_under(%s) u)"
            " ORDER BY meter",
            office,
        )
    ]


class Standing(NamedTuple):
    """How collecting stands in an office: its meters, those due now, those in trouble, those heard within a day."""

    office: int
    meters: int
    waiting: int
    troubled: int
    heard: int


def standing(*, at: datetime, office: int | None = None) -> list[Standing]:
    """How collecting stands, for each distribution centre; of one office and all below it, or everywhere."""
    rows = many(
        "SELECT s.* FROM readings_standing(%s) s WHERE %s::integer IS NULL"
        " OR s.office IN (SELECT u.office FROM readings_under(%s::integer) u) ORDER BY s.office",
        at,
        office,
        office,
    )
    return [Standing(*row) for row in rows]


class Silent(NamedTuple):
    """A meter that was not heard for a day, and how many of its cell are silent too: a dead cell is no dead meter."""

    meter: str
    office: int
    make: str
    cell: str
    heard_at: datetime | None
    reason: str
    cell_silent: int
    cell_meters: int


def silent(*, at: datetime, office: int | None = None, most: int = 1000) -> list[Silent]:
    """Meters not heard for 24 hours, whole silent cells first."""
    rows = many(
        "SELECT s.* FROM readings_silent(%s) s WHERE %s::integer IS NULL"
        " OR s.office IN (SELECT u.office FROM readings_under(%s::integer) u)"
        " ORDER BY s.cell_silent::float / s.cell_meters DESC, s.cell, s.meter LIMIT %s",
        at,
        office,
        office,
        most,
    )
    return [Silent(*row) for row in rows]


class Delivered(NamedTuple):
    """How much of a day was in 8 and 24 hours after it ended; `in_24h` is None until then."""

    day: date
    kind: str
    meters: int
    expected: int
    in_8h: int
    in_24h: int | None


def delivery(*, start: date, end: date, office: int | None = None) -> list[Delivered]:
    """The delivery clock of days in `[start, end)`, over all makes and cells of an office and those below it."""
    rows = many(
        "SELECT day, kind, sum(meters), sum(expected), sum(in_8h), sum(in_24h) FROM readings_delivery"
        " WHERE day >= %s AND day < %s AND (%s::integer IS NULL"
        " OR office IN (SELECT u.office FROM readings_under(%s::integer) u)) GROUP BY day, kind ORDER BY day, kind",
        start,
        end,
        office,
        office,
    )
    return [
        Delivered(day, kind, int(meters), int(expected), int(early), None if late is None else int(late))
        for day, kind, meters, expected, early, late in rows
    ]


class Schedule(NamedTuple):
    """A schedule, in force on the days `[effective_from, effective_to)` if it was accepted; seconds."""

    id: int
    kind: str
    office: int | None
    make: str | None
    every_s: int
    offset_s: int
    spread_s: int
    back_days: int
    open_day: bool
    at_once: int
    effective_from: date
    effective_to: date | None
    made_by: str
    accepted_by: str | None
    reason: str
    source: str
    verified: bool


_SCHEDULE = ", ".join(Schedule._fields)


def schedules(*, on: date | None) -> list[Schedule]:
    """The schedules of a day and those that are proposed; all that ever were for None."""
    rows = many(
        f"SELECT {_SCHEDULE} FROM readings_schedule WHERE %s::date IS NULL OR effective_to IS NULL"  # noqa: S608
        " OR effective_to > %s ORDER BY kind, office NULLS FIRST, make NULLS FIRST, effective_from, id",
        on,
        on,
    )
    return [Schedule(*row) for row in rows]


def find_schedule(*, schedule: int) -> Schedule:
    """One schedule.

    :raises ScheduleUnknown: there is none of this number.
    """
    row = one(f"SELECT {_SCHEDULE} FROM readings_schedule WHERE id = %s", schedule)  # noqa: S608
    if row is None:
        raise ScheduleUnknown(schedule=schedule)
    return Schedule(*row)
