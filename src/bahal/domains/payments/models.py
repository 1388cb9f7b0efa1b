"""A payment row is the receipt. The key is kept for ever with the hash of the request that used it."""

from collections.abc import Mapping

from django.db import models

CHANNELS = ("counter", "upi", "bbps", "card", "bank")
INSTRUMENTS = ("cash", "cheque", "draft", "card", "upi", "bbps", "bank")

HELD_IN: Mapping[str, str] = {
    "cash": "cash", "cheque": "cheque", "draft": "cheque", "card": "gateway", "upi": "gateway", "bbps": "gateway",
    "bank": "bank",
}  # fmt: skip
"""The ledger's account where money lies until the bank has it, by instrument."""


class Payment(models.Model):
    """`acknowledged_at` is the instant the payer was answered for: the clock of his reconnection starts there.

    `allocation` is what the money settled, as [account, bill, paise]; the ledger's postings say the same.
    """

    id = models.BigAutoField(primary_key=True)
    idempotency_key = models.TextField(unique=True)
    body_sha256 = models.TextField()
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    channel = models.TextField(choices=[(channel, channel) for channel in CHANNELS])
    receipt = models.TextField(unique=True)
    instrument = models.TextField(choices=[(instrument, instrument) for instrument in INSTRUMENTS], db_default="cash")
    allocation = models.JSONField(db_default=models.Value([], models.JSONField()))
    order = models.BigIntegerField(null=True, db_column="order")
    acknowledged_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        constraints = [models.CheckConstraint(name="payment_positive", condition=models.Q(paise__gt=0))]
