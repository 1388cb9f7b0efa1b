"""What a meter says by itself is judged: its relay is noted, a tamper becomes an alert for the vigilance officer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.meters.operations import RelaySeen, note_pushed_relays
from bahal.domains.meters.queries import connections_of
from bahal.domains.protection.operations import Event, NewAlert, mark_handled, take_events
from bahal.domains.protection.operations import raise_alerts as write_alerts
from bahal.domains.protection.rules import LOAD_DISCONNECTED, Facts, is_set, judge_event
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.shared.crash import crash_point

BATCH = 200


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
        where = connections_of(meters=meters)
        supply = _supply_of(meters)
        alerts = [
            NewAlert(each.id, each.meter, where[each.meter], kind)
            for each in events
            if each.meter in where
            for kind in judge_event(_facts(each, supply))
        ]
        new = write_alerts(alerts, at=at, business_at=business_at)
        record_many(_acts(alerts, new), actor="worker", at=at, business_at=business_at)
        mark_handled(events)
        crash_point("worker.alert_before_commit")
    return len(events)


def _facts(event: Event, supply: Mapping[str, _Supply]) -> Facts:
    known = supply.get(event.meter, _Supply(None, False))
    return Facts(
        esw=event.esw,
        previous_esw=event.previous_esw,
        supply_off=known.cut_at is not None and known.cut_at < event.received_at,
        restore_ordered=known.restore_ordered,
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


def _acts(alerts: Sequence[NewAlert], new: set[tuple[int, str]]) -> list[Act]:
    return [
        Act("protection.alert", f"meter {each.meter}", each.connection, {"meter": each.meter, "kind": each.kind})
        for each in alerts
        if (each.event, each.kind) in new
    ]
