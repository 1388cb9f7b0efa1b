"""A payment row is the receipt. The key is kept for ever with the hash of the request that used it."""

from collections.abc import Mapping

from django.contrib.postgres.fields import ArrayField
from django.db import models

CHANNELS = ("counter", "upi", "bbps", "card", "bank")
INSTRUMENTS = ("cash", "cheque", "draft", "card", "upi", "bbps", "bank", "netbanking", "suspense")

HELD_IN: Mapping[str, str] = {
    "cash": "cash", "cheque": "cheque", "draft": "cheque", "card": "gateway", "upi": "gateway", "bbps": "gateway",
    "netbanking": "gateway", "bank": "bank", "suspense": "suspense",
}  # fmt: skip
"""The ledger's account where money lies until the bank has it, by instrument; suspense money has come already."""

PROPOSALS = ("cancel", "refund", "assign")

DIFFERENCES = (
    "not_posted", "not_at_gateway", "not_settled", "unknown_settled", "amount_gateway", "amount_settled",
    "settled_twice", "payer_unknown",
)  # fmt: skip
"""What reconciliation may find; each has its words."""


class Policy(models.Model):
    """One version of the payments' policy, in force from `effective_from` until a later version's date.

    `allocation` is the order in which accounts are settled; `restores_on` says for each instrument when its money
    counts for a reconnection: `taken` or `cleared`.
    """

    version = models.TextField(primary_key=True)
    effective_from = models.DateField()
    allocation = ArrayField(models.TextField())
    restores_on = models.JSONField()
    bounce_paise = models.BigIntegerField()
    link_hours = models.SmallIntegerField()
    attempt_minutes = models.SmallIntegerField()
    settled_within_days = models.SmallIntegerField()
    source = models.TextField()
    verified = models.BooleanField(default=False)

    class Meta:
        app_label = "payments"


class Counter(models.Model):
    """A cash counter of an office. `code` begins its receipt numbers."""

    id = models.BigAutoField(primary_key=True)
    code = models.TextField(unique=True)
    office = models.IntegerField()

    class Meta:
        app_label = "payments"


class Series(models.Model):
    """The last receipt number of a counter in a financial year (named by its first year): no number is left out."""

    id = models.BigAutoField(primary_key=True)
    counter = models.BigIntegerField()
    year = models.SmallIntegerField()
    latest = models.IntegerField()

    class Meta:
        app_label = "payments"
        constraints = [models.UniqueConstraint(name="series_once", fields=["counter", "year"])]


class Day(models.Model):
    """A cashier's day at a counter, from the opening count to the closing one, in paise.

    `denominations` is how many of each note or coin (its value in paise) were counted.
    """

    id = models.BigAutoField(primary_key=True)
    counter = models.BigIntegerField()
    cashier = models.TextField()
    business_on = models.DateField()
    opened_at = models.DateTimeField()
    opening_paise = models.BigIntegerField()
    closed_at = models.DateTimeField(null=True)
    expected_paise = models.BigIntegerField(null=True)
    counted_paise = models.BigIntegerField(null=True)
    denominations = models.JSONField(null=True)
    reason = models.TextField(db_default="")

    class Meta:
        app_label = "payments"
        constraints = [
            models.UniqueConstraint(
                name="one_open_day", fields=["counter"], condition=models.Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(name="day_opening_not_negative", condition=models.Q(opening_paise__gte=0)),
            models.CheckConstraint(
                name="day_variance_explained",
                condition=models.Q(closed_at__isnull=True)
                | models.Q(counted_paise=models.F("expected_paise"))
                | ~models.Q(reason=""),
            ),
        ]


class Payment(models.Model):
    """`acknowledged_at` is the instant the payer was answered for: the clock of his reconnection starts there.

    `allocation` is what the money settled, as [account, bill, paise]; the ledger's postings say the same. `policy` is
    the version it was divided by. `counter` and `day` are those of a cash counter.
    """

    id = models.BigAutoField(primary_key=True)
    idempotency_key = models.TextField()
    body_sha256 = models.TextField()
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    channel = models.TextField(choices=[(channel, channel) for channel in CHANNELS])
    receipt = models.TextField()
    instrument = models.TextField(choices=[(instrument, instrument) for instrument in INSTRUMENTS], db_default="cash")
    allocation = models.JSONField(db_default=models.Value([], models.JSONField()))
    policy = models.TextField(db_default="")
    day = models.BigIntegerField(null=True)
    order = models.BigIntegerField(null=True, db_column="order")
    acknowledged_at = models.DateTimeField()
    business_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        indexes = [models.Index(name="payments_of_day", fields=["day"], condition=models.Q(day__isnull=False))]
        constraints = [
            # Not `unique=True`, which would keep a second index on each for patterns that nobody asks for.
            models.UniqueConstraint(name="payment_key_once", fields=["idempotency_key"]),
            models.UniqueConstraint(name="payment_receipt_once", fields=["receipt"]),
            models.CheckConstraint(name="payment_positive", condition=models.Q(paise__gt=0)),
        ]


class Cheque(models.Model):
    """A cheque or draft behind a payment, until the bank clears it or it is given back (`bounced_at`)."""

    id = models.BigAutoField(primary_key=True)
    payment = models.BigIntegerField(unique=True)
    connection = models.BigIntegerField()
    paise = models.BigIntegerField()
    number = models.TextField()
    bank = models.TextField()
    dated_on = models.DateField()
    cleared_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    decided_by = models.TextField(null=True)
    reason = models.TextField(db_default="")

    class Meta:
        app_label = "payments"
        indexes = [
            models.Index(
                name="cheques_in_hand",
                fields=["connection"],
                condition=models.Q(cleared_at__isnull=True, bounced_at__isnull=True),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                name="cheque_once", fields=["bank", "number"], condition=models.Q(bounced_at__isnull=True)
            ),
            models.CheckConstraint(
                name="cheque_one_end", condition=models.Q(cleared_at__isnull=True) | models.Q(bounced_at__isnull=True)
            ),
        ]


class Suspense(models.Model):
    """Money whose payer is not known: posted to `suspense` until two people say whose it is."""

    id = models.BigAutoField(primary_key=True)
    source = models.TextField(unique=True)
    paise = models.BigIntegerField()
    note = models.TextField()
    taken_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        constraints = [models.CheckConstraint(name="suspense_positive", condition=models.Q(paise__gt=0))]


class Proposal(models.Model):
    """What one person proposes and another decides: a receipt cancelled, money paid back, a payer found.

    `payment` is the receipt to cancel, `suspense` the money whose payer was found; `connection` is whose.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(choices=[(kind, kind) for kind in PROPOSALS])
    payment = models.BigIntegerField(null=True)
    suspense = models.BigIntegerField(null=True)
    connection = models.BigIntegerField()
    paise = models.BigIntegerField()
    reason = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    decided_at = models.DateTimeField(null=True)
    accepted = models.BooleanField(null=True)

    class Meta:
        app_label = "payments"
        indexes = [
            models.Index(
                name="payers_to_name",
                fields=["connection"],
                condition=models.Q(kind="assign", decided_by__isnull=True),
            )
        ]
        constraints = [
            models.CheckConstraint(name="proposal_positive", condition=models.Q(paise__gt=0)),
            models.CheckConstraint(
                name="proposal_by_two",
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("proposed_by")),
            ),
            models.CheckConstraint(
                name="proposal_decided_whole",
                condition=models.Q(decided_by__isnull=True, decided_at__isnull=True, accepted__isnull=True)
                | models.Q(decided_by__isnull=False, decided_at__isnull=False, accepted__isnull=False),
            ),
            models.CheckConstraint(
                name="proposal_names_its_thing",
                condition=models.Q(kind="cancel", payment__isnull=False, suspense__isnull=True)
                | models.Q(kind="assign", payment__isnull=True, suspense__isnull=False)
                | models.Q(kind="refund", payment__isnull=True, suspense__isnull=True),
            ),
            # Of one receipt, and of one suspense, one proposal at a time; an accepted one for ever.
            models.UniqueConstraint(
                name="cancelled_once",
                fields=["payment"],
                condition=models.Q(payment__isnull=False) & (models.Q(accepted__isnull=True) | models.Q(accepted=True)),
            ),
            models.UniqueConstraint(
                name="assigned_once",
                fields=["suspense"],
                condition=models.Q(suspense__isnull=False)
                & (models.Q(accepted__isnull=True) | models.Q(accepted=True)),
            ),
        ]


class Attempt(models.Model):
    """One try of a consumer to pay online: `tr` names it to UPI, `gateway_order` to the gateway; each used once."""

    tr = models.TextField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    gateway_order = models.TextField(unique=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        constraints = [models.CheckConstraint(name="attempt_positive", condition=models.Q(paise__gt=0))]


class GatewayEvent(models.Model):
    """A webhook as it came, once per event id. It is believed only as a hint: the payment is fetched again."""

    id = models.BigAutoField(primary_key=True)
    event = models.TextField(unique=True)
    kind = models.TextField()
    gateway_payment = models.TextField()
    gateway_order = models.TextField(db_default="")
    body = models.TextField()
    late = models.BooleanField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)
    outcome = models.TextField(null=True)
    tries = models.SmallIntegerField(db_default=0)
    not_before = models.DateTimeField(null=True)

    class Meta:
        app_label = "payments"
        indexes = [
            models.Index(name="events_to_handle", fields=["id"], condition=models.Q(handled_at__isnull=True)),
            models.Index(name="events_of_order", fields=["gateway_order"], condition=models.Q(handled_at__isnull=True)),
        ]


class GatewayPayment(models.Model):
    """What the gateway itself answered about a payment, asked by us; `status` only goes forward."""

    gateway_payment = models.TextField(primary_key=True)
    gateway_order = models.TextField()
    paise = models.BigIntegerField()
    status = models.TextField()
    reference = models.TextField()
    method = models.TextField()
    made_at = models.DateTimeField()
    asked_at = models.DateTimeField()

    class Meta:
        app_label = "payments"
        indexes = [
            models.Index(name="gateway_payments_by_time", fields=["made_at"]),
            models.Index(name="gateway_payments_by_order", fields=["gateway_order"]),
            models.Index(name="gateway_payments_by_ref", fields=["reference"]),
        ]


class Poll(models.Model):
    """How far the gateway was asked for its payments."""

    name = models.TextField(primary_key=True)
    asked_until = models.DateTimeField()

    class Meta:
        app_label = "payments"


class BbpsFetch(models.Model):
    """A bill fetched through BBPS: `ref` (35 characters) binds a later payment to this answer."""

    ref = models.TextField(primary_key=True)
    connection = models.BigIntegerField()
    paise = models.BigIntegerField()
    fetched_at = models.DateTimeField()

    class Meta:
        app_label = "payments"


class Settlement(models.Model):
    """A settlement file of the bank, loaded once by its content."""

    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    sha256 = models.TextField(unique=True)
    lines = models.IntegerField()
    paise = models.BigIntegerField()
    covers_from = models.DateTimeField(null=True)
    covers_until = models.DateTimeField(null=True)
    loaded_by = models.TextField()
    loaded_at = models.DateTimeField()

    class Meta:
        app_label = "payments"


class SettlementLine(models.Model):
    """One line: which of the gateway's payments, how much, and the bank's own reference (UTR)."""

    id = models.BigAutoField(primary_key=True)
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, db_column="settlement")
    line = models.IntegerField()
    gateway_payment = models.TextField(db_index=True)
    paise = models.BigIntegerField()
    utr = models.TextField()

    class Meta:
        app_label = "payments"


class Difference(models.Model):
    """Something that our receipts, the gateway and the bank do not say alike: a queue for people.

    A poller closes what has settled itself since, and says so in `how`.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(choices=[(kind, kind) for kind in DIFFERENCES])
    reference = models.TextField()
    ours_paise = models.BigIntegerField(null=True)
    gateway_paise = models.BigIntegerField(null=True)
    bank_paise = models.BigIntegerField(null=True)
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(null=True)
    how = models.TextField(null=True)

    class Meta:
        app_label = "payments"
        constraints = [
            models.UniqueConstraint(
                name="difference_open_once", fields=["kind", "reference"], condition=models.Q(closed_at__isnull=True)
            )
        ]
