"""Debit is positive, credit negative. A transaction's postings sum to zero at commit (deferred trigger)."""

from django.db import models

ACCOUNTS = ("receivable", "advance", "cash", "revenue")


class Transaction(models.Model):
    """One act of money. `kind` and `reference` together are unique for ever."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(choices=[(kind, kind) for kind in ("bill", "payment", "opening")])
    reference = models.TextField()
    posted_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "ledger"
        constraints = [models.UniqueConstraint(name="ledger_reference_once", fields=["kind", "reference"])]


class Posting(models.Model):
    """A line of a transaction: `receivable` and `advance` carry the connection, `receivable` of a bill its bill."""

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, db_column="transaction")
    account = models.TextField(choices=[(account, account) for account in ACCOUNTS])
    connection = models.BigIntegerField(null=True)
    bill = models.BigIntegerField(null=True)
    paise = models.BigIntegerField()

    class Meta:
        app_label = "ledger"
        indexes = [
            models.Index(
                name="ledger_receivable",
                fields=["connection"],
                include=["paise", "bill"],
                condition=models.Q(account="receivable"),
            ),
            models.Index(
                name="ledger_advance", fields=["connection"], include=["paise"], condition=models.Q(account="advance")
            ),
        ]
        constraints = [
            models.CheckConstraint(name="posting_not_zero", condition=~models.Q(paise=0)),
            models.CheckConstraint(
                name="posting_names_connection",
                condition=~models.Q(account__in=["receivable", "advance"]) | models.Q(connection__isnull=False),
            ),
        ]
