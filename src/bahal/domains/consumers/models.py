"""One consumer per connection; the id is the connection's ten-digit number."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Consumer(models.Model):
    """Name, telephone and language. Telephone and address are personal data: never logged."""

    id = models.BigIntegerField(primary_key=True)
    name = models.TextField()
    name_hi = models.TextField()
    phone = models.TextField(db_index=True)
    language = models.TextField(default="hi")

    class Meta:
        app_label = "consumers"


class SignIn(models.Model):
    """A code that somebody asked for, by consumer number or mobile. The code is stored nowhere: it is made anew from
    the id by the instance's own key (`sign_in.code_of`). `connections` is empty where nobody has such a number.

    What was asked for, from where, and the telephone are kept as keyed hashes, to be counted and not read.
    """

    id = models.UUIDField(primary_key=True)
    asked_sha256 = models.TextField()
    address_sha256 = models.TextField()
    phone_sha256 = models.TextField(null=True)
    connections = ArrayField(models.BigIntegerField())
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    tries = models.SmallIntegerField(db_default=0)
    used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "consumers"
        indexes = [
            models.Index(name="signin_by_number", fields=["asked_sha256", "asked_at"]),
            models.Index(name="signin_by_address", fields=["address_sha256", "asked_at"]),
            models.Index(name="signin_by_phone", fields=["phone_sha256", "asked_at"]),
        ]
        constraints = [models.CheckConstraint(name="signin_tries", condition=models.Q(tries__lte=5))]


class Session(models.Model):
    """A consumer's session. The browser holds the token, this its hash; it ends by itself when it is not used."""

    token_sha256 = models.TextField(primary_key=True)
    connections = ArrayField(models.BigIntegerField())
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "consumers"
