"""An order's life is `life.TRANSITIONS`; the database refuses every other step, by role (trigger)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from bahal.domains.supply.life import RESTORE_GROUNDS, STATES

OPEN_STATES = ("proposed", "authorised", "claimed", "sent", "unknown", "quarantined")


class Fence(models.Model):
    """The connection's generation. It only rises; payment, hold, stay, dispute and meter change bump it.

    `by_hand`: a lineman had leave to cut here, so that the supply may be off where no relay brings it back.
    """

    connection = models.BigIntegerField(primary_key=True)
    generation = models.BigIntegerField(default=1)
    desired = models.TextField(default="on", choices=[("on", "on"), ("off", "off")])
    by_hand = models.BooleanField(db_default=False)

    class Meta:
        app_label = "supply"


class Drive(models.Model):
    """A set of cuts under one authority: a signed, expiring document over the exact list."""

    id = models.BigAutoField(primary_key=True)
    warrant = models.UUIDField(unique=True)
    office = models.IntegerField()
    name = models.TextField()
    state = models.TextField(
        default="proposed",
        choices=[(s, s) for s in ("proposed", "authorised", "running", "paused", "stopped", "finished", "expired")],
    )
    orders = models.IntegerField()
    sum_paise = models.BigIntegerField()
    list_sha256 = models.TextField()
    document = models.TextField()
    maker = models.TextField()
    maker_signature = models.TextField()
    checker = models.TextField(null=True)
    checker_signature = models.TextField(null=True)
    policy = models.TextField()
    not_before = models.DateTimeField()
    expires_at = models.DateTimeField()
    proposed_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.TextField(default="")

    class Meta:
        app_label = "supply"


class Derivation(models.Model):
    """What a drive's list was derived from: `facts` as `derivation` packs them, `rule` the rule's fingerprint then."""

    drive = models.BigIntegerField(primary_key=True)
    rule = models.TextField()
    sha256 = models.TextField()
    facts = models.BinaryField()

    class Meta:
        app_label = "supply"


class DryRun(models.Model):
    """Everybody of an office judged for an instant: the list, and under which policies."""

    id = models.BigAutoField(primary_key=True)
    office = models.IntegerField()
    cut_at = models.DateTimeField()
    made_at = models.DateTimeField()
    business_at = models.DateTimeField()
    maker = models.TextField()
    policies = ArrayField(models.TextField())
    connections = models.IntegerField()
    listed = models.IntegerField()
    sum_paise = models.BigIntegerField()
    list_sha256 = models.TextField()

    class Meta:
        app_label = "supply"
        indexes = [models.Index(name="dry_runs_of_office", fields=["office", "id"])]


class DryRunGroup(models.Model):
    """Those of a dry run with the same reasons against them; none is the list. Paise are enforceable dues."""

    id = models.BigAutoField(primary_key=True)
    run = models.BigIntegerField(db_index=True)
    reasons = ArrayField(models.TextField())
    connections = ArrayField(models.BigIntegerField())
    paise = ArrayField(models.BigIntegerField())

    class Meta:
        app_label = "supply"


class Order(models.Model):
    """A command for one relay. `position` is its place in the drive's list; the first ones are the canary.

    Of a restore the database finds `feeder`, `transformer`, `load_w` and `need` when it is made; `released_at` is when
    the ramp let it through, `recall` the reconnect-all that it belongs to.
    """

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    connection = models.BigIntegerField(db_index=True)
    kind = models.TextField(choices=[("cut", "cut"), ("restore", "restore")])
    ground = models.TextField(choices=[(ground, ground) for ground in RESTORE_GROUNDS])
    state = models.TextField(choices=[(state, state) for state in STATES])
    cause = models.TextField()
    reason = models.TextField(default="")
    fence = models.BigIntegerField()
    drive = models.BigIntegerField(null=True)
    position = models.IntegerField(default=0)
    due_paise = models.BigIntegerField(default=0)
    bills = models.TextField(default="")
    notice_sha256 = models.TextField(default="")
    made_at = models.DateTimeField()
    claimed_by = models.TextField(null=True)
    lease_until = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    sends = models.SmallIntegerField(default=0)
    not_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    recall = models.BigIntegerField(null=True)
    feeder = models.IntegerField(null=True)
    transformer = models.IntegerField(null=True)
    load_w = models.IntegerField(null=True)
    need = models.SmallIntegerField(null=True)
    released_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "supply"
        constraints = [
            models.UniqueConstraint(
                name="one_open_cut", fields=["meter"], condition=models.Q(kind="cut", state__in=OPEN_STATES)
            ),
            models.UniqueConstraint(
                name="one_open_restore", fields=["meter"], condition=models.Q(kind="restore", state__in=OPEN_STATES)
            ),
        ]
        indexes = [
            models.Index(name="supply_ready", fields=["kind", "id"], condition=models.Q(state="authorised")),
            models.Index(
                name="supply_leased",
                fields=["lease_until"],
                condition=models.Q(state__in=["claimed", "sent", "unknown"]),
            ),
            models.Index(name="supply_of_drive", fields=["drive", "position"]),
        ]


class Result(models.Model):
    """What the interlock found at the end of an attempt: the evidence row. The worker marks it handled.

    `acted_at` is when the meter acknowledged the command (the interlock's wall clock), if it did.
    """

    id = models.BigAutoField(primary_key=True)
    order = models.BigIntegerField(db_column="order")
    outcome = models.TextField()
    reason = models.TextField(default="")
    relay_before = models.BooleanField(null=True)
    relay_after = models.BooleanField(null=True)
    control_mode = models.SmallIntegerField(null=True)
    counter = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    business_at = models.DateTimeField()
    acted_at = models.DateTimeField(null=True)
    handled_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "supply"
        indexes = [
            models.Index(name="result_unhandled", fields=["id"], condition=models.Q(handled_at__isnull=True)),
            models.Index(name="result_of_order", fields=["order"]),
        ]
