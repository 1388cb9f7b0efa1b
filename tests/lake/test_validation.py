"""Validation against a slow reading of the same rules, one day and one value at a time, on random days."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bahal.lake.vee.rules import MISSING_VALUE, NOTED_AT_INTAKE, SENTENCES, Parameters, Rule, codes
from bahal.lake.vee.runs import packed, runs, unpacked
from bahal.lake.vee.validation import Days, validate

SLOTS = (24, 48, 96)
P = Parameters(zero_slots=5, stuck_slots=4)


def longest(values: Sequence[int], wanted: int) -> bool:
    """Whether a value above zero stands so often in a row."""
    return any(value > 0 and len(list(run)) >= wanted for value, run in groupby(values))


def slowly(days: Days, row: int) -> int:
    """The findings of one day, said plainly."""
    wh = [int(each) for each in days.wh[row]]
    seconds = 86_400 // len(wh)
    found = int(days.noted[row]) & NOTED_AT_INTAKE
    came = [each for each in wh if each != MISSING_VALUE]
    if len(came) < len(wh):
        found |= Rule.MISSING
    if any(each < 0 for each in came):
        found |= Rule.NEGATIVE
    own = int(days.highest_wh[row])
    if own > 0 and came and max(came) > own * P.spike_own:
        found |= Rule.SPIKE_OWN
    if any(each > int(days.load_w[row]) * seconds / 3_600 * P.load_percent / 100 for each in came):
        found |= Rule.SPIKE_LOAD
    if own > 0 and any(value == 0 and len(list(run)) >= P.zero_slots for value, run in groupby(wh)):
        found |= Rule.ZERO_RUN
    if longest(wh, P.stuck_slots):
        found |= Rule.STUCK
    opened, closed = int(days.open_wh[row]), int(days.close_wh[row])
    if len(came) == len(wh) and MISSING_VALUE not in (opened, closed):
        apart = abs(sum(wh) - (closed - opened))
        if apart > P.register_wh and apart > abs(closed - opened) * P.register_permille / 1_000:
            found |= Rule.REGISTER_SUM
    if not days.exports[row] and int(days.out_wh[row]) > 0:
        found |= Rule.REVERSE
    if days.neighbours[row] and int(days.highest_ma[row]) == 0 and int(days.highest_dv[row]) >= P.voltage_dv:
        found |= Rule.NO_CURRENT
    if abs(int(days.drift_s[row])) > P.drift_s:
        found |= Rule.CLOCK_DRIFT
    return found


@st.composite
def some_days(draw: st.DrawFn) -> Days:
    slots = draw(st.sampled_from(SLOTS))
    rows = draw(st.integers(1, 5))
    grid = (rows, slots)

    def ints(values: Sequence[int], shape: tuple[int, ...] = (rows,), dtype: type = np.int32) -> np.ndarray:
        return draw(arrays.arrays(dtype, shape, elements=st.sampled_from(values), fill=st.sampled_from(values)))

    wh = ints((0, 1, 700, 700, 701, 5_000, -3, MISSING_VALUE), grid)
    total = np.where(wh == MISSING_VALUE, 0, wh).sum(axis=1, dtype=np.int64)
    opened = ints((0, 1_000_000, MISSING_VALUE), dtype=np.int64)
    return Days(
        wh=wh,
        out_wh=ints((0, 0, 5), dtype=np.int64),
        highest_dv=ints((0, 2_300, 1_799, 1_800)),
        highest_ma=ints((0, 0, 0, 1)),
        open_wh=opened,
        close_wh=np.where(opened == MISSING_VALUE, 0, opened + total + ints((0, 50, 51, -5_000), dtype=np.int64)),
        load_w=ints((1_000, 3_000, 9_000)),
        highest_wh=ints((0, 175, 2_000)),
        exports=ints((0, 1)).astype(np.bool_),
        neighbours=ints((0, 1)).astype(np.bool_),
        drift_s=ints((0, 120, 121, -121)),
        noted=ints((0, Rule.SEAM, Rule.FUTURE | Rule.OVERLAP, Rule.MISSING)),
    )


@given(some_days())
def test_the_fast_rules_find_what_the_slow_ones_do(days: Days) -> None:
    found = validate(days, P)
    assert [codes(each) for each in found.tolist()] == [codes(slowly(days, row)) for row in range(len(days))]


def quiet(rows: int = 1, slots: int = 48) -> dict[str, np.ndarray]:
    """Days with which nothing is wrong: 100, 101, 102 Wh and so on."""
    wh = np.tile(np.arange(100, 100 + slots, dtype=np.int32), (rows, 1))
    one = np.zeros(rows, np.int32)
    return {
        "wh": wh, "out_wh": np.zeros(rows, np.int64), "highest_dv": one + 2_300, "highest_ma": one + 400,
        "open_wh": np.full(rows, 5_000, np.int64), "close_wh": 5_000 + wh.sum(axis=1, dtype=np.int64),
        "load_w": one + 2_000, "highest_wh": one + 300, "exports": one.astype(np.bool_),
        "neighbours": one.astype(np.bool_), "drift_s": one, "noted": one,
    }  # fmt: skip


def test_a_quiet_day_has_no_findings_whatever_the_batch() -> None:
    found = validate(Days(**quiet(rows=9_000)), Parameters())
    assert not found.any()
    alone = quiet(rows=9_000)
    alone["wh"][8_999, 7] = -1
    found = validate(Days(**alone), Parameters())
    assert codes(int(found[8_999])) == ("negative", "register_sum")
    assert not found[:8_999].any()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"wh": (3, MISSING_VALUE)}, ("missing",)),
        ({"wh": (3, 1_201), "close_wh": 1_098}, ("spike_own",)),
        ({"wh": (3, 1_501), "close_wh": 1_398}, ("spike_own", "spike_load")),
        ({"drift_s": 7_200}, ("clock_drift",)),
        ({"noted": Rule.SEAM | Rule.UNIT_CHANGE}, ("seam", "unit_change")),
        ({"close_wh": 71}, ("register_sum",)),
        ({"close_wh": 50}, ()),
    ],
)
def test_each_finding_by_hand(change: dict[str, object], expected: tuple[str, ...]) -> None:
    given_ = quiet()
    for name, value in change.items():
        if name == "wh":
            slot, wh = value  # type: ignore[misc]
            given_["wh"][0, slot] = wh
        elif name == "close_wh":
            given_["close_wh"] = given_["close_wh"] + value
        else:
            given_[name] = np.full(1, value, np.int32)
    assert codes(int(validate(Days(**given_), Parameters())[0])) == expected


def test_a_meter_that_always_rests_may_rest_and_one_that_does_not_is_asked() -> None:
    given_ = quiet()
    given_["wh"][:] = 0
    given_["close_wh"] = given_["open_wh"]
    assert codes(int(validate(Days(**given_), Parameters())[0])) == ("zero_run",)
    given_["highest_wh"][:] = 0
    assert codes(int(validate(Days(**given_), Parameters())[0])) == ()


def test_days_must_be_whole_and_arrays_alike() -> None:
    with pytest.raises(ValueError, match="divide"):
        validate(Days(**quiet(slots=47)), Parameters())
    with pytest.raises(ValueError, match="lengths"):
        validate(Days(**{**quiet(rows=2), "noted": np.zeros(1, np.int32)}), Parameters())


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 4), st.sampled_from((1, 24, 48, 64, 96)))), st.integers(1, 97))
def test_runs_are_found_as_one_would_count_them(mask: np.ndarray, length: int) -> None:
    counted = [any(bit and len(list(run)) >= length for bit, run in groupby(row.tolist())) for row in mask]
    assert runs(mask, length).tolist() == counted
    if mask.shape[1] <= 64:
        assert (unpacked(packed(mask), mask.shape[1]) == mask).all()


def test_each_rule_has_a_bit_of_its_own_and_both_sentences() -> None:
    assert len({rule.value for rule in Rule}) == len(Rule) == len(SENTENCES) >= 12
    for hindi, english in SENTENCES.values():
        assert english.isascii()
        assert any("\u0900" <= letter <= "\u097f" for letter in hindi)
    assert codes(Rule.SEAM | Rule.MISSING) == ("missing", "seam")
