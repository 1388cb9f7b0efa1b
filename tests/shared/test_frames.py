"""What was said is kept as it was said, frame by frame, however its bytes came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.shared.frames import FROM_METER, KEPT_AT_MOST, TO_METER, Tape, unpacked


def frame(payload: bytes) -> bytes:
    return b"\x00\x01\x00\x30\x00\x01" + len(payload).to_bytes(2, "big") + payload


@given(
    st.lists(st.tuples(st.sampled_from((TO_METER, FROM_METER)), st.binary(min_size=1, max_size=80)), max_size=12),
    st.integers(1, 30),
)
def test_every_frame_comes_back(turns: list[tuple[str, bytes]], piece: int) -> None:
    tape = Tape()
    for direction, payload in turns:
        whole = frame(payload)
        for at in range(0, len(whole), piece):
            tape.take(direction, whole[at : at + piece])
    assert list(unpacked(tape.packed())) == [(direction, frame(payload)) for direction, payload in turns]
    assert not tape.full


@given(st.lists(st.tuples(st.sampled_from((TO_METER, FROM_METER)), st.binary(max_size=60)), max_size=12))
def test_no_byte_is_lost_whatever_the_link_says(turns: list[tuple[str, bytes]]) -> None:
    tape = Tape()
    for direction, data in turns:
        tape.take(direction, data)
    for side in (TO_METER, FROM_METER):
        said = b"".join(data for direction, data in turns if direction == side)
        assert b"".join(data for direction, data in unpacked(tape.packed()) if direction == side) == said


def test_who_floods_is_not_kept() -> None:
    tape = Tape()
    tape.take(TO_METER, frame(b"ask"))
    for _ in range(40):
        tape.take(FROM_METER, frame(bytes(1000)))
    tape.take(TO_METER, frame(b"late"))
    assert tape.full
    assert len(tape.packed()) < KEPT_AT_MOST + 1000
    assert next(iter(unpacked(tape.packed()))) == (TO_METER, frame(b"ask"))


@pytest.mark.parametrize("kept", [b">", b">\x00", b"x\x00\x01a", b">\x00\x02a"])
def test_a_cut_off_record_is_refused(kept: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        list(unpacked(kept))
