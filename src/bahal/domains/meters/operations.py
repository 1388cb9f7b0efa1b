"""Writing meters and what is known of their relays."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.foundation.rows import copy, run
from bahal.foundation.transactions import transaction_required


class NewMeter(NamedTuple):
    """A meter on its connection."""

    serial: str
    make: str
    phase: int
    connection: int
    installed_on: date


class RelaySeen(NamedTuple):
    """The relay of a meter as it was seen."""

    meter: str
    closed: bool
    seen_at: datetime


@transaction_required
def add_meters(meters: Iterable[NewMeter]) -> int:
    """Put meters on connections; how many.

    :raises django.db.IntegrityError: a serial or a connection is taken.
    """
    return copy("meters_meter", ("serial", "make", "phase", "connection", "installed_on"), meters)


@transaction_required
def note_pushed_relays(seen: Sequence[RelaySeen]) -> None:
    """Note what meters said of their relays by themselves; an older word does not replace a newer one."""
    if not seen:
        return
    latest = {each.meter: each for each in sorted(seen, key=lambda each: each.seen_at)}
    rows = sorted(latest.values())
    run(
        "INSERT INTO meters_relay (meter, closed, source, seen_at)"
        " SELECT g.meter, g.closed, 'push', g.seen_at"
        " FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[]) AS g (meter, closed, seen_at)"
        " ON CONFLICT (meter) DO UPDATE SET closed = EXCLUDED.closed, control_state = NULL, source = 'push',"
        " seen_at = EXCLUDED.seen_at WHERE meters_relay.seen_at < EXCLUDED.seen_at",
        [each.meter for each in rows],
        [each.closed for each in rows],
        [each.seen_at for each in rows],
    )
