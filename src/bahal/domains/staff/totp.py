"""Time-based one-time codes, RFC 6238: HMAC-SHA-1, thirty seconds, six digits, as every authenticator reckons them."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

SECONDS = 30
DIGITS = 6
LEEWAY = 1
"""Steps before and after the present one whose codes are still taken: telephones' clocks are off (RFC 6238, 5.2)."""


def code_of(secret: str, step: int) -> str:
    """The code of a base32 secret in a time step (RFC 4226, 5.3).

    :raises ValueError: the secret is empty or not base32.
    """
    try:
        key = base64.b32decode(secret, casefold=True)
    except binascii.Error as wrong:
        raise ValueError("not base32") from wrong
    if not key:
        raise ValueError("an empty secret")
    digest = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_at(at: datetime) -> int:
    """The time step of an instant."""
    return int(at.timestamp()) // SECONDS


def step_of(code: str, *, secret: str, at: datetime) -> int | None:
    """The step whose code this is, about now; None if it is nobody's, or there is no secret to reckon with."""
    given = "".join(code.split()).encode()
    found = None
    for step in range(step_at(at) - LEEWAY, step_at(at) + LEEWAY + 1):
        try:
            right = code_of(secret, step).encode()
        except ValueError:
            return None
        if hmac.compare_digest(right, given):
            found = step
    return found
