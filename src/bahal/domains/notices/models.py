"""A written notice and a reminder are different things; both gate a cut, each by a chain of steps with its evidence."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from bahal.domains.notices.kinds import CHANNELS, DELIVERIES, EVENTS, MACHINES, MESSAGE_KINDS


class WrittenNotice(models.Model):
    """The notice in writing under s.56(1): which bills and how much. Whether it was served stands in its chain."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    issued_on = models.DateField()
    purpose = models.TextField(db_default="disconnection")
    sha256 = models.TextField()

    class Meta:
        app_label = "notices"


class NoticedBill(models.Model):
    """A bill named in a written notice."""

    id = models.BigAutoField(primary_key=True)
    notice = models.ForeignKey(WrittenNotice, on_delete=models.PROTECT, db_column="notice")
    bill = models.BigIntegerField(db_index=True)

    class Meta:
        app_label = "notices"


class Message(models.Model):
    """One attempt to tell a consumer something, as it stands now: the queue of each channel.

    `business_on` is its calendar day in India; `template` is what the provider knows the text by, `made_from` and
    `made_version` the template it was filled from. Of a reminder and a notice `next_channel` is tried at `next_at`
    (business time) unless it has arrived; `serves` says whether arriving ends the matter. What is evidence of these two
    stands in `Step`, and nothing of it here.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField()
    kind = models.TextField(choices=[(kind, kind) for kind in MESSAGE_KINDS])
    channel = models.TextField(default="sms")
    phone = models.TextField()
    template = models.TextField()
    text = models.TextField()
    order = models.BigIntegerField(null=True, db_column="order")
    business_on = models.DateField()
    queued_at = models.DateTimeField()
    taken_until = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    receipt = models.TextField(null=True, unique=True)
    delivery = models.TextField(default="queued", choices=[(state, state) for state in DELIVERIES])
    delivered_at = models.DateTimeField(null=True)
    notice = models.BigIntegerField(null=True)
    language = models.TextField(db_default="hi")
    variables = ArrayField(models.TextField(), db_default=[])
    made_from = models.TextField(db_default="")
    made_version = models.SmallIntegerField(db_default=0)
    serves = models.BooleanField(db_default=True)
    next_channel = models.TextField(null=True)
    next_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "notices"
        indexes = [
            models.Index(fields=["connection", "kind", "business_on"]),
            models.Index(name="notices_queue", fields=["channel", "kind", "id"], condition=models.Q(delivery="queued")),
            models.Index(name="notices_next", fields=["next_at"], condition=models.Q(next_at__isnull=False)),
            models.Index(name="notices_of", fields=["notice"], condition=models.Q(notice__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                name="one_reminder_a_day_and_channel",
                fields=["connection", "business_on", "channel"],
                condition=models.Q(kind="reminder"),
            ),
            models.UniqueConstraint(
                name="one_message_an_order", fields=["order", "kind"], condition=models.Q(order__isnull=False)
            ),
        ]


class Step(models.Model):
    """One thing that happened to an attempt, chained to the step before of the same connection and machine by its hash.

    The database numbers and hashes steps (`notices_append`) and refuses to change them. `attempt` is the message's id;
    text, template, address (masked), next channel and policy stand in the step that asked. `provider` is the provider's
    id, `code` what it gave as the reason, `evidence` JSON: whatever else is known, as the hash of a photo.
    `effective_on` is the calendar day in India on which it arrived. `batch` names the audit's entry over its hash.
    """

    id = models.BigAutoField(primary_key=True)
    batch = models.BigIntegerField(db_index=True)
    connection = models.BigIntegerField()
    machine = models.TextField(choices=[(each, each) for each in MACHINES])
    position = models.IntegerField()
    attempt = models.BigIntegerField()
    event = models.TextField(choices=[(each, each) for each in EVENTS])
    notice = models.BigIntegerField(null=True)
    day = models.DateField()
    channel = models.TextField(choices=[(each, each) for each in CHANNELS])
    template = models.TextField(null=True)
    template_version = models.SmallIntegerField(null=True)
    text = models.TextField(null=True)
    address = models.TextField(null=True)
    next_channel = models.TextField(null=True)
    next_at = models.DateTimeField(null=True)
    policy = models.TextField(null=True)
    provider = models.TextField(null=True)
    code = models.TextField(null=True)
    evidence = models.TextField(null=True)
    at = models.DateTimeField()
    business_at = models.DateTimeField()
    effective_on = models.DateField(null=True)
    previous = models.TextField()
    hash = models.TextField()

    class Meta:
        app_label = "notices"
        indexes = [
            models.Index(
                name="notices_reminded",
                fields=["connection", "effective_on"],
                condition=models.Q(machine="reminder", event="delivered"),
            ),
            models.Index(
                name="notices_served",
                fields=["connection"],
                include=["notice", "day", "effective_on", "channel"],
                condition=models.Q(machine="statutory", event="delivered"),
            ),
        ]
        constraints = [
            models.UniqueConstraint(name="one_chain", fields=["connection", "machine", "position"]),
            models.CheckConstraint(
                name="step_arrived_after_its_day",
                condition=~models.Q(event="delivered") | models.Q(effective_on__gte=models.F("day")),
            ),
            models.CheckConstraint(
                name="step_asked_whole",
                condition=~models.Q(event="asked")
                | models.Q(text__isnull=False, template__isnull=False, template_version__isnull=False),
            ),
            models.CheckConstraint(
                name="step_of_a_notice",
                condition=models.Q(machine="statutory", notice__isnull=False)
                | models.Q(machine="reminder", notice__isnull=True),
            ),
        ]


class Template(models.Model):
    """A version of a text, in force from a day on once a second officer has accepted it.

    `registered_as` is what the provider knows it by: the DLT content template's id of an SMS, the name of a WhatsApp
    template, nothing for paper. `verified` says whether that was checked against the provider.
    """

    pk = models.CompositePrimaryKey("id", "version")
    id = models.TextField()
    version = models.SmallIntegerField()
    kind = models.TextField()
    channel = models.TextField()
    language = models.TextField()
    registered_as = models.TextField()
    text = models.TextField()
    verified = models.BooleanField(db_default=False)
    effective_from = models.DateField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    accepted_by = models.TextField(null=True)
    accepted_at = models.DateTimeField(null=True)
    reason = models.TextField(db_default="")

    class Meta:
        app_label = "notices"
        constraints = [
            models.CheckConstraint(
                name="template_by_two",
                condition=models.Q(accepted_by__isnull=True) | ~models.Q(accepted_by=models.F("proposed_by")),
            ),
            models.CheckConstraint(
                name="template_accepted_whole",
                condition=models.Q(accepted_by__isnull=True, accepted_at__isnull=True)
                | models.Q(accepted_by__isnull=False, accepted_at__isnull=False),
            ),
        ]


class LetterList(models.Model):
    """Letters listed for the post office: by whom, how many, and the hash of the list as it was written."""

    id = models.BigAutoField(primary_key=True)
    made_at = models.DateTimeField()
    made_by = models.TextField()
    letters = models.IntegerField()
    sha256 = models.TextField()

    class Meta:
        app_label = "notices"
