"""Questions about payments."""

from datetime import datetime
from typing import NamedTuple

from bahal.foundation.rows import value


class Payment(NamedTuple):
    """A payment as it was acknowledged."""

    receipt: str
    body_sha256: str
    acknowledged_at: datetime
    order: int | None


def receipt_of(*, key: str) -> str | None:
    """The receipt of the payment that used this key, or None."""
    found: str | None = value("SELECT receipt FROM payments_payment WHERE idempotency_key = %s", key)
    return found
