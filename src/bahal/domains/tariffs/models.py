"""Tariff documents that came after the product's own files, and unverified rates that an officer has answered for.

Both are append-only (`11_tariffs.sql`): a version is proposed by one officer and accepted, once, by another.
"""

from django.db import models
from django.db.models import F, Q


class Version(models.Model):
    """A proposed document as it was written; in force from `effective_from` once it is accepted."""

    id = models.BigAutoField(primary_key=True)
    name = models.TextField(unique=True)
    effective_from = models.DateField()
    document = models.TextField()
    sha256 = models.TextField()
    source = models.TextField()
    verified = models.BooleanField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    accepted_by = models.TextField(null=True)
    accepted_at = models.DateTimeField(null=True)
    reason = models.TextField(null=True)

    class Meta:
        app_label = "tariffs"
        constraints = [
            models.CheckConstraint(
                condition=Q(accepted_by__isnull=True) | ~Q(accepted_by=F("proposed_by")), name="tariff_by_two"
            ),
            models.CheckConstraint(
                condition=Q(accepted_by__isnull=True, accepted_at__isnull=True, reason__isnull=True)
                | Q(accepted_by__isnull=False, accepted_at__isnull=False, reason__isnull=False),
                name="tariff_accepted_whole",
            ),
        ]


class RateAcceptance(models.Model):
    """An officer answers for an unverified rate of one document, which its SHA-256 names: another text asks again."""

    id = models.BigAutoField(primary_key=True)
    path = models.TextField()
    sha256 = models.TextField()
    accepted_by = models.TextField()
    accepted_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        app_label = "tariffs"
        constraints = [models.UniqueConstraint(fields=["path", "sha256"], name="rate_accepted_once")]
