"""A meter's serial is its identity everywhere: in orders, in logs, on the nameplate."""

from django.db import models


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
    """The last known state of a meter's relay, and how it is known: read, order or push."""

    meter = models.TextField(primary_key=True)
    closed = models.BooleanField()
    control_state = models.SmallIntegerField(null=True)
    source = models.TextField(choices=[(source, source) for source in ("read", "order", "push")])
    seen_at = models.DateTimeField()

    class Meta:
        app_label = "meters"
