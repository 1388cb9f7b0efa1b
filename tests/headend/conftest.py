"""A circle of meters, its database, and a head-end between them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interlock.world import World, lay
from tests.plugin.databases import Database


@pytest.fixture
def make_world(database: Database, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Lays a world as `tests.interlock.world.lay` does; the head-end's sealing key stands in its folder."""
    made: list[World] = []

    def laid(**given: Any) -> World:
        world = lay(database, tmp_path, **given)
        made.append(world)
        folder = database.home.path / "headend"
        folder.mkdir(mode=0o700)
        (folder / "sealing.key").write_text(world.keys.headend.private_bytes_raw().hex())
        return world

    yield laid
    for world in made:
        world.meters.close()
        for connection in (world.app, world.owner, *world.others):
            connection.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Six meters of a plain make."""
    return make_world(count=6)
