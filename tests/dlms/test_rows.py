"""Compiled rows give what the generic decoder gives."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import axdr, rows
from bahal.dlms.errors import DlmsError, MalformedApdu, ValueOutOfRange

BLOCK_LOAD = ("octets:12", "uint32", "uint32", "uint32", "uint32")
KINDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bytes]]] = {
    "boolean": (st.booleans(), axdr.boolean),
    "int8": (st.integers(-128, 127), axdr.int8),
    "int16": (st.integers(-(1 << 15), (1 << 15) - 1), axdr.int16),
    "int32": (st.integers(-(1 << 31), (1 << 31) - 1), axdr.int32),
    "int64": (st.integers(-(1 << 63), (1 << 63) - 1), axdr.int64),
    "uint8": (st.integers(0, 255), axdr.uint8),
    "uint16": (st.integers(0, 0xFFFF), axdr.uint16),
    "uint32": (st.integers(0, (1 << 32) - 1), axdr.uint32),
    "uint64": (st.integers(0, (1 << 64) - 1), axdr.uint64),
    "enum": (st.integers(0, 255), axdr.enum),
    "float32": (st.floats(width=32, allow_nan=False), axdr.float32),
    "float64": (st.floats(allow_nan=False), axdr.float64),
}


def column(name: str, draw: st.DrawFn) -> bytes:
    if name.startswith("octets:"):
        size = int(name[7:])
        return axdr.octets(draw(st.binary(min_size=size, max_size=size)))
    values, encode = KINDS[name]
    return encode(draw(values))


names = st.one_of(st.sampled_from(sorted(KINDS)), st.integers(0, 127).map(lambda size: f"octets:{size}"))


@st.composite
def buffers(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes]:
    layout = tuple(draw(st.lists(names, min_size=1, max_size=6)))
    count = draw(st.integers(0, 150))
    one = [axdr.structure(*(column(name, draw) for name in layout)) for _ in range(min(count, 3))]
    return layout, axdr.array(*(one * 50)[:count]) if one else axdr.array()


def day(rows_: int = 48) -> bytes:
    return axdr.array(
        *(
            axdr.structure(
                axdr.octets(bytes((7, 233, 11, 24, 1, i // 2, 30 * (i % 2), 0, 0, 254, 182, 0))),
                *(axdr.uint32(i * n) for n in range(1, 5)),
            )
            for i in range(rows_)
        )
    )


@given(buffer=buffers())
def test_compiled_equals_generic(buffer: tuple[tuple[str, ...], bytes]) -> None:
    layout, raw = buffer
    compiled = rows.compiled(layout)
    assert compiled.rows(raw) == axdr.decode(raw)
    assert compiled.columns(memoryview(raw)) == (list(zip(*rows.generic_rows(raw), strict=True)) or [()] * len(layout))


@given(at=st.integers(0, len(day()) - 1), byte=st.integers(0, 255))
def test_one_altered_byte_gives_the_same_answer_or_the_same_refusal(at: int, byte: int) -> None:
    raw = day()[:at] + bytes((byte,)) + day()[at + 1 :]
    try:
        expected = rows.generic_rows(raw)
    except DlmsError as refused:
        with pytest.raises(type(refused)):
            rows.CompiledRows(BLOCK_LOAD).rows(raw)
    else:
        assert rows.CompiledRows(BLOCK_LOAD).rows(raw) == expected


def test_the_fast_way_is_taken_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = axdr.decode(day())
    monkeypatch.setattr(rows, "generic_rows", lambda _: pytest.fail("decoded generically"))
    assert rows.CompiledRows(BLOCK_LOAD).rows(day()) == expected


def test_null_for_as_before_falls_back() -> None:
    raw = axdr.array(
        axdr.structure(axdr.octets(bytes(12)), axdr.uint32(1)),
        axdr.structure(axdr.null(), axdr.uint32(2)),
    )
    compiled = rows.CompiledRows(("octets:12", "uint32"))
    assert compiled.rows(raw) == [(bytes(12), 1), (None, 2)]
    assert compiled.columns(raw) == [(bytes(12), None), (1, 2)]


@pytest.mark.parametrize("raw", [b"", b"\x01", axdr.uint8(1), axdr.array(axdr.uint8(1)), day()[:-1], day() + b"\x00"])
def test_what_is_no_buffer_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedApdu):
        rows.CompiledRows(BLOCK_LOAD).rows(raw)


def test_columns_want_rows_of_their_width() -> None:
    with pytest.raises(MalformedApdu):
        rows.CompiledRows(("uint8", "uint8")).columns(axdr.array(axdr.structure(axdr.uint8(1))))


@pytest.mark.parametrize("layout", [(), ("uint24",), ("octets:128",), ("octets:x",), ("uint8",) * 128])
def test_a_layout_that_cannot_be_is_refused(layout: tuple[str, ...]) -> None:
    with pytest.raises(ValueOutOfRange):
        rows.CompiledRows(layout)
