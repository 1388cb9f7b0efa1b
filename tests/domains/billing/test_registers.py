"""Registers become use: rollover by digits, what cannot be, gaps, and shares of days in which nothing is lost."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.domains.billing.errors import RegisterBackwards, RegisterBeyondLoad
from bahal.domains.billing.history import Limits, Past, estimate, unusual
from bahal.domains.billing.registers import Stand, advance, check, covered, spread, uses

JUNE, JULY, AUGUST = date(2025, 6, 1), date(2025, 7, 1), date(2025, 8, 1)


def stand(day: date, kwh: int, meter: str = "M", digits: int = 6) -> Stand:
    return Stand(day, meter, kwh * 1000, digits=digits)


def test_a_register_begins_anew_behind_its_last_digit() -> None:
    """999,950 to 30 on six digits is 80 units; on five, 99,950 to 30 likewise."""
    assert check(stand(JUNE, 999_950), stand(JULY, 30), load_w=1000) == 80_000
    assert advance(99_950_000, 30_000, digits=5) == 80_000


def test_what_a_load_cannot_draw_did_not_happen() -> None:
    """1 kW for 30 days is 720 units: 720 may be, 721 may not; back by one unit would be 999,999 of them."""
    assert check(stand(JUNE, 0), stand(JULY, 720), load_w=1000) == 720_000
    with pytest.raises(RegisterBeyondLoad) as beyond:
        check(stand(JUNE, 0), stand(JULY, 721), load_w=1000)
    assert beyond.value.data["most_kwh"] == 720
    with pytest.raises(RegisterBackwards):
        check(stand(JUNE, 100), stand(JULY, 99), load_w=1000)


def test_two_meters_on_one_day_are_an_exchange() -> None:
    found = uses([stand(JUNE, 100, "A"), stand(date(2025, 6, 11), 130, "A"), stand(date(2025, 6, 11), 5, "B"),
                  stand(JULY, 25, "B")])  # fmt: skip
    assert [(each.meter, each.wh) for each in found] == [("A", 30_000), ("B", 20_000)]
    assert covered(found, JUNE, JULY)
    assert not covered(found, JUNE, AUGUST)
    assert not covered(found[1:], JUNE, JULY)


@given(
    steps=st.lists(st.integers(0, 2_000), min_size=1, max_size=20),
    digits=st.integers(4, 6),
    first=st.integers(0, 9_999),
)
def test_adjacent_uses_add_up_whatever_rolls_over(steps: list[int], digits: int, first: int) -> None:
    kwh, stands = first, [Stand(JUNE, "M", first * 1000, digits=digits)]
    for nth, step in enumerate(steps, start=1):
        kwh = (kwh + step) % 10**digits
        stands.append(Stand(JUNE + timedelta(days=nth), "M", kwh * 1000, digits=digits))
    assert sum(each.wh for each in uses(stands)) == sum(steps) * 1000


@given(wh=st.integers(0, 10**9), days=st.lists(st.integers(0, 31), min_size=1, max_size=12).filter(sum))
def test_shares_by_days_lose_nothing(wh: int, days: list[int]) -> None:
    parts = spread(wh, days)
    assert sum(parts) == wh
    assert all(part == 0 for part, count in zip(parts, days, strict=True) if not count)
    for part, count in zip(parts, days, strict=True):
        assert abs(part - wh * count / sum(days)) <= 1


def months(*wh: int, estimated: bool = False) -> list[Past]:
    """Periods of thirty days before June 2025, oldest first."""
    first = JUNE - timedelta(days=30 * len(wh))
    return [
        Past(first + timedelta(days=30 * n), first + timedelta(days=30 * (n + 1)), each, estimated)
        for n, each in enumerate(wh)
    ]


def test_an_estimate_is_the_average_of_the_last_three_actual_periods() -> None:
    past = [*months(500_000, 90_000, 100_000, 110_000)]
    found = estimate(past, start=JUNE, end=JULY)
    assert found is not None
    assert (found.wh, found.how, len(found.of)) == (100_000, "average", 3)


def test_with_too_few_the_same_month_of_last_year_and_else_what_there_is() -> None:
    year_ago = Past(date(2024, 6, 1), date(2024, 7, 1), 240_000, False)
    found = estimate([year_ago, *months(90_000)], start=JUNE, end=JULY)
    assert found is not None
    assert (found.wh, found.how) == (240_000, "last_year")
    found = estimate(months(90_000), start=JUNE, end=date(2025, 6, 16))
    assert found is not None
    assert (found.wh, found.how) == (45_000, "average")
    assert estimate([], start=JUNE, end=JULY) is None


def test_an_estimate_never_rests_on_estimates() -> None:
    assert estimate(months(90_000, 90_000, 90_000, estimated=True), start=JUNE, end=JULY) is None


@pytest.mark.parametrize(
    ("past", "wh", "held"),
    [
        ((100_000, 120_000), 300_000, False),  # two and a half times the highest, not more
        ((100_000, 120_000), 301_000, True),
        ((10_000, 12_000), 100_000, False),  # much more, but of little
        ((200_000, 210_000), 20_000, False),
        ((200_000, 210_000), 19_000, True),
        ((50_000, 60_000), 1_000, False),
        ((), 432_000, False),  # nothing known: 60 % of what 1 kW draws in thirty days
        ((), 433_000, True),
    ],
)  # fmt: skip
def test_a_bill_unlike_the_consumers_own_is_held(past: tuple[int, ...], wh: int, held: bool) -> None:
    assert unusual(months(*past), wh=wh, days=30, load_w=1000, limits=Limits()) is held
