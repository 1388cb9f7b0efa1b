"""Debit is positive, credit negative. A transaction's postings sum to zero at commit (deferred trigger)."""

from django.db import models

DUES = ("receivable", "surcharge", "expenses")
"""What a connection owes: energy bills (by bill), surcharge on late payment, expenses of cutting and reconnecting."""

HELD = ("former", "advance", "deposit", "protest", "refund")
"""More of a connection: a former occupier's dues, money in advance, security, under protest, to be paid back."""

ACCOUNTS = (
    *DUES, *HELD, "suspense", "cash", "cheque", "gateway", "bank", "revenue", "duty", "cess", "subsidy",
    "surcharge_income", "expenses_income", "interest", "compensation", "written_off",
)  # fmt: skip
"""`suspense` is money of an unknown payer; `cheque` and `gateway` are on their way to the `bank`."""

KINDS = (
    "bill", "payment", "opening", "surcharge", "expenses", "credit_note", "reversal", "refund", "transfer", "deposit",
    "interest", "protest", "write_off", "compensation", "settlement", "handover",
)  # fmt: skip


class Transaction(models.Model):
    """One act of money. `kind` and `reference` together are unique for ever."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(choices=[(kind, kind) for kind in KINDS])
    reference = models.TextField()
    posted_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "ledger"
        constraints = [models.UniqueConstraint(name="ledger_reference_once", fields=["kind", "reference"])]


class Posting(models.Model):
    """A line of a transaction: those of `DUES` and `HELD` carry the connection, `receivable` of a bill its bill."""

    id = models.BigAutoField(primary_key=True)
    # The trigger that lets a posting join only its own transaction stands for the foreign key.
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, db_column="transaction", db_constraint=False)
    account = models.TextField(choices=[(account, account) for account in ACCOUNTS])
    connection = models.BigIntegerField(null=True)
    bill = models.BigIntegerField(null=True)
    paise = models.BigIntegerField()

    class Meta:
        app_label = "ledger"
        indexes = [
            models.Index(
                name="ledger_dues",
                fields=["connection"],
                include=["account", "paise", "bill"],
                condition=models.Q(account__in=DUES),
            ),
            models.Index(
                name="ledger_held",
                fields=["connection"],
                include=["account", "paise"],
                condition=models.Q(account__in=HELD),
            ),
        ]
        constraints = [
            models.CheckConstraint(name="posting_not_zero", condition=~models.Q(paise=0)),
            models.CheckConstraint(
                name="posting_names_connection",
                condition=~models.Q(account__in=[*DUES, *HELD]) | models.Q(connection__isnull=False),
            ),
        ]
