"""Estimates by hand, and that they always sum to the register without touching what came."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bahal.lake.vee.estimation import estimate
from bahal.lake.vee.rules import MISSING_VALUE

NONE = MISSING_VALUE


def filled(wh: list[int], *, profile: list[int] | None = None, register: tuple[int, int] = (NONE, NONE)) -> list[int]:
    """One day of 24 hours; the register at both midnights if it is known."""
    done = estimate(
        np.array([wh], np.int32),
        profile=np.array([profile or [0] * len(wh)], np.int32),
        open_wh=np.array([register[0]], np.int64),
        close_wh=np.array([register[1]], np.int64),
    )
    assert (done.estimated == (np.array([wh]) == NONE)).all()
    return done.wh[0].tolist()


def test_a_short_gap_is_a_straight_line() -> None:
    wh = [100] * 10 + [NONE, NONE] + [400] * 12
    assert filled(wh)[9:13] == [100, 200, 300, 400]


def test_a_long_gap_takes_the_weekdays_profile_and_so_does_a_gap_at_the_edge() -> None:
    wh = [100] * 10 + [NONE, NONE, NONE] + [400] * 11
    assert filled(wh, profile=[7] * 24)[10:13] == [7, 7, 7]
    assert filled([NONE, *[100] * 23], profile=[7] * 24)[0] == 7


def test_estimates_sum_to_what_the_register_leaves() -> None:
    # 100 x 22 came; the register moved by 2,901: 701 are left over a line of 200 and 300, that is 280.4 and 420.6.
    wh = [100] * 10 + [NONE, NONE] + [400] + [100] * 11
    assert filled(wh, register=(1_000, 1_000 + 2_500 + 701))[10:12] == [280, 421]


def test_where_nothing_is_known_of_the_shape_the_rest_is_shared_evenly() -> None:
    assert filled([NONE] * 24, register=(0, 25)) == [2, *[1] * 23]


def test_a_register_that_moved_less_than_what_came_leaves_nothing() -> None:
    assert filled([100] * 23 + [NONE], profile=[50] * 24, register=(0, 100))[23] == 0


@given(
    st.sampled_from((24, 48, 96)).flatmap(
        lambda slots: st.tuples(
            arrays.arrays(np.int32, (3, slots), elements=st.sampled_from((0, 5, 700, NONE, NONE))),
            arrays.arrays(np.int32, (3, slots), elements=st.sampled_from((0, 0, 3, 900))),
        )
    ),
    arrays.arrays(np.int64, 3, elements=st.integers(0, 200_000)),
)
def test_the_day_sums_to_its_register_and_what_came_stays(
    grids: tuple[np.ndarray, np.ndarray], more: np.ndarray
) -> None:
    wh, profile = grids
    came = np.where(wh == NONE, 0, wh).sum(axis=1, dtype=np.int64)
    opened = np.full(3, 10_000, np.int64)
    done = estimate(wh, profile=profile, open_wh=opened, close_wh=opened + came + more)
    gaps = (wh == NONE).any(axis=1)
    assert (done.wh.sum(axis=1, dtype=np.int64)[gaps] == (came + more)[gaps]).all()
    assert (done.wh[wh != NONE] == wh[wh != NONE]).all()
    assert (done.wh >= 0).all()


def test_shapes_must_fit() -> None:
    wh = np.zeros((2, 24), np.int32)
    with pytest.raises(ValueError, match="fit"):
        estimate(wh, profile=wh[:1], open_wh=np.zeros(2, np.int64), close_wh=np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="below zero"):
        estimate(wh, profile=wh - 1, open_wh=np.zeros(2, np.int64), close_wh=np.zeros(2, np.int64))
