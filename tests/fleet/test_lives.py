"""What a story says that meters have counted: stands, changes of habit, what goes into a transformer."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.fleet import consumption
from bahal.fleet.lives import COLUMNS, Lives, LivesError, read_lives

HEADER = ",".join(COLUMNS)
ROWS = {"M1": 0, "M2": 1, "T1": 2}
FIRST = date(2025, 8, 1)


def lives_of(folder: Path, *lines: str) -> Lives:
    path = folder / "lives.csv"
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return read_lives(path, rows=ROWS, seed_of=lambda row: 1000 + row)


def habit(row: int, day: date) -> int:
    return consumption.energy(1000 + row, consumption.midnight(day))


def test_a_meter_stands_where_the_story_says_and_goes_on_at_its_pace(tmp_path: Path) -> None:
    stands = {FIRST: 4_000_000, date(2025, 9, 1): 4_123_457, date(2025, 10, 1): 4_300_001}
    lives = lives_of(tmp_path, *(f"M1,{day},stand,{wh}," for day, wh in stands.items()))
    curve = lives.of[0].counted
    for day, wh in stands.items():
        assert curve.at(habit(0, day)) == wh
    assert curve.at(habit(0, FIRST - timedelta(days=40))) == 4_000_000
    month = curve.at(habit(0, date(2025, 10, 31))) - 4_300_001
    assert 0.6 < month / (4_300_001 - 4_123_457) < 1.4


@given(
    steps=st.lists(st.integers(0, 900_000), min_size=1, max_size=6),
    at=st.lists(st.integers(-100, 300), min_size=2, max_size=20),
)
def test_a_register_never_goes_back(tmp_path_factory: pytest.TempPathFactory, steps: list[int], at: list[int]) -> None:
    wh, lines = 5_000_000, [f"M1,{FIRST},stand,5000000,"]
    for nth, step in enumerate(steps, 1):
        wh += step
        lines.append(f"M1,{FIRST + timedelta(days=31 * nth)},stand,{wh},")
    lines.append(f"M1,{FIRST + timedelta(days=31 * len(steps) + 9)},change,30,")
    curve = lives_of(tmp_path_factory.mktemp("lives"), *lines).of[0].counted
    read = [curve.at(habit(0, FIRST + timedelta(days=days))) for days in sorted(at)]
    assert read == sorted(read)


def test_who_bypasses_his_meter_draws_as_before_and_an_empty_house_does_not(tmp_path: Path) -> None:
    stands = [f"{meter},{day},stand,{wh}," for meter in ("M1", "M2") for day, wh in (
        (FIRST, 1_000_000), (date(2025, 9, 1), 1_310_000))]  # fmt: skip
    lives = lives_of(tmp_path, *stands, "M1,2025-10-01,change,20,", "M2,2025-10-01,unused,20,")
    for row, draws in ((0, True), (1, False)):
        life = lives.of[row]
        assert life.drawn is None or draws
        before = life.counted.at(habit(row, date(2025, 10, 1))) - life.counted.at(habit(row, date(2025, 9, 1)))
        after = life.counted.at(habit(row, date(2025, 10, 31))) - life.counted.at(habit(row, date(2025, 10, 1)))
        assert 0.15 < after / before < 0.3
        if draws:
            assert life.drawn is not None
            drawn = life.drawn.at(habit(row, date(2025, 10, 31))) - life.drawn.at(habit(row, date(2025, 10, 1)))
            assert 0.7 < drawn / before < 1.3


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("M9,2025-08-01,stand,5,", "M9"),
        ("M1,2025-08-41,stand,5,", "day is out of range"),
        ("M1,2025-08-01,stood,5,", "stood"),
        ("M1,2025-08-01,stand,five,", "five"),
        ("T1,2025-08-01,hooked,50,", "no input"),
        ("M1,2025-08-01,change,50,", "no stand"),
        ("M1,2025-07-01,stand,9,\nM1,2025-08-01,stand,5,", "less than"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(LivesError, match=why):
        lives_of(tmp_path, line)


@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 48 * 3000), count=st.integers(1, 400))
def test_half_hours_at_once_are_those_one_by_one(seed: int, start: int, count: int) -> None:
    first = consumption.midnight(FIRST) + start * consumption.BLOCK
    one_by_one = [consumption.energy(seed, first + nth * consumption.BLOCK) for nth in range(count)]
    assert consumption.energies(seed, first, count) == one_by_one
