"""A-XDR values (IEC 61334-6; the ``Data`` type of the Green Book): bytes to Python and back.

Decoding maps null-data and the integer, float and string types to None, bool, int, float, bytes and str, array to list,
structure to tuple, bit-string to :class:`BitString`, date-time (25), date (26) and time (27) to the bytes subclasses
:class:`DateTime`, :class:`Date`, :class:`Time`, and dont-care to :data:`DONT_CARE`.  A compact-array becomes a list.

Encoding never guesses a type: each function names its own and returns tag and contents as bytes.

Any input is bounded: nesting by ``DEPTH_LIMIT``, elements by ``ELEMENT_LIMIT``, bytes by ``SIZE_LIMIT``; a claimed
count larger than the bytes that follow fails before anything is allocated.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias, Union

from bahal.dlms.errors import MalformedApdu, OversizedApdu, ValueOutOfRange

DEPTH_LIMIT = 12
ELEMENT_LIMIT = 200_000
SIZE_LIMIT = 1 << 20

NULL = 0
ARRAY = 1
STRUCTURE = 2
BOOLEAN = 3
BIT_STRING = 4
INT32 = 5
UINT32 = 6
OCTET_STRING = 9
VISIBLE_STRING = 10
UTF8_STRING = 12
BCD = 13
INT8 = 15
INT16 = 16
UINT8 = 17
UINT16 = 18
COMPACT_ARRAY = 19
INT64 = 20
UINT64 = 21
ENUM = 22
FLOAT32 = 23
FLOAT64 = 24
DATE_TIME = 25
DATE = 26
TIME = 27
DONT_CARE_TAG = 255


class BitString:
    """``length`` bits packed from the most significant bit of the first byte; bit 0 is the first one sent."""

    __slots__ = ("length", "packed")

    def __init__(self, length: int, packed: bytes) -> None:
        self.length = length
        self.packed = packed

    @classmethod
    def of(cls, length: int, *positions: int) -> BitString:
        """A bit-string of ``length`` bits with only ``positions`` set.

        :raises ValueOutOfRange: a position outside the length.
        """
        size = (length + 7) // 8
        number = 0
        for position in positions:
            if not 0 <= position < length:
                raise ValueOutOfRange("bit-string", position)
            number |= 1 << (size * 8 - 1 - position)
        return cls(length, number.to_bytes(size, "big"))

    def __getitem__(self, position: int) -> bool:
        if not 0 <= position < self.length:
            raise IndexError(position)
        return bool(self.packed[position >> 3] & (0x80 >> (position & 7)))

    def __len__(self) -> int:
        return self.length

    def positions(self) -> list[int]:
        """The positions of the bits that are set, rising."""
        return [position for position in range(self.length) if self[position]]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitString):
            return NotImplemented
        return self.length == other.length and self.packed == other.packed

    def __hash__(self) -> int:
        return hash((self.length, self.packed))

    def __repr__(self) -> str:
        return f"BitString({self.length}, {self.packed.hex()})"


class DateTime(bytes):
    """The 12 bytes of a date-time (tag 25); ``bahal.dlms.clock`` reads them."""

    __slots__ = ()


class Date(bytes):
    """The 5 bytes of a date (tag 26)."""

    __slots__ = ()


class Time(bytes):
    """The 4 bytes of a time (tag 27)."""

    __slots__ = ()


class DontCare:
    """The type of :data:`DONT_CARE`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DONT_CARE"


DONT_CARE: Final = DontCare()

Value: TypeAlias = Union[bool, int, float, bytes, str, BitString, DontCare, "list[Value]", "tuple[Value, ...]", None]

_FIXED: dict[int, tuple[struct.Struct, int]] = {
    tag: (struct.Struct(code), struct.calcsize(code))
    for tag, code in (
        (INT32, ">i"),
        (UINT32, ">I"),
        (BCD, ">b"),
        (INT8, ">b"),
        (INT16, ">h"),
        (UINT8, ">B"),
        (UINT16, ">H"),
        (INT64, ">q"),
        (UINT64, ">Q"),
        (ENUM, ">B"),
        (FLOAT32, ">f"),
        (FLOAT64, ">d"),
    )
}
_UNPACK = {tag: (packer.unpack_from, size) for tag, (packer, size) in _FIXED.items()}
_DATED: dict[int, tuple[type[bytes], int]] = {DATE_TIME: (DateTime, 12), DATE: (Date, 5), TIME: (Time, 4)}


# --- lengths ---------------------------------------------------------------------------------------------------------


def length(count: int) -> bytes:
    """A length or count: one byte below 128, else 0x81..0x84 and that many bytes."""
    if count < 0x80:
        return bytes((count,))
    size = (count.bit_length() + 7) // 8
    if size > 4:
        raise ValueOutOfRange("length", count)
    return bytes((0x80 | size,)) + count.to_bytes(size, "big")


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length at ``at``; return it and the offset after it.

    :raises MalformedApdu: the bytes end, or the length takes more than four bytes.
    """
    if at >= len(data):
        raise MalformedApdu("length missing")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    end = at + 1 + size
    if not 1 <= size <= 4 or end > len(data):
        raise MalformedApdu("bad length")
    return int.from_bytes(data[at + 1 : end], "big"), end


# --- decoding --------------------------------------------------------------------------------------------------------


class _Reader:
    """One decode: the bytes and how many more elements they may hold."""

    __slots__ = ("budget", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.budget = ELEMENT_LIMIT

    def spend(self, count: int) -> None:
        self.budget -= count
        if self.budget < 0:
            raise OversizedApdu(ELEMENT_LIMIT - self.budget, ELEMENT_LIMIT)

    def value(self, at: int, depth: int) -> tuple[Value, int]:
        data = self.data
        if at >= len(data):
            raise MalformedApdu("value missing")
        return self.contents(data[at], at + 1, depth)

    def contents(self, tag: int, at: int, depth: int) -> tuple[Value, int]:
        """The value of type ``tag`` whose contents begin at ``at``."""
        data = self.data
        fixed = _UNPACK.get(tag)
        if fixed is not None:
            unpack, size = fixed
            if at + size > len(data):
                raise MalformedApdu("value cut short")
            return unpack(data, at)[0], at + size
        if tag == OCTET_STRING:
            count, at = read_length(data, at)
            end = at + count
            if end > len(data):
                raise MalformedApdu("octet-string cut short")
            return data[at:end], end
        if tag == STRUCTURE or tag == ARRAY:
            count, at = read_length(data, at)
            if count > len(data) - at:
                raise MalformedApdu("more elements claimed than bytes follow")
            self.spend(count)
            if depth >= DEPTH_LIMIT:
                raise OversizedApdu(depth + 1, DEPTH_LIMIT)
            elements: list[Value] = []
            for _ in range(count):
                element, at = self.value(at, depth + 1)
                elements.append(element)
            return (tuple(elements) if tag == STRUCTURE else elements), at
        if tag == NULL:
            return None, at
        if tag == BOOLEAN:
            if at >= len(data):
                raise MalformedApdu("boolean cut short")
            return data[at] != 0, at + 1
        if tag == VISIBLE_STRING or tag == UTF8_STRING:
            count, at = read_length(data, at)
            end = at + count
            if end > len(data):
                raise MalformedApdu("string cut short")
            try:
                return data[at:end].decode("ascii" if tag == VISIBLE_STRING else "utf-8"), end
            except UnicodeDecodeError:
                raise MalformedApdu("string with foreign bytes") from None
        if tag == BIT_STRING:
            count, at = read_length(data, at)
            end = at + (count + 7) // 8
            if end > len(data):
                raise MalformedApdu("bit-string cut short")
            return BitString(count, data[at:end]), end
        if tag in _DATED:
            kind, size = _DATED[tag]
            if at + size > len(data):
                raise MalformedApdu("date or time cut short")
            return kind(data[at : at + size]), at + size
        if tag == COMPACT_ARRAY:
            return self.compact_array(at, depth)
        if tag == DONT_CARE_TAG:
            return DONT_CARE, at
        raise MalformedApdu(f"unknown type {tag}")

    def compact_array(self, at: int, depth: int) -> tuple[list[Value], int]:
        """Type description once, then the contents of all elements without tags."""
        description, at = self.description(at, depth + 1)
        size, at = read_length(self.data, at)
        end = at + size
        if end > len(self.data):
            raise MalformedApdu("compact-array cut short")
        elements: list[Value] = []
        while at < end:
            element, after = self.described(description, at, depth + 1)
            if after == at:
                raise MalformedApdu("compact-array of elements without contents")
            elements.append(element)
            at = after
        if at != end:
            raise MalformedApdu("compact-array longer than it says")
        return elements, at

    def description(self, at: int, depth: int) -> tuple[_Description, int]:
        if depth > DEPTH_LIMIT:
            raise OversizedApdu(depth, DEPTH_LIMIT)
        data = self.data
        if at >= len(data):
            raise MalformedApdu("type description missing")
        tag = data[at]
        at += 1
        if tag == STRUCTURE:
            count, at = read_length(data, at)
            if count > len(data) - at:
                raise MalformedApdu("more elements described than bytes follow")
            self.spend(count)
            members: list[_Description] = []
            for _ in range(count):
                member, at = self.description(at, depth + 1)
                members.append(member)
            return (tag, 0, members), at
        if tag == ARRAY:
            if at + 2 > len(data):
                raise MalformedApdu("type description cut short")
            count = data[at] << 8 | data[at + 1]
            member, at = self.description(at + 2, depth + 1)
            if _hollow(member):
                # A few bytes could otherwise describe millions of elements.
                raise MalformedApdu("array of elements without contents")
            return (tag, count, [member]), at
        if tag == COMPACT_ARRAY:
            raise MalformedApdu("compact-array within a compact-array")
        return (tag, 0, []), at

    def described(self, description: _Description, at: int, depth: int) -> tuple[Value, int]:
        self.spend(1)
        tag, count, members = description
        if tag == STRUCTURE or tag == ARRAY:
            elements: list[Value] = []
            for member in members if tag == STRUCTURE else members * count:
                element, at = self.described(member, at, depth + 1)
                elements.append(element)
            return (tuple(elements) if tag == STRUCTURE else elements), at
        return self.contents(tag, at, depth)


_Description: TypeAlias = "tuple[int, int, list[_Description]]"


def _hollow(description: _Description) -> bool:
    """Whether a value so described takes no byte at all."""
    tag, count, members = description
    if tag == ARRAY:
        return not count
    if tag == STRUCTURE:
        return all(map(_hollow, members))
    return tag in (NULL, DONT_CARE_TAG)


def decode_prefix(data: bytes | memoryview, at: int = 0) -> tuple[Value, int]:
    """Decode the value that begins at ``at``; return it and the offset after it.

    :raises MalformedApdu: the bytes do not follow A-XDR.
    :raises OversizedApdu: a limit of this module is passed.
    """
    data = bytes(data)
    if len(data) > SIZE_LIMIT:
        raise OversizedApdu(len(data), SIZE_LIMIT)
    return _Reader(data).value(at, 0)


def decode(data: bytes | memoryview, *, lenient: bool = False) -> Value:
    """Decode exactly one value.

    ``lenient`` accepts what one make of meter does: a further copy of the value after the first, of the same type and
    well formed; the first copy is returned.

    :raises MalformedApdu: the bytes do not follow A-XDR, or bytes are left over.
    :raises OversizedApdu: a limit of this module is passed.
    """
    value, end = decode_prefix(data)
    if end != len(data) and not (lenient and end == first_copy(data)):
        raise MalformedApdu(f"{len(data) - end} bytes after the value")
    return value


def first_copy(data: bytes | memoryview) -> int:
    """The length of the first value in ``data``, which may hold one value, or a value and one more of the same type.

    Equal to ``len(data)`` when nothing is repeated.

    :raises MalformedApdu: what follows the first value is anything else.
    """
    _, end = decode_prefix(data)
    if end != len(data):
        _, after = decode_prefix(data, end)
        if after != len(data) or data[end] != data[0]:
            raise MalformedApdu(f"{len(data) - end} bytes after the value")
    return end


# --- encoding --------------------------------------------------------------------------------------------------------


def _integer(kind: str, tag: int, size: int, signed: bool, value: int) -> bytes:
    try:
        return bytes((tag,)) + value.to_bytes(size, "big", signed=signed)
    except OverflowError:
        raise ValueOutOfRange(kind, value) from None


def null() -> bytes:
    """null-data."""
    return b"\x00"


def dont_care() -> bytes:
    """dont-care."""
    return b"\xff"


def boolean(value: bool) -> bytes:
    """boolean; true is 0x01."""
    return b"\x03\x01" if value else b"\x03\x00"


def int8(value: int) -> bytes:
    """integer, 8 bits."""
    return _integer("integer", INT8, 1, True, value)


def int16(value: int) -> bytes:
    """long, 16 bits."""
    return _integer("long", INT16, 2, True, value)


def int32(value: int) -> bytes:
    """double-long, 32 bits."""
    return _integer("double-long", INT32, 4, True, value)


def int64(value: int) -> bytes:
    """long64, 64 bits."""
    return _integer("long64", INT64, 8, True, value)


def uint8(value: int) -> bytes:
    """unsigned, 8 bits."""
    return _integer("unsigned", UINT8, 1, False, value)


def uint16(value: int) -> bytes:
    """long-unsigned, 16 bits."""
    return _integer("long-unsigned", UINT16, 2, False, value)


def uint32(value: int) -> bytes:
    """double-long-unsigned, 32 bits."""
    return _integer("double-long-unsigned", UINT32, 4, False, value)


def uint64(value: int) -> bytes:
    """long64-unsigned, 64 bits."""
    return _integer("long64-unsigned", UINT64, 8, False, value)


def enum(value: int) -> bytes:
    """enum, 8 bits."""
    return _integer("enum", ENUM, 1, False, value)


def float32(value: float) -> bytes:
    """float32, IEEE 754."""
    try:
        return b"\x17" + struct.pack(">f", value)
    except OverflowError:
        raise ValueOutOfRange("float32", value) from None


def float64(value: float) -> bytes:
    """float64, IEEE 754."""
    return b"\x18" + struct.pack(">d", value)


def octets(value: bytes) -> bytes:
    """octet-string."""
    return b"\x09" + length(len(value)) + value


def visible(value: str) -> bytes:
    """visible-string; ASCII only."""
    try:
        return b"\x0a" + length(len(value)) + value.encode("ascii")
    except UnicodeEncodeError:
        raise ValueOutOfRange("visible-string", value) from None


def utf8(value: str) -> bytes:
    """utf8-string; the length counts bytes."""
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueOutOfRange("utf8-string", value) from None
    return b"\x0c" + length(len(encoded)) + encoded


def bits(value: BitString) -> bytes:
    """bit-string."""
    if len(value.packed) != (value.length + 7) // 8:
        raise ValueOutOfRange("bit-string", value)
    return b"\x04" + length(value.length) + value.packed


def _dated(kind: str, tag: int, size: int, value: bytes) -> bytes:
    if len(value) != size:
        raise ValueOutOfRange(kind, value)
    return bytes((tag,)) + value


def date_time(value: bytes) -> bytes:
    """date-time (25), 12 bytes."""
    return _dated("date-time", DATE_TIME, 12, value)


def date(value: bytes) -> bytes:
    """date (26), 5 bytes."""
    return _dated("date", DATE, 5, value)


def time(value: bytes) -> bytes:
    """time (27), 4 bytes."""
    return _dated("time", TIME, 4, value)


def structure(*encoded: bytes) -> bytes:
    """structure of values already encoded."""
    return b"\x02" + length(len(encoded)) + b"".join(encoded)


def array(*encoded: bytes) -> bytes:
    """array of values already encoded."""
    return b"\x01" + length(len(encoded)) + b"".join(encoded)
