"""What arrived, what it says, and what a rule made of it.

An *event* is a pushed status word. A *happening* is one thing that it, or a row of an event log, says: a condition
began or ended. An *alert* is one cause on one meter for one officer, however often it is told, until it ends.
"""

from django.db import models


class Event(models.Model):
    """One pushed event status word. `esw` is 32 hexadecimal digits, bit 0 leftmost; `counter` is the frame's."""

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    esw = models.TextField()
    meter_at = models.DateTimeField(null=True)
    counter = models.BigIntegerField()
    received_at = models.DateTimeField()
    business_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "protection"
        constraints = [models.UniqueConstraint(name="event_frame_once", fields=["meter", "counter"])]
        indexes = [models.Index(name="event_unhandled", fields=["id"], condition=models.Q(handled_at__isnull=True))]


class Happening(models.Model):
    """A condition `name` (shared.meter_events) that began or ended on a meter `at`, business time.

    `doubtful`: the meter's own clock was too far off to be believed, `at` is when it was told. `source` is
    push, log, or load: energy was counted where the supply was cut.
    """

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    name = models.TextField()
    began = models.BooleanField()
    at = models.DateTimeField()
    source = models.TextField(choices=[(source, source) for source in ("push", "log", "load")])
    event = models.BigIntegerField(null=True)
    stated_at = models.DateTimeField(null=True)
    doubtful = models.BooleanField()
    received_at = models.DateTimeField()

    class Meta:
        app_label = "protection"
        constraints = [
            models.UniqueConstraint(name="happening_once", fields=["meter", "name", "began", "source", "at"]),
        ]


class Alert(models.Model):
    """One cause on one meter; `kind` is its name, `role` whose it is, `kinds` the version of the table that says so.

    `event` is the push that raised it, or None where an event log did. `told` counts how often it was told.
    `occurred_at` and `ended_at` are business time; `raised_at`, `closed_at` the wall's. It is closed when the meter
    says that it ended (`restored`), or by an officer, with an outcome. `seen_again`: what an authenticated read said.
    """

    id = models.BigAutoField(primary_key=True)
    event = models.BigIntegerField(null=True)
    meter = models.TextField()
    connection = models.BigIntegerField()
    kind = models.TextField()
    role = models.TextField()
    accuses = models.BooleanField()
    kinds = models.TextField()
    verified = models.BooleanField()
    doubtful = models.BooleanField()
    raised_at = models.DateTimeField()
    business_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    latest_at = models.DateTimeField()
    told = models.IntegerField()
    ended_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(default="")
    outcome = models.TextField(default="")
    look = models.BigIntegerField(null=True)
    seen_again_at = models.DateTimeField(null=True)
    seen_again = models.TextField(default="")

    class Meta:
        app_label = "protection"
        constraints = [
            models.UniqueConstraint(
                name="alert_open_once", fields=["meter", "kind"], condition=models.Q(closed_at__isnull=True)
            ),
        ]
        indexes = [
            models.Index(name="alert_of_meter", fields=["meter", "kind", "occurred_at"]),
            models.Index(
                name="alert_unread",
                fields=["id"],
                condition=models.Q(accuses=True, seen_again_at__isnull=True, look__isnull=True),
            ),
        ]


class Rules(models.Model):
    """A version of a rulebook: in force from its day on once a second officer accepted it; never edited."""

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    version = models.TextField()
    effective_from = models.DateField()
    document = models.TextField()
    sha256 = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    accepted_by = models.TextField(null=True)
    accepted_at = models.DateTimeField(null=True)
    reason = models.TextField(default="")

    class Meta:
        app_label = "protection"
        constraints = [
            models.UniqueConstraint(name="rules_version_once", fields=["name", "version"]),
            models.CheckConstraint(
                name="rules_two_people",
                condition=models.Q(accepted_by__isnull=True) | ~models.Q(accepted_by=models.F("proposed_by")),
            ),
        ]


class FallingRun(models.Model):
    """One look at the consumption of a week, `week_end` its day after the last; `found` counts meters by finding."""

    id = models.BigAutoField(primary_key=True)
    week_end = models.DateField()
    rules = models.TextField()
    looked = models.IntegerField()
    found = models.JSONField()
    ran_at = models.DateTimeField()

    class Meta:
        app_label = "protection"


class Warning(models.Model):
    """Consumption that fell without a reason that is known. It accuses nobody; an officer closes it with an outcome.

    `missing_permille` of what was to be expected, `sigmas_hundredths` of the meter's own restlessness, and the energy
    at stake in Wh a day. `rank` orders the run's warnings; there are no more than its budget.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.BigIntegerField()
    meter = models.TextField()
    connection = models.BigIntegerField()
    week_end = models.DateField()
    rank = models.IntegerField()
    missing_permille = models.IntegerField()
    sigmas_hundredths = models.IntegerField()
    at_stake_wh = models.BigIntegerField()
    usual_wh = models.BigIntegerField()
    rules = models.TextField()
    raised_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(default="")
    outcome = models.TextField(default="")
    note = models.TextField(default="")

    class Meta:
        app_label = "protection"
        constraints = [
            models.UniqueConstraint(name="warning_once_a_week", fields=["meter", "week_end"]),
            models.UniqueConstraint(
                name="warning_open_once", fields=["meter"], condition=models.Q(closed_at__isnull=True)
            ),
        ]
