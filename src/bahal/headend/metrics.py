"""What a machine room counts, under names that do not move. Labels are names from the code, never a consumer's data."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REPLY_BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class LinkMetrics:
    """Counted by every room that talks to meters."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sessions = Counter(
            "bahal_sessions_total", "Sessions with meters that ended, by how", ["outcome"], registry=registry
        )
        self.errors = Counter(
            "bahal_link_errors_total", "Errors on links with meters, by name", ["error"], registry=registry
        )
        self.alarms = Counter(
            "bahal_link_alarms_total",
            "Meters that could not be who they say, by the error that showed it",
            ["error"],
            registry=registry,
        )
        self.open = Gauge("bahal_sessions_open", "Sessions with meters open now", registry=registry)
        self.waiting = Gauge("bahal_sessions_waiting", "Sessions claimed and waiting for room", registry=registry)
        self.seconds = Histogram(
            "bahal_session_seconds", "From connecting to the result", buckets=REPLY_BUCKETS, registry=registry
        )


class DatabaseMetrics:
    """Counted by every room that works on rows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "bahal_database_failures_total",
            "Calls the database failed, by what was called",
            ["call"],
            registry=registry,
        )
        self.claimed = Counter("bahal_claimed_total", "Rows claimed, by kind", ["kind"], registry=registry)
        self.written = Counter("bahal_results_total", "Results written, by outcome", ["outcome"], registry=registry)
        self.superseded = Counter(
            "bahal_results_superseded_total", "Results refused because the lease had passed on", registry=registry
        )


class PushMetrics:
    """Counted by the dial-in door."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.received = Counter(
            "bahal_pushes_total", "Pushes received, by what became of them", ["outcome"], registry=registry
        )
        self.open = Gauge("bahal_dial_in_open", "Dial-in connections open now", registry=registry)
        self.refused = Counter(
            "bahal_dial_in_refused_total", "Dial-in connections refused, by reason", ["reason"], registry=registry
        )
        self.lines = Gauge("bahal_lines_open", "Calls that meters keep open, proved", registry=registry)
        self.ended = Counter(
            "bahal_calls_ended_total", "Proved calls that the head-end ended, by reason", ["reason"], registry=registry
        )
        self.lent = Counter(
            "bahal_lines_lent_total", "Lines that the interlock asked for, by outcome", ["outcome"], registry=registry
        )
        self.wakeups = Counter("bahal_wakeups_asked_total", "Meters asked by SMS to call", registry=registry)


class IngestMetrics:
    """Counted where readings come in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.values = Counter(
            "bahal_values_total", "Values that meters gave and PostgreSQL holds, by kind", ["kind"], registry=registry
        )
        self.poison = Counter(
            "bahal_poison_total", "Buffers that could not be taken, by reason", ["reason"], registry=registry
        )
        self.rows = Counter("bahal_lake_rows_total", "Days of meters written to the lake", registry=registry)
        self.batches = Counter("bahal_lake_batches_total", "Batches that are in the lake", registry=registry)
        self.late = Counter("bahal_lake_late_total", "Times the lake could not be written", registry=registry)
        self.planned = Counter("bahal_planned_total", "Meters that schedules made due", registry=registry)
