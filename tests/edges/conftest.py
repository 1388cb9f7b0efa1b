"""An instance's own files for the doors, read anew by each test."""

from collections.abc import Callable, Iterator

import pytest

from bahal.edges import entrance
from bahal.shared.home import write_private
from tests.plugin.databases import Database


@pytest.fixture
def open_door(database: Database) -> Iterator[Callable[..., None]]:
    """States how the door stands: rehearsal or production, and which keys' hashes are listed."""

    def state(*, rehearsal: bool, hashes: tuple[str, ...] = ()) -> None:
        folder = database.home.path / "web"
        folder.mkdir(exist_ok=True)
        write_private(folder / "web.json", {"rehearsal": rehearsal, "api_keys": list(hashes)})
        entrance.door.cache_clear()

    yield state
    entrance.door.cache_clear()
