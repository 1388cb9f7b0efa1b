"""GET, SET and ACTION responses and the ExceptionResponse (Green Book 9.3): built and read.

An answer is raw A-XDR or a data-access-result.  The blocks of a long GET response joined are the value, or a list of
answers with its count; those of a long ACTION response are what a response without blocks holds after its invoke-id.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from bahal.dlms import axdr
from bahal.dlms.apdu.codes import (
    ACTION_BLOCK_TAKEN,
    ACTION_IN_BLOCKS,
    ACTION_RESPONSE,
    CONFIRMED_HIGH,
    EXCEPTION_RESPONSE,
    GET_RESPONSE,
    LIST_LIMIT,
    NORMAL,
    SET_BLOCK_TAKEN,
    SET_LAST_BLOCK,
    SET_LAST_BLOCK_OF_LIST,
    SET_LIST_DONE,
    SET_RESPONSE,
    WITH_BLOCK,
    WITH_LIST,
)
from bahal.dlms.errors import MalformedApdu, OversizedApdu, UnexpectedApdu

Answer: TypeAlias = bytes | int
"""The raw A-XDR of one attribute, or a data-access-result."""

_BLOCK_REPLY = struct.Struct(">BBBBI")
_TAKEN = struct.Struct(">BBBI")


class Block(NamedTuple):
    """GET.response with-datablock: raw bytes of the block, or a data-access-result."""

    invoke: int
    last: bool
    number: int
    raw: Answer


class Acted(NamedTuple):
    """An action-result and what the method returns: raw A-XDR, a data-access-result, or nothing."""

    result: int
    returned: Answer | None = None


class SetAnswer(NamedTuple):
    """SET.response of any kind: results (None while blocks are awaited) and the block acknowledged (0 for none)."""

    results: list[int] | None
    block: int


# --- GET -------------------------------------------------------------------------------------------------------------


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
    count, at = _count(body, 0)
    answers: list[Answer] = []
    for _ in range(count):
        answer, at = _answer(body, at)
        answers.append(answer)
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


# --- SET -------------------------------------------------------------------------------------------------------------


def set_response(invoke: int, result: int) -> bytes:
    """SET.response normal with a data-access-result."""
    return bytes((SET_RESPONSE, NORMAL, CONFIRMED_HIGH | invoke, result))


def set_response_list(invoke: int, results: Sequence[int]) -> bytes:
    """SET.response with-list."""
    return bytes((SET_RESPONSE, SET_LIST_DONE, CONFIRMED_HIGH | invoke, len(results), *results))


def set_block_taken(invoke: int, number: int) -> bytes:
    """SET.response datablock: the block arrived, the next one may come."""
    return _TAKEN.pack(SET_RESPONSE, SET_BLOCK_TAKEN, CONFIRMED_HIGH | invoke, number)


def set_last_block(invoke: int, results: Sequence[int], number: int, *, listed: bool) -> bytes:
    """SET.response last-datablock, with one result or a list of them."""
    block = number.to_bytes(4, "big")
    if not listed:
        return bytes((SET_RESPONSE, SET_LAST_BLOCK, CONFIRMED_HIGH | invoke, results[0])) + block
    head = bytes((SET_RESPONSE, SET_LAST_BLOCK_OF_LIST, CONFIRMED_HIGH | invoke, len(results), *results))
    return head + block


def parse_set_response(apdu: bytes) -> SetAnswer:
    """Read a SET.response of any kind.

    :raises UnexpectedApdu: a kind that does not exist.
    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises OversizedApdu: more than ``LIST_LIMIT`` results.
    """
    if len(apdu) < 4:
        raise MalformedApdu("SET response cut short")
    kind, size = apdu[1], len(apdu)
    if kind == NORMAL and size == 4:
        return SetAnswer([apdu[3]], 0)
    if kind == SET_BLOCK_TAKEN and size == 7:
        return SetAnswer(None, int.from_bytes(apdu[3:], "big"))
    if kind == SET_LAST_BLOCK and size == 8:
        return SetAnswer([apdu[3]], int.from_bytes(apdu[4:], "big"))
    if kind in (SET_LIST_DONE, SET_LAST_BLOCK_OF_LIST):
        count, at = _count(apdu, 3)
        end = at + count
        if size != end + (0 if kind == SET_LIST_DONE else 4):
            raise MalformedApdu("SET response of another length than it says")
        return SetAnswer(list(apdu[at:end]), int.from_bytes(apdu[end:], "big"))
    if kind > SET_LIST_DONE or not kind:
        raise UnexpectedApdu(apdu[0], f"response kind {kind}")
    raise MalformedApdu("SET response of unusual length")


# --- ACTION ----------------------------------------------------------------------------------------------------------


def action_response(invoke: int, result: int, returned: Answer | None = None) -> bytes:
    """ACTION.response normal: an action-result and what the method returns, raw A-XDR or a data-access-result."""
    return bytes((ACTION_RESPONSE, NORMAL, CONFIRMED_HIGH | invoke)) + encode_acted(Acted(result, returned))


def action_response_list(invoke: int, acted: Sequence[Acted]) -> bytes:
    """ACTION.response with-list."""
    return bytes((ACTION_RESPONSE, WITH_LIST, CONFIRMED_HIGH | invoke)) + encode_acted_list(acted)


def action_response_block(invoke: int, *, last: bool, number: int, raw: bytes) -> bytes:
    """ACTION.response with-pblock; ``number`` counts from 1."""
    head = _BLOCK_REPLY.pack(ACTION_RESPONSE, ACTION_IN_BLOCKS, CONFIRMED_HIGH | invoke, last, number)
    return head + axdr.length(len(raw)) + raw


def action_block_taken(invoke: int, number: int) -> bytes:
    """ACTION.response next-pblock: the block of a long request arrived, the next one may come."""
    return _TAKEN.pack(ACTION_RESPONSE, ACTION_BLOCK_TAKEN, CONFIRMED_HIGH | invoke, number)


def encode_acted(acted: Acted) -> bytes:
    """The body of an ACTION.response normal."""
    result, returned = acted
    if returned is None:
        return bytes((result, 0))
    if isinstance(returned, int):
        return bytes((result, 1, 1, returned))
    return bytes((result, 1, 0)) + returned


def encode_acted_list(acted: Sequence[Acted]) -> bytes:
    """The body of an ACTION.response with-list."""
    return axdr.length(len(acted)) + b"".join(encode_acted(each) for each in acted)


def parse_action_response(apdu: bytes) -> tuple[int, Answer | None]:
    """Action-result and what was returned (raw A-XDR, a data-access-result, or None) of an ACTION.response normal.

    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    size = len(apdu)
    if size == 5 and not apdu[4]:
        return apdu[3], None
    if size >= 7 and apdu[4] == 1 and not apdu[5]:
        return apdu[3], apdu[6:]
    return parse_acted(apdu[3:])


def parse_acted(body: bytes) -> Acted:
    """Read the body of an ACTION.response normal; what is returned as raw A-XDR fills the rest and is not looked at.

    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    size = len(body)
    if size == 2 and not body[1]:
        return Acted(body[0])
    if size >= 4 and body[1] == 1:
        if not body[2]:
            return Acted(body[0], body[3:])
        if body[2] == 1 and size == 4:
            return Acted(body[0], body[3])
    raise MalformedApdu("ACTION response of unusual form")


def parse_acted_list(body: bytes) -> list[Acted]:
    """Read the body of an ACTION.response with-list.

    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises OversizedApdu: more than ``LIST_LIMIT`` results.
    """
    count, at = _count(body, 0)
    acted: list[Acted] = []
    for _ in range(count):
        if at + 2 > len(body) or body[at + 1] > 1:
            raise MalformedApdu("list of results cut short")
        result, flag = body[at], body[at + 1]
        returned: Answer | None = None
        at += 2
        if flag:
            returned, at = _answer(body, at)
        acted.append(Acted(result, returned))
    if at != len(body):
        raise MalformedApdu("list of results of another length than it says")
    return acted


def _count(body: bytes, at: int) -> tuple[int, int]:
    count, at = axdr.read_length(body, at)
    if count > LIST_LIMIT:
        raise OversizedApdu(count, LIST_LIMIT)
    return count, at


def _answer(body: bytes, at: int) -> tuple[Answer, int]:
    """One Get-Data-Result."""
    if at + 2 > len(body) or body[at] > 1:
        raise MalformedApdu("list of results cut short")
    if body[at]:
        return body[at + 1], at + 2
    _, end = axdr.decode_prefix(body, at + 1)
    return body[at + 1 : end], end


# --- ExceptionResponse -----------------------------------------------------------------------------------------------


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
