"""Policy and no-cut days are data: effective-dated, with their source and whether it was verified."""

from django.db import models

HOLD_KINDS = (
    "life_support", "hospital", "water_works", "court_stay", "deposit_under_protest", "complaint",
    "payment_pending", "examination", "heat_warning", "flood_warning", "instalment_plan",
)  # fmt: skip


class Policy(models.Model):
    """One version of the recovery policy, in force from `effective_from` until a later version's date.

    `surcharge_bp` is basis points a month or part; the days `_after` count from the cut, `recovery_after` from the
    permanent disconnection. None of these was checked against an order: they are data to change.
    """

    version = models.TextField(primary_key=True)
    effective_from = models.DateField()
    minimum_paise = models.BigIntegerField()
    notice_clear_days = models.SmallIntegerField()
    reminders = models.SmallIntegerField()
    last_reminder_within_days = models.SmallIntegerField()
    window_from = models.TimeField()
    window_to = models.TimeField()
    stale_after_months = models.SmallIntegerField()
    reconnection_paise = models.BigIntegerField(default=0)
    source = models.TextField()
    verified = models.BooleanField(default=False)
    surcharge_bp = models.IntegerField(db_default=150)
    plan_grace_days = models.SmallIntegerField(db_default=3)
    second_visit_after = models.SmallIntegerField(db_default=3)
    deposit_after = models.SmallIntegerField(db_default=30)
    permanent_notice_after = models.SmallIntegerField(db_default=45)
    permanent_clear_days = models.SmallIntegerField(db_default=15)
    recovery_after = models.SmallIntegerField(db_default=30)

    class Meta:
        app_label = "arrears"


class NoCutDay(models.Model):
    """A day without cuts: a holiday, a second Saturday. Sundays need no row."""

    day = models.DateField(primary_key=True)
    reason = models.TextField()
    reason_hi = models.TextField()

    class Meta:
        app_label = "arrears"


class Hold(models.Model):
    """While it is open and not expired, no cut for want of payment. Its expiry never cuts by itself."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    kind = models.TextField(choices=[(kind, kind) for kind in HOLD_KINDS])
    evidence = models.TextField()
    owner = models.TextField()
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.TextField(null=True)

    class Meta:
        app_label = "arrears"


class Dispute(models.Model):
    """A bill contested by its consumer: while it is open no cut may rest on the bill and no surcharge runs on it."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    bill = models.BigIntegerField()
    reason = models.TextField()
    raised_by = models.TextField()
    raised_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(null=True)
    outcome = models.TextField(null=True)

    class Meta:
        app_label = "arrears"
        constraints = [
            models.UniqueConstraint(
                name="one_open_dispute_a_bill", fields=["bill"], condition=models.Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="dispute_closed_with_outcome",
                condition=models.Q(closed_at__isnull=True)
                | (models.Q(closed_by__isnull=False) & models.Q(outcome__isnull=False)),
            ),
        ]


class Surcharge(models.Model):
    """One part of one bill's surcharge, charged once for ever; the ledger's act has the reference `bill:part`."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    bill = models.BigIntegerField()
    part = models.SmallIntegerField()
    from_on = models.DateField()
    base_paise = models.BigIntegerField()
    rate_bp = models.IntegerField()
    paise = models.BigIntegerField()
    policy = models.TextField()

    class Meta:
        app_label = "arrears"
        constraints = [models.UniqueConstraint(name="surcharge_once", fields=["bill", "part"])]


class Plan(models.Model):
    """A due paid by instalments. `instalments` is a list of [day, paise]; its hold stands while the plan is open."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    paise = models.BigIntegerField()
    instalments = models.JSONField()
    surcharge_free = models.BooleanField()
    hold = models.BigIntegerField()
    agreed_by = models.TextField()
    agreed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    outcome = models.TextField(null=True, choices=[(outcome, outcome) for outcome in ("fulfilled", "broken")])

    class Meta:
        app_label = "arrears"
        constraints = [
            models.UniqueConstraint(
                name="one_open_plan", fields=["connection"], condition=models.Q(closed_at__isnull=True)
            )
        ]


class WriteOff(models.Model):
    """A due given up: one officer proposes it with a reason, another decides."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    reason = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    decided_at = models.DateTimeField(null=True)
    accepted = models.BooleanField(null=True)

    class Meta:
        app_label = "arrears"
        constraints = [
            models.CheckConstraint(name="write_off_positive", condition=models.Q(paise__gt=0)),
            models.CheckConstraint(
                name="write_off_by_two",
                condition=models.Q(decided_by__isnull=True) | ~models.Q(decided_by=models.F("proposed_by")),
            ),
            models.UniqueConstraint(
                name="one_open_write_off", fields=["connection"], condition=models.Q(decided_at__isnull=True)
            ),
        ]


class Step(models.Model):
    """A step after a cut, taken once: a second visit, security adjusted, permanent disconnection and what follows."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    order = models.BigIntegerField(db_column="order")
    step = models.TextField()
    done_on = models.DateField()
    actor = models.TextField()
    second = models.TextField(null=True)
    notice = models.BigIntegerField(null=True)
    paise = models.BigIntegerField(default=0)

    class Meta:
        app_label = "arrears"
        constraints = [
            models.UniqueConstraint(name="step_once", fields=["order", "step"]),
            models.CheckConstraint(
                name="step_by_two", condition=models.Q(second__isnull=True) | ~models.Q(second=models.F("actor"))
            ),
        ]
