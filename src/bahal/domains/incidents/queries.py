"""Questions about incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.incidents.minutes import Dark
from bahal.foundation.rows import many
from bahal.shared.periods import Period


class Incident(NamedTuple):
    """An incident with how many meters tell of it, and how many still do; `silent` were found so by asking."""

    id: int
    kind: str
    scope: str
    place: int
    feeder: int
    began_at: datetime
    ended_at: datetime | None
    cause: str
    note: str
    meters: int
    still: int
    silent: int


class Unasked(NamedTuple):
    """An open incident at whose place silent meters are to be asked."""

    id: int
    scope: str
    place: int
    began_at: datetime


class Silent(NamedTuple):
    """A meter that was asked, and the read by which."""

    id: int
    incident: int
    meter: str
    request: int
    began_at: datetime


_INCIDENT = (
    "SELECT i.id, i.kind, i.scope, i.place, i.feeder, i.began_at, i.ended_at, i.cause, i.note, count(t.id),"
    " count(t.id) FILTER (WHERE t.ended_at IS NULL), count(t.id) FILTER (WHERE t.how = 'silence')"
    " FROM incidents_incident i LEFT JOIN incidents_trouble t ON t.incident = i.id WHERE i.merged_into IS NULL"
)


def incidents(*, still_open: bool = True, since: datetime | None = None, limit: int = 200) -> list[Incident]:
    """Incidents, the latest first; only those that are open unless told otherwise."""
    rows = many(
        f"{_INCIDENT} AND (NOT %s OR i.closed_at IS NULL) AND (%s::timestamptz IS NULL OR i.began_at >= %s)"
        " GROUP BY i.id ORDER BY i.began_at DESC, i.id DESC LIMIT %s",
        still_open,
        since,
        since,
        limit,
    )
    return [Incident(*row) for row in rows]


def unasked(*, before: datetime) -> list[Unasked]:
    """Open supply incidents of a transformer or feeder that began before then, whose silent meters nobody has asked."""
    rows = many(
        "SELECT id, scope, place, began_at FROM incidents_incident WHERE kind = 'supply_lost' AND closed_at IS NULL"
        " AND asked_at IS NULL AND scope <> 'connection' AND began_at <= %s ORDER BY id FOR UPDATE SKIP LOCKED",
        before,
    )
    return [Unasked(*row) for row in rows]


def unanswered(*, limit: int = 1000) -> list[Silent]:
    """Meters that were asked and of whose answer nothing is noted."""
    rows = many(
        "SELECT a.id, a.incident, a.meter, a.request, i.began_at FROM incidents_asked a"
        " JOIN incidents_incident i ON i.id = a.incident WHERE a.answer = '' ORDER BY a.id LIMIT %s"
        " FOR UPDATE OF a SKIP LOCKED",
        limit,
    )
    return [Silent(*row) for row in rows]


def dark_meters(*, limit: int = 5000) -> list[tuple[str, datetime]]:
    """Meters whose supply is lost, and since when."""
    return [
        (row[0], row[1])
        for row in many(
            "SELECT meter, began_at FROM incidents_trouble WHERE kind = 'supply_lost' AND ended_at IS NULL"
            " ORDER BY id LIMIT %s",
            limit,
        )
    ]


def dark(*, within: Period, feeders: Sequence[int], now: datetime) -> list[tuple[int, int, Dark]]:
    """Dark periods that touch `within`: (feeder, transformer, dark). One that lasts is dark until `now`."""
    rows = many(
        "SELECT t.feeder, t.transformer, t.connection, t.began_at, coalesce(t.ended_at, greatest(%s, t.began_at)),"
        " coalesce(i.cause, '') = 'planned' FROM incidents_trouble t"
        " LEFT JOIN incidents_incident i ON i.id = t.incident"
        " WHERE t.kind = 'supply_lost' AND t.feeder = ANY(%s::integer[]) AND t.began_at < %s"
        " AND (t.ended_at IS NULL OR t.ended_at > %s)",
        now,
        list(feeders),
        within.end,
        within.start,
    )
    return [
        (feeder, transformer, Dark(connection, Period(began, end), planned))
        for feeder, transformer, connection, began, end, planned in rows
        if end > began
    ]
