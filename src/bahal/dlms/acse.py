"""Association control: AARQ, AARE, RLRQ, RLRE, and the xDLMS initiate APDUs they carry.

ISO/IEC 8650-1 in BER as the Green Book profiles it.  Logical names only.  Application contexts: 1 without ciphering, 3
with.  The initiate APDU arrives here already plain or already ciphered; this module never touches a key.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from bahal.dlms import axdr
from bahal.dlms.errors import AssociationRejected, MalformedApdu, UnexpectedApdu

AARQ: Final = 0x60
AARE: Final = 0x61
RLRQ: Final = 0x62
RLRE: Final = 0x63

CONTEXT_PLAIN: Final = 1
CONTEXT_CIPHERED: Final = 3

INITIATE_REQUEST: Final = 0x01
INITIATE_RESPONSE: Final = 0x08
CONFIRMED_SERVICE_ERROR: Final = 0x0E

DLMS_VERSION: Final = 6
VAA_NAME: Final = 0x0007

ACCEPTED: Final = 0
REJECTED_PERMANENT: Final = 1
REJECTED_TRANSIENT: Final = 2

DIAGNOSTIC_NULL: Final = 0
DIAGNOSTIC_NO_REASON: Final = 1
DIAGNOSTIC_CONTEXT_NOT_SUPPORTED: Final = 2
DIAGNOSTIC_TITLE_NOT_RECOGNISED: Final = 3
DIAGNOSTIC_MECHANISM_NOT_RECOGNISED: Final = 11
DIAGNOSTIC_MECHANISM_REQUIRED: Final = 12
DIAGNOSTIC_AUTHENTICATION_FAILED: Final = 13
DIAGNOSTIC_AUTHENTICATION_REQUIRED: Final = 14

# The conformance block counts its 24 bits from the most significant one.
_CONFORMANCE: Final = {
    "general_protection": 1,
    "general_block_transfer": 2,
    "attribute0_set": 8,
    "priority": 9,
    "attribute0_get": 10,
    "block_get": 11,
    "block_set": 12,
    "block_action": 13,
    "multiple_references": 14,
    "data_notification": 16,
    "access": 17,
    "get": 19,
    "set": 20,
    "selective_access": 21,
    "event_notification": 22,
    "action": 23,
}


def conformance(*services: str) -> int:
    """The 24-bit conformance block of named services (``block_get``, ``get``, ``selective_access``, ...)."""
    return sum(1 << (23 - _CONFORMANCE[service]) for service in services)


CLIENT_CONFORMANCE: Final = conformance(
    "general_protection",
    "priority",
    "block_get",
    "block_set",
    "block_action",
    "multiple_references",
    "data_notification",
    "get",
    "set",
    "selective_access",
    "event_notification",
    "action",
)

_OID_CONTEXT = bytes.fromhex("608574050801")  # {2 16 756 5 8 1 n}
_OID_MECHANISM = bytes.fromhex("608574050802")  # {2 16 756 5 8 2 n}


class Aarq(NamedTuple):
    """An AARQ: application context (1 or 3), calling system title, mechanism (0 when absent), password or CtoS
    challenge, and the initiate APDU, plain or ciphered."""

    context: int
    title: bytes
    mechanism: int
    authentication: bytes
    initiate: bytes


class Aare(NamedTuple):
    """An AARE: context, result, diagnostic, responding system title, mechanism, StoC challenge, and the initiate
    response (or confirmedServiceError), plain or ciphered."""

    context: int
    result: int
    diagnostic: int
    title: bytes
    mechanism: int
    authentication: bytes
    initiate: bytes


class Release(NamedTuple):
    """An RLRQ or RLRE: reason (None when absent) and user information, often empty."""

    reason: int | None
    initiate: bytes


class InitiateRequest(NamedTuple):
    """Dedicated key (or empty), DLMS version, proposed conformance, client's largest APDU in bytes (0: no limit)."""

    dedicated_key: bytes
    version: int
    conformance: int
    max_pdu: int


class InitiateResponse(NamedTuple):
    """DLMS version, negotiated conformance, server's largest APDU in bytes (0: no limit)."""

    version: int
    conformance: int
    max_pdu: int


# --- BER -------------------------------------------------------------------------------------------------------------


def _ber(tag: int, contents: bytes) -> bytes:
    return bytes((tag,)) + axdr.length(len(contents)) + contents


def _elements(apdu: bytes, tag: int) -> list[tuple[int, bytes]]:
    """The elements of one constructed value that fills ``apdu``: a short list of tag and contents."""
    if not apdu or apdu[0] != tag:
        raise UnexpectedApdu(apdu[0] if apdu else 0, f"0x{tag:02X} awaited")
    size, at = axdr.read_length(apdu, 1)
    end = at + size
    if end != len(apdu):
        raise MalformedApdu("BER value of another length than it says")
    elements: list[tuple[int, bytes]] = []
    while at < end:
        mark = apdu[at]
        at += 1
        # Lengths below 128 are nearly all there are; the call is for the rest.
        if at < end and apdu[at] < 0x80:
            size = apdu[at]
            at += 1
        else:
            size, at = axdr.read_length(apdu, at)
        after = at + size
        if after > end:
            raise MalformedApdu("BER element cut short")
        elements.append((mark, apdu[at:after]))
        at = after
    return elements


def _inner(contents: bytes, tag: int) -> bytes:
    """The contents of the single element of type ``tag`` that fills ``contents``."""
    if len(contents) < 2 or contents[0] != tag:
        raise MalformedApdu(f"BER type 0x{tag:02X} awaited")
    if contents[1] < 0x80:
        size, at = contents[1], 2
    else:
        size, at = axdr.read_length(contents, 1)
    if size != len(contents) - at:
        raise MalformedApdu("BER value of another length than it says")
    return contents[at:]


def _small(contents: bytes) -> int:
    if not 1 <= len(contents) <= 4:
        raise MalformedApdu("BER integer of unusual size")
    return int.from_bytes(contents, "big")


def _name(oid: bytes, arc: bytes) -> int:
    if len(oid) != 7 or oid[:6] != arc:
        raise MalformedApdu("unknown object identifier")
    return oid[6]


# --- AARQ and AARE ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _aarq_frame(
    context: int, mechanism: int, title: int, authentication: int, initiate: int
) -> tuple[bytes, bytes, bytes]:
    """What an AARQ of these lengths has before the title, the authentication value and the initiate APDU."""
    head = _ber(0xA1, _ber(0x06, _OID_CONTEXT + bytes((context,))))
    if title:
        head += bytes((0xA6, title + 2, 0x04, title))
    middle = b""
    if mechanism:
        middle = bytes.fromhex("8a020780") + _ber(0x8B, _OID_MECHANISM + bytes((mechanism,)))
        middle += b"\xac" + axdr.length(authentication + 1 + len(axdr.length(authentication)))
        middle += b"\x80" + axdr.length(authentication)
    tail = b"\x04" + axdr.length(initiate)
    tail = b"\xbe" + axdr.length(len(tail) + initiate) + tail
    total = len(head) + title + len(middle) + authentication + len(tail) + initiate
    return bytes((AARQ,)) + axdr.length(total) + head, middle, tail


def aarq(*, context: int, title: bytes, mechanism: int, authentication: bytes, initiate: bytes) -> bytes:
    """Build an AARQ; ``title`` is empty without ciphering, ``authentication`` the password or the challenge."""
    if not mechanism:
        authentication = b""
    head, middle, tail = _aarq_frame(context, mechanism, len(title), len(authentication), len(initiate))
    return b"".join((head, title, middle, authentication, tail, initiate))


def parse_aarq(apdu: bytes) -> Aarq:
    """Read an AARQ.  Elements this profile does not use are passed over.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: not BER, no context name or no user information, or names outside DLMS.
    """
    context = mechanism = 0
    title = authentication = initiate = b""
    for tag, contents in _elements(apdu, AARQ):
        if tag == 0xA1:
            context = _name(_inner(contents, 0x06), _OID_CONTEXT)
        elif tag == 0xA6:
            title = _inner(contents, 0x04)
        elif tag == 0x8B:
            mechanism = _name(contents, _OID_MECHANISM)
        elif tag == 0xAC:
            authentication = _inner(contents, 0x80)
        elif tag == 0xBE:
            initiate = _inner(contents, 0x04)
    if not context or not initiate:
        raise MalformedApdu("AARQ without context name or user information")
    return Aarq(context, title, mechanism, authentication, initiate)


def aare(
    *,
    context: int,
    result: int,
    diagnostic: int,
    title: bytes = b"",
    mechanism: int = 0,
    authentication: bytes = b"",
    initiate: bytes = b"",
) -> bytes:
    """Build an AARE; ``authentication`` is the StoC challenge of HLS, with ``diagnostic`` 14."""
    head, middle, tail = _aare_frame(
        context, result, diagnostic, mechanism, len(title), len(authentication), len(initiate)
    )
    return b"".join((head, title, middle, authentication, tail, initiate))


@lru_cache(maxsize=256)
def _aare_frame(
    context: int, result: int, diagnostic: int, mechanism: int, title: int, authentication: int, initiate: int
) -> tuple[bytes, bytes, bytes]:
    """What an AARE of these lengths has before the title, the authentication value and the initiate APDU."""
    head = _ber(0xA1, _ber(0x06, _OID_CONTEXT + bytes((context,))))
    head += bytes((0xA2, 0x03, 0x02, 0x01, result)) + bytes((0xA3, 0x05, 0xA1, 0x03, 0x02, 0x01, diagnostic))
    if title:
        head += bytes((0xA4, title + 2, 0x04, title))
    middle = b""
    if authentication:
        middle = bytes.fromhex("88020780") + _ber(0x89, _OID_MECHANISM + bytes((mechanism,)))
        inner = b"\x80" + axdr.length(authentication)
        middle += b"\xaa" + axdr.length(len(inner) + authentication) + inner
    tail = b""
    if initiate:
        inner = b"\x04" + axdr.length(initiate)
        tail = b"\xbe" + axdr.length(len(inner) + initiate) + inner
    total = len(head) + title + len(middle) + authentication + len(tail) + initiate
    return bytes((AARE,)) + axdr.length(total) + head, middle, tail


def parse_aare(apdu: bytes) -> Aare:
    """Read an AARE, accepting or rejecting.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: not BER, or no result in it.
    """
    context = mechanism = diagnostic = 0
    result: int | None = None
    title = authentication = initiate = b""
    for tag, contents in _elements(apdu, AARE):
        if tag == 0xA1:
            context = _name(_inner(contents, 0x06), _OID_CONTEXT)
        elif tag == 0xA2:
            result = _small(_inner(contents, 0x02))
        elif tag == 0xA3:
            # Service user (A1) and service provider (A2) number their diagnostics apart; both fit one field here.
            source = contents[0] if contents else 0
            if source not in (0xA1, 0xA2):
                raise MalformedApdu("unknown source of the diagnostic")
            diagnostic = _small(_inner(_inner(contents, source), 0x02))
        elif tag == 0xA4:
            title = _inner(contents, 0x04)
        elif tag == 0x89:
            mechanism = _name(contents, _OID_MECHANISM)
        elif tag == 0xAA:
            authentication = _inner(contents, 0x80)
        elif tag == 0xBE:
            initiate = _inner(contents, 0x04)
    if result is None:
        raise MalformedApdu("AARE without a result")
    return Aare(context, result, diagnostic, title, mechanism, authentication, initiate)


# --- release ---------------------------------------------------------------------------------------------------------


def _release(tag: int, reason: int, initiate: bytes) -> bytes:
    contents = bytes((0x80, 0x01, reason))
    if initiate:
        contents += _ber(0xBE, _ber(0x04, initiate))
    return _ber(tag, contents)


def rlrq(*, reason: int = 0, initiate: bytes = b"") -> bytes:
    """Build an RLRQ; when ciphering, ``initiate`` is the ciphered InitiateRequest, so that a forger cannot release."""
    return _release(RLRQ, reason, initiate)


def rlre(*, reason: int = 0, initiate: bytes = b"") -> bytes:
    """Build an RLRE."""
    return _release(RLRE, reason, initiate)


def parse_release(apdu: bytes, tag: int) -> Release:
    """Read an RLRQ (``tag`` 0x62) or RLRE (0x63).

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: not BER.
    """
    reason: int | None = None
    initiate = b""
    for mark, contents in _elements(apdu, tag):
        if mark == 0x80:
            reason = _small(contents)
        elif mark == 0xBE:
            initiate = _inner(contents, 0x04)
    return Release(reason, initiate)


# --- initiate --------------------------------------------------------------------------------------------------------

_CONFORMANCE_TAG = bytes.fromhex("5f1f0400")
_RESPONSE = struct.Struct(">3s4s3sHH")


@lru_cache(maxsize=64)
def _initiate_request(block: int, max_pdu: int) -> bytes:
    return b"\x00\x00\x06" + _CONFORMANCE_TAG + block.to_bytes(3, "big") + max_pdu.to_bytes(2, "big")


def initiate_request(*, conformance: int = CLIENT_CONFORMANCE, max_pdu: int, dedicated_key: bytes = b"") -> bytes:
    """Build an InitiateRequest: DLMS version 6, response allowed, no quality of service."""
    key = b"\x01" + axdr.length(len(dedicated_key)) + dedicated_key if dedicated_key else b"\x00"
    return b"\x01" + key + _initiate_request(conformance, max_pdu)


def _block_at(data: bytes, at: int) -> tuple[int, int]:
    """The conformance block at ``at``: tag 5F 1F (or 5F alone, as some send), length 4, unused bits, three bytes."""
    if data[at : at + 4] == _CONFORMANCE_TAG:
        at += 4
    elif data[at : at + 3] == b"\x5f\x04\x00":
        at += 3
    else:
        raise MalformedApdu("conformance block awaited")
    if at + 3 > len(data):
        raise MalformedApdu("conformance block cut short")
    return int.from_bytes(data[at : at + 3], "big"), at + 3


def parse_initiate_request(data: bytes) -> InitiateRequest:
    """Read a plain InitiateRequest.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not data or data[0] != INITIATE_REQUEST:
        raise UnexpectedApdu(data[0] if data else 0, "InitiateRequest awaited")
    key = b""
    try:
        at = 2
        if data[1]:
            size, at = axdr.read_length(data, 2)
            key = data[at : at + size]
            at += size
        at += 2 if data[at] else 1  # response-allowed, true when absent
        at += 2 if data[at] else 1  # quality of service
        version = data[at]
    except IndexError:
        raise MalformedApdu("InitiateRequest cut short") from None
    block, at = _block_at(data, at + 1)
    if at + 2 != len(data):
        raise MalformedApdu("InitiateRequest of unusual length")
    return InitiateRequest(key, version, block, int.from_bytes(data[at:], "big"))


def initiate_response(*, conformance: int, max_pdu: int) -> bytes:
    """Build an InitiateResponse: DLMS version 6, no quality of service, VAA name 7 (logical names)."""
    return _RESPONSE.pack(b"\x08\x00\x06", _CONFORMANCE_TAG, conformance.to_bytes(3, "big"), max_pdu, VAA_NAME)


def parse_initiate_response(data: bytes) -> InitiateResponse:
    """Read a plain InitiateResponse.

    :raises AssociationRejected: a confirmedServiceError in its place; result 1, its error value as diagnostic.
    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if len(data) == 14 and data[:3] == b"\x08\x00\x06" and data[3:7] == _CONFORMANCE_TAG and data[12:] == b"\x00\x07":
        return InitiateResponse(6, int.from_bytes(data[7:10], "big"), data[10] << 8 | data[11])
    if not data or data[0] not in (INITIATE_RESPONSE, CONFIRMED_SERVICE_ERROR):
        raise UnexpectedApdu(data[0] if data else 0, "InitiateResponse awaited")
    if data[0] == CONFIRMED_SERVICE_ERROR:
        if len(data) != 4:
            raise MalformedApdu("confirmedServiceError of unusual length")
        raise AssociationRejected(REJECTED_PERMANENT, data[3])
    try:
        at = 3 if data[1] else 2  # quality of service
        version = data[at]
    except IndexError:
        raise MalformedApdu("InitiateResponse cut short") from None
    block, at = _block_at(data, at + 1)
    if at + 4 != len(data):
        raise MalformedApdu("InitiateResponse of unusual length")
    return InitiateResponse(version, block, data[at] << 8 | data[at + 1])
