"""Warnings and balances on small places of which everything is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.lake.signals.balance import balance, hours
from bahal.lake.signals.falling import WEEK, WORDS, Caution, Finding, Warned, falling
from bahal.lake.vee.rules import MISSING_VALUE

CAUTION = Caution(per_thousand=1_000)
DAYS = CAUTION.weeks * WEEK + WEEK
HOUR = np.arange(48) / 2
SHAPE = 0.3 + np.exp(-((HOUR - 7) ** 2) / 4) + 2 * np.exp(-((HOUR - 20) ** 2) / 8)
NEIGHBOURS = 20


def street(mine: np.ndarray, week: float = 1.0) -> Warned:
    """One meter whose last week is `mine` times its usual, (7, 48), in a street that drew `week` times the usual."""
    chance = np.random.default_rng(3)
    usual = SHAPE / SHAPE.sum() * 8_000
    days = usual[None, None, :] * chance.normal(1, 0.05, (NEIGHBOURS + 1, DAYS, 1))
    days[:, -WEEK:] *= week
    days[0, -WEEK:] *= mine
    return falling(
        days.sum(axis=2).astype(np.int64),
        before=days[:, :-WEEK].mean(axis=1),
        latest=days[:, -WEEK:].mean(axis=1),
        transformer=np.zeros(NEIGHBOURS + 1, np.int64),
        caution=CAUTION,
    )


def flat(wh: float) -> np.ndarray:
    """A week in which every half hour is so many Wh, as multiples of the usual day."""
    return np.tile(wh / (SHAPE / SHAPE.sum() * 8_000), (WEEK, 1))


SUN = np.tile(np.where((HOUR > 8) & (HOUR < 17), 0.05, 1.0), (WEEK, 1))
AWAY = np.ones((WEEK, 48))
AWAY[4:] = 0.05
NIGHT = np.tile(np.where((HOUR < 6) | (HOUR >= 18), 0.1, 1.0), (WEEK, 1))


@pytest.mark.parametrize(
    ("mine", "week", "expected"),
    [
        pytest.param(np.ones((WEEK, 48)), 1.0, Finding.USUAL, id="as usual"),
        pytest.param(np.full((WEEK, 48), 0.4), 1.0, Finding.FALLING, id="bypassed"),
        pytest.param(NIGHT, 1.0, Finding.FALLING, id="bypassed by night"),
        pytest.param(np.full((WEEK, 48), 0.8), 1.0, Finding.USUAL, id="thrifty"),
        pytest.param(np.ones((WEEK, 48)), 0.5, Finding.USUAL, id="a cool week for everybody"),
        pytest.param(np.full((WEEK, 48), 0.4), 0.5, Finding.FALLING, id="bypassed in a cool week"),
        pytest.param(flat(30), 1.0, Finding.VACANT, id="an empty house"),
        pytest.param(AWAY, 1.0, Finding.VACANT, id="a few days away"),
        pytest.param(np.zeros((WEEK, 48)), 1.0, Finding.VACANT, id="nothing at all"),
    ],
)
def test_a_week_has_its_reason(mine: np.ndarray, week: float, expected: Finding) -> None:
    seen = street(mine, week)
    assert Finding(int(seen.finding[0])) is expected
    assert (seen.finding[1:] == Finding.USUAL).all()
    assert seen.warned.tolist() == ([0] if expected is Finding.FALLING else [])


def test_solar_panels_leave_the_evening() -> None:
    by_day = 0.3 + np.exp(-((HOUR - 13) ** 2) / 18)
    usual = by_day / by_day.sum() * 8_000
    days = np.tile(usual, (NEIGHBOURS + 1, DAYS, 1))
    days[0, -WEEK:] *= np.where((HOUR > 8) & (HOUR < 17), 0.05, 1.0)
    seen = falling(
        days.sum(axis=2).astype(np.int64),
        before=days[:, :-WEEK].mean(axis=1),
        latest=days[:, -WEEK:].mean(axis=1),
        transformer=np.zeros(NEIGHBOURS + 1, np.int64),
        caution=CAUTION,
    )
    assert Finding(int(seen.finding[0])) is Finding.SOLAR


def test_too_little_known_says_nothing_and_the_budget_is_kept() -> None:
    usual = np.tile(SHAPE / SHAPE.sum() * 8_000, (100, DAYS, 1))
    usual[:40, -WEEK:] *= np.linspace(0.1, 0.5, 40)[:, None, None]
    totals = usual.sum(axis=2).astype(np.int64)
    totals[0, -3:] = MISSING_VALUE
    seen = falling(
        totals,
        before=usual[:, :-WEEK].mean(axis=1),
        latest=usual[:, -WEEK:].mean(axis=1),
        transformer=np.zeros(100, np.int64),
        caution=Caution(per_thousand=50),
    )
    assert Finding(int(seen.finding[0])) is Finding.UNKNOWN
    assert seen.warned.tolist() == [1, 2, 3, 4, 5]
    assert set(WORDS) == set(Finding)
    with pytest.raises(ValueError, match="weeks"):
        falling(
            totals[:, 1:], before=usual[:, 0], latest=usual[:, 0], transformer=np.zeros(100, np.int64), caution=CAUTION
        )


def test_what_is_lost_is_what_went_in_less_what_was_measured() -> None:
    # 7: 1,000 in, 600 + 250 out; 9: 500 in from two meters, 450 out, half of it estimated; 8 has no input meter.
    found = balance(
        place_in=np.array([9, 7, 9]),
        in_wh=np.array([200, 1_000, 300]),
        place_out=np.array([7, 7, 9, 8]),
        out_wh=np.array([600, 250, 450, 99]),
        estimated=np.array([0, 1, 24, 0]),
        expected=np.array([48, 48, 48, 48]),
    )
    assert found.place.tolist() == [7, 9]
    assert found.lost_wh.tolist() == [150, 50]
    assert found.lost_share.tolist() == [0.15, 0.1]
    assert found.confidence.tolist() == [1 - 1 / 96, 0.5]
    assert found.worst_first().tolist() == [0]  # of the other too little is known


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9_000)), max_size=30))
def test_no_energy_appears_or_vanishes_in_a_balance(meters: list[tuple[int, int]]) -> None:
    place = np.array([each[0] for each in meters], np.int64)
    wh = np.array([each[1] for each in meters], np.int64)
    zero = np.zeros(len(meters), np.int64)
    found = balance(
        place_in=np.arange(6), in_wh=np.full(6, 100_000), place_out=place, out_wh=wh, estimated=zero, expected=zero + 48
    )
    assert int(found.lost_wh.sum()) == 600_000 - int(wh.sum())


def test_half_hours_are_summed_to_hours() -> None:
    assert hours(np.arange(96, dtype=np.int32).reshape(2, 48)).tolist()[0][:2] == [1, 5]
