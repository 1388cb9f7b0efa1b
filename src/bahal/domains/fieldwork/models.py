"""A task stays open until a person closes it."""

from django.db import models


class Task(models.Model):
    """Go to this connection, because of this order, for this reason."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    meter = models.TextField()
    order = models.BigIntegerField(null=True, db_column="order")
    reason = models.TextField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "fieldwork"
        constraints = [
            models.UniqueConstraint(name="one_task_an_order", fields=["order"], condition=models.Q(order__isnull=False))
        ]
