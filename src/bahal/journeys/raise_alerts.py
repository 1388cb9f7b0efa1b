"""What a meter says by itself is judged: its relay is noted, a tamper becomes an alert, a lost supply a trouble.

What is told by pushes and what is told by event logs takes the same way from here on: written down once, then the
alerts of a meter are brought in line with all that is known of it. So a tamper told ten times is one alert, an end told
before its beginning counts, and a feeder that fails raises no alert at all but an incident.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.domains.incidents.operations import Condition, settle_troubles
from bahal.domains.meters.operations import RelaySeen, note_pushed_relays
from bahal.domains.meters.queries import connections_of
from bahal.domains.network.queries import places_of
from bahal.domains.protection.kinds import FORCED_CLOSE, SUPPLY_LOST, Kinds
from bahal.domains.protection.operations import (
    BEFORE,
    Event,
    Happening,
    Raised,
    lock_meters,
    mark_handled,
    settle_alerts,
    take_events,
    write_happenings,
)
from bahal.domains.protection.queries import kinds_in_force, open_kinds
from bahal.domains.protection.rules import (
    AHEAD_AT_MOST,
    LOAD_DISCONNECTED,
    Facts,
    forced_close,
    is_set,
    moment,
    what_changed,
)
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction, transaction_required
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point
from bahal.shared.episodes import Told, episodes
from bahal.shared.meter_events import event_of

BATCH = 400
LAST_GASP, FIRST_BREATH = "last_gasp", "first_breath"
_TICK = timedelta(microseconds=1)
_MOMENTS = (LAST_GASP, FIRST_BREATH)


class LogRow(NamedTuple):
    """A row of a meter's event log: the event id and the meter's own time; `received_at` by the wall's clock."""

    meter: str
    event: int
    stated_at: datetime
    told_at: datetime
    received_at: datetime


class _Supply(NamedTuple):
    """What was last done to a meter's supply. `cut_at` is the wall's time at which the cut was read back."""

    cut_at: datetime | None
    restore_ordered: bool


def raise_alerts(*, at: datetime, business_at: datetime, limit: int = BATCH) -> int:
    """Judge up to `limit` events; how many there were."""
    with transaction():
        events = take_events(limit=limit)
        if not events:
            return 0
        note_pushed_relays(
            [RelaySeen(each.meter, not is_set(each.esw, LOAD_DISCONNECTED), each.received_at) for each in events]
        )
        meters = {each.meter for each in events}
        lock_meters(meters)
        where = connections_of(meters=meters)
        happenings = _said(events, _supply_of(meters), open_kinds(meters=meters, kind=FORCED_CLOSE))
        _follow(happenings, where, at=at, business_at=business_at)
        mark_handled(events)
        crash_point("worker.alert_before_commit")
    return len(events)


@transaction_required
def judge_logs(rows: Sequence[LogRow], *, at: datetime, business_at: datetime) -> int:
    """Judge rows of event logs as pushes are judged; how many said something that was not known.

    A log is the meter's own clock alone: a row that lies in the future is taken to be of now, and in doubt.
    """
    if not rows:
        return 0
    lock_meters({each.meter for each in rows})
    kinds = kinds_in_force(on=day_in_india(business_at))
    happenings = []
    for each in rows:
        doubtful = each.stated_at > each.told_at + AHEAD_AT_MOST
        when = each.told_at if doubtful else each.stated_at
        name, began = _meaning(each.event, kinds)
        happenings.append(
            Happening(each.meter, name, began, when, "log", None, each.stated_at, doubtful, each.received_at)
        )
    where = connections_of(meters={each.meter for each in rows})
    return _follow(happenings, where, at=at, business_at=business_at)


def _follow(happenings: Sequence[Happening], where: Mapping[str, int], *, at: datetime, business_at: datetime) -> int:
    """Write down what was said, bring alerts in line, note troubles; how much of it was new."""
    new = write_happenings(happenings)
    kinds = kinds_in_force(on=day_in_india(business_at))
    raised = settle_alerts(happenings, connections=where, kinds=kinds, at=at, business_at=business_at)
    record_many(_acts(raised), actor="worker", at=at, business_at=business_at)
    _note(happenings, where, kinds, at=at)
    return new


# --- what was said ---------------------------------------------------------------------------------------------------


def _said(events: Iterable[Event], supply: Mapping[str, _Supply], alerted: set[str]) -> list[Happening]:
    """What pushed words say: how each differs from the one before it. Two words of a meter never share an instant."""
    said: list[Happening] = []
    latest: dict[str, datetime] = {}
    for event in events:
        before = latest.get(event.meter)
        told = event.business_at if before is None else max(event.business_at, before + _TICK)
        latest[event.meter] = told
        changes = [(each.name, each.began) for each in what_changed(event.esw, event.previous_esw)]
        forced = forced_close(_facts(event, supply.get(event.meter, _Supply(None, False)), event.meter in alerted))
        if forced is not None:
            changes.append((FORCED_CLOSE, forced))
            (alerted.add if forced else alerted.discard)(event.meter)
        stated, doubtful = moment(event.meter_at, told)
        for name, began in changes:
            # A gasp is dated by the meter, which has the minute; a condition by its word's turn, which no clock upsets.
            when = stated if name in _MOMENTS else told
            said.append(
                Happening(event.meter, name, began, when, "push", event.id, event.meter_at, doubtful, event.received_at)
            )
    return said


def _facts(event: Event, supply: _Supply, alerted: bool) -> Facts:
    after_cut = supply.cut_at is not None and event.previous_at is not None and supply.cut_at < event.previous_at
    return Facts(
        esw=event.esw,
        previous_esw=event.previous_esw if after_cut else None,
        supply_off=supply.cut_at is not None and supply.cut_at < event.received_at,
        restore_ordered=supply.restore_ordered,
        alerted=alerted,
    )


def _supply_of(meters: set[str]) -> dict[str, _Supply]:
    """The latest living order of each meter. A cut counts from its read-back on, handled by a worker or not yet."""
    rows = many(
        "SELECT DISTINCT ON (o.meter) o.meter, o.confirmed_at, o.kind = 'restore' FROM supply_order o"
        " WHERE o.meter = ANY(%s::text[]) AND (o.state = 'confirmed'"
        " OR (o.kind = 'restore' AND o.state IN ('authorised', 'claimed', 'sent', 'unknown', 'field_task')))"
        " ORDER BY o.meter, o.id DESC",
        list(meters),
    )
    return {row[0]: _Supply(None if row[2] else row[1], row[2]) for row in rows}


def _meaning(event: int, kinds: Kinds) -> tuple[str, bool]:
    """The condition of an event id, and whether it begins. An id that no kind has keeps its own name."""
    if event in kinds.by_id:
        kind, began = kinds.by_id[event]
        return kind.name, began
    name = event_of(event).name
    return (name.removesuffix("_restored"), not name.endswith("_restored"))


# --- troubles of the network -----------------------------------------------------------------------------------------


def _note(happenings: Sequence[Happening], where: Mapping[str, int], kinds: Kinds, *, at: datetime) -> None:
    """Bring the troubles of the network in line with all that is known of each meter that told of one."""
    kinds_of = {LAST_GASP: SUPPLY_LOST, FIRST_BREATH: SUPPLY_LOST} | {name: name for name in kinds.incidents()}
    since: dict[tuple[str, str], datetime] = {}
    for each in happenings:
        if each.name in kinds_of and each.meter in where:
            key = (each.meter, kinds_of[each.name])
            since[key] = min(since.get(key, each.at), each.at - BEFORE)
    if not since:
        return
    places = places_of(connections={where[meter] for meter, _ in since})
    tellings = _tellings([(meter, kind, first) for (meter, kind), first in since.items()])
    settle_troubles(
        [
            Condition(
                kind,
                meter,
                where[meter],
                *places[where[meter]],
                since=first,
                found=episodes(Told(when, began, logged, None, doubtful) for when, began, logged, doubtful, _ in told),
                hows={(when, began): how for when, began, _, _, how in told},
            )
            for (meter, kind), first in since.items()
            if where[meter] in places and (told := tellings.get((meter, kind), []))
        ],
        at=at,
    )


def _tellings(
    places: Sequence[tuple[str, str, datetime]],
) -> dict[tuple[str, str], list[tuple[datetime, bool, bool, bool, str]]]:
    """What each meter told of each kind since then, and what is known otherwise: that it was silent, or was read.

    A first breath begins as a moment and ends a trouble; both moments are over at once.
    """
    rows = many(
        "SELECT p.meter, p.kind, t.* FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS p (meter, kind, since)"
        " CROSS JOIN LATERAL (SELECT h.at, h.began, h.source = 'log', h.doubtful, h.source"
        "   FROM protection_happening h WHERE h.meter = p.meter AND h.name = p.kind AND h.at >= p.since"
        "   UNION ALL SELECT h.at, h.name = 'last_gasp', false, h.doubtful,"
        "   CASE h.name WHEN 'last_gasp' THEN 'gasp' ELSE 'breath' END FROM protection_happening h"
        "   WHERE p.kind = 'supply_lost' AND h.meter = p.meter AND h.name IN ('last_gasp', 'first_breath') AND h.began"
        "   AND h.at >= p.since"
        "   UNION ALL SELECT t.began_at, true, false, t.doubtful, t.how FROM incidents_trouble t"
        "   WHERE t.meter = p.meter AND t.kind = p.kind"
        "   AND (t.ended_at IS NULL AND t.began_at < p.since OR t.how = 'silence' AND t.began_at >= p.since)"
        "   UNION ALL SELECT t.ended_at, false, false, false, 'read' FROM incidents_trouble t"
        "   WHERE t.meter = p.meter AND t.kind = p.kind AND t.ended_how = 'read' AND t.ended_at >= p.since) t",
        *(list(column) for column in zip(*places, strict=True)),
    )
    found: dict[tuple[str, str], list[tuple[datetime, bool, bool, bool, str]]] = {}
    for meter, kind, *told in rows:
        found.setdefault((meter, kind), []).append((told[0], told[1], told[2], told[3], told[4]))
    return found


def _acts(raised: Sequence[Raised]) -> list[Act]:
    return [
        Act("protection.alert", f"meter {each.meter}", each.connection, {"meter": each.meter, "kind": each.kind})
        for each in raised
    ]
