"""A *trouble* is a condition of the network as one meter tells it; an *incident* is one cause with all its troubles.

Instants are business time, periods half-open: a trouble holds from `began_at` until `ended_at`.
"""

from django.db import models


class Incident(models.Model):
    """One cause at a place: `scope` is connection, transformer or feeder, `place` its number. `merged_into` names the
    wider incident that took it up; `cause` is empty until somebody states it, or `planned`."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    scope = models.TextField(choices=[(scope, scope) for scope in ("connection", "transformer", "feeder")])
    place = models.BigIntegerField()
    feeder = models.IntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    cause = models.TextField(default="")
    note = models.TextField(default="")
    rules = models.TextField()
    merged_into = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "incidents"
        constraints = [
            models.UniqueConstraint(
                name="incident_open_once", fields=["kind", "scope", "place"], condition=models.Q(closed_at__isnull=True)
            ),
        ]
        indexes = [models.Index(name="incident_of_feeder", fields=["feeder", "began_at"])]


class Trouble(models.Model):
    """What one meter tells of the network, and how it is known to have begun and ended.

    `how` is gasp, push, log or silence; `ended_how` breath, push, log or read. `doubtful`: the meter's clock could not
    be believed and the instant is when it was told.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    meter = models.TextField()
    connection = models.BigIntegerField()
    transformer = models.IntegerField()
    feeder = models.IntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    how = models.TextField()
    ended_how = models.TextField(default="")
    doubtful = models.BooleanField(default=False)
    incident = models.BigIntegerField(null=True)
    noted_at = models.DateTimeField()

    class Meta:
        app_label = "incidents"
        constraints = [
            models.UniqueConstraint(
                name="trouble_open_once", fields=["meter", "kind"], condition=models.Q(ended_at__isnull=True)
            ),
        ]
        indexes = [
            models.Index(name="trouble_of_meter", fields=["meter", "kind", "began_at"]),
            models.Index(name="trouble_loose", fields=["feeder"], condition=models.Q(incident__isnull=True)),
            models.Index(name="trouble_of_incident", fields=["incident"]),
            models.Index(name="trouble_of_feeder", fields=["feeder", "began_at"]),
        ]


class Asked(models.Model):
    """A read by which a silent meter at an incident's place is asked whether it has supply; `answer` is heard or
    silent once it is known."""

    id = models.BigAutoField(primary_key=True)
    incident = models.BigIntegerField()
    meter = models.TextField()
    request = models.BigIntegerField()
    answer = models.TextField(default="")

    class Meta:
        app_label = "incidents"
        constraints = [models.UniqueConstraint(name="asked_once", fields=["incident", "meter"])]


class Planned(models.Model):
    """Work that was announced: supply at this place will be off in `[from_at, to_at)`."""

    id = models.BigAutoField(primary_key=True)
    scope = models.TextField(choices=[(scope, scope) for scope in ("transformer", "feeder")])
    place = models.BigIntegerField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    reason = models.TextField()
    stated_by = models.TextField()
    stated_at = models.DateTimeField()

    class Meta:
        app_label = "incidents"
        constraints = [
            models.CheckConstraint(name="planned_has_length", condition=models.Q(to_at__gt=models.F("from_at"))),
            models.UniqueConstraint(name="planned_once", fields=["scope", "place", "from_at"]),
        ]
