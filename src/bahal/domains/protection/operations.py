"""Taking pushed events and raising alerts."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.foundation.rows import columns, many, run
from bahal.foundation.transactions import transaction_required


class Event(NamedTuple):
    """A pushed event status word with the one its meter pushed before."""

    id: int
    meter: str
    esw: str
    previous_esw: str | None
    received_at: datetime
    business_at: datetime


class NewAlert(NamedTuple):
    """An alert to raise from an event; `kind` is the rule's name."""

    event: int
    meter: str
    connection: int
    kind: str


@transaction_required
def take_events(*, limit: int) -> list[Event]:
    """Take up to `limit` events that nobody has handled, oldest first; another worker passes them by."""
    rows = many(
        "SELECT e.id, e.meter, e.esw, (SELECT p.esw FROM protection_event p WHERE p.meter = e.meter"
        " AND p.counter < e.counter ORDER BY p.counter DESC LIMIT 1), e.received_at, e.business_at"
        " FROM protection_event e WHERE e.handled_at IS NULL ORDER BY e.id LIMIT %s FOR UPDATE OF e SKIP LOCKED",
        limit,
    )
    return [Event(*row) for row in rows]


@transaction_required
def raise_alerts(alerts: Sequence[NewAlert], *, at: datetime, business_at: datetime) -> set[tuple[int, str]]:
    """Raise alerts, each once per event and kind; the event and kind of those that were new."""
    if not alerts:
        return set()
    rows = many(
        "INSERT INTO protection_alert (event, meter, connection, kind, raised_at, business_at)"
        " SELECT a.event, a.meter, a.connection, a.kind, %s, %s"
        " FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[]) AS a (event, meter, connection, kind)"
        " ON CONFLICT DO NOTHING RETURNING event, kind",
        at,
        business_at,
        *columns(alerts),
    )
    return {(row[0], row[1]) for row in rows}


@transaction_required
def mark_handled(events: Sequence[Event]) -> None:
    """Note that these events were judged."""
    run(
        "UPDATE protection_event SET handled_at = clock_timestamp() WHERE id = ANY(%s::bigint[])",
        [each.id for each in events],
    )
