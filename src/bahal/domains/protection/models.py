"""An event is what arrived; an alert is what a rule made of it."""

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


class Alert(models.Model):
    """Raised by a rule from an event; `kind` is the rule's name."""

    id = models.BigAutoField(primary_key=True)
    event = models.BigIntegerField()
    meter = models.TextField()
    connection = models.BigIntegerField()
    kind = models.TextField()
    raised_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "protection"
        constraints = [models.UniqueConstraint(name="alert_once", fields=["event", "kind"])]
