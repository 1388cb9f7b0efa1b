"""An authenticator in software: makes passkeys and signs as WebAuthn and CTAP2 write it, and lies on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from bahal.shared.passkey import Assertion, Place

PLACE = Place("https://interlock.example", "interlock.example")
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text_of(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Passkey:
    """One credential on one authenticator."""

    kind: str = "es256"
    count: int = 1
    identity: bytes = field(default_factory=lambda: os.urandom(32))
    key: Any = None

    def __post_init__(self) -> None:
        if self.key is None:
            self.key = {
                "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
                "eddsa": ed25519.Ed25519PrivateKey.generate,
                "rs256": lambda: rsa.generate_private_key(65537, 2048),
            }[self.kind]()

    @property
    def credential(self) -> str:
        """Its id."""
        return text_of(self.identity)

    @property
    def cose(self) -> bytes:
        """Its public key, as CTAP2's canonical CBOR."""
        public = self.key.public_key()
        if self.kind == "es256":
            numbers = public.public_numbers()
            stated: dict[int, Any] = {
                1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)
            }  # fmt: skip
        elif self.kind == "eddsa":
            stated = {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        else:
            numbers = public.public_numbers()
            stated = {1: 3, 3: -257, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)}
        return cbor2.dumps(stated)

    def data(self, place: Place, *, flags: int = PRESENT | VERIFIED, count: int | None = None) -> bytes:
        """authenticatorData of a signature."""
        self.count = self.count + 1 if count is None else count
        return hashlib.sha256(place.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def sign(
        self,
        challenge: bytes,
        place: Place = PLACE,
        *,
        flags: int = PRESENT | VERIFIED,
        count: int | None = None,
        data: bytes | None = None,
        **client: Any,
    ) -> Assertion:
        """A signature over a challenge; `client` replaces what the browser states."""
        stated = {"type": "webauthn.get", "challenge": text_of(challenge), "origin": place.origin, "crossOrigin": False}
        client_data = json.dumps(stated | client, separators=(",", ":")).encode()
        authenticator_data = data if data is not None else self.data(place, flags=flags, count=count)
        message = authenticator_data + hashlib.sha256(client_data).digest()
        if self.kind == "es256":
            signature = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        elif self.kind == "eddsa":
            signature = self.key.sign(message)
        else:
            signature = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return Assertion(self.credential, authenticator_data, client_data, signature)

    def create(
        self, challenge: bytes, place: Place = PLACE, *, flags: int = PRESENT | VERIFIED | ATTESTED
    ) -> tuple[bytes, bytes]:
        """clientDataJSON and authenticatorData of a registration."""
        stated = {"type": "webauthn.create", "challenge": text_of(challenge), "origin": place.origin}
        attested = bytes(16) + len(self.identity).to_bytes(2) + self.identity + self.cose
        data = self.data(place, flags=flags, count=0) + attested
        return json.dumps(stated).encode(), data


def posted(assertion: Assertion) -> dict[str, str]:
    """An assertion as the page's script posts it."""
    return {
        "credential": assertion.credential,
        "authenticator_data": text_of(assertion.authenticator_data),
        "client_data": text_of(assertion.client_data),
        "signature": text_of(assertion.signature),
    }
