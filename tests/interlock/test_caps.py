"""Caps, canary and dead-man at their edges: the last figure that passes, and the first that does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from bahal.dlms.clock import LONGEST_SHIFT_S
from bahal.interlock.canary import CanaryVerdict, DeadMan, judge_canary
from bahal.interlock.config import InterlockMisconfigured
from bahal.interlock.officers import Key, Officer
from bahal.interlock.profile import Profile, load_profile
from tests.interlock import facts

KEYS = facts.Keys()
OFFICERS = {
    login: Officer(login, facts.ROLES[login], (Key(key.public_key().public_bytes_raw().hex()),))
    for login, key in KEYS.officers.items()
}
CLOCK: dict[str, Any] = {
    "least_s": 15, "most_s": 600, "back_s": 300, "farthest_s": 3600, "round_trip_s": 5, "margin_s": 60,
    "midnight_s": 900, "month_end_s": 3600, "fresh_s": 7200, "few": 10, "meter_day": 1, "hour": 500,
}  # fmt: skip
COUNTS = ("canary", "drive", "circle_hour", "state_hour", "day_floor", "transformer_floor", "feeder_floor")
SHARES = ("day_share", "transformer_share", "feeder_share", "canary_wrong_share")
NO_TWO = "two different officers must sign the caps"


def loaded(folder: Path, *, signers: tuple[str, ...] = facts.SIGNERS, **changed: Any) -> tuple[Profile, Any]:
    (folder / "profile.json").write_text(json.dumps(facts.profile_file(KEYS, facts.PROFILE | changed, signers)))
    return load_profile(folder, OFFICERS)


def refused(folder: Path, **changed: Any) -> str:
    with pytest.raises(InterlockMisconfigured) as refusal:
        loaded(folder, **changed)
    assert refusal.value.data["file"] == "profile.json"
    return str(refusal.value.data["why"])


def with_clock(folder: Path, **changed: Any) -> tuple[Profile, Any]:
    return loaded(folder, clock=CLOCK | changed)


def test_every_figure_reaches_the_form_that_the_database_reads(tmp_path: Path) -> None:
    profile, signers = loaded(tmp_path, clock=CLOCK)
    assert signers == ("ee", "se")
    assert json.loads(profile.as_json()) == facts.PROFILE
    assert profile.figures() == {name: figure for name, figure in facts.PROFILE.items() if name != "name"}
    assert profile.clock is not None
    assert json.loads(profile.clock.as_json()) == CLOCK
    assert loaded(tmp_path)[0].clock is None


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number_from_nothing_on(tmp_path: Path, name: str) -> None:
    for good in (0, 1, 10**6):
        assert getattr(loaded(tmp_path, **{name: good})[0], name) == good
    for bad in (-1, True, 1.0, "1", None):
        assert refused(tmp_path, **{name: bad}) == f"{name} is {bad!r}"


@pytest.mark.parametrize("name", SHARES)
def test_a_share_lies_between_nothing_and_all(tmp_path: Path, name: str) -> None:
    for good in (0, 0.0, 0.5, 1, 1.0):
        assert getattr(loaded(tmp_path, **{name: good})[0], name) == good
    for bad in (-0.01, 1.01, True, "1", None):
        assert refused(tmp_path, **{name: bad}) == f"{name} is {bad!r}"


def test_a_profile_has_a_name_and_every_cap(tmp_path: Path) -> None:
    for bad in ("", 7):
        assert refused(tmp_path, name=bad) == f"name is {bad!r}"
    for name in facts.PROFILE:
        short = {each: figure for each, figure in facts.PROFILE.items() if each != name}
        (tmp_path / "profile.json").write_text(json.dumps(facts.profile_file(KEYS, short)))
        with pytest.raises(InterlockMisconfigured, match="not a profile"):
            load_profile(tmp_path, OFFICERS)


def test_who_signs_twice_or_may_not_or_is_nobody_does_not_count(tmp_path: Path) -> None:
    for signers in (("ee",), ("ee", "ee"), ("ee", "clerk"), ("clerk", "se")):
        assert refused(tmp_path, signers=signers) == NO_TWO
    assert loaded(tmp_path, signers=("clerk", "ee", "ee", "se"))[1] == ("ee", "se")
    stated = facts.profile_file(KEYS, facts.PROFILE)
    one, other = stated["signatures"]
    stranger = {"login": "nobody", "signature": other["signature"]}
    for signatures, good in (
        ([None, "ee", stranger, one, other], True),
        ([one, stranger], False),
        ([one, {"login": "se"}], False),
        ([one, {"login": "se", "signature": one["signature"]}], False),
    ):
        (tmp_path / "profile.json").write_text(json.dumps(stated | {"signatures": signatures}))
        if good:
            assert load_profile(tmp_path, OFFICERS)[1] == ("ee", "se")
        else:
            with pytest.raises(InterlockMisconfigured, match="two different officers"):
                load_profile(tmp_path, OFFICERS)
    for missing in ({"document": None}, {"signatures": None}):
        (tmp_path / "profile.json").write_text(json.dumps(stated | missing))
        with pytest.raises(InterlockMisconfigured, match="document and signatures are missing"):
            load_profile(tmp_path, OFFICERS)


def test_limits_of_clocks_are_whole_numbers_and_complete(tmp_path: Path) -> None:
    for name in CLOCK:
        for bad in (-1, True, 1.5, "1"):
            assert refused(tmp_path, clock=CLOCK | {name: bad}) == f"clock's {name} is {bad!r}"
        short = {each: limit for each, limit in CLOCK.items() if each != name}
        assert refused(tmp_path, clock=short).startswith("clock must state ")
    assert refused(tmp_path, clock=CLOCK | {"more": 1}).startswith("clock must state ")
    assert refused(tmp_path, clock=[]).startswith("clock must state ")
    for name in ("few", "meter_day", "hour", "margin_s", "fresh_s", "midnight_s", "month_end_s"):
        limits = with_clock(tmp_path, **{name: 0})[0].clock
        assert limits is not None
        assert getattr(limits, name) == 0


def test_limits_of_clocks_that_contradict_each_other(tmp_path: Path) -> None:
    under, over = "clock's most_s, back_s or farthest_s is under least_s", "clock's most_s and back_s end at"
    assert refused(tmp_path, clock=CLOCK | {"least_s": 14}) == "clock's least_s must be over twice round_trip_s and 4 s"
    for name in ("most_s", "back_s"):
        assert with_clock(tmp_path, **{name: LONGEST_SHIFT_S})[0].clock is not None
        assert refused(tmp_path, clock=CLOCK | {name: LONGEST_SHIFT_S + 1}).startswith(over)
    for name in ("most_s", "back_s", "farthest_s"):
        assert with_clock(tmp_path, **{name: CLOCK["least_s"]})[0].clock is not None
        assert refused(tmp_path, clock=CLOCK | {name: CLOCK["least_s"] - 1}) == under


@pytest.mark.parametrize(
    ("open_orders", "confirmed", "failed", "verdict"),
    [
        (1, 49, 0, CanaryVerdict.OPEN),
        (1, 0, 49, CanaryVerdict.OPEN),
        (0, 49, 1, CanaryVerdict.PASSED),
        (0, 48, 1, CanaryVerdict.FAILED),  # 1 of 49 is over 2 %
        (0, 98, 2, CanaryVerdict.PASSED),
        (0, 97, 2, CanaryVerdict.FAILED),
        (0, 0, 1, CanaryVerdict.FAILED),
        (0, 0, 0, CanaryVerdict.PASSED),
    ],
)
def test_a_canary_at_two_percent(open_orders: int, confirmed: int, failed: int, verdict: CanaryVerdict) -> None:
    assert judge_canary(open_orders=open_orders, confirmed=confirmed, failed=failed, wrong_share=0.02) is verdict


def counted(*runs: tuple[bool, int]) -> bool:
    """What the dead-man says of the last of these cuts, told in runs of the same end."""
    deadman, said = DeadMan(), False
    for as_ordered, times in runs:
        for _ in range(times):
            said = deadman.count(as_ordered=as_ordered)
    return said


def test_the_dead_man_at_two_percent_of_two_hundred_and_of_a_thousand() -> None:
    assert not counted((False, 199))
    assert counted((False, 200))
    assert not counted((False, 4), (True, 196))
    assert counted((False, 5), (True, 195))
    assert not counted((False, 20), (True, 980))
    assert counted((False, 21), (True, 979))
    # The oldest leaves as the next comes: one cut more, and the first wrong one is forgotten.
    assert not counted((False, 21), (True, 980))
    assert counted((True, 1), (False, 21), (True, 979))
