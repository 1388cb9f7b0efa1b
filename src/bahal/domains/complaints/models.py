"""A complaint and its steps; both are only ever added to."""

from django.db import models

KINDS = ("bill", "supply", "meter", "payment", "notice", "other")
EVENTS = ("raised", "taken_up", "answered", "reopened", "closed")
"""The office takes it up and answers; the consumer reopens what does not satisfy him, and closes what does."""

BY = ("consumer", "office")


class Complaint(models.Model):
    """What is complained of, in the consumer's own words; personal data may be in them."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    kind = models.TextField()
    text = models.TextField()
    raised_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "complaints"
        constraints = [models.CheckConstraint(name="complaint_kind", condition=models.Q(kind__in=KINDS))]


class Step(models.Model):
    """One thing that happened to a complaint. `side` is consumer or office; only the consumer closes."""

    id = models.BigAutoField(primary_key=True)
    complaint = models.ForeignKey(Complaint, on_delete=models.PROTECT, db_column="complaint")
    event = models.TextField()
    side = models.TextField()
    actor = models.TextField()
    text = models.TextField(db_default="")
    at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "complaints"
        constraints = [
            models.CheckConstraint(
                name="complaint_step_by_its_side",
                condition=models.Q(event__in=("raised", "reopened", "closed"), side="consumer")
                | models.Q(event__in=("taken_up", "answered"), side="office"),
            ),
        ]
