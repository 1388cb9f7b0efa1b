"""Service APDUs: published examples, round trips, refusals."""

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr, clock
from bahal.dlms.apdu import Target
from bahal.dlms.errors import DlmsError, MalformedApdu, OversizedApdu, UnexpectedApdu, ValueOutOfRange

OBIS = bytes((1, 0, 1, 8, 0, 255))
IST = timezone(timedelta(hours=5, minutes=30))

invokes = st.integers(0, 15)
classes = st.integers(0, 0xFFFF)
names = st.binary(min_size=6, max_size=6)
numbers = st.integers(0, 255)
raws = st.one_of(
    st.integers(0, 0xFFFFFFFF).map(axdr.uint32),
    st.binary(max_size=300).map(axdr.octets),
    st.just(axdr.structure(axdr.int8(-3), axdr.enum(30))),
)
selections = st.one_of(st.none(), st.just(apdu.by_entry(1, 10)), st.just(apdu.by_range(axdr.null(), axdr.uint8(9))))
answers = st.one_of(raws, st.integers(0, 255))


def test_published_get_request_of_the_clock() -> None:
    built = apdu.get_request(1, 8, apdu.CLOCK_OBIS, 2)
    assert built.hex() == "c001c1" + "0008" + "0000010000ff" + "02" + "00"


def test_published_forms_of_responses() -> None:
    assert apdu.get_response(1, axdr.uint32(5)).hex() == "c401c1000600000005"
    assert apdu.get_response(1, apdu.READ_WRITE_DENIED).hex() == "c401c10103"
    assert apdu.set_response(1, apdu.SUCCESS).hex() == "c501c100"
    assert apdu.action_response(1, apdu.SUCCESS).hex() == "c701c10000"
    assert apdu.action_response(1, apdu.SUCCESS, axdr.octets(b"ab")).hex() == "c701c100010009026162"
    assert apdu.exception_response(1, 2).hex() == "d80102"
    assert apdu.exception_response(2, 6, 0x01020304).hex() == "d8020601020304"


@given(invoke=invokes, class_id=classes, obis=names, number=numbers, selection=selections)
def test_get_comes_back(invoke: int, class_id: int, obis: bytes, number: int, selection: bytes | None) -> None:
    built = apdu.get_request(invoke, class_id, obis, number, selection)
    assert apdu.parse_request(built) == (invoke, (class_id, obis, number, selection))


@given(invoke=invokes, class_id=classes, obis=names, number=numbers, raw=raws)
def test_set_and_action_come_back(invoke: int, class_id: int, obis: bytes, number: int, raw: bytes) -> None:
    target = Target(class_id, obis, number)
    changed = apdu.parse_request(apdu.set_request(invoke, class_id, obis, number, raw))
    assert changed == apdu.SetRequest(invoke, target, raw)
    for parameter in (raw, None):
        acted = apdu.parse_request(apdu.action_request(invoke, class_id, obis, number, parameter))
        assert acted == apdu.ActionRequest(invoke, target, parameter)


@given(
    invoke=invokes, targets=st.lists(st.builds(Target, classes, names, numbers, selections), min_size=1, max_size=64)
)
def test_get_list_comes_back(invoke: int, targets: list[Target]) -> None:
    assert apdu.parse_request(apdu.get_list(invoke, targets)) == apdu.GetList(invoke, targets)


@given(
    invoke=invokes,
    block=st.integers(0, 0xFFFFFFFF),
    last=st.booleans(),
    raw=st.one_of(st.binary(max_size=300), numbers),
)
def test_blocks_come_back(invoke: int, block: int, last: bool, raw: bytes | int) -> None:
    assert apdu.parse_request(apdu.get_next(invoke, block)) == apdu.GetNext(invoke, block)
    built = apdu.get_response_block(invoke, last=last, number=block, raw=raw)
    assert apdu.parse_block(built) == apdu.Block(invoke, last, block, raw)


@given(results=st.lists(answers, max_size=64))
def test_lists_of_answers_come_back(results: list[bytes | int]) -> None:
    assert apdu.parse_answers(apdu.encode_answers(results)) == results


@given(invoke=invokes, result=numbers, returned=st.one_of(st.none(), answers))
def test_action_response_comes_back(invoke: int, result: int, returned: bytes | int | None) -> None:
    assert apdu.parse_action_response(apdu.action_response(invoke, result, returned)) == (result, returned)


@given(state=numbers, service=numbers, counter=st.one_of(st.none(), st.integers(0, 0xFFFFFFFF)))
def test_exception_comes_back(state: int, service: int, counter: int | None) -> None:
    assert apdu.parse_exception(apdu.exception_response(state, service, counter)) == (state, service, counter)


@given(
    invoke=st.integers(0, 0xFFFFFFFF),
    when=st.sampled_from((b"", clock.encode(datetime(2025, 11, 24, 10, tzinfo=IST)))),
    target=st.builds(Target, classes, names, numbers, st.none()),
    raw=raws,
)
def test_notifications_come_back(invoke: int, when: bytes, target: Target, raw: bytes) -> None:
    assert apdu.parse_data_notification(apdu.data_notification(invoke, when, raw)) == (invoke, when, raw)
    assert apdu.parse_event_notification(apdu.event_notification(when, target, raw)) == (when, target, raw)


def test_selection_by_range_names_the_clock() -> None:
    first, last = (axdr.octets(clock.encode(datetime(2025, 11, day, tzinfo=IST))) for day in (23, 24))
    selection = apdu.by_range(first, last)
    assert selection.hex() == (
        "01" + "0204" + "0204" + "120008" + "09060000010000ff" + "0f02" + "120000" + first.hex() + last.hex() + "0100"
    )
    assert apdu.parse_selection(selection) == apdu.Range(8, apdu.CLOCK_OBIS, 2, first, last)


def test_selection_by_entry() -> None:
    selection = apdu.by_entry(1, 48)
    assert selection.hex() == "02" + "0204" + "0600000001" + "0600000030" + "120001" + "120000"
    assert apdu.parse_selection(selection) == apdu.Entries(1, 48, 1, 0)


@pytest.mark.parametrize(
    "selection", ["", "01", "0100", "03" + "0204" + "00000000", "02" + "0204" + "00000000", "010204000000"]
)
def test_a_selection_of_another_form_is_malformed(selection: str) -> None:
    with pytest.raises(MalformedApdu):
        apdu.parse_selection(bytes.fromhex(selection))


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "c001c1",
        "c001c100080000010000ff02",
        "c001c100080000010000ff0201",
        "c001c100080000010000ff020002",
        "c001c100080000010000ff0202",
        "c002c1000000",
        "c003c100",
        "c003c1020008000001000 0ff0200".replace(" ", ""),
        "c101c100080000010000ff0200",
        "c301c100080000010000ff0100ff",
    ],
)
def test_malformed_requests(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        apdu.parse_request(bytes.fromhex(raw))


@pytest.mark.parametrize("raw", ["c401c100", "c107c100080000010000ff0200ff", "c005c100080000010000ff0200", "6000c100"])
def test_what_is_not_spoken_is_unexpected(raw: str) -> None:
    with pytest.raises(UnexpectedApdu):
        apdu.parse_request(bytes.fromhex(raw))


def test_lists_are_bounded() -> None:
    for size in (0, apdu.LIST_LIMIT + 1):
        with pytest.raises(ValueOutOfRange):
            apdu.get_list(1, [Target(1, OBIS, 2)] * size)
    with pytest.raises(OversizedApdu):
        apdu.parse_request(bytes.fromhex("c003c184ffffffff"))
    with pytest.raises(OversizedApdu):
        apdu.parse_answers(bytes.fromhex("84ffffffff"))


PARSERS = (
    apdu.parse_request,
    apdu.parse_block,
    apdu.parse_answers,
    apdu.parse_action_response,
    apdu.parse_exception,
    apdu.parse_data_notification,
    apdu.parse_event_notification,
    apdu.parse_selection,
)
WHOLE = (
    apdu.get_request(1, 7, OBIS, 2, apdu.by_entry(1, 2)),
    apdu.get_list(1, [Target(1, OBIS, 2), Target(7, OBIS, 2, apdu.by_entry(1, 2))]),
    apdu.get_next(1, 3),
    apdu.set_request(1, 3, OBIS, 2, axdr.uint32(1)),
    apdu.action_request(1, 70, OBIS, 1, axdr.int8(0)),
    apdu.get_response_block(1, last=False, number=1, raw=b"abc"),
    apdu.encode_answers([axdr.uint8(1), 3]),
    apdu.action_response(1, 0, axdr.uint8(1)),
    apdu.data_notification(1, bytes(12), axdr.uint8(1)),
    apdu.event_notification(bytes(12), Target(1, OBIS, 2), axdr.uint8(1)),
    apdu.by_range(axdr.null(), axdr.null()),
)


@given(random=st.binary(max_size=80), whole=st.sampled_from(WHOLE), data=st.data())
def test_random_and_altered_bytes_raise_dlms_errors_alone(random: bytes, whole: bytes, data: st.DataObject) -> None:
    altered = bytearray(whole)
    altered[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    for message in (random, whole[:3] + random, bytes(altered), cut):
        for parse in PARSERS:
            with contextlib.suppress(DlmsError):
                parse(message)
