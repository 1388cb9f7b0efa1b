"""The clock from money to light: no gap, no overlap, and each stretch with its cause."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.supply.clock import CAUSES, Delay, Moments, lit_at, slowest_cause, stretches
from bahal.domains.supply.late import periods_begun

MONEY = datetime(2025, 11, 24, 6, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return MONEY + timedelta(seconds=seconds)


def moments(**changed: object) -> Moments:
    """A restore as it should be: lit within half a second."""
    told: dict[str, object] = {
        "money_at": MONEY, "ordered_at": after(-0.01), "released_at": after(0.02), "claimed_at": after(0.03),
        "sent_at": after(0.2), "acted_at": after(0.3), "confirmed_at": after(0.4), "state": "confirmed", "reason": "",
    }  # fmt: skip
    return Moments(**(told | changed))  # type: ignore[arg-type]


def told(restore: Moments) -> list[tuple[str, float]]:
    return [(each.cause, round(each.seconds, 3)) for each in stretches(restore, after(3600))]


def test_a_quick_one() -> None:
    assert told(moments()) == [("taken_up", 0.02), ("taken_up", 0.01), ("meter", 0.17), ("meter", 0.1), ("meter", 0.1)]


def test_the_queue_of_the_ramp_and_an_interlock_that_was_away() -> None:
    late = {
        "released_at": after(40), "claimed_at": after(40.1), "sent_at": after(41), "acted_at": after(41),
        "confirmed_at": after(42),
    }  # fmt: skip
    assert told(moments(**late, ahead=3))[0] == ("ramp", 40)
    assert told(moments(**late))[0] == ("worker_down", 40)
    assert slowest_cause(stretches(moments(**late, ahead=3), after(90))) == "ramp"


def test_behind_a_cut_and_spread_among_many() -> None:
    late = {"claimed_at": after(9), "sent_at": after(9.5), "acted_at": after(9.6), "confirmed_at": after(10)}
    assert told(moments(**late, cut_ended_at=after(8)))[1] == ("behind_cut", 8.98)
    assert told(moments(**late, among_many=True))[1] == ("spread", 8.98)


def test_attempts_that_were_given_back_name_their_cause() -> None:
    tries = (
        Delay("connect_timeout", after(8), after(10)), Delay("no_line", after(11), after(41)),
        Delay("not_moved", after(43), after(44)),
    )  # fmt: skip
    late = {"sent_at": after(45), "acted_at": after(45), "confirmed_at": after(46)}
    assert told(moments(**late, delays=tries)) == [
        ("taken_up", 0.02), ("taken_up", 0.01), ("not_reached", 7.97), ("not_reached", 2), ("sms_wake", 1),
        ("sms_wake", 30), ("not_moved", 2), ("not_moved", 1), ("meter", 1), ("meter", 1),
    ]  # fmt: skip


def test_what_is_not_over_waits_for_something() -> None:
    nothing = {"claimed_at": None, "sent_at": None, "acted_at": None, "confirmed_at": None}
    for waiting, cause in (
        (moments(**nothing, released_at=None, state="authorised", ahead=1), "ramp"),
        (moments(**nothing, released_at=None, state="authorised"), "worker_down"),
        (moments(**nothing, state="authorised"), "worker_down"),
        (moments(**(nothing | {"claimed_at": after(1)}), state="claimed"), "meter"),
        (moments(confirmed_at=None, state="unknown"), "meter"),
        (moments(confirmed_at=None, state="field_task", reason="unreachable"), "field_needed"),
        (moments(**nothing, state="quarantined"), "quarantined"),
        (moments(**nothing, state="authorised", delays=(Delay("no_line", after(5), after(35)),)), "sms_wake"),
    ):
        found = stretches(waiting, after(100))
        assert found[-1].cause == cause
        assert found[-1].until == after(100)
        assert lit_at(waiting) is None


def test_a_meter_that_is_ready_waits_for_its_button_after_our_part_was_done() -> None:
    ready = moments(reason="press_button", closed_at=after(60))
    assert told(ready)[-1] == ("button", 59.6)
    assert lit_at(ready) == after(0.4)
    assert told(moments(reason="press_button"))[-1] == ("button", 3599.6)


def test_a_linemans_report_ends_the_clock() -> None:
    restore = moments(confirmed_at=None, state="field_task", field_at=after(7200))
    assert told(restore)[-1] == ("field_needed", 7199.7)
    assert lit_at(restore) == after(7200)


@given(st.data())
def test_no_gap_and_no_overlap_whatever_was_written_down(data: st.DataObject) -> None:
    instant = st.floats(-5, 500).map(after)
    maybe = st.none() | instant
    delays = data.draw(st.lists(st.tuples(st.sampled_from(["no_line", "mute", "no_room"]), instant, maybe), max_size=4))
    restore = Moments(
        money_at=MONEY,
        ordered_at=data.draw(instant),
        released_at=data.draw(maybe),
        claimed_at=data.draw(maybe),
        sent_at=data.draw(maybe),
        acted_at=data.draw(maybe),
        confirmed_at=data.draw(maybe),
        state=data.draw(st.sampled_from(["authorised", "claimed", "sent", "unknown", "confirmed", "field_task"])),
        reason=data.draw(st.sampled_from(["", "press_button"])),
        among_many=data.draw(st.booleans()),
        ahead=data.draw(st.integers(0, 2)),
        cut_ended_at=data.draw(maybe),
        field_at=data.draw(maybe),
        closed_at=data.draw(maybe),
        delays=tuple(Delay(*each) for each in delays),
    )
    now = after(600)
    found = stretches(restore, now)
    ready = restore.state == "confirmed" and restore.reason == "press_button"
    end = max((restore.closed_at if ready else lit_at(restore)) or now, MONEY)
    assert sum((each.until - each.since for each in found), timedelta()) == end - MONEY
    assert [each.since for each in found] == [MONEY, *(each.until for each in found)][: len(found)]
    assert all(each.until > each.since and each.cause in CAUSES for each in found)


@given(st.integers(-10_000, 10_000_000), st.integers(1, 3000), st.integers(1, 50))
def test_a_period_of_compensation_counts_when_it_begins_and_never_goes_back(
    seconds: int, minutes: int, most: int
) -> None:
    def begun(over: int) -> int:
        return periods_begun(promised_at=MONEY, until=after(over), period_minutes=minutes, at_most=most)

    assert 0 <= begun(seconds) <= most
    assert (begun(seconds) > 0) == (seconds > 0)
    assert begun(seconds) <= begun(seconds + 60)
    assert begun(minutes * 60) == 1
    assert begun(minutes * 60 + 1) == min(2, most)
