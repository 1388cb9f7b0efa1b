"""The clock of an instance: the world's, or one that a rehearsal moves for all processes."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bahal.shared.clock import RehearsalClock, WallClock, clock_of, day_in_india, move_rehearsal

MONDAY = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)


def test_production_has_one_time() -> None:
    clock = clock_of({})
    assert isinstance(clock, WallClock)
    assert abs(clock.now() - clock.wall()) < timedelta(seconds=5)


def test_a_rehearsal_runs_from_where_it_was_put(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    move_rehearsal(path, business_at=MONDAY)
    clock = clock_of({"BAHAL_CLOCK": str(path)})
    first, second = clock.now(), clock.now()
    assert timedelta(0) <= first - MONDAY < timedelta(seconds=5)
    assert second >= first
    assert abs(clock.wall() - datetime.now(UTC)) < timedelta(seconds=5)


def test_moving_it_reaches_clocks_that_run(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    move_rehearsal(path, business_at=MONDAY - timedelta(days=3))
    clock = RehearsalClock(path)
    move_rehearsal(path, business_at=MONDAY)
    assert timedelta(0) <= clock.now() - MONDAY < timedelta(seconds=5)


@pytest.mark.parametrize(
    "content", ["{}", '{"business_at": "2025-11-24T10:00:00", "wall_at": "2025-11-24T10:00:00"}', "[1]", "not JSON"]
)
def test_a_file_that_is_no_clock_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError):
        RehearsalClock(path)


def test_a_rehearsal_without_its_file_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RehearsalClock(tmp_path / "none.json")


def test_the_day_changes_at_midnight_in_india() -> None:
    assert day_in_india(datetime(2025, 11, 23, 18, 29, 59, tzinfo=UTC)) == date(2025, 11, 23)
    assert day_in_india(datetime(2025, 11, 23, 18, 30, tzinfo=UTC)) == date(2025, 11, 24)
