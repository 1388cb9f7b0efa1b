"""Policy and no-cut days are data: effective-dated, with their source and whether it was verified."""

from datetime import time

from django.contrib.postgres.fields import ArrayField
from django.db import models

HOLD_KINDS = (
    "life_support", "hospital", "water_works", "court_stay", "forum_stay", "deposit_under_protest", "complaint",
    "payment_pending", "examination", "heat_warning", "flood_warning", "instalment_plan",
    "emergency", "part_payment",
)  # fmt: skip

AREA_KINDS = ("examination", "heat_warning", "flood_warning", "court_stay", "forum_stay", "channel_down", "election")
"""Why nobody of an area is cut."""

NEEDS = ("life_support", "dialysis", "hospital", "water_works", "infant_or_aged", "disability")
"""Why a connection stands in the register of the vulnerable."""


class Policy(models.Model):
    """One version of the recovery policy, in force from `effective_from` until a later version's date.

    It holds for an office and all under it, and for a category, where it names them; the nearest office's is taken.
    `document` is what was proposed, field by field with its source; only an accepted version is ever in force. `waived`
    is empty in every stored row: only a what-if may set reasons aside, and it stores nothing.

    `surcharge_bp` is basis points a month or part; the days `_after` count from the cut, `recovery_after` from the
    permanent disconnection. `no_cut_weekdays` are ISO's (7 is Sunday). `channels` are those by which a consumer sees
    and pays his due; one that was not heard of for `channel_minutes` holds the cuts.

    A notice and a reminder go by the first of their own channels, and by the next if it fails or no receipt comes
    within `receipt_hours`, of a letter `letter_days`; `notice_serves` are those by which a notice is served.
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
    office = models.IntegerField(null=True)
    category = models.TextField(null=True)
    effective_until = models.DateField(null=True)
    quiet_from = models.TimeField(db_default=time(18))
    quiet_to = models.TimeField(db_default=time(8))
    no_cut_weekdays = ArrayField(models.SmallIntegerField(), db_default=[7])
    second_saturday_free = models.BooleanField(db_default=True)
    protest_months = models.SmallIntegerField(db_default=6)
    cutting_paise = models.BigIntegerField(db_default=0)
    prepaid_cut_after_days = models.SmallIntegerField(db_default=1)
    emergency_days = models.SmallIntegerField(db_default=5)
    emergency_times = models.SmallIntegerField(db_default=1)
    conversion_grace_days = models.SmallIntegerField(db_default=30)
    low_balance_percents = ArrayField(models.SmallIntegerField(), db_default=[30, 10, 0])
    promise_minutes = models.SmallIntegerField(db_default=120)
    part_payment_percent = models.SmallIntegerField(db_default=100)
    ladder = models.JSONField(db_default=models.Value([], models.JSONField()))
    overload = models.TextField(db_default="bill")
    canary = models.SmallIntegerField(db_default=50)
    channels = ArrayField(models.TextField(), db_default=[])
    channel_minutes = models.SmallIntegerField(db_default=15)
    notice_channels = ArrayField(models.TextField(), db_default=["letter", "hand"])
    notice_serves = ArrayField(models.TextField(), db_default=["letter", "hand"])
    reminder_channels = ArrayField(models.TextField(), db_default=["sms", "whatsapp", "letter", "hand"])
    receipt_hours = models.SmallIntegerField(db_default=3)
    letter_days = models.SmallIntegerField(db_default=10)
    waived = ArrayField(models.TextField(), db_default=[])
    document = models.TextField(db_default="")
    proposed_by = models.TextField(db_default="")
    proposed_at = models.DateTimeField(null=True)
    accepted_by = models.TextField(null=True)
    accepted_at = models.DateTimeField(null=True)
    reason = models.TextField(db_default="")

    class Meta:
        app_label = "arrears"
        constraints = [
            models.CheckConstraint(
                name="policy_by_two",
                condition=models.Q(accepted_by__isnull=True) | ~models.Q(accepted_by=models.F("proposed_by")),
            ),
            models.CheckConstraint(
                name="policy_accepted_whole",
                condition=models.Q(accepted_by__isnull=True, accepted_at__isnull=True)
                | models.Q(accepted_by__isnull=False, accepted_at__isnull=False),
            ),
            models.CheckConstraint(name="policy_waives_nothing", condition=models.Q(waived=[])),
            models.CheckConstraint(name="policy_bills_overload", condition=models.Q(overload="bill")),
        ]


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


class AreaHold(models.Model):
    """While in force, no cut in an office and all under it, or along a feeder. Its expiry never cuts by itself."""

    id = models.BigAutoField(primary_key=True)
    office = models.IntegerField(null=True)
    feeder = models.IntegerField(null=True)
    kind = models.TextField(choices=[(kind, kind) for kind in AREA_KINDS])
    evidence = models.TextField()
    owner = models.TextField()
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.TextField(null=True)

    class Meta:
        app_label = "arrears"
        indexes = [models.Index(name="area_holds_open", fields=["id"], condition=models.Q(lifted_at__isnull=True))]
        constraints = [
            models.CheckConstraint(
                name="area_hold_one_area",
                condition=models.Q(office__isnull=True, feeder__isnull=False)
                | models.Q(office__isnull=False, feeder__isnull=True),
            )
        ]


class Vulnerable(models.Model):
    """A connection in the register of the vulnerable. An entry never lapses: it is looked at again on `review_on`."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    need = models.TextField(choices=[(need, need) for need in NEEDS])
    evidence = models.TextField()
    registered_by = models.TextField()
    registered_at = models.DateTimeField()
    review_on = models.DateField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(null=True)
    reason = models.TextField(null=True)

    class Meta:
        app_label = "arrears"
        constraints = [
            models.UniqueConstraint(
                name="registered_once", fields=["connection"], condition=models.Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                name="register_ended_whole",
                condition=models.Q(ended_at__isnull=True)
                | (models.Q(ended_by__isnull=False) & models.Q(reason__isnull=False)),
            ),
        ]


class Conversion(models.Model):
    """A connection that became prepaid. No cut until its opening balance is reconciled, nor in the days of grace."""

    connection = models.BigIntegerField(primary_key=True)
    converted_on = models.DateField()
    noted_by = models.TextField()
    opening_paise = models.BigIntegerField(null=True)
    reconciled_at = models.DateTimeField(null=True)
    reconciled_by = models.TextField(null=True)

    class Meta:
        app_label = "arrears"
        constraints = [
            models.CheckConstraint(
                name="conversion_reconciled_whole",
                condition=models.Q(reconciled_at__isnull=True)
                | (
                    models.Q(reconciled_by__isnull=False)
                    & models.Q(opening_paise__isnull=False)
                    & ~models.Q(reconciled_by=models.F("noted_by"))
                ),
            )
        ]


class Channel(models.Model):
    """A way by which consumers see or pay a due, and when it was last seen to work (the wall's time)."""

    name = models.TextField(primary_key=True)
    seen_at = models.DateTimeField()

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
