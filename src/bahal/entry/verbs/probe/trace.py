"""Each APDU in words: direction, tag, and what it says; never a key, a password, a challenge or its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Final

from bahal.dlms import acse, apdu, axdr, clock, security
from bahal.dlms.errors import DlmsError
from bahal.dlms.objects.classes import ASSOCIATION_LN
from bahal.dlms.objects.model import obis_text
from bahal.entry.verbs.probe.guard import HLS_REPLY

HIDDEN: Final = "[secret]"
SHOWN_ELEMENTS: Final = 4
SHOWN_OCTETS: Final = 40
_SHORTEST_SECRET: Final = 4

TAGS: Final = {
    acse.AARQ: "AARQ",
    acse.AARE: "AARE",
    acse.RLRQ: "RLRQ",
    acse.RLRE: "RLRE",
    0x01: "initiate-request",
    0x08: "initiate-response",
    apdu.DATA_NOTIFICATION: "data-notification",
    apdu.GET_REQUEST: "get-request",
    apdu.SET_REQUEST: "set-request",
    apdu.EVENT_NOTIFICATION: "event-notification",
    apdu.ACTION_REQUEST: "action-request",
    apdu.GET_RESPONSE: "get-response",
    apdu.SET_RESPONSE: "set-response",
    apdu.ACTION_RESPONSE: "action-response",
    apdu.EXCEPTION_RESPONSE: "exception-response",
    apdu.GENERAL_BLOCK_TRANSFER: "general-block-transfer",
    security.GENERAL_GLO: "general-glo-ciphering",
    security.GENERAL_DED: "general-ded-ciphering",
}
RESULTS: Final = {
    0: "success",
    1: "hardware-fault",
    2: "temporary-failure",
    3: "read-write-denied",
    4: "object-undefined",
    9: "object-class-inconsistent",
    11: "object-unavailable",
    12: "type-unmatched",
    13: "scope-of-access-violated",
    14: "data-block-unavailable",
    15: "long-get-aborted",
    16: "no-long-get-in-progress",
    19: "data-block-number-invalid",
    250: "other-reason",
}


class Veil:
    """Takes secrets out of any text, as they are, in hex and in base-less spellings of either case.

    What is printed is composed without secrets; this is the second lock, for a meter that sends one back.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        spelt: set[str] = set()
        for secret in secrets:
            if len(secret) < _SHORTEST_SECRET:
                continue
            spelt |= {secret.hex(), secret.hex().upper(), secret.hex(" "), secret.hex(" ").upper()}
            if secret.isascii():
                spelt.add(secret.decode("ascii"))
        self._spelt = sorted(spelt, key=len, reverse=True)

    def over(self, text: str) -> str:
        """The text without them."""
        for each in self._spelt:
            text = text.replace(each, HIDDEN)
        return text


class Trace:
    """Writes one line for each APDU that passes the gate."""

    def __init__(self, write: Callable[[str], None], veil: Veil) -> None:
        self._write = write
        self._veil = veil
        self._secret_asked = False

    def seen(self, outward: bool, message: bytes, plain: bytes | None) -> None:
        """One APDU, as on the wire and opened."""
        arrow = "->" if outward else "<-"
        words = [arrow, name_of(message[0])]
        if plain is None or plain is not message:
            words.append(_ciphering(message))
        if plain is None:
            words.append("cannot be opened")
        else:
            if plain is not message:
                words.append(name_of(plain[0]))
            try:
                words.append(self._told(plain))
            except DlmsError as error:
                words.append(f"{len(plain)} bytes, {error.name}: {error}")
        self._write(self._veil.over(" ".join(word for word in words if word)))

    def _told(self, plain: bytes) -> str:
        tag = plain[0]
        if tag == acse.AARQ:
            asked = acse.parse_aarq(plain)
            return (
                f"context {asked.context}, mechanism {asked.mechanism}, title {asked.title.hex() or 'none'}, "
                f"{len(asked.authentication)} bytes of authentication not shown, {_initiate(asked.initiate)}"
            )
        if tag == acse.AARE:
            told = acse.parse_aare(plain)
            return (
                f"result {told.result}, diagnostic {told.diagnostic}, title {told.title.hex() or 'none'}, "
                f"{len(told.authentication)} bytes of challenge not shown, {_initiate(told.initiate)}"
            )
        if tag in (acse.RLRQ, acse.RLRE):
            return f"reason {acse.parse_release(plain, tag).reason}"
        if tag in (apdu.GET_REQUEST, apdu.ACTION_REQUEST):
            return self._request(plain)
        if tag == apdu.GET_RESPONSE:
            return self._answer(plain)
        if tag == apdu.ACTION_RESPONSE:
            result, returned = apdu.parse_action_response(plain)
            return f"{_result(result)}{', proof not shown' if returned is not None else ''}"
        if tag == apdu.EXCEPTION_RESPONSE:
            state, service, counter = apdu.parse_exception(plain)
            return f"state error {state}, service error {service}{'' if counter is None else f', counter {counter}'}"
        return f"{len(plain)} bytes"

    def _request(self, plain: bytes) -> str:
        asked = apdu.parse_request(plain)
        if isinstance(asked, apdu.GetNext):
            return f"#{asked.invoke} next block after {asked.block}"
        if isinstance(asked, apdu.GetRequest):
            self._secret_asked = asked.target[0] == ASSOCIATION_LN and asked.target[2] == 7
            chosen = asked.target.selection
            rows = "" if chosen is None else f", rows by selector {chosen[0]}: {shown(axdr.decode(chosen[1:]))}"
            return f"#{asked.invoke} {_target(asked.target)}{rows}"
        if isinstance(asked, apdu.ActionRequest) and asked.target[:3] == HLS_REPLY:
            return f"#{asked.invoke} reply to HLS, {len(asked.parameter or b'')} bytes not shown"
        return f"{len(plain)} bytes"

    def _answer(self, plain: bytes) -> str:
        if len(plain) < 4:
            return "cut short"
        invoke = f"#{plain[2] & 0x0F}"
        if plain[1] == apdu.WITH_BLOCK:
            block = apdu.parse_block(plain)
            if isinstance(block.raw, int):
                return f"{invoke} {_result(block.raw)}"
            return f"{invoke} block {block.number}{', the last' if block.last else ''}, {len(block.raw)} bytes"
        if plain[1] != apdu.NORMAL:
            return f"{invoke} {len(plain)} bytes"
        if plain[3]:
            return f"{invoke} {_result(plain[4] if len(plain) > 4 else -1)}"
        if self._secret_asked:
            return f"{invoke} {len(plain) - 4} bytes not shown"
        return f"{invoke} {shown(axdr.decode_prefix(plain, 4)[0])}"


def name_of(tag: int) -> str:
    """The name of an APDU by its tag."""
    if tag in TAGS:
        return TAGS[tag]
    for prefix, table in (("glo", security.PLAIN_OF_GLO), ("ded", security.PLAIN_OF_DED)):
        if tag in table:
            return f"{prefix}-{TAGS[table[tag]]}"
    return f"APDU 0x{tag:02X}"


def _ciphering(message: bytes) -> str:
    """Security control and counter of a ciphered APDU."""
    try:
        general = message[0] in (security.GENERAL_GLO, security.GENERAL_DED)
        content = security.unwrap_general(message)[1] if general else security.unwrap(message)
    except DlmsError:
        return "(unreadable)"
    return f"(SC 0x{content[0]:02X}, counter {int.from_bytes(content[1:5], 'big')})" if len(content) > 4 else "(short)"


def _initiate(raw: bytes) -> str:
    if not raw:
        return "no initiate"
    if raw[0] not in (0x01, 0x08):
        return f"{name_of(raw[0])} {_ciphering(raw)}"
    if raw[0] == 0x01:
        asked = acse.parse_initiate_request(raw)
        return f"initiate-request: conformance {asked.conformance:06X}, largest APDU {asked.max_pdu}"
    told = acse.parse_initiate_response(raw)
    return f"initiate-response: conformance {told.conformance:06X}, largest APDU {told.max_pdu}"


def _target(target: apdu.Target) -> str:
    return f"class {target.class_id} {obis_text(target.obis)} attribute {target.number}"


def _result(result: int) -> str:
    return RESULTS.get(result, f"result {result}")


def shown(value: axdr.Value) -> str:
    """A value in short: at most a few elements and octets of it."""
    if isinstance(value, list | tuple):
        first = ", ".join(shown(each) for each in value[:SHOWN_ELEMENTS])
        more = f", and {len(value) - SHOWN_ELEMENTS} more" if len(value) > SHOWN_ELEMENTS else ""
        return f"[{first}{more}]" if isinstance(value, list) else f"{{{first}{more}}}"
    if isinstance(value, bytes):
        return octets(value)
    if isinstance(value, axdr.BitString):
        return f"bits {value.positions()} of {len(value)}"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def octets(value: bytes) -> str:
    """An octet-string: a moment or a logical name where it looks like one, text where it is printable, else hex."""
    if len(value) == 6 and value[5] == 0xFF:
        return obis_text(value)
    if len(value) == clock.LENGTH and value[0] in (7, 8):
        try:
            return f"{clock.decode(value, zone=UTC):%Y-%m-%dT%H:%M:%S%z}"
        except DlmsError:
            return value.hex()
    if value and value.isascii() and value.decode("ascii").isprintable():
        return repr(value.decode("ascii")[:SHOWN_OCTETS])
    return value[:SHOWN_OCTETS].hex() + ("..." if len(value) > SHOWN_OCTETS else "")
