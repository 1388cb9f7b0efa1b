"""What an event status word means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.protection.rules import KINDS, LOAD_DISCONNECTED, TAMPERS, Facts, is_set, judge_event

words = st.integers(0, 2**128 - 1).map(lambda word: f"{word:032x}")


@given(words, st.integers(0, 127))
def test_bit_nought_is_the_leftmost(word: str, bit: int) -> None:
    bits = "".join(f"{int(digit, 16):04b}" for digit in word)
    assert is_set(word, bit) == (bits[bit] == "1")


@given(words, st.none() | words, st.booleans(), st.booleans())
def test_a_forced_close_needs_a_cut_a_closed_relay_and_no_restore(
    word: str, previous: str | None, off: bool, restoring: bool
) -> None:
    kinds = judge_event(Facts(word, previous, off, restoring))
    assert ("forced_close" in kinds) == (off and not restoring and not is_set(word, LOAD_DISCONNECTED))
    for bit, kind in TAMPERS.items():
        assert (kind in kinds) == (is_set(word, bit) and not (previous and is_set(previous, bit)))
    assert set(kinds) <= set(KINDS)


@pytest.mark.parametrize("word", ["", "0" * 31, "0" * 33, "x" * 32])
def test_what_is_no_status_word(word: str) -> None:
    with pytest.raises(ValueError, match=r"status word|invalid literal"):
        is_set(word, 0)
