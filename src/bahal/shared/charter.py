"""Acts over whose signature counts: enrolling, revoking, standing in for another, and the caps that cuts stand under.

Each act is one document in one form of bytes, signed like a warrant: by Ed25519 key files or by passkeys on the
interlock's own page. The business only carries them; the interlock judges (`bahal.interlock.charter`) and keeps what
it accepted in a record of its own. Instants are business time, UTC.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

CONTEXT: Final = b"bahal charter v1\x00"
LASTS: Final = timedelta(days=1)
"""How long a drafted act waits for its signatures."""
SIGNATURES: Final = {"enrol": 2, "revoke": 1, "delegate": 1, "withdraw": 1, "caps": 2, "lower": 1}
"""How many officers an act needs. Whatever takes power away needs one; whatever gives it, two; a delegation gives only
what its one signer has."""

_FIELDS: Final[dict[str, frozenset[str]]] = {
    "enrol": frozenset({"login", "name", "name_hi", "role", "office", "circle", "cap", "phone", "key", "valid_from",
                        "valid_until"}),
    "revoke": frozenset({"login", "key", "reason"}),
    "delegate": frozenset({"officer", "link", "circle", "grounds", "cap", "valid_from", "valid_until"}),
    "withdraw": frozenset({"delegation", "reason"}),
    "caps": frozenset({"profile", "effective_from"}),
    "lower": frozenset({"profile", "effective_from"}),
}  # fmt: skip
_KEY_FIELDS: Final = {
    "ed25519": frozenset({"kind", "public"}),
    "passkey": frozenset({"kind", "public", "credential", "count"}),
}
_INSTANTS: Final = frozenset({"valid_from", "valid_until", "effective_from"})


@dataclass(frozen=True, slots=True)
class Act:
    """What is signed. `of` holds the fields of its kind; instants in it are texts in UTC. `asked_by` drafted it."""

    act: str
    asked_by: str
    nonce: str
    expires_at: datetime
    of: dict[str, Any] = field(default_factory=dict)

    def canonical(self) -> str:
        """JSON with sorted keys and no blanks."""
        fields = asdict(self) | {"expires_at": stamp(self.expires_at)}
        return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @staticmethod
    def parse(text: str) -> Act:
        """The inverse of `canonical`; raises ValueError on anything else: another form, a field more or less."""
        try:
            fields = json.loads(text)
            act = Act(**{**fields, "expires_at": datetime.fromisoformat(fields["expires_at"])})
            same = act.canonical() == text
            if act.act not in _FIELDS or set(act.of) != _FIELDS[act.act]:
                raise ValueError(f"fields of {act.act}: {sorted(act.of)}")
            if act.act == "enrol" and set(act.of["key"]) != _KEY_FIELDS[act.of["key"]["kind"]]:
                raise ValueError(f"fields of a key: {sorted(act.of['key'])}")
            for name in _INSTANTS & act.of.keys():
                if act.of[name] is not None and stamp(act.instant(name)) != act.of[name]:
                    raise ValueError(f"{name} is not in UTC with microseconds")
        except (TypeError, KeyError, AttributeError) as wrong:
            raise ValueError(f"not an act: {wrong}") from wrong
        if not same:
            raise ValueError("the act is not in canonical form")
        return act

    def instant(self, name: str) -> datetime:
        """One of its instants; the end of time where it states none."""
        stated = self.of[name]
        return datetime.max.replace(tzinfo=UTC) if stated is None else datetime.fromisoformat(stated)

    @property
    def sha256(self) -> str:
        """What the act is called: two officers compare it before they sign."""
        return digest_of(self.canonical())


def digest_of(document: str) -> str:
    """The name of an act, in hexadecimal."""
    return hashlib.sha256(document.encode()).hexdigest()


def stamp(at: datetime) -> str:
    """An instant as it stands in an act."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def message(document: str) -> bytes:
    """What an officer signs."""
    return CONTEXT + document.encode()


def challenge(document: str) -> bytes:
    """What a passkey is asked to sign."""
    return hashlib.sha256(message(document)).digest()


def sign_act(key: Ed25519PrivateKey, document: str) -> str:
    """One officer's signature by his key file, in hexadecimal."""
    return key.sign(message(document)).hex()


def act_verified(public_key: str, signature: str, document: str) -> bool:
    """True when `signature` is this key file's over this act."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), message(document))
    except (InvalidSignature, ValueError):
        return False
    return True
