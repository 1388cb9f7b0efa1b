"""Every act leaves a sentence here; a batch seals a run of sentences with a hash over the batch before it."""

from django.db import models


class Entry(models.Model):
    """Who did what, to what, why. The sentence is rendered from `act` and `data` in either language."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    business_at = models.DateTimeField()
    actor = models.TextField()
    act = models.TextField()
    subject = models.TextField()
    connection = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)

    class Meta:
        app_label = "audit"
        indexes = [models.Index(fields=["connection"]), models.Index(fields=["subject"])]


class Batch(models.Model):
    """A sealed run of entries: `sha256` covers `members` and the batch before.

    `members` holds 24 bytes for each entry: its id (8, big-endian) and the first 16 of its SHA-256, so that an edited
    or deleted row can be named.
    """

    id = models.BigAutoField(primary_key=True)
    first_entry = models.BigIntegerField(unique=True)
    last_entry = models.BigIntegerField(unique=True)
    entries = models.IntegerField()
    members = models.BinaryField()
    previous_sha256 = models.TextField()
    sha256 = models.TextField()
    sealed_at = models.DateTimeField()

    class Meta:
        app_label = "audit"


class Root(models.Model):
    """A Merkle root (RFC 6962) over a day's entries so far, those of `first_batch` to `last_batch`; one a minute.

    `day` is the day in India as YYYY-MM-DD; `batch_sha256` is the hash of the last batch. The same stands in a second
    place.
    """

    id = models.BigAutoField(primary_key=True)
    day = models.TextField()
    at = models.DateTimeField()
    first_batch = models.BigIntegerField()
    last_batch = models.BigIntegerField(unique=True)
    size = models.IntegerField()
    sha256 = models.TextField()
    batch_sha256 = models.TextField()

    class Meta:
        app_label = "audit"
