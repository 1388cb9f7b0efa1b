"""Event logs that were collected are judged, each batch once: what a push did not tell, or told and was lost."""

from datetime import datetime

from bahal.foundation.rows import many, run, value
from bahal.foundation.transactions import transaction
from bahal.journeys.raise_alerts import LogRow, judge_logs

BATCHES = 20
LATE_BATCHES = 10_000
"""A batch's rows are seen in the order of their commits: by so many numbers it may come after others."""
_HEARING = 0x0BA4B7


def hear_logs(*, at: datetime, business_at: datetime) -> int:
    """Judge up to `BATCHES` batches of event logs; how many rows there were. One worker does it at a time."""
    with transaction():
        if not value("SELECT pg_try_advisory_xact_lock(%s)", _HEARING):
            return 0
        batches = [
            row[0]
            for row in many(
                "SELECT DISTINCT e.batch FROM readings_event e"
                " WHERE e.batch > (SELECT coalesce(max(batch), 0) - %s FROM protection_logbatch)"
                " AND NOT EXISTS (SELECT FROM protection_logbatch b WHERE b.batch = e.batch) ORDER BY 1 LIMIT %s",
                LATE_BATCHES,
                BATCHES,
            )
        ]
        if not batches:
            return 0
        rows = [
            LogRow(meter, event, stated_at, business_at, at)
            for meter, event, stated_at in many(
                "SELECT meter, event, at FROM readings_event WHERE batch = ANY(%s::bigint[]) ORDER BY at, meter, event",
                batches,
            )
        ]
        judge_logs(rows, at=at, business_at=business_at)
        run("INSERT INTO protection_logbatch (batch) SELECT unnest(%s::bigint[])", batches)
    return len(rows)
