"""An officer signs with an Ed25519 key; the interlock trusts its own list of keys, not this table."""

from django.db import models

ROLES = ("executive_engineer", "superintending_engineer", "revenue_officer", "cashier", "lineman", "vigilance")


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
