"""Opening, closing and withdrawing a lineman's tasks; taking his reports."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.foundation.rows import columns, many, run, value
from bahal.foundation.transactions import transaction_required

_RESTS = timedelta(days=7)


class NewTask(NamedTuple):
    """Go to this connection because of this order, for this reason, and do what `kind` says."""

    connection: int
    meter: str
    order: int
    reason: str
    kind: str = "visit"


class NewReport(NamedTuple):
    """A report to keep; `against` is what contradicts it, `closes` whether it ends its task."""

    id: str
    body_sha256: str
    task: int
    connection: int
    meter: str
    lineman: str
    at: datetime
    outcome: str
    supply: str
    seal: str
    wh: int | None
    photo: str
    latitude: float | None
    longitude: float | None
    note: str
    against: Sequence[str]
    closes: bool
    received_at: datetime
    business_at: datetime


@transaction_required
def open_tasks(tasks: Sequence[NewTask], *, at: datetime) -> dict[int, int]:
    """Open tasks, one for each order for ever; the task of each order, also where it was open already."""
    if not tasks:
        return {}
    run(
        'INSERT INTO fieldwork_task (connection, meter, "order", reason, kind, opened_at)'
        " SELECT t.connection, t.meter, t.order_id, t.reason, t.kind, %s"
        " FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::text[])"
        " AS t (connection, meter, order_id, reason, kind) ON CONFLICT DO NOTHING",
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
    return run(
        "UPDATE fieldwork_task SET closed_at = %s, closed_how = 'withdrawn' WHERE \"order\" = %s AND closed_at IS NULL",
        at,
        order,
    )


@transaction_required
def close(tasks: Sequence[int], *, how: str, at: datetime) -> int:
    """Close tasks that are open; how many were."""
    return run(
        "UPDATE fieldwork_task SET closed_at = %s, closed_how = %s WHERE id = ANY(%s::bigint[]) AND closed_at IS NULL",
        at,
        how,
        list(tasks),
    )


@transaction_required
def keep_report(report: NewReport) -> str | None:
    """Keep a report; None, or the hash of what was kept under its id before, and then nothing is written."""
    names = ", ".join(NewReport._fields)
    marks = ", ".join(["%s"] * len(report))
    written = run(
        f"INSERT INTO fieldwork_report ({names}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING",  # noqa: S608
        *report._replace(against=list(report.against)),
    )
    if written:
        return None
    return str(value("SELECT body_sha256 FROM fieldwork_report WHERE id = %s", report.id))
