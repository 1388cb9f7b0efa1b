"""Asking the head-end for readings."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.readings.errors import MeterNotRead, RegisterMalformed, ScheduleOfOne
from bahal.foundation.rows import many, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.wanted import Wanted

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
    """A schedule to come: seconds after midnight in India and between firings; None is all offices, all makes."""

    kind: str
    office: int | None
    make: str | None
    every_s: int
    offset_s: int
    spread_s: int
    back_days: int
    open_day: bool
    effective_from: date
    made_by: str
    accepted_by: str
    source: str


@transaction_required
def add_schedule(new: NewSchedule, *, bits: Wanted) -> int:
    """Add a schedule; the one it takes the place of, of the same kind, office and make, ends the day before. Its id.

    :raises ScheduleOfOne: its maker accepts it himself.
    """
    if new.made_by == new.accepted_by:
        raise ScheduleOfOne(made_by=new.made_by)
    run(
        "UPDATE readings_schedule SET effective_to = %s WHERE kind = %s AND office IS NOT DISTINCT FROM %s::integer"
        " AND make IS NOT DISTINCT FROM %s::text AND (effective_to IS NULL OR effective_to > %s)",
        new.effective_from,
        new.kind,
        new.office,
        new.make,
        new.effective_from,
    )
    return int(
        value(
            "INSERT INTO readings_schedule (kind, bits, office, make, every_s, offset_s, spread_s, back_days, open_day,"
            " effective_from, made_by, accepted_by, source, verified)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, false) RETURNING id",
            new.kind,
            int(bits),
            *new[1:],
        )
    )
