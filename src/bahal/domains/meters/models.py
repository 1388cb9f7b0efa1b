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
