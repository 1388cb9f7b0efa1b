"""What the interlock counts beside its links and its database. Labels are names from the code."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SEND_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class InterlockMetrics:
    """The interlock's own figures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.verdicts = Counter(
            "bahal_interlock_verdicts_total",
            "Verdicts at the moment of sending",
            ["kind", "verdict"],
            registry=registry,
        )
        self.reasons = Counter(
            "bahal_interlock_refusals_total", "Why an order was not sent, by reason", ["reason"], registry=registry
        )
        self.drives = Counter(
            "bahal_interlock_drives_total", "Drives judged, by what was found", ["outcome"], registry=registry
        )
        self.signatures = Counter(
            "bahal_interlock_signatures_total",
            "Passkeys' signatures, by what was found",
            ["outcome"],
            registry=registry,
        )
        self.acts = Counter(
            "bahal_interlock_acts_total",
            "Acts of the charter judged, by what was found",
            ["outcome"],
            registry=registry,
        )
        self.sending = Histogram(
            "bahal_interlock_send_seconds",
            "From asking to the commit",
            ["kind"],
            buckets=_SEND_BUCKETS,
            registry=registry,
        )
        self.late = Counter(
            "bahal_interlock_late_total", "Orders marked sent and not written in time", registry=registry
        )
        self.stopped = Gauge("bahal_interlock_stopped", "1 while the dead-man has stopped all cuts", registry=registry)
