"""Arrays and structures as data: how an attribute that is more than one simple value is encoded, and what a SET of it
must look like, tag for tag.

A layout is written as a text: a name of `SIMPLE_TYPES`, `any`, `array(X)` or `structure(X, Y, ...)`. A value is a list
for an array, a tuple for a structure, and for `any` (a CHOICE that each object settles) its A-XDR bytes as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bahal.dlms import axdr
from bahal.dlms.errors import MalformedApdu, ValueOutOfRange
from bahal.dlms.objects.classes import LAYOUTS, SIMPLE_TYPES

_WORD: Final = re.compile(r"\s*([a-z0-9-]+(?: octets)?|[(),])\s*")
_ANY: Final = "any"
# What a value of a simple type is here; whatever is not named is a number.
_HOLDS: Final[Mapping[int, type]] = {
    axdr.BOOLEAN: bool,
    axdr.OCTET_STRING: bytes,
    axdr.VISIBLE_STRING: str,
    axdr.BIT_STRING: axdr.BitString,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """A parsed layout. `kind` is `array`, `structure`, `any` or a simple type's name; `parts` of the first two."""

    kind: str
    parts: tuple[Layout, ...] = ()

    def encode(self, value: Any) -> bytes:
        """A value as A-XDR.

        :raises ValueOutOfRange: it does not fit.
        """
        if self.kind == _ANY:
            if not isinstance(value, bytes):
                raise ValueOutOfRange("any", value)
            return value
        if self.kind == "array":
            if not isinstance(value, list):
                raise ValueOutOfRange("array", value)
            (each,) = self.parts
            return axdr.array(*(each.encode(one) for one in value))
        if self.kind == "structure":
            if not isinstance(value, tuple) or len(value) != len(self.parts):
                raise ValueOutOfRange(f"structure of {len(self.parts)}", value)
            return axdr.structure(*(part.encode(one) for part, one in zip(self.parts, value, strict=True)))
        simple = SIMPLE_TYPES[self.kind]
        # A method's parameter comes decoded: its tags are gone, so its values may be of any kind.
        if type(value) is not _HOLDS.get(simple.tag, int):
            raise ValueOutOfRange(self.kind, value)
        return simple.encode(value)

    def read(self, raw: bytes) -> Any:
        """The value that A-XDR bytes hold, tag for tag of this layout; `encode` gives the bytes back.

        :raises MalformedApdu: it is none of this layout, or bytes are left over.
        """
        value, end = self._read(raw, 0)
        if end != len(raw):
            raise MalformedApdu(f"{len(raw) - end} bytes after the value")
        return value

    def _read(self, raw: bytes, at: int) -> tuple[Any, int]:
        if self.kind == _ANY:
            end = axdr.decode_prefix(raw, at)[1]
            return raw[at:end], end
        if at >= len(raw):
            raise MalformedApdu("value missing")
        if self.kind not in ("array", "structure"):
            if raw[at] != SIMPLE_TYPES[self.kind].tag:
                raise MalformedApdu(f"not a {self.kind}")
            return axdr.decode_prefix(raw, at)
        if raw[at] != (axdr.ARRAY if self.kind == "array" else axdr.STRUCTURE):
            raise MalformedApdu(f"not a {self.kind}")
        count, at = axdr.read_length(raw, at + 1)
        # Each element takes a byte or more: a claimed count fails before anything is made of it.
        if count > len(raw) - at or (self.kind == "structure" and count != len(self.parts)):
            raise MalformedApdu(f"{count} elements")
        values = []
        for nth in range(count):
            value, at = self.parts[0 if self.kind == "array" else nth]._read(raw, at)
            values.append(value)
        return (values if self.kind == "array" else tuple(values)), at


@cache
def layout(text: str) -> Layout:
    """Parse a layout's text.

    :raises ValueError: it is none.
    """
    words = _WORD.findall(text)
    if "".join(words) != re.sub(r"\s(?!octets)", "", text):
        raise ValueError(f"not a layout: {text!r}")
    found, rest = _parsed(words, text)
    if rest:
        raise ValueError(f"not a layout: {text!r}")
    return found


def _parsed(words: list[str], text: str) -> tuple[Layout, list[str]]:
    head, rest = words[0] if words else "", words[1:]
    if head not in ("array", "structure"):
        if head != _ANY and head not in SIMPLE_TYPES:
            raise ValueError(f"not a type: {head!r} in {text!r}")
        return Layout(head), rest
    if rest[:1] != ["("]:
        raise ValueError(f"{head} of what, in {text!r}?")
    parts = []
    while rest and rest[0] in "(,":
        part, rest = _parsed(rest[1:], text)
        parts.append(part)
    if rest[:1] != [")"] or (head == "array" and len(parts) != 1):
        raise ValueError(f"not a layout: {text!r}")
    return Layout(head, tuple(parts)), rest[1:]


ATTRIBUTES: Final[Mapping[str, Layout]] = {name: layout(text) for name, text in LAYOUTS.items()}
"""The layouts that the classes name."""
