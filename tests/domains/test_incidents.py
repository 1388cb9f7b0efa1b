"""One incident for a storm, and minutes that count once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.incidents.grouping import Gathered, Gathering, Loose, Open, gather
from bahal.domains.incidents.minutes import Dark, Figures, figures, merged, without
from bahal.shared.periods import Period

NOON = datetime(2025, 11, 20, 6, 30, tzinfo=UTC)
RULES = Gathering()
METERS = {1: 20, 2: 20, 3: 20, 4: 20}
FEEDER = 7


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def troubles(
    transformer: int, count: int, *, start: float = 0, every: float = 1, incident: int | None = None
) -> list[Loose]:
    first = transformer * 1_000
    return [Loose(first + n, first + n, transformer, at(start + n * every), incident) for n in range(count)]


def look(given: list[Loose], incidents: list[Open] | None = None, *, now: float = 10) -> list[Gathered]:
    return gather(given, incidents or [], feeder=FEEDER, meters=METERS, now=at(now), rules=RULES)


def test_a_transformer_is_hit_when_enough_of_its_meters_tell_the_same() -> None:
    assert look(troubles(1, 3)) == []  # a fifth of twenty are four
    (found,) = look(troubles(1, 4))
    assert found == Gathered(0, "transformer", 1, at(0), [1000, 1001, 1002, 1003], [])


def test_what_is_spread_over_an_hour_is_no_storm() -> None:
    spread = troubles(1, 6, every=600)
    alone = look(spread, now=3_700)
    assert [(each.scope, each.place) for each in alone] == [("connection", each.connection) for each in spread]


def test_one_that_stays_alone_is_its_connection_s() -> None:
    one = troubles(1, 1)
    assert look(one, now=RULES.alone_s - 1) == []
    assert look(one, now=RULES.alone_s) == [Gathered(0, "connection", 1000, at(0), [1000], [])]


def test_a_feeder_is_one_incident_whatever_its_size() -> None:
    storm = [each for transformer in METERS for each in troubles(transformer, 20)]
    (found,) = look(storm)
    assert (found.id, found.scope, found.place, len(found.troubles), found.merges) == (0, "feeder", FEEDER, 80, [])


def test_a_storm_that_grows_takes_up_what_it_was_before() -> None:
    standing = troubles(1, 6, incident=5) + troubles(2, 1, incident=6)
    incidents = [Open(6, "connection", 2000, at(0)), Open(5, "transformer", 1, at(0))]
    more = [Loose(2000 + n, 2000 + n, 2, at(20 + n), None) for n in range(1, 6)]
    (found,) = look(standing + more, incidents, now=40)
    assert (found.scope, found.place, found.began_at) == ("feeder", FEEDER, at(0))
    assert {found.id, *found.merges} == {5, 6}
    assert set(found.troubles) == {each.id for each in standing + more}


def test_who_tells_it_late_joins_what_stands() -> None:
    wide = [Open(9, "feeder", FEEDER, at(0))]
    late = troubles(3, 1, start=3_000)
    assert look(late, wide, now=3_001) == [Gathered(9, "feeder", FEEDER, at(0), [3000], [])]
    narrow = [Open(5, "transformer", 3, at(0))]
    assert look(late, narrow, now=3_001) == [Gathered(5, "transformer", 3, at(0), [3000], [])]


def test_a_small_transformer_is_hit_by_all_it_has() -> None:
    two = troubles(1, 2)
    (found,) = gather(two, [], feeder=FEEDER, meters={1: 2}, now=at(5), rules=RULES)
    assert found.scope in ("transformer", "feeder")


@given(st.permutations(troubles(1, 8) + troubles(2, 8) + troubles(3, 2, start=40)))
def test_the_order_in_which_they_are_told_changes_nothing(told: list[Loose]) -> None:
    assert look(told, now=300) == look(sorted(told), now=300)


# --- minutes ---------------------------------------------------------------------------------------------------------

spans = st.tuples(st.integers(0, 500), st.integers(1, 100)).map(lambda s: Period(at(60 * s[0]), at(60 * (s[0] + s[1]))))


def minutes_of(periods: list[Period]) -> set[int]:
    return {
        minute
        for each in periods
        for minute in range(
            int((each.start - NOON).total_seconds()) // 60, int((each.end - NOON).total_seconds()) // 60
        )
    }


@given(st.lists(spans, max_size=8), st.lists(spans, max_size=8))
def test_merging_and_taking_off_count_each_minute_once(dark: list[Period], taken: list[Period]) -> None:
    assert minutes_of(merged(dark)) == minutes_of(dark)
    assert sum(each.length.total_seconds() for each in merged(dark)) == 60 * len(minutes_of(dark))
    left = without(merged(dark), merged(taken))
    assert minutes_of(left) == minutes_of(dark) - minutes_of(taken)
    assert sum(each.length.total_seconds() for each in left) == 60 * len(minutes_of(left))


def count(dark: list[Dark], ours: dict[int, list[Period]] | None = None) -> Figures:
    day = Period(at(0), at(86_400))
    return figures(dark, within=day, connections=10, ours=ours or {}, momentary=timedelta(seconds=180))


def test_figures_of_a_day() -> None:
    hour, echo = Period(at(3_600), at(7_200)), Period(at(3_700), at(7_300))
    blink, edge = Period(at(100), at(280)), Period(at(86_300), at(90_000))
    found = count([Dark(1, hour, False), Dark(1, echo, False), Dark(2, blink, False), Dark(3, edge, False)])
    assert (found.dark_s, found.interruptions, found.momentary) == (3_700 + 100, 2, 1)
    assert found.saidi_min == pytest.approx(3_800 / 600)
    assert (found.saifi, found.caidi_min) == (pytest.approx(0.2), pytest.approx(3_800 / 120))


def test_what_we_cut_ourselves_is_no_interruption_and_announced_work_counts_apart() -> None:
    hour, work = Period(at(3_600), at(7_200)), Period(at(10_000), at(20_000))
    found = count([Dark(1, hour, False), Dark(1, work, True), Dark(2, hour, False)], {2: [Period(at(0), at(86_400))]})
    assert (found.dark_s, found.interruptions, found.planned_s) == (3_600, 1, 10_000)
    half = count([Dark(2, hour, False)], {2: [Period(at(5_400), at(86_400))]})
    assert (half.dark_s, half.interruptions) == (1_800, 1)


def test_nobody_is_without_supply() -> None:
    assert (count([]).saidi_min, count([]).saifi, count([]).caidi_min) == (0, 0, 0)
    empty = figures([], within=Period(at(0), at(1)), connections=0, ours={}, momentary=timedelta(0))
    assert (empty.saidi_min, empty.saifi) == (0, 0)
