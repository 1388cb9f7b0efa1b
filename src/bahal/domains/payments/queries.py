"""Questions about payments."""

from datetime import datetime
from typing import NamedTuple

from bahal.foundation.rows import one


class Payment(NamedTuple):
    """A payment as it was acknowledged."""

    receipt: str
    body_sha256: str
    connection: int
    paise: int
    order: int | None
    acknowledged_at: datetime


def by_key(*, key: str) -> Payment | None:
    """The payment that used this key, or None."""
    row = one(
        'SELECT receipt, body_sha256, connection, paise, "order", acknowledged_at FROM payments_payment'
        " WHERE idempotency_key = %s",
        key,
    )
    return None if row is None else Payment(*row)
