"""Noting troubles, gathering them into incidents, asking those that are silent."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.domains.incidents.errors import CauseMissing, PlannedEmpty, PlannedTaken
from bahal.domains.incidents.grouping import Gathered, Gathering, Loose, Open, gather
from bahal.foundation.rows import columns, many, one, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.episodes import Episode, Known, settle

_GATHERING = 0x0BA4B6


class Begun(NamedTuple):
    """A trouble that a meter tells, with where the meter hangs."""

    kind: str
    meter: str
    connection: int
    transformer: int
    feeder: int
    at: datetime
    how: str
    doubtful: bool


class Ended(NamedTuple):
    """The end of a trouble, as a meter tells it."""

    kind: str
    meter: str
    at: datetime
    how: str


class Condition(NamedTuple):
    """All that is known since an instant of one kind of trouble on one meter: its episodes, and how each instant of
    them is known (by the instant, and whether something began there)."""

    kind: str
    meter: str
    connection: int
    transformer: int
    feeder: int
    since: datetime
    found: list[Episode]
    hows: Mapping[tuple[datetime, bool], str]


@transaction_required
def settle_troubles(conditions: Sequence[Condition], *, at: datetime) -> None:
    """Bring troubles in line with what is known of them. Two that turn out to be one: the later lasts no time."""
    if not conditions:
        return
    known: dict[tuple[str, str], list[Known]] = {}
    for id_, meter, kind, began_at, ended_at in many(
        "SELECT t.id, t.meter, t.kind, t.began_at, t.ended_at"
        " FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS p (meter, kind, since)"
        " JOIN incidents_trouble t ON t.meter = p.meter AND t.kind = p.kind"
        " AND (t.began_at >= p.since OR t.ended_at IS NULL) AND t.ended_how <> 'same_cause'",
        [each.meter for each in conditions],
        [each.kind for each in conditions],
        [each.since for each in conditions],
    ):
        known.setdefault((meter, kind), []).append(Known(id_, began_at, ended_at, ended_at is not None, 0))
    new: list[tuple[object, ...]] = []
    changed: list[tuple[object, ...]] = []
    same: list[int] = []
    for each in conditions:
        done = settle(known.get((each.meter, each.kind), ()), each.found)
        new += [
            (
                each.kind, each.meter, each.connection, each.transformer, each.feeder, episode.began_at,
                episode.ended_at, each.hows[episode.began_at, True], _ended_how(each, episode), episode.doubtful,
            )
            for episode in done.new
        ]  # fmt: skip
        changed += [(id_, new_.began_at, new_.ended_at, _ended_how(each, new_)) for id_, new_ in done.changed]
        same += done.same
    _write(new, changed, same, at=at)


def _ended_how(condition: Condition, episode: Episode) -> str:
    return "" if episode.ended_at is None else condition.hows[episode.ended_at, False]


def _write(
    new: Sequence[tuple[object, ...]], changed: Sequence[tuple[object, ...]], same: Sequence[int], *, at: datetime
) -> None:
    if same:
        run(
            "UPDATE incidents_trouble SET ended_at = began_at, ended_how = 'same_cause' WHERE id = ANY(%s::bigint[])",
            list(same),
        )
    if changed:
        run(
            "UPDATE incidents_trouble t SET began_at = c.began_at, ended_at = c.ended_at, ended_how = c.how"
            " FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[]) AS c (id, began_at, ended_at,"
            " how) WHERE t.id = c.id AND (t.began_at, t.ended_at) IS DISTINCT FROM (c.began_at, c.ended_at)",
            *columns(changed),
        )
    if new:
        run(
            "INSERT INTO incidents_trouble (noted_at, kind, meter, connection, transformer, feeder, began_at, ended_at,"
            " how, ended_how, doubtful) SELECT %s, n.* FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::integer[],"
            " %s::integer[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::boolean[]) AS n",
            at,
            *columns(new),
        )


@transaction_required
def note_troubles(begun: Sequence[Begun], ended: Sequence[Ended], *, at: datetime) -> tuple[int, int]:
    """Note what nobody told: troubles known by silence, and ended by a read; how many of each changed anything.

    One that is open already stays as it is, one whose end is noted is not opened again; an end ends what began before.
    """
    began = 0
    if begun:
        began = run(
            "INSERT INTO incidents_trouble (kind, meter, connection, transformer, feeder, began_at, how, doubtful,"
            " ended_how, noted_at) SELECT DISTINCT ON (n.meter, n.kind) n.*, '', %s FROM unnest(%s::text[], %s::text[],"
            " %s::bigint[], %s::integer[], %s::integer[], %s::timestamptz[], %s::text[], %s::boolean[])"
            " AS n (kind, meter, connection, transformer, feeder, began_at, how, doubtful)"
            " WHERE NOT EXISTS (SELECT FROM incidents_trouble o WHERE o.meter = n.meter AND o.kind = n.kind"
            "   AND o.began_at <= n.began_at AND (o.ended_at > n.began_at OR o.ended_at = o.began_at AND o.began_at"
            "   = n.began_at))"
            " ORDER BY n.meter, n.kind, n.began_at"
            " ON CONFLICT (meter, kind) WHERE ended_at IS NULL DO NOTHING",
            at,
            *columns(begun),
        )
    over = 0
    if ended:
        over = run(
            "UPDATE incidents_trouble t SET ended_at = greatest(t.began_at, e.at), ended_how = e.how"
            " FROM (SELECT DISTINCT ON (e.meter, e.kind) e.* FROM unnest(%s::text[], %s::text[], %s::timestamptz[],"
            "   %s::text[]) AS e (kind, meter, at, how)"
            "   JOIN incidents_trouble o ON o.meter = e.meter AND o.kind = e.kind AND o.ended_at IS NULL"
            "   AND o.began_at <= e.at ORDER BY e.meter, e.kind, e.at) e"
            " WHERE t.meter = e.meter AND t.kind = e.kind AND t.ended_at IS NULL",
            *columns(ended),
        )
    return began, over


@transaction_required
def gather_incidents(*, rules: Gathering, at: datetime, business_at: datetime) -> int:
    """Gather loose troubles into incidents and close incidents whose troubles have all ended; how many were touched.

    One worker does it at a time; another goes by.
    """
    if not value("SELECT pg_try_advisory_xact_lock(%s)", _GATHERING):
        return 0
    recent = business_at - timedelta(seconds=2 * rules.window_s)
    places = many(
        "SELECT DISTINCT kind, feeder FROM incidents_trouble WHERE incident IS NULL"
        " AND (ended_at IS NULL OR ended_at > %s)",
        recent,
    )
    touched = 0
    for kind, feeder in places:
        for each in gather(
            _troubles(kind, feeder, recent),
            _open(kind, feeder),
            feeder=feeder,
            meters=_meters(feeder),
            now=business_at,
            rules=rules,
        ):
            _stand(each, kind=kind, feeder=feeder, rules=rules.version, at=at)
            touched += 1
    return touched + _close(at=at)


def _troubles(kind: str, feeder: int, since: datetime) -> list[Loose]:
    rows = many(
        "SELECT t.id, t.connection, t.transformer, t.began_at, t.incident FROM incidents_trouble t"
        " LEFT JOIN incidents_incident i ON i.id = t.incident"
        " WHERE t.kind = %s AND t.feeder = %s AND (t.incident IS NULL AND (t.ended_at IS NULL OR t.ended_at > %s)"
        "   OR i.closed_at IS NULL AND i.scope <> 'feeder') ORDER BY t.began_at, t.id",
        kind,
        feeder,
        since,
    )
    return [Loose(*row) for row in rows]


def _open(kind: str, feeder: int) -> list[Open]:
    rows = many(
        "SELECT id, scope, place, began_at FROM incidents_incident"
        " WHERE kind = %s AND feeder = %s AND closed_at IS NULL ORDER BY began_at, id",
        kind,
        feeder,
    )
    return [Open(*row) for row in rows]


def _meters(feeder: int) -> Mapping[int, int]:
    """How many meters each transformer of a feeder has; the network is read here as `noted` by the journeys' view."""
    return dict(many("SELECT transformer, meters FROM incident_place WHERE feeder = %s AND meters > 0", feeder))


def _stand(each: Gathered, *, kind: str, feeder: int, rules: str, at: datetime) -> None:
    incident = each.id
    if each.merges:
        run(
            "UPDATE incidents_incident SET closed_at = %s, ended_at = began_at WHERE id = ANY(%s::bigint[])",
            at,
            each.merges,
        )
    if incident:
        run(
            "UPDATE incidents_incident SET scope = %s, place = %s, began_at = %s WHERE id = %s",
            each.scope,
            each.place,
            each.began_at,
            incident,
        )
    else:
        incident = int(
            value(
                "INSERT INTO incidents_incident (kind, scope, place, feeder, began_at, opened_at, cause, note, rules)"
                " SELECT %s, %s, %s, %s, %s, %s, CASE WHEN p.id IS NULL THEN '' ELSE 'planned' END,"
                " coalesce(p.reason, ''), %s FROM (SELECT 1) AS one LEFT JOIN LATERAL ("
                "   SELECT id, reason FROM incidents_planned WHERE from_at <= %s AND to_at > %s"
                "   AND (scope = 'feeder' AND place = %s OR scope = 'transformer' AND scope = %s AND place = %s)"
                "   ORDER BY id LIMIT 1) p ON true RETURNING id",
                kind,
                each.scope,
                each.place,
                feeder,
                each.began_at,
                at,
                rules,
                each.began_at,
                each.began_at,
                feeder,
                each.scope,
                each.place,
            )
        )
    if each.merges:
        run(
            "UPDATE incidents_incident SET merged_into = %s WHERE id = ANY(%s::bigint[])",
            incident,
            each.merges,
        )
    run(
        "UPDATE incidents_trouble SET incident = %s WHERE id = ANY(%s::bigint[]) OR incident = ANY(%s::bigint[])",
        incident,
        each.troubles,
        each.merges,
    )


def _close(*, at: datetime) -> int:
    return run(
        "UPDATE incidents_incident i SET closed_at = %s, ended_at = t.ended_at FROM"
        " (SELECT t.incident, max(t.ended_at) AS ended_at FROM incidents_trouble t"
        "  JOIN incidents_incident o ON o.id = t.incident AND o.closed_at IS NULL"
        "  GROUP BY t.incident HAVING bool_and(t.ended_at IS NOT NULL)) t WHERE i.id = t.incident",
        at,
    )


@transaction_required
def note_asked(incident: int, requests: Sequence[tuple[str, int]]) -> None:
    """Note which meter was asked by which read whether it has supply."""
    if requests:
        run(
            "INSERT INTO incidents_asked (incident, answer, meter, request)"
            " SELECT %s, '', r.* FROM unnest(%s::text[], %s::bigint[]) AS r ON CONFLICT DO NOTHING",
            incident,
            *columns(requests),
        )


@transaction_required
def mark_asked(incident: int, *, at: datetime) -> None:
    """The silent meters of this incident's place were asked, or there are none."""
    run("UPDATE incidents_incident SET asked_at = %s WHERE id = %s", at, incident)


@transaction_required
def note_answers(answers: Sequence[tuple[int, str]]) -> None:
    """Note what became of asking: (row, `heard` or `silent`)."""
    if answers:
        run(
            "UPDATE incidents_asked a SET answer = g.answer FROM unnest(%s::bigint[], %s::text[]) AS g (id, answer)"
            " WHERE a.id = g.id",
            *columns(answers),
        )


@transaction_required
def join(incident: int, meters: Sequence[str], *, kind: str) -> int:
    """Meters whose open trouble of this kind belongs to an incident; how many."""
    return run(
        "UPDATE incidents_trouble SET incident = %s WHERE kind = %s AND meter = ANY(%s::text[]) AND incident IS NULL"
        " AND ended_at IS NULL",
        incident,
        kind,
        list(meters),
    )


@transaction_required
def announce(
    *, scope: str, place: int, from_at: datetime, to_at: datetime, reason: str, stated_by: str, at: datetime
) -> int:
    """Announce work: interruptions within it are planned; its id.

    :raises PlannedEmpty: it ends before it begins.
    :raises CauseMissing: no reason.
    :raises PlannedTaken: it was announced before.
    """
    if to_at <= from_at:
        raise PlannedEmpty(from_at=from_at, to_at=to_at)
    if not reason.strip():
        raise CauseMissing()
    row = one(
        "INSERT INTO incidents_planned (scope, place, from_at, to_at, reason, stated_by, stated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        scope,
        place,
        from_at,
        to_at,
        reason.strip(),
        stated_by,
        at,
    )
    if row is None:
        raise PlannedTaken(scope=scope, place=place, from_at=from_at)
    run(
        "UPDATE incidents_incident SET cause = 'planned', note = %s WHERE closed_at IS NULL AND cause = ''"
        " AND began_at >= %s AND began_at < %s AND (%s = 'feeder' AND feeder = %s OR scope = %s AND place = %s)",
        reason.strip(),
        from_at,
        to_at,
        scope,
        place,
        scope,
        place,
    )
    return int(row[0])
