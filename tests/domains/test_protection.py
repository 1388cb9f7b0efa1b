"""What an event status word says, and what a condition's tellings come to."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.protection.errors import RulesWrong
from bahal.domains.protection.kinds import FORCED_CLOSE, SUPPLY_LOST, read_kinds, shipped_kinds
from bahal.domains.protection.rules import (
    AHEAD_AT_MOST,
    FIRST_BREATH,
    LAST_GASP,
    LATE_AT_MOST,
    LOAD_DISCONNECTED,
    Facts,
    forced_close,
    is_set,
    moment,
    what_changed,
)
from bahal.shared.episodes import SLACK, Episode, Known, Told, episodes, settle
from bahal.shared.meter_events import event_of, events, status_bit, status_bits
from bahal.shared.words import WORDS

words = st.integers(0, 2**128 - 1).map(lambda word: f"{word:032x}")
NOON = datetime(2025, 11, 20, 6, 30, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@given(words, st.integers(0, 127))
def test_bit_nought_is_the_leftmost(word: str, bit: int) -> None:
    bits = "".join(f"{int(digit, 16):04b}" for digit in word)
    assert is_set(word, bit) == (bits[bit] == "1")


@given(words, st.none() | words)
def test_a_word_says_how_it_differs_and_its_moments(word: str, previous: str | None) -> None:
    said = {(each.name, each.began) for each in what_changed(word, previous)}
    for bit in range(128):
        name, now = status_bit(bit).name, is_set(word, bit)
        if bit in (LAST_GASP, FIRST_BREATH):
            assert ((name, True) in said, (name, False) in said) == (now, False)
        else:
            before = previous is not None and is_set(previous, bit)
            assert ((name, now) in said) == (now != before)
            assert (name, not now) not in said


@given(words, st.none() | words, st.booleans(), st.booleans(), st.booleans())
def test_a_forced_close_needs_a_cut_a_closed_relay_and_no_restore(
    word: str, previous: str | None, off: bool, restoring: bool, alerted: bool
) -> None:
    said = forced_close(Facts(word, previous, off, restoring, alerted))
    closed = not is_set(word, LOAD_DISCONNECTED)
    was_closed = previous is not None and not is_set(previous, LOAD_DISCONNECTED)
    assert (said is True) == (off and not restoring and closed and not was_closed)
    assert (said is False) == ((restoring and alerted) or (off and not restoring and not closed and was_closed))


@pytest.mark.parametrize("word", ["", "0" * 31, "0" * 33, "x" * 32])
def test_what_is_no_status_word(word: str) -> None:
    with pytest.raises(ValueError, match=r"status word|invalid literal"):
        is_set(word, 0)
    with pytest.raises(ValueError, match=r"status word|invalid literal"):
        what_changed(word, None)


def test_a_meter_s_stamp_counts_only_where_its_clock_can_be_right() -> None:
    assert moment(at(-29), NOON) == (at(-29), False)
    assert moment(at(1), NOON) == (NOON, False)  # a little fast: not in the future
    for wrong in (NOON - LATE_AT_MOST - timedelta(seconds=1), NOON + AHEAD_AT_MOST + timedelta(seconds=1), None):
        assert moment(wrong, NOON) == (NOON, True)


# --- the table of kinds ----------------------------------------------------------------------------------------------


def test_every_kind_is_a_code_of_the_standard_under_its_own_name() -> None:
    kinds = read_kinds(shipped_kinds())
    assert not kinds.verified
    for kind in kinds.by_name.values():
        if kind.bit >= 0:
            assert status_bits()[kind.bit].name == kind.name
        if kind.name not in (FORCED_CLOSE, SUPPLY_LOST):
            assert [events()[number].name for number in kind.begins] == [kind.name] * len(kind.begins)
            assert {events()[number].name for number in kind.ends} <= {f"{kind.name}_restored", "module_back"}
        assert all(number % 2 == 0 for number in kind.ends)
        assert kind.name in WORDS["alerts" if kind.leads_to == "alert" else "incidents"]
    assert event_of(999).hi == "घटना 999"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"magnet", 81', '"magnet", 82'),
        ("[201], [202]", "[201], [201]"),
        ('"supply_lost"', '"supply_gone"'),
        ('"alert", "vigilance", true, "0.0.96.11.5.255"', '"alert", "vigilance", true, ""'),
        ("verified = false", "verified"),
        ("effective_from = 2018-04-01", 'effective_from = "always"'),
    ],
)
def test_a_table_that_is_none_is_refused_by_name(old: str, new: str) -> None:
    with pytest.raises(RulesWrong, match="kinds"):
        read_kinds(shipped_kinds().replace(old, new))


# --- one alert for one cause -----------------------------------------------------------------------------------------

tellings = st.lists(
    st.builds(Told, st.integers(0, 400).map(at), st.booleans(), st.just(False), st.none() | st.integers(1, 9)),
    max_size=14,
)


@given(tellings, st.randoms())
def test_the_order_of_arrival_changes_nothing(told: list[Told], chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(told)
    chance.shuffle(shuffled)
    assert episodes(shuffled) == episodes(told)


@given(tellings)
def test_episodes_follow_one_another_and_begin_with_what_began(told: list[Told]) -> None:
    found = episodes(told)
    assert {each.began_at for each in found} <= {each.at for each in told if each.began}
    for earlier, later in pairwise(found):
        assert earlier.ended_at is not None
        assert earlier.began_at <= earlier.ended_at <= later.began_at
    assert sum(each.told for each in found) == sum(each.began for each in told)


def test_told_again_is_the_same_cause_and_an_end_ends_it() -> None:
    told = [Told(at(0), True, False, 7), Told(at(5), True), Told(at(9), False), Told(at(12), True, False, 8)]
    assert episodes(told) == [
        Episode(at(0), at(5), at(9), 2, 7),
        Episode(at(12), at(12), None, 1, 8),
    ]


def test_a_log_tells_the_push_s_cause_by_a_clock_of_its_own() -> None:
    push, end = Told(at(0), True, False, 7), Told(at(3), False)
    before, after = Told(at(-1.5), True, True), Told(at(3) + SLACK - timedelta(seconds=1), True, True)
    assert [each.told for each in episodes([push, before, end, after])] == [3]
    assert len(episodes([push, end, Told(at(3) + SLACK, True, True)])) == 2


def alerts_of(found: list[Episode]) -> list[Known]:
    """The alerts that stand for episodes."""
    return [
        Known(nth, each.began_at, each.ended_at, each.ended_at is not None, each.told)
        for nth, each in enumerate(found, 1)
    ]


@given(tellings, st.integers(0, 14))
def test_alerts_come_in_line_whatever_arrives_later(told: list[Told], cut: int) -> None:
    found = episodes(told)
    known = alerts_of(episodes(told[:cut]))
    done = settle(known, found)
    kept = {each.id: each for each in known if each.id not in done.same and not _gone(each, found)}
    for id_, episode in done.changed:
        kept[id_] = Known(id_, episode.began_at, episode.ended_at, episode.ended_at is not None, episode.told)
    standing = sorted(
        [(each.occurred_at, each.ended_at) for each in kept.values()]
        + [(each.began_at, each.ended_at) for each in done.new],
    )
    assert [start for start, _ in standing] == [each.began_at for each in found]
    assert [end for _, end in standing] == [each.ended_at for each in found]


def _gone(alert: Known, found: list[Episode]) -> bool:
    """Closed, and its cause turned out to be part of another that has its own alert."""
    mine = [each for each in found if alert.occurred_at in each]
    return alert.closed and bool(mine) and mine[0].began_at != alert.occurred_at and alert.ended_at != mine[0].ended_at


def test_an_end_told_before_its_beginning_closes_it() -> None:
    assert settle([], episodes([Told(at(9), False), Told(at(0), True)])).new == [Episode(at(0), at(0), at(9), 1)]


def test_two_alerts_that_turn_out_to_be_one_become_one() -> None:
    known = [Known(1, at(0), None, False, 1), Known(2, at(5), None, False, 1)]
    done = settle(known, episodes([Told(at(0), True), Told(at(5), True)]))
    assert done.same == [2]
    assert done.changed == [(1, Episode(at(0), at(5), None, 2))]
