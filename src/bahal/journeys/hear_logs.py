"""Event logs that were collected are judged, each batch once: what a push did not tell, or told and was lost.

That its clock was set is told by a meter whoever set it; where an order of ours did, at that time, it is no news.
"""

from datetime import datetime, timedelta

from bahal.foundation.rows import many, run, value
from bahal.foundation.transactions import transaction
from bahal.journeys.raise_alerts import LogRow, judge_logs
from bahal.shared.meter_events import CLOCK_SET_EVENT

BATCHES = 20
LATE_BATCHES = 10_000
"""A batch's rows are seen in the order of their commits: by so many numbers it may come after others."""
BESIDE = timedelta(minutes=2)
"""A clock that we set notes that within this of the sending."""
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
                "SELECT e.meter, e.event, e.at FROM readings_event e WHERE e.batch = ANY(%s::bigint[])"
                " AND NOT (e.event = %s AND EXISTS (SELECT FROM interlock_clock_sending s WHERE s.meter = e.meter"
                # By the meter's own clock, which may have been on its way still.
                "  AND e.at BETWEEN s.business_at + make_interval(secs => s.drift_s + s.step_s) - %s"
                "  AND s.business_at + make_interval(secs => s.drift_s + s.step_s) + %s))"
                " ORDER BY e.at, e.meter, e.event",
                batches,
                CLOCK_SET_EVENT,
                BESIDE,
                BESIDE,
            )
        ]
        judge_logs(rows, at=at, business_at=business_at)
        run("INSERT INTO protection_logbatch (batch) SELECT unnest(%s::bigint[])", batches)
    return len(rows)
