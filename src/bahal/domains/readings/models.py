"""A reading is never edited. `value` is in the register's base unit: Wh, W, V/100, A/100."""

from django.db import models


class Request(models.Model):
    """A read asked of the head-end: a row it claims, and answers with a reading or a reason."""

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    register = models.TextField(default="1.0.1.8.0.255")
    asked_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    reason = models.TextField(default="")

    class Meta:
        app_label = "readings"
        indexes = [models.Index(name="request_open", fields=["id"], condition=models.Q(done_at__isnull=True))]


class Reading(models.Model):
    """A value of a register at an instant."""

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    register = models.TextField()
    at = models.DateTimeField()
    value = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        app_label = "readings"
        constraints = [models.UniqueConstraint(name="reading_once", fields=["meter", "register", "at"])]
