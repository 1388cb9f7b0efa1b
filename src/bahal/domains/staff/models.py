"""An officer signs with an Ed25519 key; the interlock trusts its own list of keys, not this table."""

from django.db import models

ROLES = (
    "executive_engineer", "superintending_engineer", "revenue_officer", "cashier", "lineman", "vigilance",
    "call_centre", "auditor",
)  # fmt: skip
SIGN_IN_OUTCOMES = ("in", "wrong")


class Officer(models.Model):
    """`login` names him in the audit; `public_key` is 64 hexadecimal digits."""

    login = models.TextField(primary_key=True)
    name = models.TextField()
    name_hi = models.TextField()
    role = models.TextField(choices=[(role, role) for role in ROLES])
    office = models.IntegerField()
    password = models.TextField()
    totp_secret = models.TextField()
    public_key = models.TextField()

    class Meta:
        app_label = "staff"


class SignIn(models.Model):
    """One try at signing in, kept for ever. `step` is the time step of the code that was used; `at` is wall time."""

    id = models.BigAutoField(primary_key=True)
    login = models.TextField()
    address = models.TextField()
    outcome = models.TextField(choices=[(outcome, outcome) for outcome in SIGN_IN_OUTCOMES])
    step = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "staff"
        constraints = [models.UniqueConstraint(name="code_once", fields=["login", "step"])]
        indexes = [
            models.Index(name="tries_of_login", fields=["login", "at"]),
            models.Index(name="tries_of_address", fields=["address", "at"]),
        ]
