"""What two officers sign over cuts that exceeded a cap: let them go, or delete them. One canonical form of bytes.

A release raises no cap: these orders of one drive, named by the hash of their numbers, go out beyond it, each derived
again like any other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LETTING_CONTEXT = b"bahal letting v1\x00"
LETTING_LASTS = timedelta(minutes=30)
RELEASE = "release"
DELETE = "delete"


@dataclass(frozen=True, slots=True)
class LettingDocument:
    """`act` is release or delete; `orders` how many, `orders_sha256` which. `expires_at` is wall time, UTC."""

    drive: int
    act: str
    orders: int
    orders_sha256: str
    reason: str
    nonce: str
    expires_at: datetime

    def canonical(self) -> str:
        """JSON with sorted keys and no blanks."""
        fields = asdict(self)
        fields["expires_at"] = self.expires_at.astimezone(UTC).isoformat(timespec="microseconds")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def parse(text: str) -> LettingDocument:
        """The inverse of `canonical`; raises ValueError on anything that is not exactly that form."""
        try:
            fields = json.loads(text)
            document = LettingDocument(**{**fields, "expires_at": datetime.fromisoformat(fields["expires_at"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a letting: {error}") from error
        if document.canonical() != text or type(document.drive) is not int or document.act not in (RELEASE, DELETE):
            raise ValueError("the letting is not in canonical form")
        return document


def orders_sha256(orders: Iterable[int]) -> str:
    """The hash of order numbers, in rising order, each once."""
    return hashlib.sha256(",".join(map(str, sorted(set(orders)))).encode()).hexdigest()


def sign_letting(key: Ed25519PrivateKey, document: str) -> str:
    """One officer's signature, in hexadecimal."""
    return key.sign(LETTING_CONTEXT + document.encode()).hex()


def letting_verified(public_key: str, signature: str, document: str) -> bool:
    """True when `signature` is this officer's over this document."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), LETTING_CONTEXT + document.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
