"""General block transfer (Green Book 9.4.6.13, tag 0xE0): any APDU, ciphered or not, in numbered blocks.

A block says whether it is the last of its direction, whether more follow at once (streaming), how many its sender is
ready to take in a row (window), its number from 1, and the number of the last block received in order.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from bahal.dlms import axdr
from bahal.dlms.apdu.codes import GENERAL_BLOCK_TRANSFER
from bahal.dlms.errors import MalformedApdu, UnexpectedApdu

WINDOW_LIMIT: Final = 63
BLOCK_HEAD: Final = 9
"""Most bytes that a block has before its data."""

_HEAD = struct.Struct(">BBHH")
_LAST: Final = 0x80
_STREAMING: Final = 0x40


class GeneralBlock(NamedTuple):
    """One general-block-transfer APDU."""

    last: bool
    streaming: bool
    window: int
    number: int
    acknowledged: int
    data: bytes


def general_block(block: GeneralBlock) -> bytes:
    """Build one; window 0 to 63, numbers of 16 bits."""
    control = block.window | (_LAST if block.last else 0) | (_STREAMING if block.streaming else 0)
    head = _HEAD.pack(GENERAL_BLOCK_TRANSFER, control, block.number, block.acknowledged)
    return head + axdr.length(len(block.data)) + block.data


def parse_general_block(apdu: bytes) -> GeneralBlock:
    """Read one.

    :raises UnexpectedApdu: another APDU.
    :raises MalformedApdu: the bytes do not follow their encoding.
    """
    if not apdu or apdu[0] != GENERAL_BLOCK_TRANSFER:
        raise UnexpectedApdu(apdu[0] if apdu else 0, "general block transfer awaited")
    if len(apdu) < 7:
        raise MalformedApdu("block cut short")
    _, control, number, acknowledged = _HEAD.unpack_from(apdu)
    size, at = axdr.read_length(apdu, 6)
    if size != len(apdu) - at:
        raise MalformedApdu("block of another length than it says")
    return GeneralBlock(
        bool(control & _LAST), bool(control & _STREAMING), control & WINDOW_LIMIT, number, acknowledged, apdu[at:]
    )
