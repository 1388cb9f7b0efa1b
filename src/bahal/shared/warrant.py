"""The warrant: the document two officers sign before any cut, in one canonical form of bytes.

The maker's command line, the checker's and the interlock each build these bytes from the same rows and must arrive at
the same digest; whatever differs by a byte is refused by the signature. Amounts are paise, times UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bahal.shared.merkle import leaf_hash, root_of

SIGNATURE_CONTEXT = b"bahal warrant v1\x00"
LONGEST = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Line:
    """One connection of the list: what is owed, on which bills, under which notice, at which fence."""

    position: int
    meter: str
    connection: int
    paise: int
    bills: str
    notice_sha256: str
    fence: int

    def canonical(self) -> str:
        """The line as one row of text; no field may hold the separator."""
        fields = (self.position, self.meter, self.connection, self.paise, self.bills, self.notice_sha256, self.fence)
        texts = [str(field) for field in fields]
        if any("|" in text or "\n" in text for text in texts):
            raise ValueError("a warrant line may not hold '|' or a line break")
        return "|".join(texts)


@dataclass(frozen=True, slots=True)
class Document:
    """What is signed. `ground` is the law's; `cap` the most cuts it may ever cause; `expires_at` at most 4 h later."""

    warrant: str
    circle: int
    ground: str
    orders: int
    sum_paise: int
    list_sha256: str
    cap: int
    policy: str
    nonce: str
    not_before: datetime
    expires_at: datetime
    maker: str

    def canonical(self) -> str:
        """JSON with sorted keys and no blanks; times in UTC with microseconds."""
        fields = asdict(self)
        for name in ("not_before", "expires_at"):
            fields[name] = fields[name].astimezone(UTC).isoformat(timespec="microseconds")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def parse(text: str) -> Document:
        """The inverse of `canonical`; raises ValueError on anything that is not exactly that form."""
        try:
            fields = json.loads(text)
            for name in ("not_before", "expires_at"):
                fields[name] = datetime.fromisoformat(fields[name])
            document = Document(**fields)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a warrant: {error}") from error
        if document.canonical() != text:
            raise ValueError("the warrant is not in canonical form")
        return document


def list_sha256(lines: Iterable[Line]) -> str:
    """The root of the Merkle tree (RFC 6962, SHA-256) over the canonical lines in order of position, in hexadecimal.

    A tree, so that one consumer's line can be proved to be in the list that was signed without showing any other's.
    """
    return root_of(leaf_hash(line.canonical().encode()) for line in lines).hex()


def message(document: str, role: str) -> bytes:
    """What an officer signs. The role (maker or checker) is part of it: neither signature serves as the other."""
    if role not in ("maker", "checker"):
        raise ValueError(role)
    return SIGNATURE_CONTEXT + role.encode() + b"\x00" + document.encode()


def challenge(document: str, role: str) -> bytes:
    """What a passkey is asked to sign: SHA-256 over warrant id, nonce, cap, expiry, the list's root and the role."""
    return hashlib.sha256(message(document, role)).digest()


def sign(key: Ed25519PrivateKey, document: str, role: str) -> str:
    """An Ed25519 signature in hexadecimal (RFC 8032)."""
    return key.sign(message(document, role)).hex()


def verified(public_key: str, signature: str, document: str, role: str) -> bool:
    """True when `signature` is this officer's over this document in this role."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), message(document, role))
    except (InvalidSignature, ValueError):
        return False
    return True


ARMING_CONTEXT = b"bahal arming v1\x00"
ARMING_LASTS = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class ArmingDocument:
    """What two officers sign to let cuts go out again after one certain stop. Times are wall time, UTC."""

    stop: int
    stopped_why: str
    reason: str
    nonce: str
    expires_at: datetime

    def canonical(self) -> str:
        """JSON with sorted keys and no blanks."""
        fields = asdict(self)
        fields["expires_at"] = self.expires_at.astimezone(UTC).isoformat(timespec="microseconds")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def parse(text: str) -> ArmingDocument:
        """The inverse of `canonical`; raises ValueError on anything that is not exactly that form."""
        try:
            fields = json.loads(text)
            document = ArmingDocument(**{**fields, "expires_at": datetime.fromisoformat(fields["expires_at"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not an arming: {error}") from error
        if document.canonical() != text or type(document.stop) is not int:
            raise ValueError("the arming is not in canonical form")
        return document


def sign_arming(key: Ed25519PrivateKey, document: str) -> str:
    """One officer's signature over an arming, in hexadecimal."""
    return key.sign(ARMING_CONTEXT + document.encode()).hex()


def arming_verified(public_key: str, signature: str, document: str) -> bool:
    """True when `signature` is this officer's over this arming."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), ARMING_CONTEXT + document.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


PROFILE_CONTEXT = b"bahal caps v1\x00"


def sign_profile(key: Ed25519PrivateKey, document: str) -> str:
    """One officer's signature over a profile of caps, in hexadecimal."""
    return key.sign(PROFILE_CONTEXT + document.encode()).hex()


def profile_verified(public_key: str, signature: str, document: str) -> bool:
    """True when `signature` is this officer's over this profile of caps."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), PROFILE_CONTEXT + document.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
