"""Sealing meter keys to one machine room: whoever imports can close the envelope, only that room can open it.

One X25519 key pair is made per import; the shared secret of that pair and the room's public key gives one AES-GCM-256
key for all rows of the import (HKDF-SHA-256), and each row is bound to its meter's serial. Opening costs one curve
operation per import and one AES-GCM per row, so a room can open thousands of rows a second.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SealBroken(Exception):
    """A sealed row did not open: another room's key, another meter's row, or altered bytes."""

    def __init__(self, meter: str) -> None:
        super().__init__(f"the sealed keys of meter {meter} do not open")
        self.meter = meter


def _row_key(secret: bytes, ephemeral_public: bytes, room_public: bytes) -> AESGCM:
    info = b"bahal meter keys v1" + ephemeral_public + room_public
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret))


class Sealer:
    """Seals the rows of one import to a room's public key (32 bytes). `ephemeral_public` is stored with the import."""

    def __init__(self, room_public: bytes) -> None:
        key = X25519PrivateKey.generate()
        self.ephemeral_public = key.public_key().public_bytes_raw()
        secret = key.exchange(X25519PublicKey.from_public_bytes(room_public))
        self._key = _row_key(secret, self.ephemeral_public, room_public)

    def seal(self, meter: str, keys: bytes) -> bytes:
        """Nonce (12 bytes) and ciphertext with tag; bound to the meter's serial."""
        nonce = os.urandom(12)
        return nonce + self._key.encrypt(nonce, keys, meter.encode())


class Opener:
    """Opens what was sealed to this room; `ephemeral` gives the ephemeral public key of an import by its id."""

    def __init__(self, room_key: X25519PrivateKey, ephemeral: Callable[[str], bytes]) -> None:
        self._room_key = room_key
        self._room_public = room_key.public_key().public_bytes_raw()
        self._ephemeral = ephemeral
        self._keys: dict[str, AESGCM] = {}

    def knows(self, import_id: str) -> bool:
        """True when this import's key has been derived already."""
        return import_id in self._keys

    def open(self, import_id: str, meter: str, sealed: bytes) -> bytes:
        """The meter's keys; raises SealBroken."""
        key = self._keys.get(import_id)
        if key is None:
            ephemeral = self._ephemeral(import_id)
            secret = self._room_key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            key = self._keys[import_id] = _row_key(secret, ephemeral, self._room_public)
        try:
            return key.decrypt(sealed[:12], sealed[12:], meter.encode())
        except InvalidTag as error:
            raise SealBroken(meter) from error


def fingerprint(public: bytes) -> str:
    """A short name of a public key for people to compare: 16 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()[:16]
