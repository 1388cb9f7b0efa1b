"""Questions about payments."""

from bahal.domains.payments.allocation import Due
from bahal.foundation.rows import many, value


def receipt_of(*, key: str) -> str | None:
    """The receipt of the payment that used this key, or None."""
    found: str | None = value("SELECT receipt FROM payments_payment WHERE idempotency_key = %s", key)
    return found


def open_dues(*, connection: int) -> list[Due]:
    """What is open on a connection: surcharge, expenses, and its bills oldest first; a credit is a negative row."""
    rows = many("SELECT account, bill, paise FROM payment_dues(%s) ORDER BY account, place", connection)
    return [Due(*row) for row in rows]
