"""Questions about meters."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from bahal.domains.meters.errors import NoMeter
from bahal.foundation.rows import many, one, value


class Truths(NamedTuple):
    """The three truths of a relay, each with its time (wall); True is on, None not known."""

    acknowledged: bool | None
    acknowledged_at: datetime | None
    closed: bool | None
    seen_at: datetime | None
    load: bool | None
    load_at: datetime | None


class Mismatch(NamedTuple):
    """An open mismatch; `facts` are what was known when it was found."""

    id: int
    meter: str
    connection: int
    kind: str
    report: str | None
    facts: Mapping[str, Any]
    opened_at: datetime


def meter_of(*, connection: int) -> str:
    """The serial of the meter on a connection.

    :raises NoMeter: it has none.
    """
    serial = value("SELECT serial FROM meters_meter WHERE connection = %s", connection)
    if serial is None:
        raise NoMeter(connection=connection)
    return str(serial)


def connections_of(*, meters: Iterable[str]) -> Mapping[str, int]:
    """The connection of each meter; one that hangs nowhere is missing."""
    return dict(many("SELECT serial, connection FROM meters_meter WHERE serial = ANY(%s::text[])", list(meters)))


def sims_beside(*, meters: Iterable[str], numbers: Iterable[str]) -> list[tuple[str, str, str]]:
    """The SIMs (ICCID, meter, number) that hold any of these meters or numbers."""
    return many(
        "SELECT iccid, meter, msisdn FROM meters_sim WHERE meter = ANY(%s::text[]) OR msisdn = ANY(%s::text[])",
        list(meters),
        list(numbers),
    )


def meters_on(*, connections: Iterable[int]) -> Mapping[int, str]:
    """The meter on each connection; a connection without one is missing."""
    return dict(
        many("SELECT connection, serial FROM meters_meter WHERE connection = ANY(%s::bigint[])", list(connections))
    )


def truths_of(*, meter: str) -> Truths:
    """What is known of a meter's relay."""
    row = one(f"SELECT {', '.join(Truths._fields)} FROM meters_relay WHERE meter = %s", meter)  # noqa: S608
    return Truths(None, None, None, None, None, None) if row is None else Truths(*row)


def open_mismatches(*, most: int = 1000) -> list[Mismatch]:
    """The queue, oldest first."""
    rows = many(
        "SELECT id, meter, connection, kind, report::text, facts::text, opened_at FROM meters_mismatch"
        " WHERE closed_at IS NULL ORDER BY id LIMIT %s",
        most,
    )
    return [Mismatch._make((*row[:5], json.loads(row[5]), row[6])) for row in rows]


def mismatches_of_report(*, report: str) -> list[int]:
    """What still contradicts a report, locked until the transaction ends."""
    rows = many("SELECT id FROM meters_mismatch WHERE report = %s AND closed_at IS NULL ORDER BY id FOR UPDATE", report)
    return [row[0] for row in rows]
