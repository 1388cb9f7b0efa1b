"""A bill is never edited; a correction is another bill."""

from django.db import models


class Bill(models.Model):
    """`paise` is the amount of this bill alone, without arrears. First due is the day of issue (s.56(2))."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    number = models.TextField(unique=True)
    month = models.DateField()
    issued_on = models.DateField()
    due_on = models.DateField()
    consumption_wh = models.BigIntegerField()
    paise = models.BigIntegerField()
    estimated = models.BooleanField(default=False)
    disputed = models.BooleanField(default=False)
    supplementary = models.BooleanField(default=False)

    class Meta:
        app_label = "billing"
        indexes = [models.Index(fields=["connection"])]
        constraints = [
            models.CheckConstraint(name="bill_paise_positive", condition=models.Q(paise__gt=0)),
            models.CheckConstraint(name="bill_due_after_issue", condition=models.Q(due_on__gt=models.F("issued_on"))),
        ]
