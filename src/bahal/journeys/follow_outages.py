"""An outage is followed: troubles become incidents, the silent at its place are asked, who speaks again is lit.

A meter that had no time for a last gasp is known by its silence: once a transformer or feeder is dark, those of its
meters that have not spoken since are read. Who answers has supply; whom nobody reaches belongs to the outage.
"""

from datetime import datetime, timedelta

from bahal.domains.incidents.grouping import Gathering
from bahal.domains.incidents.operations import (
    Begun,
    Ended,
    gather_incidents,
    join,
    mark_asked,
    note_answers,
    note_asked,
    note_troubles,
)
from bahal.domains.incidents.queries import Unasked, dark_meters, unanswered, unasked
from bahal.domains.meters.queries import connections_of
from bahal.domains.network.queries import places_of
from bahal.domains.protection.kinds import SUPPLY_LOST
from bahal.domains.protection.queries import document_in_force
from bahal.domains.protection.rulebook import read_numbers
from bahal.domains.readings.operations import ask_reads
from bahal.foundation.bell import ring
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india

_SILENT = ("unreachable", "connect_timeout", "reply_timeout", "session_timeout", "connection_lost", "no_line")
"""Why the head-end gave up on a meter that nobody could reach; another reason says nothing of its supply."""


def follow_outages(*, at: datetime, business_at: datetime) -> int:
    """Gather, ask, hear; how much of it there was to do."""
    rules = gathering_in_force(business_at)
    with transaction():
        done = gather_incidents(rules=rules, at=at, business_at=business_at)
    with transaction():
        done += _ask(rules, at=at, business_at=business_at)
    with transaction():
        done += _hear(at=at)
    with transaction():
        done += _light(at=at, business_at=business_at)
    return done


def gathering_in_force(business_at: datetime) -> Gathering:
    """The rules by which troubles become incidents: the product's own, or what two officers put in their place."""
    text = document_in_force(name="incidents", on=day_in_india(business_at))
    return Gathering() if text is None else read_numbers(Gathering, text, name="incidents")


def _ask(rules: Gathering, *, at: datetime, business_at: datetime) -> int:
    """Read the meters at dark places that have said nothing since."""
    asked = 0
    for incident in unasked(before=business_at - timedelta(seconds=rules.ask_after_s)):
        meters = _quiet(incident, since=at - (business_at - incident.began_at), most=rules.ask_most)
        if meters:
            note_asked(incident.id, list(zip(meters, ask_reads(meters, at=at), strict=True)))
            ring("bahal_reads")
        mark_asked(incident.id, at=at)
        asked += len(meters)
    return asked


def _quiet(incident: Unasked, *, since: datetime, most: int) -> list[str]:
    """The meters of a place without an open trouble, of which nothing was heard since (the wall's time)."""
    column = "t.id" if incident.scope == "transformer" else "t.feeder_id"
    rows = many(
        "SELECT m.serial FROM network_transformer t JOIN network_connection c ON c.transformer_id = t.id"  # noqa: S608
        f" JOIN meters_meter m ON m.connection = c.id WHERE {column} = %s"
        " AND NOT EXISTS (SELECT FROM incidents_trouble o WHERE o.meter = m.serial AND o.kind = 'supply_lost'"
        "   AND o.ended_at IS NULL)"
        " AND NOT EXISTS (SELECT FROM protection_event e WHERE e.meter = m.serial AND e.received_at > %s)"
        " AND NOT EXISTS (SELECT FROM readings_reading r WHERE r.meter = m.serial AND r.received_at > %s)"
        " ORDER BY m.serial LIMIT %s",
        incident.place,
        since,
        since,
        most,
    )
    return [row[0] for row in rows]


def _hear(*, at: datetime) -> int:
    """Who was asked and could not be reached is dark since the incident began."""
    waiting = unanswered()
    if not waiting:
        return 0
    reasons: dict[int, str] = dict(
        many(
            "SELECT id, reason FROM readings_request WHERE id = ANY(%s::bigint[]) AND done_at IS NOT NULL",
            [each.request for each in waiting],
        )
    )
    answered = [each for each in waiting if each.request in reasons]
    silent = [each for each in answered if reasons[each.request] in _SILENT]
    where = connections_of(meters={each.meter for each in silent})
    places = places_of(connections=set(where.values()))
    note_answers([(each.id, "silent" if reasons[each.request] in _SILENT else "heard") for each in answered])
    note_troubles(
        [
            Begun(
                SUPPLY_LOST, each.meter, where[each.meter], *places[where[each.meter]], each.began_at, "silence", True
            )
            for each in silent
            if where.get(each.meter) in places
        ],
        [],
        at=at,
    )
    for incident in sorted({each.incident for each in silent}):
        join(incident, [each.meter for each in silent if each.incident == incident], kind=SUPPLY_LOST)
    return len(answered)


def _light(*, at: datetime, business_at: datetime) -> int:
    """Who is dark and was read since has supply again: a first breath may have been lost."""
    dark = dark_meters()
    if not dark:
        return 0
    ahead = business_at - at  # between the wall's time and the business's
    rows = many(
        "SELECT d.meter, min(r.received_at) FROM unnest(%s::text[], %s::timestamptz[]) AS d (meter, since)"
        " JOIN readings_reading r ON r.meter = d.meter AND r.received_at > d.since GROUP BY d.meter",
        [meter for meter, _ in dark],
        [began - ahead for _, began in dark],
    )
    _, over = note_troubles([], [Ended(SUPPLY_LOST, meter, when + ahead, "read") for meter, when in rows], at=at)
    return over
