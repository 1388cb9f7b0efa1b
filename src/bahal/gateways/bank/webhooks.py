"""The gateway's webhooks: HMAC-SHA256 over the raw body, an id per event, and what they tell.

Nothing of a body is looked at before its signature is good. A webhook's secret is not the interface's. What it tells is
a hint: whoever hears it asks the gateway for the payment itself.
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from bahal.shared.errors import Refusal

SIGNATURE_HEADER = "X-Razorpay-Signature"
EVENT_HEADER = "X-Razorpay-Event-Id"
FRESH = timedelta(minutes=5)
LONGEST_BODY = 256 * 1024
LONGEST_ID = 100


class WebhookUnsigned(Refusal):
    """The signature is missing or not the gateway's: nobody we know."""

    code = "webhook_unsigned"
    hi = "वेबहुक का हस्ताक्षर ठीक नहीं।"
    en = "The webhook's signature is not good."


class WebhookMalformed(Refusal):
    """Signed, but not an event."""

    code = "webhook_malformed"
    hi = "वेबहुक ठीक नहीं: {why}"
    en = "The webhook is malformed: {why}"


class Event(NamedTuple):
    """An event: which payment it speaks of, and whether it is more than five minutes old, or from the future.

    `order` is the gateway's order that it names, or empty: it can only hold a cut back until the gateway is asked.
    """

    id: str
    kind: str
    payment: str
    late: bool
    order: str = ""


def signature_of(secret: str, body: bytes) -> str:
    """The signature in hexadecimal over the raw body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def read_event(*, secret: str, signature: str, event: str, body: bytes, now: datetime) -> Event | None:
    """Check and read a webhook; None if it speaks of no payment.

    :raises WebhookUnsigned: no secret, or no or another signature.
    :raises WebhookMalformed: no event id, or not an event.
    """
    if not secret or not hmac.compare_digest(signature_of(secret, body), signature):
        raise WebhookUnsigned()
    if not event or len(event) > LONGEST_ID or not event.isprintable():
        raise WebhookMalformed(why="event id")
    try:
        told = json.loads(body)
        kind = str(told["event"])
        made_at = datetime.fromtimestamp(told["created_at"], UTC)
        entity = told["payload"].get("payment", {}).get("entity")
        payment = None if entity is None else str(entity["id"])
        order = "" if entity is None else str(entity.get("order_id") or "")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as wrong:
        raise WebhookMalformed(why=type(wrong).__name__) from wrong
    if payment is None:
        return None
    if not payment or len(payment) > LONGEST_ID or not payment.replace("_", "").isalnum() or not payment.isascii():
        raise WebhookMalformed(why="payment id")
    return Event(event, kind[:LONGEST_ID], payment, abs(now - made_at) > FRESH, order[:LONGEST_ID])
