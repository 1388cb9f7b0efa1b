"""Worlds for tests of the interlock."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interlock.world import World, lay
from tests.plugin.databases import Database


@pytest.fixture
def make_world(database: Database, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Lays a world with the given `count`, `profile`, `make` or `delay`."""
    made: list[World] = []

    def laid(**given: Any) -> World:
        made.append(lay(database, tmp_path, **given))
        return made[-1]

    yield laid
    for world in made:
        world.meters.close()
        for connection in (world.app, world.owner, *world.others):
            connection.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Six meters of a plain make."""
    return make_world()
