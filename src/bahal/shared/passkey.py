"""Passkeys: what an authenticator signs (W3C Web Authentication, level 2), checked with `cryptography` alone.

A passkey signs `authenticatorData || SHA-256(clientDataJSON)`; the browser writes the page's origin and our challenge
into the second, the authenticator the page's host, whether its user was verified, and a counter into the first. Keys
are COSE keys (RFC 9052) in the one form of bytes that CTAP2 allows, so that no parser of CBOR stands in the interlock:
whatever else a key might be is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

LONGEST_CREDENTIAL: Final = 1023
"""Bytes of a credential's id (WebAuthn, 4)."""
_PRESENT, _VERIFIED, _ATTESTED, _EXTENDED = 0x01, 0x04, 0x40, 0x80
_ES256_X, _ES256_Y = bytes.fromhex("a5010203262001215820"), bytes.fromhex("225820")
_EDDSA_X = bytes.fromhex("a4010103272006215820")
_RS256_N, _RS256_E = bytes.fromhex("a401030339010020590100"), bytes.fromhex("2143010001")

Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


class PasskeyWrong(Exception):
    """What a passkey gave does not hold; `name` says which point: malformed, key, kind, challenge, origin,
    cross_origin, host, user_absent, user_unverified, signature."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passkey may sign: the page's origin, as `https://interlock.example`, and its host, the `rpId`."""

    origin: str
    host: str


@dataclass(frozen=True, slots=True)
class Assertion:
    """One signature of a passkey, with all that a stranger needs to check it again."""

    credential: str
    authenticator_data: bytes
    client_data: bytes
    signature: bytes

    def canonical(self) -> str:
        """JSON with sorted keys and no blanks, bytes in hexadecimal: the text that stands where a signature stands."""
        fields = {
            "authenticator_data": self.authenticator_data.hex(),
            "client_data": self.client_data.hex(),
            "credential": self.credential,
            "signature": self.signature.hex(),
        }
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def parse(text: str) -> Assertion:
        """The inverse of `canonical`.

        :raises PasskeyWrong: malformed; anything that is not exactly that form.
        """
        try:
            fields = json.loads(text)
            made = Assertion(
                fields["credential"],
                bytes.fromhex(fields["authenticator_data"]),
                bytes.fromhex(fields["client_data"]),
                bytes.fromhex(fields["signature"]),
            )
            same = made.canonical() == text
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            raise PasskeyWrong("malformed") from wrong
        if not same:
            raise PasskeyWrong("malformed")
        return made


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey as its authenticator made it: the credential's id, its public key (COSE) and its first count."""

    credential: str
    cose: str
    count: int


def is_assertion(signature: str) -> bool:
    """Whether a signature's text is a passkey's and not an Ed25519 key file's."""
    return signature.startswith("{")


def key_of(cose: str) -> Key:
    """A public key from its COSE form in hexadecimal: ES256 (P-256), EdDSA (Ed25519) or RS256 (2048 bits).

    :raises PasskeyWrong: key; another algorithm, another order of bytes, or no point of the curve.
    """
    try:
        raw = bytes.fromhex(cose)
        if raw[:10] == _ES256_X and raw[42:45] == _ES256_Y and len(raw) == 77:
            x, y = int.from_bytes(raw[10:42]), int.from_bytes(raw[45:])
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        if raw[:10] == _EDDSA_X and len(raw) == 42:
            return ed25519.Ed25519PublicKey.from_public_bytes(raw[10:])
        if raw[:11] == _RS256_N and raw[267:] == _RS256_E:
            return rsa.RSAPublicNumbers(65537, int.from_bytes(raw[11:267])).public_key()
    except ValueError as wrong:
        raise PasskeyWrong("key") from wrong
    raise PasskeyWrong("key")


def checked(assertion: Assertion, *, cose: str, challenge: bytes, place: Place) -> int:
    """The counter of an assertion whose every point holds: a `get` of this page, over this challenge, by a verified
    user, signed by this key.

    :raises PasskeyWrong: with the first point that does not.
    """
    _client(assertion.client_data, kind="webauthn.get", challenge=challenge, place=place)
    flags, count = _authenticator(assertion.authenticator_data, place)
    if len(assertion.authenticator_data) != 37 or flags & (_ATTESTED | _EXTENDED):
        raise PasskeyWrong("malformed")
    message = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
    if not _signed(key_of(cose), assertion.signature, message):
        raise PasskeyWrong("signature")
    return count


def made(*, client_data: bytes, authenticator_data: bytes, challenge: bytes, place: Place) -> Made:
    """The passkey that a `create` of this page made. It counts for nothing until two officers have enrolled it: no
    attestation is asked for, and none would be believed.

    :raises PasskeyWrong: with the first point that does not hold.
    """
    _client(client_data, kind="webauthn.create", challenge=challenge, place=place)
    flags, count = _authenticator(authenticator_data, place)
    rest = authenticator_data[37:]
    length = int.from_bytes(rest[16:18])
    if not flags & _ATTESTED or flags & _EXTENDED or not 0 < length <= LONGEST_CREDENTIAL or len(rest) < 18 + length:
        raise PasskeyWrong("malformed")
    cose = rest[18 + length :].hex()
    key_of(cose)
    return Made(text_of(rest[18 : 18 + length]), cose, count)


def text_of(data: bytes) -> str:
    """Bytes as WebAuthn writes them in JSON: base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bytes_of(text: object) -> bytes:
    """The inverse of `text_of`.

    :raises PasskeyWrong: malformed; padding, or anything else that `text_of` would not have written.
    """
    try:
        found = base64.b64decode(str(text) + "=" * (-len(str(text)) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as wrong:
        raise PasskeyWrong("malformed") from wrong
    if not isinstance(text, str) or text_of(found) != text:
        raise PasskeyWrong("malformed")
    return found


def _client(data: bytes, *, kind: str, challenge: bytes, place: Place) -> None:
    try:
        stated: dict[str, Any] = json.loads(data)
        stated.keys()
    except (ValueError, AttributeError) as wrong:
        raise PasskeyWrong("malformed") from wrong
    if stated.get("type") != kind:
        raise PasskeyWrong("kind")
    if stated.get("challenge") != text_of(challenge):
        raise PasskeyWrong("challenge")
    if stated.get("origin") != place.origin:
        raise PasskeyWrong("origin")
    if stated.get("crossOrigin", False) is not False or "topOrigin" in stated:
        raise PasskeyWrong("cross_origin")


def _authenticator(data: bytes, place: Place) -> tuple[int, int]:
    """Flags and counter."""
    if len(data) < 37:
        raise PasskeyWrong("malformed")
    if data[:32] != hashlib.sha256(place.host.encode()).digest():
        raise PasskeyWrong("host")
    if not data[32] & _PRESENT:
        raise PasskeyWrong("user_absent")
    if not data[32] & _VERIFIED:
        raise PasskeyWrong("user_unverified")
    return data[32], int.from_bytes(data[33:37])


def _signed(key: Key, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
