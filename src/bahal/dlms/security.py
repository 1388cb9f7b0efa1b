"""Security suite 0 (AES-GCM-128), Green Book chapter 9: ciphering of APDUs, HLS answers, key wrap.

The nonce is system title (8) || invocation counter (4).  A ciphered content is security control (1) || counter (4) ||
ciphertext || tag (12, absent for encryption only).  Keys stay inside :class:`Cipher`; nothing here prints them.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from bahal.dlms import axdr
from bahal.dlms.errors import BadTag, MalformedApdu, UnexpectedApdu, ValueOutOfRange, WeakProtection

AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
AUTHENTICATED_ENCRYPTED: Final = 0x30

KEY_LENGTH: Final = 16
TITLE_LENGTH: Final = 8
TAG_LENGTH: Final = 12
COUNTER_LIMIT: Final = 1 << 32

MECHANISM_NONE: Final = 0
MECHANISM_LLS: Final = 1
MECHANISM_HLS_AES: Final = 2
MECHANISM_HLS_MD5: Final = 3
MECHANISM_HLS_SHA1: Final = 4
MECHANISM_HLS_GMAC: Final = 5
MECHANISM_HLS_SHA256: Final = 6
MECHANISMS: Final = range(7)
"""Authentication mechanisms that both ends speak; 7 (ECDSA) belongs to suites that Indian meters do not use."""

WITH_TITLES: Final = (MECHANISM_HLS_GMAC, MECHANISM_HLS_SHA256)
"""Mechanisms whose proofs are over both system titles."""

GENERAL_GLO: Final = 0xDB
GENERAL_DED: Final = 0xDC

# Plain service tag -> the tag of its ciphered form under the global and under the dedicated key.
GLO: Final = {
    0x01: 0x21,
    0x08: 0x28,
    0xC0: 0xC8,
    0xC1: 0xC9,
    0xC2: 0xCA,
    0xC3: 0xCB,
    0xC4: 0xCC,
    0xC5: 0xCD,
    0xC7: 0xCF,
}
DED: Final = {
    0x01: 0x41,
    0x08: 0x48,
    0xC0: 0xD0,
    0xC1: 0xD1,
    0xC2: 0xD2,
    0xC3: 0xD3,
    0xC4: 0xD4,
    0xC5: 0xD5,
    0xC7: 0xD7,
}
# Ciphered tag -> the plain tag that must come out of it.
PLAIN_OF_GLO: Final = {ciphered: plain for plain, ciphered in GLO.items()}
PLAIN_OF_DED: Final = {ciphered: plain for plain, ciphered in DED.items()}


class Cipher:
    """One encryption key and one authentication key, ready for use; make it once per key and keep it.

    Not bound to a system title or a counter: whoever calls supplies both, and must never seal twice with the same pair.
    """

    __slots__ = ("_aad", "_authentication_key", "_encrypt", "_encryption_key", "_gmac_head")

    def __init__(self, encryption_key: bytes, authentication_key: bytes) -> None:
        """:raises ValueOutOfRange: a key that is not 16 bytes (the bytes are not repeated in the error)."""
        if len(encryption_key) != KEY_LENGTH or len(authentication_key) != KEY_LENGTH:
            raise ValueOutOfRange("key length", (len(encryption_key), len(authentication_key)))
        self._encrypt = AESGCM(encryption_key).encrypt
        self._encryption_key = encryption_key
        self._authentication_key = authentication_key
        self._aad = b"\x30" + authentication_key
        self._gmac_head = b"\x10" + authentication_key

    def with_key(self, encryption_key: bytes) -> Cipher:
        """The same authentication key with another (dedicated) encryption key.

        :raises ValueOutOfRange: not 16 bytes, or not another key: it would protect nothing that the first does not.
        """
        if compare_digest(encryption_key, self._encryption_key):
            raise ValueOutOfRange("dedicated key", "the global key again")
        return Cipher(encryption_key, self._authentication_key)

    def seal(self, control: int, title: bytes, counter: int, plaintext: bytes) -> bytes:
        """Ciphered content of ``plaintext``: security control, counter, text, tag.

        :raises ValueOutOfRange: an unknown security control.
        """
        invocation = counter.to_bytes(4, "big")
        if control == 0x30:
            return b"\x30" + invocation + self._encrypt(title + invocation, plaintext, self._aad)[:-4]
        if control == 0x20:
            return b"\x20" + invocation + self._encrypt(title + invocation, plaintext, None)[:-16]
        if control == 0x10:
            tag = self._encrypt(title + invocation, b"", self._gmac_head + plaintext)
            return b"\x10" + invocation + plaintext + tag[:TAG_LENGTH]
        raise ValueOutOfRange("security control", control)

    def open(self, required: int, title: bytes, content: bytes) -> tuple[int, bytes]:
        """Check and decipher a content; return its counter and the plaintext.

        ``required`` is the least protection accepted (0x10, 0x20 or 0x30).  Encryption only (0x20) proves nothing about
        the sender or the counter.  The plaintext leaves this method only after the tag was compared.

        :raises MalformedApdu: too short, another suite, compressed, or under a broadcast key.
        :raises WeakProtection: less protection than required.
        :raises BadTag: wrong key, title or bytes.
        """
        if len(content) < 5:
            raise MalformedApdu("ciphered content cut short")
        control = content[0]
        if control & required != required:
            raise WeakProtection(required, control)
        invocation = content[1:5]
        if control == 0x30:
            if len(content) < 17:
                raise MalformedApdu("authentication tag cut short")
            # Counter mode is its own inverse: enciphering the ciphertext undoes it, and enciphering the result gives
            # the tag.  Two calls cost a third of a streaming GCM context, the only other way to a 12-byte tag.
            nonce = title + invocation
            plaintext = self._encrypt(nonce, content[5:-12], None)[:-16]
            tag = self._encrypt(nonce, plaintext, self._aad)[-16:-4]
            if not compare_digest(tag, content[-12:]):
                raise BadTag(int.from_bytes(invocation, "big"))
            return int.from_bytes(invocation, "big"), plaintext
        if control == 0x20:
            return int.from_bytes(invocation, "big"), self._encrypt(title + invocation, content[5:], None)[:-16]
        if control == 0x10:
            if len(content) < 17:
                raise MalformedApdu("authentication tag cut short")
            plaintext = content[5:-12]
            tag = self._encrypt(title + invocation, b"", self._gmac_head + plaintext)[:12]
            if not compare_digest(tag, content[-12:]):
                raise BadTag(int.from_bytes(invocation, "big"))
            return int.from_bytes(invocation, "big"), plaintext
        raise MalformedApdu(f"security control 0x{control:02X}")

    def gmac_answer(self, title: bytes, counter: int, challenge: bytes) -> bytes:
        """HLS mechanism 5: the 17 bytes SC || IC || GMAC that answer ``challenge`` (Green Book 9.2.7.4)."""
        invocation = counter.to_bytes(4, "big")
        return b"\x10" + invocation + self._encrypt(title + invocation, b"", self._gmac_head + challenge)[:12]

    def check_gmac(self, title: bytes, challenge: bytes, answer: bytes) -> int:
        """Check the other end's mechanism 5 answer to ``challenge``; return the counter it used.

        :raises MalformedApdu: not 17 bytes of security control 0x10.
        :raises BadTag: it does not know the keys.
        """
        if len(answer) != 17 or answer[0] != 0x10:
            raise MalformedApdu("HLS answer is not SC, counter and 12-byte tag")
        invocation = answer[1:5]
        tag = self._encrypt(title + invocation, b"", self._gmac_head + challenge)[:12]
        counter = int.from_bytes(invocation, "big")
        if not compare_digest(tag, answer[5:]):
            raise BadTag(counter)
        return counter


def aes_answer(secret: bytes, challenge: bytes) -> bytes:
    """HLS mechanism 2: the challenge enciphered with AES-128-ECB under the secret, padded with zeros to whole blocks.

    The standard leaves mechanism 2 to the maker; this is the form that known Indian examples use.

    :raises ValueOutOfRange: a secret that is not 16 bytes.
    """
    if len(secret) != KEY_LENGTH:
        raise ValueOutOfRange("secret length", len(secret))
    padded = challenge + bytes(-len(challenge) % 16)
    encryptor = BlockCipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305 (the mechanism says so)
    return encryptor.update(padded) + encryptor.finalize()


def answer(mechanism: int, secret: bytes, *, own_title: bytes, other_title: bytes, asked: bytes, sent: bytes) -> bytes:
    """The proof of mechanisms 2, 3, 4 and 6 for the challenge that was ``asked``; ``sent`` went to the other end.

    Source: Green Book, HLS: 3 and 4 hash the challenge and the secret by MD5 and SHA-1, 6 hashes secret, both titles
    and both challenges by SHA-256. MD5 and SHA-1 are broken; they are here to read meters that have nothing better.

    :raises ValueOutOfRange: a mechanism of another kind, or a secret of mechanism 2 that is not 16 bytes.
    """
    if mechanism == MECHANISM_HLS_AES:
        return aes_answer(secret, asked)
    if mechanism == MECHANISM_HLS_MD5:
        return hashlib.md5(asked + secret, usedforsecurity=False).digest()
    if mechanism == MECHANISM_HLS_SHA1:
        return hashlib.sha1(asked + secret, usedforsecurity=False).digest()
    if mechanism == MECHANISM_HLS_SHA256:
        return hashlib.sha256(secret + own_title + other_title + asked + sent).digest()
    raise ValueOutOfRange("mechanism", mechanism)


def check_answer(
    mechanism: int, secret: bytes, proof: bytes, *, own_title: bytes, other_title: bytes, asked: bytes, sent: bytes
) -> None:
    """Check the other end's proof; titles and challenges as the other end sees them.

    :raises BadTag: it does not know the secret.
    """
    due = answer(mechanism, secret, own_title=own_title, other_title=other_title, asked=asked, sent=sent)
    if not compare_digest(due, proof):
        raise BadTag


def wrap_key(master_key: bytes, key: bytes) -> bytes:
    """Key wrap of RFC 3394, as a key transfer (class 64 method 2) carries it: 24 bytes for a 16-byte key."""
    return aes_key_wrap(master_key, key)


def unwrap_key(master_key: bytes, wrapped: bytes) -> bytes:
    """Undo :func:`wrap_key`.

    :raises BadTag: another master key, or altered bytes.
    """
    try:
        return aes_key_unwrap(master_key, wrapped)
    except (InvalidUnwrap, ValueError):
        raise BadTag from None


def wrap(tag: int, content: bytes) -> bytes:
    """A glo-* or ded-* APDU: tag, length, ciphered content."""
    return bytes((tag,)) + axdr.length(len(content)) + content


def unwrap(apdu: bytes) -> bytes:
    """The ciphered content of a glo-* or ded-* APDU.

    :raises MalformedApdu: the length is not that of the rest.
    """
    size, at = axdr.read_length(apdu, 1)
    if size != len(apdu) - at:
        raise MalformedApdu("ciphered APDU of another length than it says")
    return apdu[at:]


def sealed_length(plain: int, control: int, general: bool) -> int:
    """Bytes of the APDU that carries ``plain`` bytes under a security control (0 for none)."""
    if not control:
        return plain
    content = plain + 5 + (TAG_LENGTH if control & AUTHENTICATED else 0)
    return content + len(axdr.length(content)) + (2 + TITLE_LENGTH if general else 1)


@lru_cache(maxsize=64)
def room(limit: int, control: int, general: bool) -> int:
    """The longest plain APDU that, so protected, is surely no longer than ``limit`` bytes."""
    return limit - (sealed_length(limit, control, general) - limit)


def wrap_general(tag: int, title: bytes, content: bytes) -> bytes:
    """A general-glo-ciphering (0xDB) or general-ded-ciphering (0xDC) APDU: tag, system title, ciphered content."""
    return bytes((tag, len(title))) + title + axdr.length(len(content)) + content


def unwrap_general(apdu: bytes) -> tuple[bytes, bytes]:
    """System title and ciphered content of a general-glo or general-ded APDU.

    :raises UnexpectedApdu: another tag.
    :raises MalformedApdu: a system title that is not 8 bytes, or a length that is not that of the rest.
    """
    if not apdu or apdu[0] not in (GENERAL_GLO, GENERAL_DED):
        raise UnexpectedApdu(apdu[0] if apdu else 0, "general ciphering")
    if len(apdu) < 11 or apdu[1] != TITLE_LENGTH:
        raise MalformedApdu("system title is not 8 bytes")
    size, at = axdr.read_length(apdu, 10)
    if size != len(apdu) - at:
        raise MalformedApdu("ciphered APDU of another length than it says")
    return apdu[2:10], apdu[at:]
