"""Columns equal what the generic decoder gives, whatever the rows; what is wrong is refused by name."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import axdr, clock, rows
from bahal.dlms.columns import (
    Capture,
    ColumnDisagrees,
    Columns,
    Decoders,
    MomentMissing,
    Moments,
    MomentUnspecified,
    captures_of,
    compile_profile,
    learn,
    types_of,
)
from bahal.dlms.errors import DlmsError, MalformedApdu, OversizedApdu, ValueOutOfRange
from bahal.dlms.india import CLOCK_LN, IST, single_phase
from bahal.dlms.objects.profile import capture_objects

PERIOD_S = 1800
MIDNIGHT = datetime(2025, 11, 24, tzinfo=IST)
CLOCK_CAPTURE = Capture(8, CLOCK_LN, 2)
BLOCK = ("clock", "uint16", "uint32", "uint32", "uint32", "uint32", "uint16")

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
DTYPES = {"boolean": "?", "enum": "uint8"}


def captures(count: int) -> tuple[Capture, ...]:
    """A clock and registers."""
    return (CLOCK_CAPTURE, *(Capture(3, bytes((1, 0, n, 8, 0, 255)), 2) for n in range(1, count)))


def moment(n: int = 0, **parts: int) -> bytes:
    """The n-th half hour of the day; `parts` by offset ("b4=255") altered."""
    raw = bytearray(clock.encode(MIDNIGHT + timedelta(minutes=30 * n)))
    for place, value in parts.items():
        raw[int(place[1:])] = value
    return bytes(raw)


def day(count: int = 48, *, types: tuple[str, ...] = BLOCK) -> bytes:
    return axdr.array(
        *(
            axdr.structure(
                axdr.octets(moment(i)), *(KINDS[name][1](i * n) for n, name in enumerate(types[1:], start=1))
            )
            for i in range(count)
        )
    )


def expected(data: bytes, width: int, *, clocks: tuple[int, ...] = (0,)) -> list[list[Any]]:
    """By the generic decoder and the clock's own: seconds for moments, None for null-data."""
    found = rows.generic_rows(data)
    made: list[list[Any]] = [[] for _ in range(width)]
    for row in found:
        assert len(row) == width
        for n, cell in enumerate(row):
            if n in clocks and cell is None:
                made[n].append(made[n][-1] + PERIOD_S)
            elif n in clocks:
                made[n].append(int(clock.decode(cell, zone=IST).timestamp() // 1))  # type: ignore[arg-type]
            else:
                made[n].append(cell)
    return made


def told(columns: Columns) -> list[list[Any]]:
    """The same of what was decoded."""
    made: list[list[Any]] = []
    for n, each in enumerate(columns.values):
        cells = (
            each.seconds.tolist()
            if isinstance(each, Moments)
            else list(each)
            if isinstance(each, list)
            else each.tolist()
        )
        assert len(cells) == columns.count
        mask = columns.missing.get(n)
        made.append(cells if mask is None else [None if gap else cell for cell, gap in zip(cells, mask, strict=True)])
    return made


def decoder(types: tuple[str, ...] | bytes = BLOCK, width: int = len(BLOCK), *, lenient: bool = False) -> Any:
    return compile_profile(captures(width), types, zone=IST, period_s=PERIOD_S, lenient=lenient)


def error_of(call: Callable[..., Any], *given_: Any) -> Any:
    """What a call returns, or the error it raises: one of ours, or what a wrong row makes of `expected`."""
    try:
        return call(*given_)
    except DlmsError as error:
        return error
    except (AssertionError, TypeError, AttributeError) as error:
        assert call is expected
        return error


moments = st.builds(
    lambda at, west, status, spare: (
        clock.encode(at.replace(tzinfo=timezone(timedelta(minutes=-west))), status=status)
        if spare
        else clock.encode(at.replace(tzinfo=UTC), status=status)[:9] + b"\x80\x00" + bytes((status,))
    ),
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - the zone is drawn too
    st.integers(-840, 840),
    st.integers(0, 255),
    st.booleans(),
)
names = st.lists(st.one_of(st.sampled_from(sorted(KINDS)), st.integers(1, 40).map(lambda n: f"octets:{n}")), max_size=6)


def cell(name: str, draw: st.DrawFn) -> bytes:
    if name.startswith("octets:"):
        size = int(name[7:])
        return axdr.octets(draw(st.binary(min_size=size, max_size=size)))
    values, encode = KINDS[name]
    return encode(draw(values))


@st.composite
def regular(draw: st.DrawFn) -> tuple[tuple[str, ...], bytes]:
    types = ("clock", *draw(names))
    count = draw(st.integers(0, 60))
    few = [
        axdr.structure(axdr.octets(draw(moments)), *(cell(name, draw) for name in types[1:]))
        for _ in range(min(count, 4))
    ]
    return types, axdr.array(*(few * 15)[:count]) if few else axdr.array()


@given(drawn=regular())
def test_columns_equal_the_generic_decoder(drawn: tuple[tuple[str, ...], bytes]) -> None:
    types, data = drawn
    made = decoder(types, len(types))
    columns = made.decode(data)
    assert told(columns) == expected(data, len(types))
    assert made.fits(data) is (columns.count > 0)
    for name, values in zip(types[1:], columns.values[1:], strict=True):
        if not isinstance(values, list):
            assert values.dtype == np.dtype(DTYPES.get(name, name))
            assert values.dtype.isnative
    assert columns.values[0].status.tolist() == [row[0][11] for row in rows.generic_rows(data)]  # type: ignore[union-attr,index]


cells_of_any_kind = st.one_of(
    st.just(axdr.null()),
    *(
        values.map(encode)
        for values, encode in KINDS.values()
        if encode not in (axdr.boolean, axdr.float32, axdr.float64)
    ),
)


@given(
    drawn=st.lists(
        st.tuples(
            st.one_of(moments.map(axdr.octets), moments.map(axdr.date_time), st.just(axdr.null())),
            cells_of_any_kind,
            cells_of_any_kind,
        ),
        max_size=12,
    ),
    types=st.sampled_from([("clock", "uint32", "int8"), ("date-time", "uint64", "enum"), ("any", "any", "any"), None]),
)
def test_rows_that_differ_are_decoded_exactly_or_refused_by_name(
    drawn: list[tuple[bytes, bytes, bytes]], types: tuple[str, ...] | None
) -> None:
    data = axdr.array(*(axdr.structure(*row) for row in drawn))
    made = decoder(data if types is None else types, 3)
    columns = error_of(made.decode, data)
    if isinstance(columns, MomentMissing):
        assert columns.row == 0
        assert drawn[0][0] == axdr.null()
    elif isinstance(columns, ColumnDisagrees):
        numbers = [row[columns.column] for row in rows.generic_rows(data) if row[columns.column] is not None]
        assert min(numbers) < 0  # type: ignore[type-var,operator]
        assert max(numbers) >= 1 << 63  # type: ignore[type-var,operator]
    else:
        assert isinstance(columns, Columns)
        assert told(columns) == expected(data, 3)


@given(at=st.integers(0, len(day()) - 1), byte=st.integers(0, 255))
def test_one_altered_byte_gives_the_generic_answer_or_a_named_error(at: int, byte: int) -> None:
    data = day()[:at] + bytes((byte,)) + day()[at + 1 :]
    columns = error_of(decoder().decode, data)
    if isinstance(columns, Columns):
        assert told(columns) == expected(data, len(BLOCK))
        return
    known = error_of(expected, data, len(BLOCK))
    # What the generic decoder reads and columns refuse: a row of another width, or no number among numbers.
    assert isinstance(known, Exception) or any(type(each) is not int for column in known[1:] for each in column)


@given(end=st.integers(0, len(day()) - 1), more=st.binary(max_size=3))
def test_truncated_or_longer_buffers_are_refused(end: int, more: bytes) -> None:
    for data in (day()[:end], day() + b"\x00" + more):
        with pytest.raises(DlmsError):
            decoder().decode(data)


@given(noise=st.binary(max_size=400))
def test_noise_raises_nothing_but_our_errors(noise: bytes) -> None:
    for data in (noise, b"\x01" + noise, b"\x01\x02\x02\x07" + noise):
        for types in (BLOCK, ("any",) * 7):
            try:
                decoder(types).decode(data)
            except DlmsError:
                continue
        try:
            learn(captures(7), data)
        except DlmsError:
            continue


@pytest.mark.parametrize("place", ["b2", "b3", "b5", "b6"])
@pytest.mark.parametrize("null_before", [False, True])
def test_a_moment_with_open_parts_is_refused_by_name(place: str, null_before: bool) -> None:
    clocks = [axdr.octets(moment(0)), axdr.octets(moment(1)), axdr.octets(moment(2, **{place: 0xFF}))]
    if null_before:
        clocks[1] = axdr.null()
    data = axdr.array(*(axdr.structure(each, axdr.uint16(7)) for each in clocks))
    with pytest.raises(MomentUnspecified) as refused:
        decoder(("clock", "uint16"), 2).decode(data)
    assert refused.value.row == 2
    assert refused.value.raw == moment(2, **{place: 0xFF})


def test_an_open_year_is_refused_by_name() -> None:
    data = axdr.array(axdr.structure(axdr.octets(moment(0, b0=0xFF, b1=0xFF))))
    with pytest.raises(MomentUnspecified):
        decoder(("clock",), 1).decode(data)


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [({"b7": 0xFF}, 0), ({"b7": 59, "b8": 0xFF}, 59), ({"b7": 59, "b8": 99}, 59), ({"b4": 0xFF}, 0)],
)
def test_open_seconds_and_weekday_do_not_matter(parts: dict[str, int], seconds: int) -> None:
    data = axdr.array(axdr.structure(axdr.octets(moment(0, **parts))))
    assert decoder(("clock",), 1).decode(data).times.tolist() == [int(MIDNIGHT.timestamp()) + seconds]


@pytest.mark.parametrize(
    ("year", "month", "on", "good"),
    [(2024, 2, 29, True), (2025, 2, 29, False), (2000, 2, 29, True), (1900, 2, 29, False), (2025, 4, 31, False),
     (2025, 13, 1, False), (2025, 0, 1, False), (2025, 1, 0, False), (0, 1, 1, False), (10_000, 1, 1, False)],
)  # fmt: skip
def test_days_that_exist_and_days_that_do_not(year: int, month: int, on: int, good: bool) -> None:
    data = axdr.array(axdr.structure(axdr.octets(moment(0, b0=year >> 8, b1=year & 255, b2=month, b3=on))))
    if good:
        assert told(decoder(("clock",), 1).decode(data)) == expected(data, 1)
    else:
        with pytest.raises(MalformedApdu):
            decoder(("clock",), 1).decode(data)


@pytest.mark.parametrize(
    "parts", [{"b5": 24}, {"b6": 60}, {"b7": 60}, {"b8": 100}, {"b9": 0x7F}, {"b9": 3, "b10": 0x49}]
)
def test_hours_and_deviations_that_do_not_exist(parts: dict[str, int]) -> None:
    with pytest.raises(MalformedApdu):
        decoder(("clock",), 1).decode(axdr.array(axdr.structure(axdr.octets(moment(0, **parts)))))


def test_the_meters_own_doubt_is_kept() -> None:
    told_by = [0, clock.STATUS_INVALID, clock.STATUS_DOUBTFUL, 0xFF]
    data = axdr.array(*(axdr.structure(axdr.octets(moment(n, b11=status))) for n, status in enumerate(told_by)))
    (column,) = decoder(("clock",), 1).decode(data).values
    assert column.status.tolist() == told_by
    assert column.invalid.tolist() == [False, True, False, False]


def test_clocks_seen_before_are_not_read_again_and_cannot_be_written() -> None:
    made = decoder()
    first, again, other = (made.decode(data) for data in (day(), day(), day(47)))
    assert first.times is again.times
    assert first.times.tolist()[:47] == other.times.tolist()
    with pytest.raises(ValueError, match="read-only"):
        first.times[0] = 0
    alone = decoder(("clock",), 1)
    for n in range(1000):
        data = axdr.array(axdr.structure(axdr.octets(moment(n))))
        assert alone.decode(data).times.tolist() == [int(MIDNIGHT.timestamp()) + n * PERIOD_S]
    many = day(500)
    assert told(made.decode(many)) == expected(many, len(BLOCK))


def test_a_null_clock_means_previous_plus_period() -> None:
    clocks = [axdr.octets(moment(0)), *[axdr.null()] * 3, axdr.octets(moment(9)), axdr.null()]
    data = axdr.array(*(axdr.structure(each, axdr.uint16(n)) for n, each in enumerate(clocks)))
    columns = decoder(("clock", "uint16"), 2).decode(data)
    begin = int(MIDNIGHT.timestamp())
    assert columns.times.tolist() == [begin + n * PERIOD_S for n in (0, 1, 2, 3, 9, 10)]
    assert columns.values[0].status.tolist() == [0, 255, 255, 255, 0, 255]
    assert columns.missing == {}


def test_a_null_clock_without_a_period_or_a_row_before_is_refused() -> None:
    data = axdr.array(axdr.structure(axdr.octets(moment(0))), axdr.structure(axdr.null()))
    with pytest.raises(MomentMissing):
        compile_profile((CLOCK_CAPTURE,), ("clock",), zone=IST).decode(data)
    with pytest.raises(MomentMissing):
        decoder(("clock",), 1).decode(axdr.array(axdr.structure(axdr.null())))


def test_a_capture_time_that_is_null_is_missing() -> None:
    peak = Capture(4, bytes((1, 0, 1, 6, 0, 255)), 5)
    data = axdr.array(*(axdr.structure(each) for each in (axdr.octets(moment(3)), axdr.null())))
    columns = compile_profile((peak,), data, zone=IST, period_s=PERIOD_S).decode(data)
    assert columns.times is not None
    assert columns.times.tolist() == [int(MIDNIGHT.timestamp()) + 3 * PERIOD_S, 0]
    assert columns.missing[0].tolist() == [False, True]


def test_a_wider_value_widens_the_column_and_loses_nothing() -> None:
    data = axdr.array(axdr.structure(axdr.uint16(1)), axdr.structure(axdr.uint32(70_000)))
    (column,) = compile_profile(captures(2)[1:], ("uint16",), zone=IST).decode(data).values
    assert column.tolist() == [1, 70_000]  # type: ignore[union-attr]
    exact = axdr.array(axdr.structure(axdr.float32(0.5)), axdr.structure(axdr.float64(0.1)))
    (column,) = compile_profile(captures(2)[1:], ("float32",), zone=IST).decode(exact).values
    assert column.tolist() == [0.5, 0.1]  # type: ignore[union-attr]


def test_text_among_numbers_is_refused() -> None:
    data = axdr.array(axdr.structure(axdr.uint16(1)), axdr.structure(axdr.visible("12")))
    with pytest.raises(ColumnDisagrees) as refused:
        compile_profile(captures(2)[1:], ("uint16",), zone=IST).decode(data)
    assert refused.value.column == 0


def test_any_byte_but_0_is_true_and_is_one() -> None:
    made = compile_profile(captures(2)[1:], ("boolean",), zone=IST)
    (column,) = made.decode(bytes((1, 3, 2, 1, 3, 0, 2, 1, 3, 1, 2, 1, 3, 7))).values
    assert column.tolist() == [False, True, True]  # type: ignore[union-attr]
    assert column.tobytes() == b"\x00\x01\x01"  # type: ignore[union-attr]


def test_a_buffer_sent_twice_is_taken_once_where_the_make_does_so() -> None:
    twice = day() * 2
    assert told(decoder(lenient=True).decode(twice)) == expected(day(), len(BLOCK))
    nulls = axdr.array(axdr.structure(axdr.octets(moment(0)), *[axdr.null()] * 6))
    assert told(decoder(lenient=True).decode(nulls * 2)) == expected(nulls, len(BLOCK))
    with pytest.raises(MalformedApdu):
        decoder().decode(twice)
    with pytest.raises(MalformedApdu):
        decoder(lenient=True).decode(day() + b"\x00")


def test_more_elements_than_the_generic_decoder_takes_are_refused_too() -> None:
    count = axdr.ELEMENT_LIMIT // 2 + 1
    data = b"\x01" + axdr.length(count) + b"\x02\x01\x11\x05" * count
    with pytest.raises(OversizedApdu):
        compile_profile(captures(2)[1:], ("uint8",), zone=IST).decode(data)


def test_types_of_the_model_and_of_the_first_row_agree() -> None:
    profile = single_phase()["block_profile"]
    found = captures_of(axdr.decode(capture_objects(profile.columns)))
    assert types_of(profile.columns) == BLOCK == learn(found, day())
    assert types_of(single_phase()["nameplate_profile"].columns)[0] == "any"


def test_a_poor_first_row_teaches_what_it_can_and_the_next_the_rest() -> None:
    poor = axdr.structure(axdr.octets(moment(0)), axdr.null(), axdr.uint8(3))
    rich = axdr.structure(axdr.octets(moment(1)), axdr.uint32(9), axdr.uint8(4))
    assert learn(captures(3), axdr.array(poor, rich)) == ("clock", "uint32", "uint8")
    assert learn(captures(3), axdr.array(poor)) == ("clock", "any", "uint8")
    with pytest.raises(MalformedApdu):
        learn(captures(4), axdr.array(poor))


def test_what_no_decoder_is_made_for() -> None:
    for types in (("uint24",), ("octets:0",), ("octets:128",), ("octets:²",), (), ("uint8", "uint8")):
        with pytest.raises(ValueOutOfRange):
            compile_profile(captures(2)[1:], types, zone=IST)
    for value in (None, [], [(8, CLOCK_LN, 2)], [(8, b"short", 2, 0)], [(8, CLOCK_LN, 2, 0)] * 128):
        with pytest.raises(MalformedApdu):
            captures_of(value)  # type: ignore[arg-type]
    with pytest.raises(ValueOutOfRange):
        compile_profile(captures(1), ("clock",), zone=timezone(timedelta(microseconds=1)))


# --- many at a time ---------------------------------------------------------------------------------------------------


def test_a_batch_gives_each_meter_what_it_gets_alone() -> None:
    made = decoder()
    null = axdr.array(axdr.structure(axdr.octets(moment(0)), *[axdr.null()] * 6))
    bad_clock = day(2).replace(moment(1), moment(1, b5=0xFF))
    buffers = [day(48), day(1), null, day(3)[:-1], axdr.array(), day(2), bad_clock, day(47), b"", b"\x01\x85"]
    for chosen in (buffers, buffers[:6], buffers[:2], buffers[2:5], buffers[6:7], []):
        batch = made.decode_batch(chosen)
        assert len(batch) == len(chosen)
        for n, data in enumerate(chosen):
            alone = error_of(made.decode, data)
            if isinstance(alone, Exception):
                assert type(batch.refused[n]) is type(alone)
                with pytest.raises(type(alone)):
                    batch[n]
            else:
                assert told(batch[n]) == told(alone)
                assert batch.counts[n] == alone.count


def test_regular_buffers_stand_together_even_when_one_spoils_the_whole() -> None:
    bad = day(2).replace(moment(1), moment(1, b5=0xFF))
    for buffers in ([day(), day(5)], [day(), bad, day(5)]):
        batch = decoder().decode_batch(buffers)
        assert batch.columns.count == 53
        assert batch.starts == ([0, 48] if len(buffers) == 2 else [0, -1, 48])
        assert batch.odd == {}


def test_a_lenient_batch() -> None:
    batch = decoder(lenient=True).decode_batch([day() * 2, day()])
    assert [told(batch[n]) for n in (0, 1)] == [expected(day(), len(BLOCK))] * 2


@given(drawn=st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 255))), max_size=8))
def test_batches_of_good_and_altered_buffers(drawn: list[tuple[int, int | None]]) -> None:
    made = decoder()
    buffers = []
    for count, byte in drawn:
        data = day(count)
        buffers.append(data if byte is None else data[: len(data) // 2] + bytes((byte,)) + data[len(data) // 2 + 1 :])
    batch = made.decode_batch(buffers)
    for n, data in enumerate(buffers):
        try:
            alone = made.decode(data)
        except DlmsError:
            assert n in batch.refused
        else:
            assert told(batch[n]) == told(alone)


# --- kept decoders ----------------------------------------------------------------------------------------------------


def test_decoders_are_kept_by_make_firmware_and_captures() -> None:
    kept = Decoders(zone=IST, limit=2)
    asked: dict[str, Any] = {"make": "arpa", "firmware": "1.0", "captures": captures(7), "period_s": PERIOD_S}
    first = kept.of(day(), **asked)
    assert kept.of(day(3), **asked) is first
    assert kept.of(day(), **asked | {"firmware": "1.1"}) is not first
    assert kept.of(day(), **asked) is first
    kept.of(day(), **asked | {"make": "mand"})
    assert len(kept) == 2
    assert kept.of(day(), **asked | {"firmware": "1.1"}) is not first


def test_a_poor_first_buffer_does_no_lasting_harm() -> None:
    kept = Decoders(zone=IST)
    asked: dict[str, Any] = {"make": "arpa", "firmware": "1.0", "captures": captures(7)}
    poor = kept.of(axdr.array(), **asked)
    good = kept.of(day(), **asked)
    assert not poor.fits(day())
    assert good.fits(day())
    assert kept.of(axdr.array(), **asked) is good
    known = kept.of(day(), **asked | {"make": "mand"}, types=BLOCK)
    assert kept.of(day(types=("clock", *["uint8"] * 6), count=9), **asked | {"make": "mand"}, types=BLOCK) is known


def test_a_column_is_found_by_its_capture() -> None:
    columns = decoder().decode(day())
    assert columns.of(8, CLOCK_LN).seconds is columns.times
    assert columns.of(3, bytes((1, 0, 2, 8, 0, 255))).tolist() == [2 * n for n in range(48)]
    with pytest.raises(KeyError):
        columns.of(3, CLOCK_LN)
    assert compile_profile(captures(2)[1:], ("uint8",), zone=IST).decode(axdr.array()).times is None
