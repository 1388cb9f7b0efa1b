"""GET, SET and ACTION requests (Green Book 9.3): built and read, normal, with-list and in blocks.

A long SET or ACTION goes as a first APDU with the targets and block 1, then APDUs with one block each; the blocks
joined are the value, or a list of values with its count.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from bahal.dlms import axdr
from bahal.dlms.apdu.codes import (
    ACTION_BLOCK,
    ACTION_FIRST_BLOCK,
    ACTION_LIST_FIRST_BLOCK,
    ACTION_NEXT,
    ACTION_REQUEST,
    CONFIRMED_HIGH,
    GET_REQUEST,
    LIST_LIMIT,
    NEXT,
    NORMAL,
    SET_BLOCK,
    SET_FIRST_BLOCK,
    SET_LIST_FIRST_BLOCK,
    SET_REQUEST,
    SET_WITH_LIST,
    WITH_LIST,
)
from bahal.dlms.errors import MalformedApdu, OversizedApdu, UnexpectedApdu, ValueOutOfRange

_TARGET_FLAG = struct.Struct(">BBBH6sBB")
_TARGET = struct.Struct(">H6sB")
_NEXT = struct.Struct(">BBBI")
_BLOCK = struct.Struct(">BI")


class Target(NamedTuple):
    """One attribute or method: interface class, logical name (6 bytes), number, and a selection (GET and SET only)."""

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


class SetList(NamedTuple):
    """SET.request with-list: as many raw values as targets."""

    invoke: int
    targets: list[Target]
    values: list[bytes]


class ActionRequest(NamedTuple):
    """ACTION.request normal; ``parameter`` is raw A-XDR or None."""

    invoke: int
    target: Target
    parameter: bytes | None


class ActionList(NamedTuple):
    """ACTION.request with-list: as many raw parameters as targets; null-data stands for none."""

    invoke: int
    targets: list[Target]
    parameters: list[bytes]


class ActionNext(NamedTuple):
    """ACTION.request next-pblock: the number of the last block received."""

    invoke: int
    block: int


class DataBlock(NamedTuple):
    """One block: whether it is the last, its number from 1, its raw bytes."""

    last: bool
    number: int
    raw: bytes


class FirstBlock(NamedTuple):
    """The first APDU of a long SET or ACTION (``tag``); ``listed`` for one with-list."""

    tag: int
    invoke: int
    targets: list[Target]
    listed: bool
    block: DataBlock


class NextBlock(NamedTuple):
    """A further APDU of a long SET or ACTION (``tag``)."""

    tag: int
    invoke: int
    block: DataBlock


Request: TypeAlias = (
    GetRequest
    | GetNext
    | GetList
    | SetRequest
    | SetList
    | ActionRequest
    | ActionList
    | ActionNext
    | FirstBlock
    | NextBlock
)


# --- building --------------------------------------------------------------------------------------------------------


def get_request(invoke: int, class_id: int, obis: bytes, attribute: int, selection: bytes | None = None) -> bytes:
    """GET.request normal."""
    iip = CONFIRMED_HIGH | invoke
    if selection is None:
        return _TARGET_FLAG.pack(GET_REQUEST, NORMAL, iip, class_id, obis, attribute, 0)
    return _TARGET_FLAG.pack(GET_REQUEST, NORMAL, iip, class_id, obis, attribute, 1) + selection


def get_next(invoke: int, block: int) -> bytes:
    """GET.request next, acknowledging ``block``."""
    return _NEXT.pack(GET_REQUEST, NEXT, CONFIRMED_HIGH | invoke, block)


def get_list(invoke: int, targets: Sequence[Target]) -> bytes:
    """GET.request with-list.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` targets.
    """
    return bytes((GET_REQUEST, WITH_LIST, CONFIRMED_HIGH | invoke)) + encode_targets(targets, selections=True)


def set_request(
    invoke: int, class_id: int, obis: bytes, attribute: int, value: bytes, selection: bytes | None = None
) -> bytes:
    """SET.request normal."""
    iip = CONFIRMED_HIGH | invoke
    if selection is None:
        return _TARGET_FLAG.pack(SET_REQUEST, NORMAL, iip, class_id, obis, attribute, 0) + value
    return _TARGET_FLAG.pack(SET_REQUEST, NORMAL, iip, class_id, obis, attribute, 1) + selection + value


def set_list(invoke: int, targets: Sequence[Target], values: Sequence[bytes]) -> bytes:
    """SET.request with-list.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` targets, or another number of values.
    """
    head = bytes((SET_REQUEST, SET_WITH_LIST, CONFIRMED_HIGH | invoke))
    return head + encode_targets(targets, selections=True) + encode_values(values, len(targets))


def action_request(invoke: int, class_id: int, obis: bytes, method: int, parameter: bytes | None = None) -> bytes:
    """ACTION.request normal."""
    iip = CONFIRMED_HIGH | invoke
    if parameter is None:
        return _TARGET_FLAG.pack(ACTION_REQUEST, NORMAL, iip, class_id, obis, method, 0)
    return _TARGET_FLAG.pack(ACTION_REQUEST, NORMAL, iip, class_id, obis, method, 1) + parameter


def action_list(invoke: int, targets: Sequence[Target], parameters: Sequence[bytes | None]) -> bytes:
    """ACTION.request with-list.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` targets, or another number of parameters.
    """
    head = bytes((ACTION_REQUEST, WITH_LIST, CONFIRMED_HIGH | invoke))
    values = [axdr.null() if each is None else each for each in parameters]
    return head + encode_targets(targets, selections=False) + encode_values(values, len(targets))


def action_next(invoke: int, block: int) -> bytes:
    """ACTION.request next-pblock, acknowledging ``block`` of a long response."""
    return _NEXT.pack(ACTION_REQUEST, ACTION_NEXT, CONFIRMED_HIGH | invoke, block)


def encode_targets(targets: Sequence[Target], *, selections: bool) -> bytes:
    """A list of attributes with their selections, or of methods.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` of them.
    """
    if not 1 <= len(targets) <= LIST_LIMIT:
        raise ValueOutOfRange("list of targets", len(targets))
    parts = [bytes((len(targets),))]
    for class_id, obis, number, selection in targets:
        parts.append(_TARGET.pack(class_id, obis, number))
        if selections:
            parts.append(b"\x00" if selection is None else b"\x01" + selection)
    return b"".join(parts)


def encode_values(values: Sequence[bytes], count: int) -> bytes:
    """A list of raw values with its count, also what the blocks of a long list carry.

    :raises ValueOutOfRange: not ``count`` values.
    """
    if len(values) != count:
        raise ValueOutOfRange("list of values", len(values))
    return axdr.length(count) + b"".join(values)


def first_block(tag: int, invoke: int, targets: Sequence[Target], *, listed: bool, block: DataBlock) -> bytes:
    """The first APDU of a long SET or ACTION.

    :raises ValueOutOfRange: none, or more than ``LIST_LIMIT`` targets.
    """
    is_set = tag == SET_REQUEST
    if listed:
        kind = SET_LIST_FIRST_BLOCK if is_set else ACTION_LIST_FIRST_BLOCK
        described = encode_targets(targets, selections=is_set)
    else:
        kind = SET_FIRST_BLOCK if is_set else ACTION_FIRST_BLOCK
        described = encode_targets(targets[:1], selections=is_set)[1:]
    return bytes((tag, kind, CONFIRMED_HIGH | invoke)) + described + _encode_block(block)


def next_block(tag: int, invoke: int, block: DataBlock) -> bytes:
    """A further APDU of a long SET or ACTION."""
    kind = SET_BLOCK if tag == SET_REQUEST else ACTION_BLOCK
    return bytes((tag, kind, CONFIRMED_HIGH | invoke)) + _encode_block(block)


def _encode_block(block: DataBlock) -> bytes:
    return _BLOCK.pack(block.last, block.number) + axdr.length(len(block.raw)) + block.raw


# --- reading ---------------------------------------------------------------------------------------------------------


def parse_request(apdu: bytes) -> Request:
    """Read a plain GET, SET or ACTION request.

    :raises UnexpectedApdu: another APDU, or a kind of these that is not spoken here.
    :raises MalformedApdu: the bytes do not follow their encoding.
    :raises OversizedApdu: a list of more than ``LIST_LIMIT`` targets.
    """
    if len(apdu) < 4:
        raise MalformedApdu("request cut short")
    tag, kind, invoke = apdu[0], apdu[1], apdu[2] & 0x0F
    if tag not in (GET_REQUEST, SET_REQUEST, ACTION_REQUEST):
        raise UnexpectedApdu(tag, f"request kind {kind}")
    if kind == NORMAL:
        return _parse_normal(apdu)
    if (tag, kind) in _BLOCKED:
        return _parse_block(apdu)
    if tag != SET_REQUEST and kind == NEXT:
        if len(apdu) != 7:
            raise MalformedApdu("request for the next block of unusual length")
        number = int.from_bytes(apdu[3:7], "big")
        return GetNext(invoke, number) if tag == GET_REQUEST else ActionNext(invoke, number)
    if kind != (SET_WITH_LIST if tag == SET_REQUEST else WITH_LIST):
        raise UnexpectedApdu(tag, f"request kind {kind}")
    targets, at = _targets(apdu, 3, selections=tag != ACTION_REQUEST)
    if tag == GET_REQUEST:
        if at != len(apdu):
            raise MalformedApdu("GET list of another length than it says")
        return GetList(invoke, targets)
    values = parse_values(apdu[at:], len(targets))
    return SetList(invoke, targets, values) if tag == SET_REQUEST else ActionList(invoke, targets, values)


def _parse_normal(apdu: bytes) -> Request:
    if len(apdu) < 13:
        raise MalformedApdu("request cut short")
    tag, _, iip, class_id, obis, number, flag = _TARGET_FLAG.unpack_from(apdu)
    invoke = iip & 0x0F
    rest = apdu[13:]
    if flag > 1 or bool(flag or tag == SET_REQUEST) != bool(rest):
        raise MalformedApdu("optional part does not match its flag")
    if tag == ACTION_REQUEST:
        return ActionRequest(invoke, Target(class_id, obis, number), rest if flag else None)
    selection: bytes | None = None
    if flag:
        _, end = axdr.decode_prefix(rest, 1)
        selection, rest = rest[:end], rest[end:]
    target = Target(class_id, obis, number, selection)
    if tag == SET_REQUEST:
        if not rest:
            raise MalformedApdu("SET without a value")
        return SetRequest(invoke, target, rest)
    if rest:
        raise MalformedApdu("bytes after the selection")
    return GetRequest(invoke, target)


_BLOCKED: Final = {
    (SET_REQUEST, SET_FIRST_BLOCK): (True, False),
    (SET_REQUEST, SET_LIST_FIRST_BLOCK): (True, True),
    (SET_REQUEST, SET_BLOCK): (False, False),
    (ACTION_REQUEST, ACTION_FIRST_BLOCK): (True, False),
    (ACTION_REQUEST, ACTION_LIST_FIRST_BLOCK): (True, True),
    (ACTION_REQUEST, ACTION_BLOCK): (False, False),
}


def _parse_block(apdu: bytes) -> FirstBlock | NextBlock:
    tag, kind, invoke = apdu[0], apdu[1], apdu[2] & 0x0F
    first, listed = _BLOCKED[tag, kind]
    if not first:
        return NextBlock(tag, invoke, parse_data_block(apdu, 3))
    targets, at = _targets(apdu, 3, selections=tag == SET_REQUEST, count=None if listed else 1)
    return FirstBlock(tag, invoke, targets, listed, parse_data_block(apdu, at))


def parse_data_block(apdu: bytes, at: int) -> DataBlock:
    """Read the block that begins at ``at`` and fills the rest.

    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if at + 6 > len(apdu) or apdu[at] > 1:
        raise MalformedApdu("block cut short")
    last, number = _BLOCK.unpack_from(apdu, at)
    size, start = axdr.read_length(apdu, at + 5)
    if size != len(apdu) - start:
        raise MalformedApdu("block of another length than it says")
    return DataBlock(bool(last), number, apdu[start:])


def parse_values(body: bytes, count: int) -> list[bytes]:
    """Read a list of values with its count.

    :raises MalformedApdu: the bytes do not follow their encoding, or there are not ``count`` values.
    """
    claimed, at = axdr.read_length(body, 0)
    if claimed != count:
        raise MalformedApdu(f"{claimed} values for {count} targets")
    values: list[bytes] = []
    for _ in range(count):
        _, end = axdr.decode_prefix(body, at)
        values.append(body[at:end])
        at = end
    if at != len(body):
        raise MalformedApdu("list of values of another length than it says")
    return values


def _targets(apdu: bytes, at: int, *, selections: bool, count: int | None = None) -> tuple[list[Target], int]:
    if count is None:
        count, at = axdr.read_length(apdu, at)
        if count > LIST_LIMIT:
            raise OversizedApdu(count, LIST_LIMIT)
        if not count:
            raise MalformedApdu("empty list of targets")
    size = 10 if selections else 9
    targets: list[Target] = []
    for _ in range(count):
        if at + size > len(apdu):
            raise MalformedApdu("list of targets cut short")
        class_id, obis, number = _TARGET.unpack_from(apdu, at)
        at += size
        selection: bytes | None = None
        if selections and apdu[at - 1]:
            _, end = axdr.decode_prefix(apdu, at + 1)
            selection = apdu[at:end]
            at = end
        targets.append(Target(class_id, obis, number, selection))
    return targets, at
