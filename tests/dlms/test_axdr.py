"""A-XDR: every type there and back, and limits on whatever else comes."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import axdr
from bahal.dlms.axdr import BitString, Value
from bahal.dlms.errors import DlmsError, MalformedApdu, OversizedApdu, ValueOutOfRange

INTEGERS: list[tuple[Callable[[int], bytes], int, int]] = [
    (axdr.int8, -(1 << 7), (1 << 7) - 1),
    (axdr.int16, -(1 << 15), (1 << 15) - 1),
    (axdr.int32, -(1 << 31), (1 << 31) - 1),
    (axdr.int64, -(1 << 63), (1 << 63) - 1),
    (axdr.uint8, 0, (1 << 8) - 1),
    (axdr.uint16, 0, (1 << 16) - 1),
    (axdr.uint32, 0, (1 << 32) - 1),
    (axdr.uint64, 0, (1 << 64) - 1),
    (axdr.enum, 0, (1 << 8) - 1),
]


def integer(kind: tuple[Callable[[int], bytes], int, int]) -> st.SearchStrategy[tuple[Value, bytes]]:
    encode, low, high = kind
    return st.integers(low, high).map(lambda value: (value, encode(value)))


bit_strings = st.integers(0, 200).flatmap(
    lambda size: st.lists(st.integers(0, max(size - 1, 0)), max_size=size).map(lambda at: BitString.of(size, *at))
)
leaves: st.SearchStrategy[tuple[Value, bytes]] = st.one_of(
    st.just((None, axdr.null())),
    st.just((axdr.DONT_CARE, axdr.dont_care())),
    st.booleans().map(lambda value: (value, axdr.boolean(value))),
    st.sampled_from(INTEGERS).flatmap(integer),
    st.binary(max_size=300).map(lambda value: (value, axdr.octets(value))),
    st.text(st.characters(max_codepoint=127), max_size=40).map(lambda value: (value, axdr.visible(value))),
    st.text(max_size=40).map(lambda value: (value, axdr.utf8(value))),
    bit_strings.map(lambda value: (value, axdr.bits(value))),
    st.floats(allow_nan=False).map(lambda value: (value, axdr.float64(value))),
    st.floats(allow_nan=False, width=32).map(lambda value: (value, axdr.float32(value))),
    st.binary(min_size=12, max_size=12).map(lambda value: (axdr.DateTime(value), axdr.date_time(value))),
    st.binary(min_size=5, max_size=5).map(lambda value: (axdr.Date(value), axdr.date(value))),
    st.binary(min_size=4, max_size=4).map(lambda value: (axdr.Time(value), axdr.time(value))),
)


def nested(inner: st.SearchStrategy[tuple[Value, bytes]]) -> st.SearchStrategy[tuple[Value, bytes]]:
    several = st.lists(inner, max_size=5)
    return st.one_of(
        several.map(lambda pairs: (tuple(value for value, _ in pairs), axdr.structure(*(raw for _, raw in pairs)))),
        several.map(lambda pairs: ([value for value, _ in pairs], axdr.array(*(raw for _, raw in pairs)))),
    )


values = st.recursive(leaves, nested, max_leaves=20)


@given(pair=values)
def test_every_type_comes_back_as_it_went(pair: tuple[Value, bytes]) -> None:
    value, raw = pair
    decoded = axdr.decode(raw)
    assert decoded == value
    assert type(decoded) is type(value)
    assert axdr.decode(memoryview(raw)) == value


@pytest.mark.parametrize(("encode", "low", "high"), INTEGERS)
def test_an_integer_outside_its_type_is_refused(encode: Callable[[int], bytes], low: int, high: int) -> None:
    assert axdr.decode(encode(low)) == low
    assert axdr.decode(encode(high)) == high
    for wrong in (low - 1, high + 1):
        with pytest.raises(ValueOutOfRange):
            encode(wrong)


def test_encodings_are_those_of_the_standard() -> None:
    assert (
        axdr.structure(axdr.uint16(8), axdr.octets(b"\x00\x00\x01\x00\x00\xff")).hex()
        == "0202120008090600000100" + "00ff"
    )
    assert axdr.bits(BitString.of(12, 0, 11)).hex() == "040c8010"
    assert axdr.length(127).hex() == "7f"
    assert axdr.length(128).hex() == "8180"
    assert axdr.length(0x123456).hex() == "83123456"


def test_bit_zero_is_the_first_one_sent() -> None:
    bits = axdr.decode(bytes.fromhex("0410 8001"))
    assert isinstance(bits, BitString)
    assert (bits[0], bits[1], bits[15]) == (True, False, True)
    assert bits.positions() == [0, 15]
    with pytest.raises(IndexError):
        bits[16]


def test_compact_array_is_a_list_of_its_elements() -> None:
    # Elements are structures of octet-string and long-unsigned; the contents of both take 11 bytes.
    raw = bytes.fromhex("13 02 02 09 12 0b 03 616263 0007 02 6465 0008")
    assert axdr.decode(raw) == [(b"abc", 7), (b"de", 8)]
    with pytest.raises(MalformedApdu):
        axdr.decode(raw.replace(b"\x0b", b"\x0a"))
    assert axdr.decode(bytes.fromhex("13 01 0002 11 04 01020304")) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "raw",
    [
        "01 84 80000000",  # an array of 2^31 elements in five bytes and a tag
        "02 84 ffffffff",
        "01 82 ffff 00",
        "09 84 7fffffff",
        "04 84 7fffffff",
        "13 02 84 7fffffff",
    ],
)
def test_a_claim_beyond_the_bytes_fails_at_once(raw: str) -> None:
    with pytest.raises((MalformedApdu, OversizedApdu)):
        axdr.decode(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "raw",
    [
        "13 00 01 00",  # nulls without end
        "13 01 ffff 01 ffff 00 01 00",  # 2^32 nulls in one byte
        "13 01 ffff 02 02 00 ff 01 00",
        "13 01 ffff 01 0000 11 01 00",
        "13 02 02 00 01 0000 11 01 00",
    ],
)
def test_elements_without_contents_are_malformed_in_a_compact_array(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        axdr.decode(bytes.fromhex(raw))


def test_depth_elements_and_size_are_bounded() -> None:
    with pytest.raises(OversizedApdu):
        axdr.decode(b"\x01\x01" * 40 + b"\x00")
    with pytest.raises(OversizedApdu):
        axdr.decode(b"\x01\x83" + (axdr.ELEMENT_LIMIT + 1).to_bytes(3, "big") + bytes(axdr.ELEMENT_LIMIT + 1))
    with pytest.raises(OversizedApdu):
        axdr.decode(axdr.octets(bytes(axdr.SIZE_LIMIT)))
    with pytest.raises(OversizedApdu):
        axdr.decode(bytes.fromhex("13" + "0201" * 40 + "11 01 00"))


@given(pair=values, extra=st.binary(min_size=1, max_size=8))
def test_bytes_left_over_are_malformed(pair: tuple[Value, bytes], extra: bytes) -> None:
    with pytest.raises(DlmsError):
        axdr.decode(pair[1] + extra + b"\x0e")


@given(pair=values)
def test_a_value_sent_twice_is_taken_once_where_the_make_is_known_for_it(pair: tuple[Value, bytes]) -> None:
    value, raw = pair
    with pytest.raises(MalformedApdu):
        axdr.decode(raw + raw)
    assert axdr.decode(raw + raw, lenient=True) == value
    assert axdr.first_copy(raw + raw) == axdr.first_copy(raw) == len(raw)
    with pytest.raises(MalformedApdu):
        axdr.decode(raw + raw + raw, lenient=True)
    with pytest.raises(MalformedApdu):
        axdr.decode(axdr.uint8(1) + axdr.uint16(1), lenient=True)


@given(pair=values, data=st.data())
def test_every_cut_is_malformed(pair: tuple[Value, bytes], data: st.DataObject) -> None:
    raw = pair[1]
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(MalformedApdu):
        axdr.decode(raw[:cut])


def test_what_a_type_cannot_hold_is_refused() -> None:
    for refused in (
        lambda: axdr.visible("बहाल"),
        lambda: axdr.utf8("\ud800"),
        lambda: axdr.date_time(b"short"),
        lambda: axdr.float32(1e300),
        lambda: axdr.bits(BitString(9, b"\x00")),
        lambda: axdr.length(1 << 32),
        lambda: BitString.of(8, 8),
    ):
        with pytest.raises(ValueOutOfRange):
            refused()
    with pytest.raises(MalformedApdu):
        axdr.decode(b"\x0a\x01\xff")
    with pytest.raises(MalformedApdu):
        axdr.decode(b"\x0c\x01\xff")


def test_floats_are_ieee_754() -> None:
    assert axdr.float32(1.5) == b"\x17" + struct.pack(">f", 1.5)
    assert axdr.decode(bytes.fromhex("18 3ff8000000000000")) == 1.5
