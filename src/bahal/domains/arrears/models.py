"""Policy and no-cut days are data: effective-dated, with their source and whether it was verified."""

from django.db import models

HOLD_KINDS = (
    "life_support", "hospital", "water_works", "court_stay", "deposit_under_protest", "complaint",
    "payment_pending", "examination", "heat_warning", "flood_warning", "instalment_plan",
)  # fmt: skip


class Policy(models.Model):
    """One version of the recovery policy, in force from `effective_from` until a later version's date."""

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
