"""Taking pushed events, writing down what they say, raising and closing alerts and warnings."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bahal.domains.protection.errors import (
    AlertClosed,
    AlertUnknown,
    OutcomeUnknown,
    ReasonMissing,
    RulesAccepted,
    RulesTaken,
    SameRulesOfficer,
    WarningClosed,
    WarningUnknown,
)
from bahal.domains.protection.kinds import Kinds
from bahal.domains.protection.queries import find_rules
from bahal.domains.protection.rulebook import sha256_of
from bahal.foundation.rows import columns, many, one, run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.episodes import Episode, Known, Settled, Told, episodes, settle

BEFORE = timedelta(hours=1)
"""How far before what is told now its condition's tellings are looked at."""

ALERT_OUTCOMES = ("tamper", "fault", "false_alarm", "ours")
WARNING_OUTCOMES = ("theft", "faulty_meter", "vacant", "solar", "thrift", "nothing_found")
"""How an officer may close a warning; the first two were worth the visit."""


class Event(NamedTuple):
    """A pushed event status word with the one its meter pushed before."""

    id: int
    meter: str
    esw: str
    meter_at: datetime | None
    received_at: datetime
    business_at: datetime
    previous_esw: str | None
    previous_at: datetime | None


class Happening(NamedTuple):
    """A condition that began or ended on a meter, at a business instant; `event` is the push that says so."""

    meter: str
    name: str
    began: bool
    at: datetime
    source: str
    event: int | None
    stated_at: datetime | None
    doubtful: bool
    received_at: datetime


class Raised(NamedTuple):
    """An alert that is new."""

    id: int
    meter: str
    connection: int
    kind: str
    role: str


class NewWarning(NamedTuple):
    """A warning to write: shares in thousandths, sigmas in hundredths, energy in Wh a day."""

    meter: str
    connection: int
    rank: int
    missing_permille: int
    sigmas_hundredths: int
    at_stake_wh: int
    usual_wh: int


@transaction_required
def take_events(*, limit: int) -> list[Event]:
    """Take up to `limit` events that nobody has handled, oldest first; another worker passes them by."""
    rows = many(
        "SELECT e.id, e.meter, e.esw, e.meter_at, e.received_at, e.business_at, p.esw, p.received_at"
        " FROM (SELECT * FROM protection_event WHERE handled_at IS NULL ORDER BY id LIMIT %s"
        " FOR UPDATE SKIP LOCKED) e LEFT JOIN LATERAL (SELECT p.esw, p.received_at FROM protection_event p"
        " WHERE p.meter = e.meter AND p.counter < e.counter ORDER BY p.counter DESC LIMIT 1) p ON true ORDER BY e.id",
        limit,
    )
    return [Event(*row) for row in rows]


@transaction_required
def lock_meters(meters: Iterable[str]) -> None:
    """Until this transaction ends nobody else brings these meters' alerts in line."""
    many(
        "SELECT pg_advisory_xact_lock(k) FROM (SELECT hashtextextended('protection:' || m, 0) AS k"
        " FROM unnest(%s::text[]) AS m ORDER BY 1) AS keys",
        sorted(set(meters)),
    )


@transaction_required
def write_happenings(happenings: Sequence[Happening]) -> int:
    """Write down what was said, each once; how many were new."""
    if not happenings:
        return 0
    return run(
        "INSERT INTO protection_happening"
        " (meter, name, began, at, source, event, stated_at, doubtful, received_at)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::boolean[], %s::timestamptz[], %s::text[], %s::bigint[],"
        " %s::timestamptz[], %s::boolean[], %s::timestamptz[]) ON CONFLICT DO NOTHING",
        *columns(happenings),
    )


@transaction_required
def settle_alerts(
    happenings: Sequence[Happening],
    *,
    connections: Mapping[str, int],
    kinds: Kinds,
    at: datetime,
    business_at: datetime,
) -> list[Raised]:
    """Bring the alerts of what was just written down in line with it; those that are new.

    Requires the meters' locks. A meter on no connection raises none.
    """
    alerting = set(kinds.alerts())
    since: dict[tuple[str, str], datetime] = {}
    for each in happenings:
        if each.name in alerting and each.meter in connections:
            key = (each.meter, each.name)
            since[key] = min(since.get(key, each.at), each.at)
    if not since:
        return []
    places = [(meter, name, first - BEFORE) for (meter, name), first in since.items()]
    told, known = _tellings(places), _known(places)
    new: list[tuple[tuple[str, str], Episode]] = []
    changed: list[tuple[int, Episode]] = []
    same: list[int] = []
    for key in since:
        done: Settled = settle(known.get(key, ()), episodes(told.get(key, ())))
        new += [(key, episode) for episode in done.new]
        changed += done.changed
        same += done.same
    _change(changed, same, at=at)
    return _raise(new, connections=connections, kinds=kinds, at=at, business_at=business_at)


def _tellings(places: Sequence[tuple[str, str, datetime]]) -> dict[tuple[str, str], list[Told]]:
    """What each condition's tellings are since then; before that, that it was open; and where an officer ended it."""
    found: dict[tuple[str, str], list[Told]] = {}
    rows = many(
        # Sideways, so that each look goes by index whatever the planner makes of the tables' sizes.
        "SELECT p.meter, p.name, t.* FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS p (meter, name, since)"
        " CROSS JOIN LATERAL (SELECT h.at, h.began, h.source = 'log', h.event, h.doubtful FROM protection_happening h"
        "   WHERE h.meter = p.meter AND h.name = p.name AND h.at >= p.since"
        "   UNION ALL SELECT a.occurred_at, true, a.event IS NULL, a.event, a.doubtful FROM protection_alert a"
        "   WHERE a.meter = p.meter AND a.kind = p.name AND a.occurred_at < p.since AND a.closed_at IS NULL"
        "   UNION ALL SELECT a.ended_at, false, false, NULL, false FROM protection_alert a"
        "   WHERE a.meter = p.meter AND a.kind = p.name AND a.ended_at >= p.since AND a.closed_by <> '') t",
        *columns(places),
    )
    for meter, name, at, began, logged, event, doubtful in rows:
        found.setdefault((meter, name), []).append(Told(at, began, logged, event, doubtful))
    return found


def _known(places: Sequence[tuple[str, str, datetime]]) -> dict[tuple[str, str], list[Known]]:
    found: dict[tuple[str, str], list[Known]] = {}
    rows = many(
        # Two looks by index; one with OR reads the whole table.
        "SELECT p.meter, p.name, a.* FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS p (meter, name, since)"
        " CROSS JOIN LATERAL (SELECT a.id, a.occurred_at, a.ended_at, a.closed_at IS NOT NULL, a.told"
        "   FROM protection_alert a WHERE a.meter = p.meter AND a.kind = p.name AND a.occurred_at >= p.since UNION ALL"
        "   SELECT a.id, a.occurred_at, a.ended_at, false, a.told FROM protection_alert a"
        "   WHERE a.meter = p.meter AND a.kind = p.name AND a.closed_at IS NULL AND a.occurred_at < p.since) a",
        *columns(places),
    )
    for meter, kind, *alert in rows:
        found.setdefault((meter, kind), []).append(Known(*alert))
    return found


def _change(changed: Sequence[tuple[int, Episode]], same: Sequence[int], *, at: datetime) -> None:
    if same:
        run(
            "UPDATE protection_alert SET closed_at = %s, ended_at = occurred_at, outcome = 'same_cause'"
            " WHERE id = ANY(%s::bigint[])",
            at,
            list(same),
        )
    if changed:
        rows = [(id_, each.began_at, each.latest_at, each.ended_at, each.told) for id_, each in changed]
        run(
            "UPDATE protection_alert a SET occurred_at = c.began_at, latest_at = greatest(a.latest_at, c.latest_at),"
            " told = greatest(a.told, c.told), ended_at = coalesce(c.ended_at, a.ended_at),"
            " closed_at = CASE WHEN c.ended_at IS NOT NULL THEN coalesce(a.closed_at, %s) ELSE a.closed_at END,"
            " outcome = CASE WHEN c.ended_at IS NOT NULL AND a.closed_at IS NULL THEN 'restored' ELSE a.outcome END"
            " FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::integer[])"
            " AS c (id, began_at, latest_at, ended_at, told) WHERE a.id = c.id AND a.id = ANY(%s::bigint[])",
            at,
            *columns(rows),
            [row[0] for row in rows],
        )


def _raise(
    new: Sequence[tuple[tuple[str, str], Episode]],
    *,
    connections: Mapping[str, int],
    kinds: Kinds,
    at: datetime,
    business_at: datetime,
) -> list[Raised]:
    if not new:
        return []
    rows = []
    for (meter, name), episode in sorted(new, key=lambda each: (each[1].began_at, each[0])):
        kind = kinds.by_name[name]
        rows.append(
            (
                episode.ref, meter, connections[meter], name, kind.role, kind.accuses, kinds.version, kinds.verified,
                episode.doubtful, episode.began_at, episode.latest_at, episode.told, episode.ended_at,
                None if episode.ended_at is None else at, "" if episode.ended_at is None else "restored",
            )
        )  # fmt: skip
    written = many(
        "INSERT INTO protection_alert (event, meter, connection, kind, role, accuses, kinds, verified, doubtful,"
        " occurred_at, latest_at, told, ended_at, closed_at, outcome, closed_by, seen_again, raised_at, business_at)"
        " SELECT a.*, '', '', %s, %s FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::text[],"
        " %s::boolean[], %s::text[], %s::boolean[], %s::boolean[], %s::timestamptz[], %s::timestamptz[], %s::integer[],"
        " %s::timestamptz[], %s::timestamptz[], %s::text[]) AS a RETURNING id, meter, connection, kind, role",
        at,
        business_at,
        *columns(rows),
    )
    return [Raised(*row) for row in written]


@transaction_required
def mark_handled(events: Sequence[Event]) -> None:
    """Note that these events were judged."""
    run(
        "UPDATE protection_event SET handled_at = clock_timestamp() WHERE id = ANY(%s::bigint[])",
        [each.id for each in events],
    )


@transaction_required
def close_alert(*, alert: int, outcome: str, officer: str, at: datetime, business_at: datetime) -> tuple[str, int]:
    """An officer has done with an alert; its meter and connection.

    :raises OutcomeUnknown: not an outcome of alerts.
    :raises AlertUnknown: there is none.
    :raises AlertClosed: it was closed before.
    """
    if outcome not in ALERT_OUTCOMES:
        raise OutcomeUnknown(outcome=outcome, outcomes=", ".join(ALERT_OUTCOMES))
    row = one("SELECT meter, connection, closed_at FROM protection_alert WHERE id = %s FOR UPDATE", alert)
    if row is None:
        raise AlertUnknown(alert=alert)
    if row[2] is not None:
        raise AlertClosed(alert=alert)
    run(
        "UPDATE protection_alert SET closed_at = %s, closed_by = %s, outcome = %s, ended_at = greatest(occurred_at, %s)"
        " WHERE id = %s",
        at,
        officer,
        outcome,
        business_at,
        alert,
    )
    return str(row[0]), int(row[1])


# --- read again ------------------------------------------------------------------------------------------------------


@transaction_required
def note_looks(looks: Sequence[tuple[int, int]]) -> None:
    """Note which authenticated read was asked for which alert: (alert, look)."""
    if looks:
        run(
            "UPDATE protection_alert a SET look = g.look FROM unnest(%s::bigint[], %s::bigint[]) AS g (id, look)"
            " WHERE a.id = g.id AND a.seen_again_at IS NULL",
            *columns(looks),
        )


@transaction_required
def note_seen_again(seen: Sequence[tuple[int, str, datetime]]) -> None:
    """Note what an authenticated read said of alerts: (alert, `confirmed` or `not_seen`, when). Said once."""
    if seen:
        run(
            "UPDATE protection_alert a SET seen_again = g.said, seen_again_at = g.at"
            " FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS g (id, said, at)"
            " WHERE a.id = g.id AND a.seen_again_at IS NULL",
            *columns(seen),
        )


@transaction_required
def ask_anew(alerts: Sequence[int]) -> None:
    """The read that was asked for these alerts came to nothing: another may be asked."""
    if alerts:
        run(
            "UPDATE protection_alert SET look = NULL WHERE id = ANY(%s::bigint[]) AND seen_again_at IS NULL",
            list(alerts),
        )


# --- falling consumption ---------------------------------------------------------------------------------------------


@transaction_required
def write_run(*, week_end: date, rules: str, looked: int, found: str, at: datetime) -> int:
    """Write down one look at a week; `found` is a JSON object, meters by finding. Its id."""
    return int(
        value(
            "INSERT INTO protection_fallingrun (week_end, rules, looked, found, ran_at)"
            " VALUES (%s, %s, %s, %s::jsonb, %s) RETURNING id",
            week_end,
            rules,
            looked,
            found,
            at,
        )
    )


@transaction_required
def write_warnings(
    warnings: Sequence[NewWarning], *, run_id: int, week_end: date, rules: str, at: datetime
) -> list[tuple[int, str, int]]:
    """Write warnings, one a meter and week, and none beside one that is open; (id, meter, connection) of the new."""
    if not warnings:
        return []
    return [
        (row[0], row[1], row[2])
        for row in many(
            "INSERT INTO protection_warning (run, week_end, rules, raised_at, closed_by, outcome, note, meter,"
            " connection, rank, missing_permille, sigmas_hundredths, at_stake_wh, usual_wh)"
            " SELECT %s, %s, %s, %s, '', '', '', w.* FROM unnest(%s::text[], %s::bigint[], %s::integer[],"
            " %s::integer[], %s::integer[], %s::bigint[], %s::bigint[]) AS w"
            " ON CONFLICT DO NOTHING RETURNING id, meter, connection",
            run_id,
            week_end,
            rules,
            at,
            *columns(warnings),
        )
    ]


@transaction_required
def close_warning(*, warning: int, outcome: str, note: str, officer: str, at: datetime) -> tuple[str, int]:
    """An officer went and looked; the warning's meter and connection. What was found counts for its rules' precision.

    :raises OutcomeUnknown: not an outcome of warnings.
    :raises WarningUnknown: there is none.
    :raises WarningClosed: it was closed before.
    """
    if outcome not in WARNING_OUTCOMES:
        raise OutcomeUnknown(outcome=outcome, outcomes=", ".join(WARNING_OUTCOMES))
    row = one("SELECT meter, connection, outcome, closed_at FROM protection_warning WHERE id = %s FOR UPDATE", warning)
    if row is None:
        raise WarningUnknown(warning=warning)
    if row[3] is not None:
        raise WarningClosed(warning=warning, outcome=row[2])
    run(
        "UPDATE protection_warning SET closed_at = %s, closed_by = %s, outcome = %s, note = %s WHERE id = %s",
        at,
        officer,
        outcome,
        note.strip(),
        warning,
    )
    return str(row[0]), int(row[1])


# --- rules -----------------------------------------------------------------------------------------------------------


@transaction_required
def propose_rules(
    *, name: str, version: str, effective_from: date, document: str, proposed_by: str, at: datetime
) -> int:
    """Write a version that waits for a second officer; its id.

    :raises RulesTaken: the rulebook has a version of this name.
    """
    written = value(
        "INSERT INTO protection_rules"
        " (name, version, effective_from, document, sha256, proposed_by, proposed_at, reason)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, '') ON CONFLICT DO NOTHING RETURNING id",
        name,
        version,
        effective_from,
        document,
        sha256_of(document),
        proposed_by,
        at,
    )
    if written is None:
        raise RulesTaken(name=name, version=version)
    return int(written)


@transaction_required
def accept_rules(*, rules: int, accepted_by: str, reason: str, at: datetime) -> None:
    """Put a version in force from its day on.

    :raises ReasonMissing: no reason.
    :raises RulesUnknown: no such version.
    :raises RulesAccepted: it was accepted before.
    :raises SameRulesOfficer: he proposed it himself.
    """
    if not reason.strip():
        raise ReasonMissing()
    many("SELECT 1 FROM protection_rules WHERE id = %s FOR UPDATE", rules)
    found = find_rules(rules=rules)
    if found.accepted_by is not None:
        raise RulesAccepted(id=rules, accepted_by=found.accepted_by)
    if found.proposed_by == accepted_by:
        raise SameRulesOfficer(officer=accepted_by)
    run(
        "UPDATE protection_rules SET accepted_by = %s, accepted_at = %s, reason = %s WHERE id = %s",
        accepted_by,
        at,
        reason.strip(),
        rules,
    )
