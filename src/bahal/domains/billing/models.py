"""A bill is never edited; a correction is another bill or a credit note. What decides a bill is kept beside it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

KINDS = ("opening", "regular", "revised", "final")
"""`opening` came in with the books and has no lines; the others were rated here."""

HELD_FOR = ("unusual", "rate_unverified")
"""Why a bill is held: outside the consumer's own history, or decided by a rate that nobody has checked or accepted."""

DRAFT_STATES = ("held", "issued", "dropped")


class Bill(models.Model):
    """`paise` is the amount of this bill alone, without arrears. First due is the day of issue (s.56(2)).

    `month` is the month of its last day; `[period_from, period_to)` are days in India; `sequence` 0 is the first bill
    of a period, the next ones are what was billed more for it later.
    """

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
    kind = models.TextField(choices=[(kind, kind) for kind in KINDS], db_default="opening")
    period_from = models.DateField(null=True)
    period_to = models.DateField(null=True)
    sequence = models.SmallIntegerField(db_default=0)

    class Meta:
        app_label = "billing"
        indexes = [models.Index(name="bill_estimated", fields=["connection"], condition=Q(estimated=True))]
        constraints = [
            models.UniqueConstraint(name="bill_of_period_once", fields=["connection", "period_from", "sequence"]),
            models.CheckConstraint(
                name="bill_paise_positive", condition=Q(paise__gt=0) | (~Q(kind="opening") & Q(paise=0))
            ),
            models.CheckConstraint(name="bill_due_after_issue", condition=Q(due_on__gt=F("issued_on"))),
            models.CheckConstraint(
                name="bill_period",
                condition=Q(kind="opening", period_from=None, period_to=None) | Q(period_to__gt=F("period_from")),
            ),
            models.CheckConstraint(name="bill_kind", condition=Q(kind__in=KINDS)),
        ]


class Fragment(models.Model):
    """A part that many explanations share: a rate with its rule and slab, a document, an unverified rate. JSON text."""

    id = models.AutoField(primary_key=True)
    body = models.TextField(unique=True)

    class Meta:
        app_label = "billing"


class Explanation(models.Model):
    """A bill's lines: their amounts, which sum to the bill, and the operands from which each is told again."""

    bill = models.BigIntegerField(primary_key=True)
    amounts = ArrayField(models.BigIntegerField())
    body = models.TextField()

    class Meta:
        app_label = "billing"


class CreditNote(models.Model):
    """What was billed too much for a period, with its lines; `paise` is positive, its lines sum to its negative."""

    id = models.BigAutoField(primary_key=True)
    number = models.TextField(unique=True)
    connection = models.BigIntegerField(db_index=True)
    bill = models.BigIntegerField()
    period_from = models.DateField()
    sequence = models.SmallIntegerField()
    issued_on = models.DateField()
    paise = models.BigIntegerField()
    reason = models.TextField()
    consumption_wh = models.BigIntegerField()
    amounts = ArrayField(models.BigIntegerField())
    body = models.TextField()

    class Meta:
        app_label = "billing"
        constraints = [
            models.UniqueConstraint(name="credit_note_once", fields=["connection", "period_from", "sequence"]),
            models.CheckConstraint(name="credit_note_positive", condition=Q(paise__gt=0)),
        ]


class Draft(models.Model):
    """A bill that was rated and held, until an officer lets it go, corrects what it rests on, or drops it."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    month = models.DateField()
    period_from = models.DateField()
    period_to = models.DateField()
    kind = models.TextField()
    consumption_wh = models.BigIntegerField()
    paise = models.BigIntegerField()
    estimated = models.BooleanField()
    reasons = ArrayField(models.TextField())
    basis = models.JSONField()
    amounts = ArrayField(models.BigIntegerField())
    body = models.TextField()
    made_at = models.DateTimeField()
    state = models.TextField(choices=[(state, state) for state in DRAFT_STATES], db_default="held")
    decided_by = models.TextField(null=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(null=True)
    bill = models.BigIntegerField(null=True)

    class Meta:
        app_label = "billing"
        constraints = [
            models.UniqueConstraint(
                name="one_held_draft", fields=["connection", "period_from"], condition=Q(state="held")
            ),
            models.CheckConstraint(
                name="draft_decided", condition=Q(state="held") | (Q(decided_by__isnull=False) & ~Q(reason=None))
            ),
        ]


class Register(models.Model):
    """Where a meter's registers stood at the start of a day in India, as billing takes them. Never edited: a correction
    is the next `revision`. Two meters on one day are an exchange. `zones` is [[zone, Wh], ...] of `wh`."""

    pk = models.CompositePrimaryKey("connection", "read_on", "meter", "revision")
    connection = models.BigIntegerField()
    read_on = models.DateField()
    meter = models.TextField()
    revision = models.SmallIntegerField(db_default=0)
    wh = models.BigIntegerField()
    export_wh = models.BigIntegerField(db_default=0)
    vah = models.BigIntegerField(db_default=0)
    demand_w = models.IntegerField(db_default=0)
    zones = models.JSONField(null=True)
    digits = models.SmallIntegerField(db_default=6)
    source = models.TextField()

    class Meta:
        app_label = "billing"
        constraints = [
            models.CheckConstraint(
                name="register_not_negative", condition=Q(wh__gte=0, export_wh__gte=0, vah__gte=0, demand_w__gte=0)
            ),
            models.CheckConstraint(name="register_digits", condition=Q(digits__gte=4, digits__lte=9)),
        ]


class Doubt(models.Model):
    """A row that could not be taken as a register: kept whole, with the refusal, until somebody settles it."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(null=True)
    meter = models.TextField()
    read_on = models.DateField(null=True)
    row = models.JSONField()
    error = models.TextField()
    data = models.JSONField()
    received_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.TextField(null=True)
    reason = models.TextField(null=True)

    class Meta:
        app_label = "billing"
        indexes = [models.Index(name="doubt_open", fields=["id"], condition=Q(settled_at__isnull=True))]
        constraints = [
            models.CheckConstraint(
                name="doubt_settled",
                condition=Q(settled_at__isnull=True) | (Q(settled_by__isnull=False) & Q(reason__isnull=False)),
            )
        ]


class Terms(models.Model):
    """What the tariff sees of a connection from a day on, where it is not what the network's own row says."""

    pk = models.CompositePrimaryKey("connection", "effective_from")
    connection = models.BigIntegerField()
    effective_from = models.DateField()
    category = models.TextField()
    phases = models.SmallIntegerField()
    load_w = models.IntegerField()
    load_mhp = models.IntegerField(db_default=0)
    bpl = models.BooleanField(db_default=False)
    temporary = models.BooleanField(db_default=False)
    kind = models.TextField(db_default="")
    owner = models.TextField(db_default="")
    reason = models.TextField()

    class Meta:
        app_label = "billing"


class Group(models.Model):
    """When a distribution centre's bills go out: the day of the next month, and how many days they leave to pay."""

    centre = models.IntegerField(primary_key=True)
    issue_day = models.SmallIntegerField()
    days_to_pay = models.SmallIntegerField()

    class Meta:
        app_label = "billing"
        constraints = [
            models.CheckConstraint(name="group_day", condition=Q(issue_day__gte=1, issue_day__lte=28)),
            models.CheckConstraint(name="group_days_to_pay", condition=Q(days_to_pay__gte=1)),
        ]
