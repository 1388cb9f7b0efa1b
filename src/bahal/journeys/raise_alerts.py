"""What a meter says by itself is judged: its relay is noted, a tamper becomes an alert, a lost supply a trouble.

What is told by pushes and what is told by event logs takes the same way from here on: written down once, then the
alerts of a meter are brought in line with all that is known of it. So a tamper told ten times is one alert, an end told
before its beginning counts, and a feeder that fails raises no alert at all but an incident.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.domains.incidents.operations import Begun, Ended, note_troubles
from bahal.domains.meters.operations import RelaySeen, note_pushed_relays
from bahal.domains.meters.queries import connections_of
from bahal.domains.network.queries import Place, places_of
from bahal.domains.protection.kinds import FORCED_CLOSE, SUPPLY_LOST, Kinds
from bahal.domains.protection.operations import (
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
    LOAD_DISCONNECTED,
    Facts,
    forced_close,
    is_set,
    moment,
    what_changed,
)
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point
from bahal.shared.meter_events import event_of

BATCH = 400
LAST_GASP, FIRST_BREATH = "last_gasp", "first_breath"
_TICK = timedelta(microseconds=1)
_HOW = {LAST_GASP: "gasp", FIRST_BREATH: "breath"}


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


def take_event_logs(rows: Sequence[LogRow], *, at: datetime, business_at: datetime) -> int:
    """Judge rows of event logs as pushes are judged; how many said something that was not known.

    A log is the meter's own clock alone: a row that lies in the future is taken to be of now, and in doubt.
    """
    if not rows:
        return 0
    with transaction():
        lock_meters({each.meter for each in rows})
        kinds = kinds_in_force(on=day_in_india(business_at))
        happenings = []
        for each in rows:
            doubtful = each.stated_at > each.told_at + timedelta(minutes=2)
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
        told = max(event.business_at, latest.get(event.meter, event.business_at) + _TICK)
        latest[event.meter] = told
        changes = [(each.name, each.began) for each in what_changed(event.esw, event.previous_esw)]
        forced = forced_close(_facts(event, supply.get(event.meter, _Supply(None, False)), event.meter in alerted))
        if forced is not None:
            changes.append((FORCED_CLOSE, forced))
            (alerted.add if forced else alerted.discard)(event.meter)
        stated, doubtful = moment(event.meter_at, told)
        for name, began in changes:
            # A gasp is dated by the meter, which has the minute; a condition by its word's turn, which no clock upsets.
            when = stated if name in _HOW else told
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
    """Note what concerns the network, in the order of its instants; of each meter one beginning and end at a time."""
    kinds_of = {LAST_GASP: SUPPLY_LOST, FIRST_BREATH: SUPPLY_LOST} | {name: name for name in kinds.incidents()}
    theirs: dict[tuple[str, str], list[Happening]] = {}
    for each in happenings:
        if each.name in kinds_of and each.meter in where:
            theirs.setdefault((each.meter, kinds_of[each.name]), []).append(each)
    if not theirs:
        return
    places = places_of(connections={where[meter] for meter, _ in theirs})
    known = _ends_known([(meter, kind, min(each.at for each in said)) for (meter, kind), said in theirs.items()])
    queues = {key: _steps(key[1], said, known.get(key, [])) for key, said in theirs.items() if where[key[0]] in places}
    while queues:
        begun: list[Begun] = []
        ended: list[Ended] = []
        for (meter, kind), steps in queues.items():
            _step(meter, kind, steps, where[meter], places[where[meter]], begun, ended)
        note_troubles(begun, ended, at=at)
        queues = {key: steps for key, steps in queues.items() if steps}


class _Step(NamedTuple):
    at: datetime
    began: bool
    how: str
    doubtful: bool


def _steps(kind: str, said: Sequence[Happening], known: Sequence[datetime]) -> list[_Step]:
    steps = {_Step(each, False, "breath" if kind == SUPPLY_LOST else "push", False) for each in known}
    for each in said:
        # A first breath is told as a moment that begins, and ends the trouble.
        began = each.began and each.name != FIRST_BREATH
        if each.name in _HOW and not each.began:
            continue
        how = _HOW.get(each.name, each.source)
        steps.add(_Step(each.at, began, how, each.doubtful))
    return sorted(steps, key=lambda each: (each.at, each.began))


def _step(
    meter: str, kind: str, steps: list[_Step], connection: int, place: Place, begun: list[Begun], ended: list[Ended]
) -> None:
    """Take the next beginning, if there is one, and the next end."""
    if steps and steps[0].began:
        first = steps.pop(0)
        begun.append(
            Begun(kind, meter, connection, place.transformer, place.feeder, first.at, first.how, first.doubtful)
        )
        while steps and steps[0].began:
            steps.pop(0)  # told again
    if steps:
        end = steps.pop(0)
        ended.append(Ended(kind, meter, end.at, end.how))


def _ends_known(places: Sequence[tuple[str, str, datetime]]) -> dict[tuple[str, str], list[datetime]]:
    """When troubles are known to have ended, after these instants: an end may be told before its beginning."""
    rows = many(
        "SELECT p.meter, p.kind, h.at FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS p (meter, kind, since)"
        " JOIN protection_happening h ON h.meter = p.meter AND h.at > p.since AND (p.kind = 'supply_lost'"
        "   AND (h.name = 'first_breath' AND h.began OR h.name = 'supply_lost' AND NOT h.began)"
        "   OR h.name = p.kind AND NOT h.began)",
        *(list(column) for column in zip(*places, strict=True)),
    )
    found: dict[tuple[str, str], list[datetime]] = {}
    for meter, kind, when in rows:
        found.setdefault((meter, kind), []).append(when)
    return found


def _acts(raised: Sequence[Raised]) -> list[Act]:
    return [
        Act("protection.alert", f"meter {each.meter}", each.connection, {"meter": each.meter, "kind": each.kind})
        for each in raised
    ]
