"""Service APDUs with lists and blocks: round trips and refusals."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr
from bahal.dlms.apdu import Acted, DataBlock, Target
from bahal.dlms.errors import DlmsError, MalformedApdu, OversizedApdu, UnexpectedApdu

OBIS = bytes((1, 0, 1, 8, 0, 255))

invokes = st.integers(0, 15)
numbers = st.integers(0, 255)
raws = st.one_of(st.binary(max_size=200).map(axdr.octets), st.just(axdr.null()), st.integers(0, 255).map(axdr.uint8))
selections = st.one_of(st.none(), st.just(apdu.by_entry(1, 10)))
bare = st.builds(Target, st.integers(0, 0xFFFF), st.binary(min_size=6, max_size=6), numbers, st.none())
chosen = st.builds(Target, st.integers(0, 0xFFFF), st.binary(min_size=6, max_size=6), numbers, selections)
blocks = st.builds(DataBlock, st.booleans(), st.integers(0, 0xFFFFFFFF), st.binary(max_size=300))
acted = st.builds(Acted, numbers, st.one_of(st.none(), numbers, raws))


def test_forms_of_the_standard() -> None:
    target = Target(1, OBIS, 2)
    assert apdu.set_list(1, [target], [axdr.uint8(5)]).hex() == "c104c1" + "01" + "00010100010800ff0200" + "01" + "1105"
    assert apdu.action_list(1, [target], [None]).hex() == "c303c1" + "01" + "00010100010800ff02" + "01" + "00"
    block = DataBlock(False, 1, b"ab")
    first = apdu.first_block(apdu.SET_REQUEST, 1, [target], listed=False, block=block)
    assert first.hex() == "c102c1" + "00010100010800ff0200" + "0000000001" + "026162"
    acting = apdu.first_block(apdu.ACTION_REQUEST, 1, [target], listed=False, block=block)
    assert acting.hex() == "c304c1" + "00010100010800ff02" + "0000000001" + "026162"
    assert apdu.next_block(apdu.SET_REQUEST, 1, DataBlock(True, 2, b"c")).hex() == "c103c1" + "0100000002" + "0163"
    assert apdu.next_block(apdu.ACTION_REQUEST, 1, DataBlock(True, 2, b"c")).hex() == "c306c1" + "0100000002" + "0163"
    assert apdu.set_block_taken(1, 1).hex() == "c502c100000001"
    assert apdu.set_last_block(1, [0], 2, listed=False).hex() == "c503c10000000002"
    assert apdu.set_last_block(1, [0, 3], 2, listed=True).hex() == "c504c102000300000002"
    assert apdu.set_response_list(1, [0, 3]).hex() == "c505c1020003"
    assert apdu.action_block_taken(1, 1).hex() == "c704c100000001"
    assert apdu.action_next(1, 1).hex() == "c302c100000001"
    assert apdu.action_response_list(1, [Acted(0), Acted(0, axdr.uint8(5))]).hex() == "c703c102" + "0000" + "0001001105"
    assert apdu.general_block(apdu.GeneralBlock(True, False, 3, 1, 0, b"ab")).hex() == "e08300010000026162"


@given(invoke=invokes, pairs=st.lists(st.tuples(chosen, raws), min_size=1, max_size=64))
def test_lists_come_back(invoke: int, pairs: list[tuple[Target, bytes]]) -> None:
    targets, values = [target for target, _ in pairs], [value for _, value in pairs]
    assert apdu.parse_request(apdu.set_list(invoke, targets, values)) == apdu.SetList(invoke, targets, values)
    methods = [target._replace(selection=None) for target in targets]
    listed = apdu.parse_request(apdu.action_list(invoke, methods, values))
    assert listed == apdu.ActionList(invoke, methods, values)


@given(invoke=invokes, target=chosen, value=raws)
def test_a_set_with_a_selection_comes_back(invoke: int, target: Target, value: bytes) -> None:
    built = apdu.set_request(invoke, target.class_id, target.obis, target.number, value, target.selection)
    assert apdu.parse_request(built) == apdu.SetRequest(invoke, target, value)


@given(
    invoke=invokes,
    tag=st.sampled_from((apdu.SET_REQUEST, apdu.ACTION_REQUEST)),
    targets=st.lists(bare, min_size=1, max_size=5),
    listed=st.booleans(),
    block=blocks,
)
def test_blocks_come_back(invoke: int, tag: int, targets: list[Target], listed: bool, block: DataBlock) -> None:
    if not listed:
        targets = targets[:1]
    built = apdu.first_block(tag, invoke, targets, listed=listed, block=block)
    assert apdu.parse_request(built) == apdu.FirstBlock(tag, invoke, targets, listed, block)
    assert apdu.parse_request(apdu.next_block(tag, invoke, block)) == apdu.NextBlock(tag, invoke, block)
    answer = apdu.action_response_block(invoke, last=block.last, number=block.number, raw=block.raw)
    assert apdu.parse_data_block(answer, 3) == block
    assert apdu.parse_request(apdu.action_next(invoke, block.number)) == apdu.ActionNext(invoke, block.number)


@given(invoke=invokes, results=st.lists(numbers, min_size=1, max_size=64), number=st.integers(0, 0xFFFFFFFF))
def test_answers_to_sets_come_back(invoke: int, results: list[int], number: int) -> None:
    assert apdu.parse_set_response(apdu.set_response(invoke, results[0])) == (results[:1], 0)
    assert apdu.parse_set_response(apdu.set_response_list(invoke, results)) == (results, 0)
    assert apdu.parse_set_response(apdu.set_block_taken(invoke, number)) == (None, number)
    last = apdu.set_last_block(invoke, results, number, listed=True)
    assert apdu.parse_set_response(last) == (results, number)
    assert apdu.parse_set_response(apdu.set_last_block(invoke, results, number, listed=False)) == (results[:1], number)


@given(results=st.lists(acted, max_size=64))
def test_answers_to_actions_come_back(results: list[Acted]) -> None:
    assert apdu.parse_acted_list(apdu.encode_acted_list(results)) == results
    for each in results:
        assert apdu.parse_acted(apdu.encode_acted(each)) == each


@pytest.mark.parametrize(
    "raw",
    [
        "c104c100" + "00",
        "c104c101" + "00010100010800ff0200" + "02" + "00" + "00",
        "c104c101" + "00010100010800ff0200" + "01" + "00" + "00",
        "c104c101" + "00010100010800ff02",
        "c102c1" + "00010100010800ff0200" + "0200000001" + "00",
        "c102c1" + "00010100010800ff0200" + "0000000001" + "01",
        "c103c1" + "01000000",
        "c302c1000000",
        "c306c1" + "0000000001" + "0100" + "00",
        "c101c1" + "00010100010800ff0201" + "0200",
    ],
)
def test_malformed_requests(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        apdu.parse_request(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "raw", ["c501c1", "c501c10000", "c502c1000000", "c503c100000000", "c505c10200", "c504c1010000"]
)
def test_malformed_answers_to_sets(raw: str) -> None:
    with pytest.raises(MalformedApdu):
        apdu.parse_set_response(bytes.fromhex(raw))


def test_what_is_too_much_or_unknown() -> None:
    for raw in ("c104c184ffffffff", "c303c141", "c305c17f"):
        with pytest.raises(OversizedApdu):
            apdu.parse_request(bytes.fromhex(raw))
    for parse in (apdu.parse_acted_list, apdu.parse_answers):
        with pytest.raises(OversizedApdu):
            parse(b"\x41" + bytes(200))
    with pytest.raises(OversizedApdu):
        apdu.parse_set_response(b"\xc5\x05\xc1\x41" + bytes(65))
    with pytest.raises(UnexpectedApdu):
        apdu.parse_set_response(b"\xc5\x06\xc1\x00")
    with pytest.raises(UnexpectedApdu):
        apdu.parse_general_block(b"\xc0\x00")


WHOLE = (
    apdu.set_list(1, [Target(1, OBIS, 2), Target(7, OBIS, 2, apdu.by_entry(1, 2))], [axdr.uint8(1), axdr.null()]),
    apdu.action_list(1, [Target(1, OBIS, 2)], [axdr.octets(bytes(20))]),
    apdu.first_block(apdu.SET_REQUEST, 1, [Target(1, OBIS, 2)] * 2, listed=True, block=DataBlock(False, 1, b"abc")),
    apdu.next_block(apdu.ACTION_REQUEST, 1, DataBlock(True, 2, b"abc")),
    apdu.set_last_block(1, [0, 1], 3, listed=True),
    apdu.action_response_list(1, [Acted(0, axdr.uint8(1)), Acted(3, 4)]),
    apdu.general_block(apdu.GeneralBlock(False, True, 5, 1, 2, bytes(20))),
)


@given(random=st.binary(max_size=80), whole=st.sampled_from(WHOLE), data=st.data())
def test_random_and_altered_bytes_raise_dlms_errors_alone(random: bytes, whole: bytes, data: st.DataObject) -> None:
    altered = bytearray(whole)
    altered[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    for message in (random, whole[:3] + random, bytes(altered), cut):
        for parse in (
            apdu.parse_request,
            apdu.parse_set_response,
            apdu.parse_acted,
            apdu.parse_acted_list,
            apdu.parse_general_block,
            lambda each: apdu.parse_data_block(each, 3),
        ):
            with contextlib.suppress(DlmsError):
                parse(message)
