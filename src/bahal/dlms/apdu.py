"""xDLMS services with logical names (Green Book 9.3): GET, SET, ACTION, notifications, ExceptionResponse.

Builders return bytes; parsers return light tuples that hold raw A-XDR, never decoded values.  An invoke-id-and-priority
byte is 0xC0 (confirmed, high priority) or'ed with a 4-bit invoke-id; only those 4 bits are compared when an answer
comes.

A *selection* is the selector byte followed by its A-XDR parameters, as :func:`by_range` and :func:`by_entry` build it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu, OversizedApdu, UnexpectedApdu, ValueOutOfRange

DATA_NOTIFICATION: Final = 0x0F
GET_REQUEST: Final = 0xC0
SET_REQUEST: Final = 0xC1
EVENT_NOTIFICATION: Final = 0xC2
ACTION_REQUEST: Final = 0xC3
GET_RESPONSE: Final = 0xC4
SET_RESPONSE: Final = 0xC5
ACTION_RESPONSE: Final = 0xC7
EXCEPTION_RESPONSE: Final = 0xD8

NORMAL: Final = 1
NEXT: Final = 2
WITH_LIST: Final = 3
WITH_BLOCK: Final = 2

CONFIRMED_HIGH: Final = 0xC0

# data-access-result, shared in its first values by action-result
SUCCESS: Final = 0
HARDWARE_FAULT: Final = 1
TEMPORARY_FAILURE: Final = 2
READ_WRITE_DENIED: Final = 3
OBJECT_UNDEFINED: Final = 4
OBJECT_CLASS_INCONSISTENT: Final = 9
OBJECT_UNAVAILABLE: Final = 11
TYPE_UNMATCHED: Final = 12
SCOPE_OF_ACCESS_VIOLATED: Final = 13
DATA_BLOCK_UNAVAILABLE: Final = 14
LONG_GET_ABORTED: Final = 15
NO_LONG_GET_IN_PROGRESS: Final = 16
DATA_BLOCK_NUMBER_INVALID: Final = 19
OTHER_REASON: Final = 250

STATE_SERVICE_NOT_ALLOWED: Final = 1
STATE_SERVICE_UNKNOWN: Final = 2
SERVICE_OPERATION_NOT_POSSIBLE: Final = 1
SERVICE_NOT_SUPPORTED: Final = 2
SERVICE_OTHER_REASON: Final = 3
SERVICE_PDU_TOO_LONG: Final = 4
SERVICE_DECIPHERING_ERROR: Final = 5
SERVICE_INVOCATION_COUNTER_ERROR: Final = 6

BY_RANGE: Final = 1
BY_ENTRY: Final = 2

LIST_LIMIT = 64

CLOCK_OBIS: Final = bytes((0, 0, 1, 0, 0, 255))

_TARGET_FLAG = struct.Struct(">BBBH6sBB")
_ATTRIBUTE = struct.Struct(">H6sB")
_BLOCK = struct.Struct(">BBBI")
_BLOCK_REPLY = struct.Struct(">BBBBI")


class Target(NamedTuple):
    """One attribute or method: interface class, logical name (6 bytes), number, and a selection (GET only)."""

    class_id: int
    obis: bytes
    number: int
    selection: bytes | None = None


class GetRequest(NamedTuple):
    """GET.request normal."""

    invoke: int
    target: Target


class GetNext(NamedTuple):
    """GET.request next: the number of the last block received."""

    invoke: int
    block: int


class GetList(NamedTuple):
    """GET.request with-list, at most ``LIST_LIMIT`` targets."""

    invoke: int
    targets: list[Target]


class SetRequest(NamedTuple):
    """SET.request normal; ``value`` is raw A-XDR."""

    invoke: int
    target: Target
    value: bytes


class ActionRequest(NamedTuple):
    """ACTION.request normal; ``parameter`` is raw A-XDR or None."""

    invoke: int
    target: Target
    parameter: bytes | None


Request: TypeAlias = "GetRequest | GetNext | GetList | SetRequest | ActionRequest"

Answer: TypeAlias = "bytes | int"
"""The raw A-XDR of one attribute, or a data-access-result."""


class Block(NamedTuple):
    """GET.response with-datablock: raw bytes of the block, or a data-access-result."""

    invoke: int
    last: bool
    number: int
    raw: Answer


class DataNotification(NamedTuple):
    """Long invoke-id and priority, 12-byte date-time (empty when absent), body as raw A-XDR."""

    invoke: int
    clock: bytes
    body: bytes


class EventNotification(NamedTuple):
    """12-byte date-time (empty when absent), the attribute and its raw A-XDR."""

    clock: bytes
    target: Target
    value: bytes


# --- requests --------------------------------------------------------------------------------------------------------


def get_request(invoke: int, class_id: int, obis: bytes, attribute: int, selection: bytes | None = None) -> bytes:
    """GET.request normal."""
    iip = CONFIRMED_HIGH | invoke
    if selection is None:
        return _TARGET_FLAG.pack(GET_REQUEST, NORMAL, iip, class_id, obis, attribute, 0)
    return _TARGET_FLAG.pack(GET_REQUEST, NORMAL, iip, class_id, obis, attribute, 1) + selection


def get_next(invoke: int, block: int) -> bytes:
    """GET.request next, acknowledging ``block``."""
    return _BLOCK.pack(GET_REQUEST, NEXT, CONFIRMED_HIGH | invoke, block)


def get_list(invoke: int, targets: Sequence[Target]) -> bytes:
    """GET.request with-list.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` targets.
    """
    if not 1 <= len(targets) <= LIST_LIMIT:
        raise ValueOutOfRange("GET list", len(targets))
    parts = [bytes((GET_REQUEST, WITH_LIST, CONFIRMED_HIGH | invoke, len(targets)))]
    for class_id, obis, attribute, selection in targets:
        parts.append(_ATTRIBUTE.pack(class_id, obis, attribute))
        parts.append(b"\x00" if selection is None else b"\x01" + selection)
    return b"".join(parts)


def set_request(invoke: int, class_id: int, obis: bytes, attribute: int, value: bytes) -> bytes:
    """SET.request normal."""
    return _TARGET_FLAG.pack(SET_REQUEST, NORMAL, CONFIRMED_HIGH | invoke, class_id, obis, attribute, 0) + value


def action_request(invoke: int, class_id: int, obis: bytes, method: int, parameter: bytes | None = None) -> bytes:
    """ACTION.request normal."""
    iip = CONFIRMED_HIGH | invoke
    if parameter is None:
        return _TARGET_FLAG.pack(ACTION_REQUEST, NORMAL, iip, class_id, obis, method, 0)
    return _TARGET_FLAG.pack(ACTION_REQUEST, NORMAL, iip, class_id, obis, method, 1) + parameter


def parse_request(apdu: bytes) -> Request:
    """Read a plain GET, SET or ACTION request.

    :raises UnexpectedApdu: another APDU, or a kind of these that is not spoken here.
    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises OversizedApdu: a list of more than ``LIST_LIMIT`` targets.
    """
    if len(apdu) < 4:
        raise MalformedApdu("request cut short")
    tag, kind, invoke = apdu[0], apdu[1], apdu[2] & 0x0F
    if tag == GET_REQUEST and kind == NEXT:
        if len(apdu) != 7:
            raise MalformedApdu("GET next of unusual length")
        return GetNext(invoke, int.from_bytes(apdu[3:7], "big"))
    if tag == GET_REQUEST and kind == WITH_LIST:
        return GetList(invoke, _targets(apdu))
    if tag not in (GET_REQUEST, SET_REQUEST, ACTION_REQUEST) or kind != NORMAL:
        raise UnexpectedApdu(tag, f"request kind {kind}")
    if len(apdu) < 13:
        raise MalformedApdu("request cut short")
    _, _, _, class_id, obis, number, flag = _TARGET_FLAG.unpack_from(apdu)
    rest = apdu[13:]
    if flag > 1 or bool(flag or tag == SET_REQUEST) != bool(rest):
        raise MalformedApdu("optional part does not match its flag")
    if tag == GET_REQUEST:
        if flag:
            _check_selection(rest)
        return GetRequest(invoke, Target(class_id, obis, number, rest if flag else None))
    if tag == ACTION_REQUEST:
        return ActionRequest(invoke, Target(class_id, obis, number), rest if flag else None)
    if flag:
        raise UnexpectedApdu(tag, "SET with selective access")
    return SetRequest(invoke, Target(class_id, obis, number), rest)


def _check_selection(selection: bytes) -> None:
    _, end = axdr.decode_prefix(selection, 1)
    if end != len(selection):
        raise MalformedApdu("bytes after the selection")


def _targets(apdu: bytes) -> list[Target]:
    count, at = axdr.read_length(apdu, 3)
    if count > LIST_LIMIT:
        raise OversizedApdu(count, LIST_LIMIT)
    targets: list[Target] = []
    for _ in range(count):
        if at + 10 > len(apdu):
            raise MalformedApdu("GET list cut short")
        class_id, obis, attribute = _ATTRIBUTE.unpack_from(apdu, at)
        at += 10
        selection: bytes | None = None
        if apdu[at - 1]:
            _, end = axdr.decode_prefix(apdu, at + 1)
            selection = apdu[at:end]
            at = end
        targets.append(Target(class_id, obis, attribute, selection))
    if at != len(apdu) or not targets:
        raise MalformedApdu("GET list of another length than it says")
    return targets


# --- responses -------------------------------------------------------------------------------------------------------


def get_response(invoke: int, answer: Answer) -> bytes:
    """GET.response normal: raw A-XDR, or a data-access-result."""
    iip = CONFIRMED_HIGH | invoke
    if isinstance(answer, int):
        return bytes((GET_RESPONSE, NORMAL, iip, 1, answer))
    return bytes((GET_RESPONSE, NORMAL, iip, 0)) + answer


def get_response_block(invoke: int, *, last: bool, number: int, raw: Answer) -> bytes:
    """GET.response with-datablock; ``number`` counts from 1."""
    head = _BLOCK_REPLY.pack(GET_RESPONSE, WITH_BLOCK, CONFIRMED_HIGH | invoke, last, number)
    if isinstance(raw, int):
        return head + bytes((1, raw))
    return head + b"\x00" + axdr.length(len(raw)) + raw


def get_response_list(invoke: int, answers: Sequence[Answer]) -> bytes:
    """GET.response with-list."""
    return bytes((GET_RESPONSE, WITH_LIST, CONFIRMED_HIGH | invoke)) + encode_answers(answers)


def encode_answers(answers: Sequence[Answer]) -> bytes:
    """The body of a with-list response, also what its blocks carry when it is long."""
    parts = [axdr.length(len(answers))]
    parts.extend(bytes((1, answer)) if isinstance(answer, int) else b"\x00" + answer for answer in answers)
    return b"".join(parts)


def parse_answers(body: bytes) -> list[Answer]:
    """Read the body of a with-list response.

    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises OversizedApdu: more than ``LIST_LIMIT`` answers.
    """
    count, at = axdr.read_length(body, 0)
    if count > LIST_LIMIT:
        raise OversizedApdu(count, LIST_LIMIT)
    answers: list[Answer] = []
    for _ in range(count):
        if at + 2 > len(body) or body[at] > 1:
            raise MalformedApdu("list of results cut short")
        if body[at]:
            answers.append(body[at + 1])
            at += 2
        else:
            _, end = axdr.decode_prefix(body, at + 1)
            answers.append(body[at + 1 : end])
            at = end
    if at != len(body):
        raise MalformedApdu("list of results of another length than it says")
    return answers


def parse_block(apdu: bytes) -> Block:
    """Read a GET.response with-datablock.

    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if len(apdu) < 10 or apdu[3] > 1 or apdu[8] > 1:
        raise MalformedApdu("block cut short")
    _, _, iip, last, number = _BLOCK_REPLY.unpack_from(apdu)
    if apdu[8]:
        if len(apdu) != 10:
            raise MalformedApdu("block of unusual length")
        return Block(iip & 0x0F, bool(last), number, apdu[9])
    size, at = axdr.read_length(apdu, 9)
    if size != len(apdu) - at:
        raise MalformedApdu("block of another length than it says")
    return Block(iip & 0x0F, bool(last), number, apdu[at:])


def set_response(invoke: int, result: int) -> bytes:
    """SET.response normal with a data-access-result."""
    return bytes((SET_RESPONSE, NORMAL, CONFIRMED_HIGH | invoke, result))


def action_response(invoke: int, result: int, returned: Answer | None = None) -> bytes:
    """ACTION.response normal: an action-result and what the method returns, raw A-XDR or a data-access-result."""
    head = bytes((ACTION_RESPONSE, NORMAL, CONFIRMED_HIGH | invoke, result))
    if returned is None:
        return head + b"\x00"
    if isinstance(returned, int):
        return head + bytes((1, 1, returned))
    return head + b"\x01\x00" + returned


def parse_action_response(apdu: bytes) -> tuple[int, Answer | None]:
    """Action-result and what was returned (raw A-XDR, a data-access-result, or None) of an ACTION.response normal.

    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    size = len(apdu)
    if size == 5 and not apdu[4]:
        return apdu[3], None
    if size >= 7 and apdu[4] == 1:
        if not apdu[5]:
            return apdu[3], apdu[6:]
        if apdu[5] == 1 and size == 7:
            return apdu[3], apdu[6]
    raise MalformedApdu("ACTION response of unusual form")


def exception_response(state_error: int, service_error: int, invocation_counter: int | None = None) -> bytes:
    """ExceptionResponse; the counter goes with service error 6 alone."""
    head = bytes((EXCEPTION_RESPONSE, state_error, service_error))
    return head if invocation_counter is None else head + invocation_counter.to_bytes(4, "big")


def parse_exception(apdu: bytes) -> tuple[int, int, int | None]:
    """State error, service error, and the invocation counter where one is carried.

    :raises MalformedApdu: neither 3 nor 7 bytes.
    """
    if len(apdu) == 3:
        return apdu[1], apdu[2], None
    if len(apdu) == 7:
        return apdu[1], apdu[2], int.from_bytes(apdu[3:], "big")
    raise MalformedApdu("exception response of unusual length")


# --- notifications ---------------------------------------------------------------------------------------------------


def data_notification(invoke: int, clock: bytes, body: bytes) -> bytes:
    """DataNotification; ``invoke`` has 32 bits, ``clock`` 12 bytes or none."""
    return b"\x0f" + invoke.to_bytes(4, "big") + axdr.length(len(clock)) + clock + body


def parse_data_notification(apdu: bytes) -> DataNotification:
    """Read a plain DataNotification.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not apdu or apdu[0] != DATA_NOTIFICATION:
        raise UnexpectedApdu(apdu[0] if apdu else 0, "DataNotification awaited")
    if len(apdu) < 7 or apdu[5] not in (0, 12) or len(apdu) < 7 + apdu[5]:
        raise MalformedApdu("DataNotification cut short")
    at = 6 + apdu[5]
    return DataNotification(int.from_bytes(apdu[1:5], "big"), apdu[6:at], apdu[at:])


def event_notification(clock: bytes, target: Target, value: bytes) -> bytes:
    """EventNotification; ``clock`` 12 bytes or none."""
    head = b"\xc2\x01" + axdr.length(len(clock)) + clock if clock else b"\xc2\x00"
    return head + _ATTRIBUTE.pack(target.class_id, target.obis, target.number) + value


def parse_event_notification(apdu: bytes) -> EventNotification:
    """Read a plain EventNotification.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not apdu or apdu[0] != EVENT_NOTIFICATION:
        raise UnexpectedApdu(apdu[0] if apdu else 0, "EventNotification awaited")
    clock = b""
    at = 2
    if len(apdu) > 2 and apdu[1]:
        if apdu[2] != 12:
            raise MalformedApdu("EventNotification time is not 12 bytes")
        clock = apdu[3:15]
        at = 15
    if len(apdu) < at + 10:
        raise MalformedApdu("EventNotification cut short")
    class_id, obis, attribute = _ATTRIBUTE.unpack_from(apdu, at)
    return EventNotification(clock, Target(class_id, obis, attribute), apdu[at + 9 :])


# --- selective access (class 7) --------------------------------------------------------------------------------------


class Range(NamedTuple):
    """A range: the restricting object (class, logical name, attribute) and both bounds, included, as A-XDR."""

    class_id: int
    obis: bytes
    attribute: int
    first: bytes
    last: bytes


class Entries(NamedTuple):
    """Entries ``first`` to ``last`` counted from 1, columns likewise; 0 as last means up to the end."""

    first: int
    last: int
    first_column: int
    last_column: int


def by_range(first: bytes, last: bytes, *, class_id: int = 8, obis: bytes = CLOCK_OBIS, attribute: int = 2) -> bytes:
    """Selection of profile rows whose restricting object (the clock) lies between two A-XDR values, both included.

    ``first`` and ``last`` are encoded: ``axdr.octets(clock.encode(moment))``.  All columns are asked for.
    """
    restricting = axdr.structure(axdr.uint16(class_id), axdr.octets(obis), axdr.int8(attribute), axdr.uint16(0))
    return b"\x01" + axdr.structure(restricting, first, last, axdr.array())


def by_entry(first: int, last: int, *, first_column: int = 1, last_column: int = 0) -> bytes:
    """Selection of profile rows by number, counted from 1; ``last`` 0 asks up to the newest."""
    return b"\x02" + axdr.structure(
        axdr.uint32(first), axdr.uint32(last), axdr.uint16(first_column), axdr.uint16(last_column)
    )


def parse_selection(selection: bytes) -> Range | Entries:
    """Read a selection of class 7.

    :raises MalformedApdu: not A-XDR, or not the structure of its selector.
    """
    if not selection:
        raise MalformedApdu("empty selection")
    value = axdr.decode(selection[1:])
    if selection[0] == BY_ENTRY and isinstance(value, tuple) and len(value) == 4:
        first, last, first_column, last_column = value
        if (
            isinstance(first, int)
            and isinstance(last, int)
            and isinstance(first_column, int)
            and isinstance(last_column, int)
        ):
            return Entries(first, last, first_column, last_column)
    if selection[0] == BY_RANGE and isinstance(value, tuple) and len(value) == 4:
        restricting = value[0]
        if isinstance(restricting, tuple) and len(restricting) == 4:
            class_id, obis, attribute, _ = restricting
            if isinstance(class_id, int) and isinstance(obis, bytes) and isinstance(attribute, int):
                _, at = axdr.decode_prefix(selection, 3)
                _, middle = axdr.decode_prefix(selection, at)
                _, end = axdr.decode_prefix(selection, middle)
                return Range(class_id, obis, attribute, selection[at:middle], selection[middle:end])
    raise MalformedApdu(f"selection by selector {selection[0]} of unusual form")
