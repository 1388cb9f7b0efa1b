"""A meter's serial is its identity everywhere: in orders, in logs, on the nameplate."""

from django.db import models

MISMATCHES = (
    "off_said_on_read", "off_said_load_flows", "off_read_load_flows", "on_without_order", "on_said_off_read",
    "reading_below_last", "reading_beyond_load", "relay_open", "load_after_cut", "far_away", "seal_elsewhere",
    "photo_elsewhere", "cut_without_leave",
)  # fmt: skip
"""What does not agree: the first five between a relay's three truths, the others between a report and what is known."""


class Meter(models.Model):
    """A meter and the connection it measures since `installed_on`."""

    serial = models.TextField(primary_key=True)
    make = models.TextField()
    phase = models.SmallIntegerField(default=1)
    connection = models.BigIntegerField(unique=True)
    installed_on = models.DateField()

    class Meta:
        app_label = "meters"


class Relay(models.Model):
    """The three truths of a meter's relay, each with its time; True is on, None is not known.

    `acknowledged`: the last order that the meter took, by its own word. `closed`: its state as last read, and how that
    is known: read, order or push. `load`: whether energy was counted since the supply was cut, up to `load_at`, which
    is business time by the meter's clock; the other two times are wall time.
    """

    meter = models.TextField(primary_key=True)
    acknowledged = models.BooleanField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    closed = models.BooleanField(null=True)
    control_state = models.SmallIntegerField(null=True)
    source = models.TextField(null=True, choices=[(source, source) for source in ("read", "order", "push")])
    seen_at = models.DateTimeField(null=True)
    load = models.BooleanField(null=True)
    load_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "meters"
        indexes = [
            models.Index(
                name="relay_off", fields=["meter"], condition=models.Q(acknowledged=False) | models.Q(closed=False)
            )
        ]


class Mismatch(models.Model):
    """Two truths that do not agree, for a person to look into; it closes by itself when they agree again.

    `report` is the lineman's report that is contradicted, or None; `look` the authenticated read that was asked for;
    `told_at` when the vigilance officer was told.
    """

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    connection = models.BigIntegerField()
    kind = models.TextField(choices=[(kind, kind) for kind in MISMATCHES])
    report = models.UUIDField(null=True)
    facts = models.JSONField()
    look = models.BigIntegerField(null=True)
    told_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(db_default="")
    outcome = models.TextField(db_default="")

    class Meta:
        app_label = "meters"
        constraints = [
            models.UniqueConstraint(
                name="one_open_mismatch",
                fields=["meter", "kind"],
                condition=models.Q(closed_at__isnull=True, report__isnull=True),
            ),
            models.UniqueConstraint(name="one_mismatch_a_report", fields=["report", "kind"]),
        ]
        indexes = [models.Index(name="mismatch_open", fields=["id"], condition=models.Q(closed_at__isnull=True))]


class Sim(models.Model):
    """A SIM and the meter it stands in; `cell` is the base station that serves it, `signal_dbm` as last heard."""

    iccid = models.TextField(primary_key=True)
    meter = models.TextField(unique=True)
    msisdn = models.TextField(unique=True)
    operator = models.TextField()
    cell = models.TextField()
    signal_dbm = models.SmallIntegerField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "meters"


class WakeUp(models.Model):
    """A meter that is asked by SMS to call, until it does (`why` called) or was asked often enough (unanswered)."""

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    msisdn = models.TextField()
    cell = models.TextField()
    asked_at = models.DateTimeField()
    next_at = models.DateTimeField()
    tries = models.SmallIntegerField()
    sent_at = models.DateTimeField(null=True)
    receipt = models.TextField()
    ended_at = models.DateTimeField(null=True)
    why = models.TextField()

    class Meta:
        app_label = "meters"
