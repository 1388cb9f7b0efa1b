"""A passkey whose private half was stolen: it signs on any page, and says what it likes of its user."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bahal.shared.passkey import Assertion, text_of

PRESENT, VERIFIED = 0x01, 0x04


@dataclass(frozen=True, slots=True, kw_only=True)
class StolenPasskey:
    """An ES256 credential; `private` is the scalar in hexadecimal, which no authenticator gives away."""

    credential: str
    private: str

    @staticmethod
    def make(credential: bytes) -> StolenPasskey:
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        return StolenPasskey(credential=text_of(credential), private=f"{key.private_numbers().private_value:064x}")

    @property
    def cose(self) -> str:
        """The public key as CTAP2 writes it, in hexadecimal."""
        numbers = self._key().public_key().public_numbers()
        return f"a5010203262001215820{numbers.x:064x}225820{numbers.y:064x}"

    def sign(self, challenge: bytes, *, origin: str, host: str, flags: int = PRESENT | VERIFIED, count: int = 9) -> str:
        """An assertion over a challenge, in the form that stands where a signature stands."""
        stated = {"type": "webauthn.get", "challenge": text_of(challenge), "origin": origin, "crossOrigin": False}
        client_data = json.dumps(stated, separators=(",", ":")).encode()
        data = hashlib.sha256(host.encode()).digest() + bytes([flags]) + count.to_bytes(4)
        signature = self._key().sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return Assertion(self.credential, data, client_data, signature).canonical()

    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int(self.private, 16), ec.SECP256R1())
