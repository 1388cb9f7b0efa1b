"""Opening and withdrawing a lineman's tasks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.foundation.rows import columns, many, run
from bahal.foundation.transactions import transaction_required

_RESTS = timedelta(days=7)


class NewTask(NamedTuple):
    """Go to this connection because of this order, for this reason."""

    connection: int
    meter: str
    order: int
    reason: str


@transaction_required
def open_tasks(tasks: Sequence[NewTask], *, at: datetime) -> dict[int, int]:
    """Open tasks, one for each order for ever; the task of each order, also where it was open already."""
    if not tasks:
        return {}
    run(
        'INSERT INTO fieldwork_task (connection, meter, "order", reason, opened_at)'
        " SELECT t.connection, t.meter, t.order_id, t.reason, %s"
        " FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[]) AS t (connection, meter, order_id, reason)"
        " ON CONFLICT DO NOTHING",
        at,
        *columns(tasks),
    )
    rows = many(
        'SELECT "order", id FROM fieldwork_task WHERE "order" = ANY(%s::bigint[])', [task.order for task in tasks]
    )
    return dict(rows)


@transaction_required
def open_for_meters(tasks: Sequence[tuple[int, str, str]], *, at: datetime) -> list[str]:
    """Open tasks (connection, meter, reason) that no order for a relay caused; the meters of those that are new.

    The same task is not opened while it is open, nor within a week after it was closed.
    """
    if not tasks:
        return []
    rows = many(
        'INSERT INTO fieldwork_task (connection, meter, "order", reason, opened_at)'
        " SELECT DISTINCT t.connection, t.meter, NULL::bigint, t.reason, %s::timestamptz"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS t (connection, meter, reason)"
        " WHERE NOT EXISTS (SELECT FROM fieldwork_task f WHERE f.meter = t.meter AND f.reason = t.reason"
        "  AND (f.closed_at IS NULL OR f.closed_at > %s)) RETURNING meter",
        at,
        *columns(tasks),
        at - _RESTS,
    )
    return [meter for (meter,) in rows]


@transaction_required
def withdraw(*, order: int, at: datetime) -> int:
    """Close the open task of an order that is no longer wanted, so that nobody is sent to cut; how many there were."""
    return run('UPDATE fieldwork_task SET closed_at = %s WHERE "order" = %s AND closed_at IS NULL', at, order)
