"""Recording payments, once per key."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.payments.allocation import Share
from bahal.domains.payments.errors import KeyReusedWithOtherBody, PaymentMalformed
from bahal.domains.payments.models import CHANNELS
from bahal.domains.payments.queries import Payment, receipt_of
from bahal.foundation.rows import one, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.clock import day_in_india

LONGEST_KEY = 200
LARGEST_PAISE = 10**13


class Asked(NamedTuple):
    """A request to take a payment: what the key stands for."""

    key: str
    connection: int
    paise: int
    channel: str

    @property
    def instrument(self) -> str:
        """By what the money came: cash at the counter, else what the channel is called."""
        return "cash" if self.channel == "counter" else self.channel

    def sha256(self) -> str:
        """The hash of the request without its key."""
        body = json.dumps({"channel": self.channel, "consumer": self.connection, "paise": self.paise}, sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


class Drawn(NamedTuple):
    """A receipt that was drawn and the instant of the acknowledgement."""

    id: int
    receipt: str
    acknowledged_at: datetime


def check(asked: Asked) -> None:
    """Refuse what is no payment.

    :raises PaymentMalformed: no key, an overlong key, no positive amount, an unknown channel.
    """
    if not asked.key or len(asked.key) > LONGEST_KEY or not asked.key.isprintable():
        raise PaymentMalformed(field="Idempotency-Key", given=asked.key[:40])
    if not 0 < asked.paise <= LARGEST_PAISE:
        raise PaymentMalformed(field="paise", given=str(asked.paise))
    if asked.channel not in CHANNELS:
        raise PaymentMalformed(field="channel", given=asked.channel[:40])


@transaction_required
def draw_receipt(asked: Asked, *, business_at: datetime) -> Drawn | Payment:
    """Draw the next receipt and the instant of acknowledgement; or the payment that this request made before.

    The instant is the database's, read after the connection was locked: a cut that was marked sent before this lock was
    given is always older than it, whatever the wait.

    :raises KeyReusedWithOtherBody: the key was used by another request.
    """
    row = one(
        "SELECT nextval('payments_payment_id_seq'), clock_timestamp(), receipt, body_sha256, acknowledged_at, \"order\""
        " FROM (SELECT) AS now LEFT JOIN payments_payment ON idempotency_key = %s",
        asked.key,
    )
    assert row is not None
    if row[2] is None:
        return Drawn(row[0], f"BHL-{day_in_india(business_at):%y%m%d}-{row[0]:07d}", row[1])
    before = Payment(*row[2:])
    if before.body_sha256 != asked.sha256():
        raise KeyReusedWithOtherBody(key=asked.key, receipt=before.receipt)
    return before


@transaction_required
def record(asked: Asked, *, drawn: Drawn, shares: Sequence[Share], order: int | None, business_at: datetime) -> None:
    """Record a payment under its receipt, with what it settled. The row is the receipt and is never edited.

    :raises KeyReusedWithOtherBody: another request with this key committed in the meantime.
    """
    written = value(
        "INSERT INTO payments_payment (id, idempotency_key, body_sha256, connection, paise, channel, receipt,"
        ' instrument, allocation, "order", acknowledged_at, business_at)'
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s)"
        " ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
        drawn.id,
        asked.key,
        asked.sha256(),
        asked.connection,
        asked.paise,
        asked.channel,
        drawn.receipt,
        asked.instrument,
        json.dumps(shares),
        order,
        drawn.acknowledged_at,
        business_at,
    )
    if written is None:
        # The same request locks the same connection and was found before; so this is another body.
        raise KeyReusedWithOtherBody(key=asked.key, receipt=str(receipt_of(key=asked.key)))
