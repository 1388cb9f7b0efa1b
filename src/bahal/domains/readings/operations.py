"""Asking the head-end for readings."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.readings.errors import (
    MeterNotRead,
    RegisterMalformed,
    ScheduleAccepted,
    ScheduleOfOne,
    ScheduleReasonMissing,
    ScheduleWrong,
)
from bahal.domains.readings.queries import Schedule, find_schedule
from bahal.foundation.rows import many, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.wanted import Wanted, wanted_of

ENERGY_IMPORT = "1.0.1.8.0.255"

_OBIS = re.compile(r"\d{1,3}(\.\d{1,3}){5}")


@transaction_required
def ask_reads(meters: Iterable[str], *, register: str = ENERGY_IMPORT, at: datetime) -> list[int]:
    """Ask for a register of each meter; the requests' ids. The head-end answers each with a reading or a reason.

    :raises RegisterMalformed: not an OBIS name.
    """
    if not _OBIS.fullmatch(register) or any(int(part) > 255 for part in register.split(".")):
        raise RegisterMalformed(register=register)
    rows = many(
        "INSERT INTO readings_request (meter, register, asked_at, tries, reason)"
        " SELECT m, %s, %s, 0, '' FROM unnest(%s::text[]) AS m RETURNING id",
        register,
        at,
        list(meters),
    )
    return [row[0] for row in rows]


@transaction_required
def ask_profiles(meters: Sequence[str], *, wanted: Wanted, back_days: int, at: datetime) -> list[str]:
    """Have kinds of reading fetched at once, with what is missing of the last `back_days` days and of today; those of
    the meters that the head-end knows.

    :raises MeterNotRead: it knows none of them.
    """
    rows = many("SELECT readings_ask(%s::text[], %s, %s, %s)", list(meters), int(wanted), back_days, at)
    if not rows:
        raise MeterNotRead(meter=", ".join(meters[:3]))
    return sorted(row[0] for row in rows)


class NewSchedule(NamedTuple):
    """A schedule to come: seconds after midnight in India and between firings; None is all offices, all makes.

    `at_once` counts for the kind `first` only: up to so many new meters are called within minutes.
    """

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
    source: str


_A_DAY_S = 86_400
_BOUNDS = {
    "every_s": (900, 366 * _A_DAY_S),
    "offset_s": (0, _A_DAY_S - 1),
    "spread_s": (1, _A_DAY_S),
    "back_days": (0, 60),
    "at_once": (0, 10_000),
}


@transaction_required
def propose_schedule(new: NewSchedule, *, made_by: str, at: datetime) -> int:
    """Write a schedule that waits for a second officer; its id.

    :raises ScheduleWrong: no such kind, a number out of its bounds, or no source.
    """
    try:
        bits = wanted_of(new.kind)
    except KeyError:
        raise ScheduleWrong(field="kind", given=new.kind, want="load, daily, billing, events, now, first") from None
    for field, (least, most) in _BOUNDS.items():
        given = getattr(new, field)
        if not least <= given <= most:
            raise ScheduleWrong(field=field, given=given, want=f"{least} - {most}")
    if not new.source.strip():
        raise ScheduleWrong(field="source", given="''", want="order, agreement, judgement")
    return int(
        value(
            "INSERT INTO readings_schedule (kind, bits, office, make, every_s, offset_s, spread_s, back_days, open_day,"
            " at_once, effective_from, source, made_by, made_at, verified)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false) RETURNING id",
            new.kind,
            int(bits),
            *new[1:],
            made_by,
            at,
        )
    )


@transaction_required
def accept_schedule(*, schedule: int, accepted_by: str, reason: str, at: datetime) -> Schedule:
    """Put a schedule in force from its day on; the one that it takes the place of, of the same kind, office and make,
    ends the day before. The schedule as it was proposed.

    :raises ScheduleReasonMissing: no reason.
    :raises ScheduleUnknown: there is none of this number.
    :raises ScheduleAccepted: it was accepted before.
    :raises ScheduleOfOne: its maker accepts it himself.
    """
    if not reason.strip():
        raise ScheduleReasonMissing()
    many("SELECT 1 FROM readings_schedule WHERE kind = (SELECT kind FROM readings_schedule WHERE id = %s)"
         " ORDER BY id FOR UPDATE", schedule)  # fmt: skip
    found = find_schedule(schedule=schedule)
    if found.accepted_by is not None:
        raise ScheduleAccepted(schedule=schedule, accepted_by=found.accepted_by)
    if found.made_by == accepted_by:
        raise ScheduleOfOne(made_by=found.made_by)
    run(
        "UPDATE readings_schedule SET effective_to = %s WHERE kind = %s AND office IS NOT DISTINCT FROM %s::integer"
        " AND make IS NOT DISTINCT FROM %s::text AND (effective_to IS NULL OR effective_to > %s)"
        " AND accepted_by IS NOT NULL AND effective_from <= %s",
        found.effective_from,
        found.kind,
        found.office,
        found.make,
        found.effective_from,
        found.effective_from,
    )
    run(
        "UPDATE readings_schedule SET accepted_by = %s, accepted_at = %s, reason = %s WHERE id = %s",
        accepted_by,
        at,
        reason.strip(),
        schedule,
    )
    return found
