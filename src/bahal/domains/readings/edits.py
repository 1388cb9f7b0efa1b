"""Edits: what two people put in the place of a day's intervals. A row is written once and accepted once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.readings.errors import EditAccepted, EditOfOne, EditReasonMissing, EditUnknown, EditWrong
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction_required

MOST_WH = 1_000_000
"""What no interval of a low-voltage meter can be."""


class Edit(NamedTuple):
    """Wh in the place of the intervals of a day from `first` on; `was` is what stood there."""

    id: int
    meter: str
    day: date
    slots: int
    first: int
    wh: list[int]
    was: list[int]
    reason: str
    proposed_by: str
    accepted_by: str | None
    run: int | None


_EDIT = ", ".join(Edit._fields)


@transaction_required
def propose_edit(
    *, meter: str, day: date, first: int, wh: Sequence[int], stands: Sequence[int], reason: str, proposed_by: str,
    at: datetime,
) -> int:  # fmt: skip
    """Write an edit that waits for a second officer; its id. `stands` are the day's intervals as they stand.

    :raises EditReasonMissing: no reason.
    :raises EditWrong: outside of the day, nothing, or no energy of an interval.
    """
    if not reason.strip():
        raise EditReasonMissing()
    if not wh or first < 0 or first + len(wh) > len(stands):
        raise EditWrong(meter=meter, day=day, why=f"{first} + {len(wh)} > {len(stands)}")
    if not all(0 <= each <= MOST_WH for each in wh):
        raise EditWrong(meter=meter, day=day, why=f"0 - {MOST_WH} Wh")
    return int(
        value(
            "INSERT INTO readings_edit (meter, day, slots, first, wh, was, reason, proposed_by, proposed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            meter,
            day,
            len(stands),
            first,
            list(wh),
            list(stands[first : first + len(wh)]),
            reason.strip(),
            proposed_by,
            at,
        )
    )


@transaction_required
def accept_edit(*, edit: int, accepted_by: str, reason: str, at: datetime) -> Edit:
    """Accept an edit: the next run of its day takes it. The edit as it was proposed.

    :raises EditReasonMissing: no reason.
    :raises EditUnknown: there is none of this number.
    :raises EditAccepted: it was accepted before.
    :raises EditOfOne: he proposed it himself.
    """
    if not reason.strip():
        raise EditReasonMissing()
    row = one(f"SELECT {_EDIT} FROM readings_edit WHERE id = %s FOR UPDATE", edit)  # noqa: S608
    if row is None:
        raise EditUnknown(edit=edit)
    found = Edit(*row)
    if found.accepted_by is not None:
        raise EditAccepted(edit=edit, accepted_by=found.accepted_by)
    if found.proposed_by == accepted_by:
        raise EditOfOne(proposed_by=found.proposed_by)
    run(
        "UPDATE readings_edit SET accepted_by = %s, accepted_at = %s, accepted_why = %s WHERE id = %s",
        accepted_by,
        at,
        reason.strip(),
        edit,
    )
    return found


def edits_of(*, day: date) -> list[Edit]:
    """The accepted edits of a day, in the order in which they count: a later one stands over an earlier."""
    rows = many(
        f"SELECT {_EDIT} FROM readings_edit WHERE day = %s AND accepted_by IS NOT NULL"  # noqa: S608
        " ORDER BY accepted_at, id",
        day,
    )
    return [Edit(*row) for row in rows]


def edits_in_force(*, meter: str, start: date, end: date) -> list[Edit]:
    """The edits of a meter's days in `[start, end)` that a run has taken: what they put in stands in the lake."""
    rows = many(
        f"SELECT {_EDIT} FROM readings_edit WHERE meter = %s AND day >= %s AND day < %s"  # noqa: S608
        " AND accepted_by IS NOT NULL AND run IS NOT NULL ORDER BY accepted_at, id",
        meter,
        start,
        end,
    )
    return [Edit(*row) for row in rows]


def edits_to_take(*, start: date, end: date) -> dict[date, list[Edit]]:
    """Accepted edits that no run has taken yet, of days in `[start, end)`."""
    found: dict[date, list[Edit]] = {}
    for row in many(
        f"SELECT {_EDIT} FROM readings_edit WHERE accepted_by IS NOT NULL AND run IS NULL"  # noqa: S608
        " AND day >= %s AND day < %s ORDER BY day, id",
        start,
        end,
    ):
        found.setdefault(row[2], []).append(Edit(*row))
    return found


def edits(*, most: int) -> list[Edit]:
    """The latest edits, those that wait for a second officer first."""
    rows = many(
        f"SELECT {_EDIT} FROM readings_edit ORDER BY accepted_by IS NOT NULL, id DESC LIMIT %s",  # noqa: S608
        most,
    )
    return [Edit(*row) for row in rows]


@transaction_required
def taken(*, ids: Sequence[int], in_run: int) -> None:
    """A run took these edits."""
    run("UPDATE readings_edit SET run = %s WHERE id = ANY(%s::bigint[]) AND run IS NULL", in_run, list(ids))
