"""A circle of twelve meters, four of each make or so."""

from pathlib import Path

import pytest

from bahal.fleet.circle import Circle
from bahal.fleet.roster import RosterRow
from tests.fleet.household import StandingClock, circle_of, roster


@pytest.fixture
def rows(tmp_path: Path) -> list[RosterRow]:
    return roster(tmp_path)


@pytest.fixture
def standing() -> StandingClock:
    return StandingClock()


@pytest.fixture
def circle(rows: list[RosterRow], tmp_path: Path, standing: StandingClock) -> Circle:
    return circle_of(rows, tmp_path, standing)
