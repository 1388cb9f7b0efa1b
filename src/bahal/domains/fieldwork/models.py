"""A task stays open until a lineman's report closes it, or what it was opened for is no longer wanted."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

KINDS = ("visit", "cut", "restore")
"""What is to be done there: look and tell, cut by hand under a warrant, reconnect by hand."""

OUTCOMES = ("done", "not_needed", "not_done")
"""What a lineman says: done as asked; found so already; could not be done, and the task stays open."""

SUPPLIES = ("on", "off", "unknown")
"""The supply as he left it."""


class Task(models.Model):
    """Go to this connection, because of this order, for this reason.

    `closed_how`: report, officer (who believed a contradicted one), withdrawn, agreed (the meter says so).
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    meter = models.TextField()
    order = models.BigIntegerField(null=True, db_column="order")
    kind = models.TextField(db_default="visit", choices=[(kind, kind) for kind in KINDS])
    reason = models.TextField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_how = models.TextField(db_default="")

    class Meta:
        app_label = "fieldwork"
        constraints = [
            models.UniqueConstraint(
                name="one_task_an_order", fields=["order"], condition=models.Q(order__isnull=False)
            ),
            models.CheckConstraint(name="task_kind", condition=models.Q(kind__in=KINDS)),
        ]
        indexes = [
            models.Index(name="task_open", fields=["id"], condition=models.Q(closed_at__isnull=True)),
            models.Index(name="task_of_connection", fields=["connection"]),
        ]


class Report(models.Model):
    """What a lineman says of a task, once: `id` is his phone's, so that a report sent twice is one report.

    `at` is the business instant on the spot by the phone's clock, `wh` what he read, `photo` the SHA-256 under which
    its file is kept, `against` what contradicts the report.
    """

    id = models.UUIDField(primary_key=True)
    body_sha256 = models.TextField()
    task = models.BigIntegerField()
    connection = models.BigIntegerField()
    meter = models.TextField()
    lineman = models.TextField()
    at = models.DateTimeField()
    outcome = models.TextField(choices=[(outcome, outcome) for outcome in OUTCOMES])
    supply = models.TextField(choices=[(supply, supply) for supply in SUPPLIES])
    seal = models.TextField()
    wh = models.BigIntegerField(null=True)
    photo = models.TextField()
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    note = models.TextField()
    against = ArrayField(models.TextField())
    closes = models.BooleanField()
    received_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "fieldwork"
        constraints = [
            models.CheckConstraint(name="report_outcome", condition=models.Q(outcome__in=OUTCOMES)),
            models.CheckConstraint(name="report_supply", condition=models.Q(supply__in=SUPPLIES)),
            models.CheckConstraint(name="report_wh", condition=models.Q(wh__isnull=True) | models.Q(wh__gte=0)),
        ]
        indexes = [
            models.Index(name="report_of_task", fields=["task"]),
            models.Index(name="report_by_seal", fields=["seal"], condition=~models.Q(seal="")),
            models.Index(name="report_by_photo", fields=["photo"], condition=~models.Q(photo="")),
        ]
