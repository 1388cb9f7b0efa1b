"""Periods are half-open and reckoned in India."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.shared.periods import Period, clear_days, day_of, month_of, next_month, window_on

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    start = draw(INSTANTS)
    return Period(start, start + draw(st.timedeltas(timedelta(seconds=1), timedelta(days=90))))


def test_a_day_in_india_begins_at_half_past_six_in_the_evening() -> None:
    assert day_of(date(2025, 11, 24)) == Period(
        datetime(2025, 11, 23, 18, 30, tzinfo=UTC), datetime(2025, 11, 24, 18, 30, tzinfo=UTC)
    )


def test_the_window_of_the_monday() -> None:
    window = window_on(date(2025, 11, 24), start=time(10), end=time(14))
    assert datetime(2025, 11, 24, 4, 30, tzinfo=UTC) in window
    assert datetime(2025, 11, 24, 8, 30, tzinfo=UTC) not in window


@given(DAYS)
def test_days_follow_without_gap_or_overlap(day: date) -> None:
    today, tomorrow = day_of(day), day_of(day + timedelta(days=1))
    assert today.end == tomorrow.start
    assert today.overlap(tomorrow) is None


@given(DAYS)
def test_a_month_is_its_days(day: date) -> None:
    month = month_of(day)
    assert month.overlap(day_of(day)) == day_of(day)
    assert month.end == month_of(next_month(day)).start
    assert month.length == timedelta(days=(next_month(day) - day.replace(day=1)).days)


@given(periods(), periods())
def test_overlap_is_what_both_hold(one: Period, other: Period) -> None:
    shared = one.overlap(other)
    assert shared == other.overlap(one)
    for at in (one.start, other.start, one.end, other.end):
        assert (at in one and at in other) == (shared is not None and at in shared)


@given(periods())
def test_the_end_is_outside(period: Period) -> None:
    assert period.start in period
    assert period.end not in period


def test_no_period_is_empty_or_without_zone() -> None:
    at = datetime(2025, 11, 24, tzinfo=UTC)
    with pytest.raises(ValueError, match="an empty period"):
        Period(at, at)
    with pytest.raises(ValueError, match="without a zone"):
        Period(datetime(2025, 11, 24), at)  # noqa: DTZ001


def test_fifteen_clear_days_count_neither_end() -> None:
    assert clear_days(date(2025, 11, 8), date(2025, 11, 24)) == 15
    assert clear_days(date(2025, 11, 9), date(2025, 11, 24)) == 14


@given(DAYS, st.integers(min_value=2, max_value=400))
def test_clear_days_are_the_days_strictly_between(served_on: date, later: int) -> None:
    between = {served_on + timedelta(days=n) for n in range(1, later)}
    assert clear_days(served_on, served_on + timedelta(days=later)) == len(between)
