"""What a lineman is asked to do, what speaks against his report, and in which order he walks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.fieldwork.rules import CONTRADICTIONS, Known, Said, against, by_nearness, kind_of, metres, most_wh

AT = datetime(2025, 11, 24, 6, 0, tzinfo=UTC)
CAUSES = frozenset({"unreachable", "not_moved", "already_off", "wrong_system_title"})
SAID = Said("cut", "done", "off", AT, 1_234_000, 22.0, 82.1)
KNOWN = Known(
    last_wh=1_230_000, last_read_at=AT - timedelta(days=1), load_w=1000, latitude=22.0, longitude=82.1, leave=True
)


def test_what_a_lineman_is_asked_to_do() -> None:
    assert kind_of(order="restore", reason="held", by_hand=CAUSES) == "restore"
    assert kind_of(order="cut", reason="not_moved", by_hand=CAUSES) == "cut"
    # Whoever is off already, or another meter, is looked at; and a right to cut that was lost is no cut by hand.
    for reason in ("already_off", "wrong_system_title", "held", "paid"):
        assert kind_of(order="cut", reason=reason, by_hand=CAUSES) == "visit"


def test_each_single_fact_contradicts_a_report() -> None:
    assert against(SAID, KNOWN) == ()
    on = replace(SAID, kind="restore", supply="on")
    each = {
        "reading_below_last": (replace(SAID, wh=1_229_000), KNOWN),
        "reading_beyond_load": (replace(SAID, wh=1_230_000 + 48_000 + 10_001), KNOWN),
        "relay_open": (on, replace(KNOWN, relay_closed=False, relay_seen_at=AT)),
        "load_after_cut": (SAID, replace(KNOWN, load_after=True)),
        "far_away": (replace(SAID, latitude=22.0046), KNOWN),
        "seal_elsewhere": (SAID, replace(KNOWN, seal_elsewhere=True)),
        "photo_elsewhere": (SAID, replace(KNOWN, photo_elsewhere=True)),
        "cut_without_leave": (SAID, replace(KNOWN, leave=False)),
    }
    assert tuple(each) == CONTRADICTIONS
    for code, (said, known) in each.items():
        assert against(said, known) == (code,)


def test_the_edges_of_what_contradicts() -> None:
    assert against(replace(SAID, wh=1_229_001), KNOWN) == ()  # a display in whole kWh
    assert against(replace(SAID, wh=1_230_000 + 48_000 + 10_000), KNOWN) == ()
    assert against(replace(SAID, latitude=22.0044), KNOWN) == ()
    before = replace(KNOWN, relay_closed=False, relay_seen_at=AT - timedelta(seconds=1))
    assert against(replace(SAID, kind="restore", supply="on"), before) == ()  # read before he came
    assert against(replace(SAID, outcome="not_done"), replace(KNOWN, leave=False)) == ()
    assert against(replace(SAID, wh=10**12), Known(leave=True)) == ()  # nothing is known of this meter


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 400))
def test_a_register_between_the_last_and_the_most_is_believed(last: int, more: int, load: int, days: int) -> None:
    known = replace(KNOWN, last_wh=last, last_read_at=AT - timedelta(days=days), load_w=load)
    most = most_wh(AT, known)
    assert most is not None
    assert most >= last
    assert against(replace(SAID, wh=min(last + more, most)), known) == ()
    assert against(replace(SAID, wh=most + 1), known) == ("reading_beyond_load",)


places = st.lists(st.tuples(st.floats(21.0, 23.0), st.floats(81.0, 83.0)), max_size=30)


@given(places)
def test_a_round_meets_everybody_once_and_the_nearest_first(found: list[tuple[float, float]]) -> None:
    numbered = [(nth, *place) for nth, place in enumerate(found)]
    walk = by_nearness(numbered, latitude=22.0, longitude=82.1)
    assert sorted(id_ for id_, _ in walk) == list(range(len(found)))
    if walk:
        assert walk[0][1] == min(metres(22.0, 82.1, *place) for place in found)


def test_a_degree_of_latitude_is_111_km() -> None:
    assert abs(metres(22.0, 82.1, 23.0, 82.1) - 111_195) < 50
    assert metres(22.0, 82.1, 22.0, 82.1) == 0
