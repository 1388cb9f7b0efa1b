"""A written notice and a reminder are different things; both gate a cut, each with its evidence."""

from django.db import models

MESSAGE_KINDS = ("reminder", "cut", "restored", "payment")
DELIVERIES = ("queued", "sent", "delivered", "failed", "withdrawn")


class WrittenNotice(models.Model):
    """The notice in writing under s.56(1): which bills, how much, when served and how that is known."""

    id = models.BigAutoField(primary_key=True)
    connection = models.BigIntegerField(db_index=True)
    paise = models.BigIntegerField()
    issued_on = models.DateField()
    served_on = models.DateField(null=True)
    service = models.TextField(default="registered post, acknowledged")
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
    """One message to a consumer. `business_on` is its calendar day in India; delivery comes from the SMS centre."""

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

    class Meta:
        app_label = "notices"
        indexes = [
            models.Index(fields=["connection", "kind", "business_on"]),
            models.Index(name="notices_queue", fields=["kind", "id"], condition=models.Q(delivery="queued")),
        ]
        constraints = [
            models.UniqueConstraint(
                name="one_reminder_a_day", fields=["connection", "business_on"], condition=models.Q(kind="reminder")
            ),
            models.UniqueConstraint(
                name="one_message_an_order", fields=["order", "kind"], condition=models.Q(order__isnull=False)
            ),
        ]
