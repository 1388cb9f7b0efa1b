"""What is missing is asked for, and nothing else."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bahal.headend import gaps
from bahal.headend.gaps import BITS, MOST_RANGES, billing_gaps, daily_gaps, load_gaps, midnight

TODAY = date(2025, 11, 24)
NOW = midnight(TODAY) + 10 * 3_600 + 100


def slots_in(ranges: tuple[gaps.Range, ...], period_s: int) -> set[tuple[date, int]]:
    """The intervals that ranges ask for."""
    found = set()
    for first, last in ranges:
        for end in range(first, last + 1, period_s):
            day = gaps.day_at(end - 1)
            found.add((day, (end - midnight(day)) // period_s - 1))
    return found


@given(
    known=st.lists(st.integers(0, (1 << 96) - 1), min_size=3, max_size=3), open_day=st.booleans(), quarter=st.booleans()
)
def test_ranges_cover_what_is_missing_and_exactly_that_when_they_are_few(
    known: list[int], open_day: bool, quarter: bool
) -> None:
    period_s = 900 if quarter else 1_800
    days = [TODAY - timedelta(days=back) for back in (2, 1, 0)]
    bits = dict(zip(days, known, strict=True))
    wanted = {
        (day, slot)
        for day in (days if open_day else days[:2])
        for slot in range(86_400 // period_s if day != TODAY else (NOW - midnight(TODAY)) // period_s)
        if not bits[day] >> (BITS - 1 - slot) & 1
    }
    found = load_gaps(bits, now=NOW, back_days=2, open_day=open_day, period_s=period_s)
    asked = slots_in(found.ranges, period_s)
    assert found.complete
    assert wanted <= asked
    assert len(found.ranges) <= MOST_RANGES
    if len(found.ranges) < MOST_RANGES:
        assert asked == wanted


def test_days_without_a_gap_between_are_one_range() -> None:
    found = load_gaps({}, now=NOW, back_days=3, open_day=False, period_s=1_800)
    assert found.ranges == ((midnight(TODAY) - 3 * 86_400 + 1_800, midnight(TODAY)),)
    assert load_gaps({}, now=NOW, back_days=30, open_day=False, period_s=1_800).complete is False


def test_midnights_that_are_missing_and_those_beside_a_gap() -> None:
    known = [TODAY - timedelta(days=back) for back in range(8)]
    assert daily_gaps(known, now=NOW, back_days=7).ranges == ()
    assert daily_gaps(known[1:], now=NOW, back_days=7).ranges == ((midnight(TODAY), midnight(TODAY)),)
    beside = ((midnight(known[3]) + 1_800, midnight(known[3]) + 3_600),)
    assert daily_gaps(known, now=NOW, back_days=7, beside=beside).ranges == ((midnight(known[3]), midnight(known[2])),)
    running = ((midnight(TODAY) + 1_800, NOW),)
    assert daily_gaps(known, now=NOW, back_days=7, beside=running).ranges == ((midnight(TODAY), midnight(TODAY)),)


def test_months_of_which_no_bill_row_is_there() -> None:
    months = [date(2025, 10, 1), date(2025, 11, 1)]
    assert billing_gaps(months, now=NOW).ranges == ()
    assert billing_gaps([date(2025, 8, 1), *months], now=NOW).ranges == ((midnight(date(2025, 9, 1)), NOW),)
    assert billing_gaps([date(2025, 9, 1), months[0]], now=NOW).ranges == ((midnight(date(2025, 11, 1)), NOW),)
    # Who showed none yet is asked for all that a meter keeps; older than its first one there is nothing.
    assert billing_gaps([], now=NOW).ranges == ((midnight(date(2024, 11, 1)), NOW),)
    assert billing_gaps(months[1:], now=NOW).ranges == ()
