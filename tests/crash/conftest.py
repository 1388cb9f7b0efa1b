"""The template is made once a run; the runs that were collected are played a few at a time, each on its own copy."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.crash import template
from tests.crash.instance import tidy
from tests.crash.scene import QUIET_S, Came, Scene
from tests.monday.living import environment

AT_ONCE = max(2, min(4, (os.cpu_count() or 2) + 1))
"""A run waits for leases and restarts most of its time."""

KILLED = "killed"
ROOMS = ("headend", "worker", "web", "interlock", "postgres")

Make = Callable[[Path], Path]


@pytest.fixture(scope="session")
def stage() -> Iterator[Path]:
    """A folder that every user may pass through: under root a database server is `nobody`."""
    made = Path(tempfile.mkdtemp(prefix="bahal-crash-"))
    made.chmod(0o711)
    yield made
    for home in made.iterdir():
        tidy(home)
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def make(stage: Path) -> Make:
    """Makes a template instance with the `bahal` of a source folder."""

    def made(source: Path) -> Path:
        home = Path(tempfile.mkdtemp(prefix="template-", dir=stage)) / "home"
        home.parent.chmod(0o711)
        ran = subprocess.run(
            [sys.executable, template.__file__, home],
            env=environment(home, PYTHONPATH=str(source)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return home

    return made


@pytest.fixture(scope="session")
def prepared(make: Make) -> Path:
    """The template of the product as it is."""
    return make(template.source())


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, stage: Path, prepared: Path) -> Iterator[dict[str, "Future[Came]"]]:
    """Every collected strike, being played: the rooms killed from outside first, as that takes longest."""
    wanted = dict.fromkeys(
        item.callspec.params["crash_at"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "runs" in item.fixturenames
    )
    ordered = sorted(wanted, key=lambda crash_at: crash_at != KILLED)
    with ThreadPoolExecutor(AT_ONCE) as players:
        yield {crash_at: players.submit(played, stage, prepared, crash_at, template.source()) for crash_at in ordered}
        players.shutdown(cancel_futures=True)


def played(stage: Path, prepared: Path, crash_at: str, source: Path, *, quiet_s: float = QUIET_S) -> Came:
    """One run on its own copy of the template, which is cleared away afterwards. `KILLED` stands for all of `ROOMS`."""
    stage.mkdir(mode=0o711, exist_ok=True)
    home = stage / f"run-{crash_at.translate(str.maketrans('@:.', '---')) or 'none'}"
    strike = {"kills": ROOMS} if crash_at == KILLED else {"crash_at": crash_at}
    try:
        return Scene(prepared=prepared, home=home, source=source, quiet_s=quiet_s, **strike).play()
    finally:
        tidy(home)
