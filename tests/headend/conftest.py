"""A circle of meters, its database, and a head-end between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interlock.world import World, lay
from tests.plugin.databases import Database


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    """Six meters of a plain make; the head-end's sealing key stands in its folder."""
    made = lay(database, tmp_path, count=6)
    folder = database.home.path / "headend"
    folder.mkdir(mode=0o700)
    (folder / "sealing.key").write_text(made.keys.headend.private_bytes_raw().hex())
    yield made
    made.meters.close()
    for connection in (made.app, made.owner, *made.others):
        connection.close()
