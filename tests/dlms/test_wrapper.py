"""The wrapper of IEC 62056-47."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms.errors import MalformedApdu, OversizedApdu, ValueOutOfRange
from bahal.dlms.wrapper import Deframer, frame

frames = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=60))


def test_header_is_version_source_destination_length() -> None:
    assert frame(16, 1, b"\x60\x01\x02") == bytes.fromhex("0001 0010 0001 0003 600102")


@given(sent=st.lists(frames, max_size=6), cuts=st.lists(st.integers(1, 40), max_size=60))
def test_any_cutting_of_the_stream_gives_the_same_frames(sent: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(frame(*one) for one in sent)
    deframer = Deframer()
    received = []
    for cut in cuts:
        received += deframer.feed(stream[:cut])
        stream = stream[cut:]
    received += deframer.feed(stream)
    assert received == sent
    assert deframer.pending == 0


def test_an_unfinished_frame_is_all_that_is_held() -> None:
    deframer = Deframer(100)
    assert deframer.feed(frame(1, 2, b"ab") + frame(1, 2, bytes(100))[:-1]) == [(1, 2, b"ab")]
    assert deframer.pending == 107
    assert deframer.feed(b"\x07") == [(1, 2, bytes(99) + b"\x07")]


@pytest.mark.parametrize("stream", ["0002001000010001aa", "01", "0000", "000100100001 0000"])
def test_another_version_or_an_empty_apdu_is_malformed_at_its_first_wrong_byte(stream: str) -> None:
    with pytest.raises(MalformedApdu):
        Deframer().feed(bytes.fromhex(stream))


def test_an_oversized_claim_fails_with_the_header_alone() -> None:
    with pytest.raises(OversizedApdu) as caught:
        Deframer(1024).feed(bytes.fromhex("000100100001ffff"))
    assert caught.value.data == {"length": 0xFFFF, "limit": 1024}


@pytest.mark.parametrize("wrong", [(0x10000, 1, b"a"), (1, -1, b"a"), (1, 1, b""), (1, 1, bytes(0x10000))])
def test_what_does_not_fit_the_header_is_refused(wrong: tuple[int, int, bytes]) -> None:
    with pytest.raises(ValueOutOfRange):
        frame(*wrong)
