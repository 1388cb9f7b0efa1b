"""General block transfer: windows, streaming, lost blocks, and partners that break it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr
from bahal.dlms.association.blocks import STALLS_AT_MOST, GeneralTransfer
from bahal.dlms.association.events import Got, SetDone
from bahal.dlms.errors import DlmsError, LinkLost, MalformedApdu, OversizedApdu, UnexpectedApdu
from bahal.dlms.quirks import STANDARD
from tests.dlms.bench_meter import NOTE, NUMBER, Bench, apdus
from tests.dlms.test_long import served, told, without

GENERAL = replace(STANDARD, block_window=5)


def test_blocks_stream_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "block_get", "block_set")
    bench = Bench(sap=16, quirks=GENERAL, client_pdu=109, meter_pdu=109).open()
    bench.meter.values["note", 2] = bytes(1000)
    assert isinstance(bench.say(bench.client.get(1, NOTE, 2)), Got)
    blocks = [apdu.parse_general_block(message) for message in apdus(bench.replies)]
    assert [each.number for each in blocks] == list(range(1, 12))
    # The first alone, since the client has not said how many it takes; then five at a time.
    assert [each.streaming for each in blocks] == [False, *[True] * 4, False, *[True] * 4, False]
    acks = [apdu.parse_general_block(message) for message in apdus(bench.requests[1:])]
    assert [(each.number, each.acknowledged, each.window, each.data) for each in acks] == [
        (1, 1, 5, b""),
        (2, 6, 5, b""),
    ]
    bench.requests.clear()
    assert isinstance(bench.say(bench.client.set(1, NOTE, 2, axdr.octets(bytes(1000)))), SetDone)
    sent = [apdu.parse_general_block(message) for message in apdus(bench.requests)]
    assert [each.streaming for each in sent] == [False, *[True] * 7, False, True, False]
    assert [each.last for each in sent] == [False] * 10 + [True]


def exchange(
    ours: GeneralTransfer, theirs: GeneralTransfer, request: bytes, answer: bytes, lost: Any
) -> tuple[bytes, bytes]:
    """Both APDUs as they arrive, over a line that drops what `lost` says."""
    there = ours.send(request)
    asked: bytes | None = None
    for _ in range(3000):
        back: list[bytes] = []
        for message in there:
            if not lost(message):
                whole, replies = theirs.receive(apdu.parse_general_block(message))
                back += replies
                if whole is not None:
                    asked = whole
                    back += theirs.send(answer)
        there = []
        for message in back:
            if not lost(message):
                whole, replies = ours.receive(apdu.parse_general_block(message))
                there += replies
                if whole is not None:
                    assert asked is not None
                    return asked, whole
    raise AssertionError("no answer")


@given(
    request=st.binary(min_size=1, max_size=3000),
    answer=st.binary(min_size=1, max_size=3000),
    windows=st.tuples(st.integers(1, 63), st.integers(1, 63)),
    rooms=st.tuples(st.integers(20, 500), st.integers(20, 500)),
    lost=st.sets(st.integers(0, 60), max_size=15),
)
def test_lost_blocks_within_a_window_are_sent_again(
    request: bytes, answer: bytes, windows: tuple[int, int], rooms: tuple[int, int], lost: set[int]
) -> None:
    count = iter(range(100_000))
    ours = GeneralTransfer(window=windows[0], room=rooms[1], limit=5000)
    theirs = GeneralTransfer(window=windows[1], room=rooms[0], limit=5000)

    def drops(message: bytes) -> bool:
        # Only what streams may be lost here: silence after the end of a window is a matter of the link below.
        return next(count) in lost and apdu.parse_general_block(message).streaming

    assert exchange(ours, theirs, request, answer, drops) == (request, answer)


@given(
    window=st.integers(1, 5), messages=st.lists(st.binary(max_size=30).map(lambda rest: b"\xe0" + rest), max_size=40)
)
def test_general_blocks_of_any_kind_only_raise_dlms_errors(window: int, messages: list[bytes]) -> None:
    transfer = GeneralTransfer(window=window, room=100, limit=1000)
    transfer.send(bytes(500))
    for message in messages:
        try:
            whole, replies = transfer.receive(apdu.parse_general_block(message))
        except DlmsError:
            continue
        assert whole is None or len(whole) <= 1000
        assert len(replies) <= 63


def test_a_partner_that_never_gets_on_is_given_up() -> None:
    transfer = GeneralTransfer(window=3, room=100, limit=1000)
    transfer.send(bytes(500))
    nothing = apdu.GeneralBlock(True, False, 1, 1, 0, b"")
    for _ in range(STALLS_AT_MOST):
        assert len(transfer.receive(nothing)[1]) == 1
    with pytest.raises(LinkLost):
        transfer.receive(nothing)
    with pytest.raises(MalformedApdu):
        transfer.receive(apdu.GeneralBlock(True, False, 1, 1, 99, b""))
    with pytest.raises(OversizedApdu):
        GeneralTransfer(window=1, room=0, limit=1).send(bytes(17 * 0xFFFF))
    with pytest.raises(OversizedApdu):
        GeneralTransfer(window=1, room=100, limit=5).receive(apdu.GeneralBlock(True, False, 1, 1, 0, bytes(6)))


@given(
    st.builds(
        apdu.GeneralBlock,
        st.booleans(),
        st.booleans(),
        st.integers(0, 63),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFF),
        st.binary(max_size=300),
    )
)
def test_a_general_block_comes_back(each: apdu.GeneralBlock) -> None:
    assert apdu.parse_general_block(apdu.general_block(each)) == each


def test_blocks_of_no_service_end_the_association(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"\x60\x00", b"\x62\x00", b"\xe0\x00"):
        bench = Bench(sap=16, quirks=GENERAL).open()
        with pytest.raises(MalformedApdu):
            served(bench, apdu.general_block(apdu.GeneralBlock(True, False, 1, 1, 0, content)))
    unasked = Bench(sap=16, quirks=GENERAL).open()
    with pytest.raises(UnexpectedApdu):
        told(unasked, apdu.general_block(apdu.GeneralBlock(True, False, 1, 1, 0, b"x")))


def test_who_asks_in_blocks_is_answered_in_blocks() -> None:
    bench = Bench(sap=16, quirks=GENERAL).open()
    request = apdu.get_request(1, 1, NUMBER, 2)
    for _ in range(2):
        reply = served(bench, apdu.general_block(apdu.GeneralBlock(True, False, 1, 1, 0, request)))
        assert apdu.parse_general_block(reply) == (True, False, 8, 1, 1, apdu.get_response(1, axdr.uint32(7)))
