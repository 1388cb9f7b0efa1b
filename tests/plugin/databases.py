"""One temporary PostgreSQL a run, started when a test needs it, and databases copied from one migrated template.

A test takes one of two:

- `db` (pytest-django's): Django works as `app`, as in the product, in one transaction that is rolled back. Deferred
  triggers do not fire there unless the test says `SET CONSTRAINTS ALL IMMEDIATE`.
- `database`: a database of the test's own, where everything commits as in the product. Django works as `app` in it,
  `connect(role)` enters it as any role, and a process started with `environ()` finds it as it would find an instance's.

A run never sees the developer's own instance: its folder is a new one, and `DATABASE_URL` is dropped.
"""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bahal.entry import roles
from bahal.entry.postgres import HOST, EmbeddedPostgres
from bahal.shared.database import ROLES, Address, Role, password_of
from bahal.shared.home import Home, write_private

TEMPLATE = "bahal_template"
SHARED = "bahal_test"

_OURS = pytest.StashKey[Home]()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before Django's settings are read: a folder, passwords and an address, so that they are read from these."""
    home = Home(Path(tempfile.mkdtemp(prefix="bahal-tests-")))
    home.path.chmod(0o711)
    home.make()
    for role in ROLES:
        home.keep_secret(role, {"password": roles.new_password()})
    home.keep_secret("django", {"key": roles.new_password()})
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        _state(home, port=probe.getsockname()[1], name=SHARED)
    for name in ("DATABASE_URL", "BAHAL_ROLE", "BAHAL_CLOCK", "BAHAL_CRASH_AT", "BAHAL_LANG"):
        os.environ.pop(name, None)
    os.environ["BAHAL_HOME"] = str(home.path)
    early_config.stash[_OURS] = home
    early_config.add_cleanup(lambda: shutil.rmtree(home.path, ignore_errors=True))


class Database:
    """A migrated database and the folder of an instance that lives on it."""

    def __init__(self, *, home: Home, port: int, name: str) -> None:
        self.home = home
        self.name = name
        self._address = Address(host=HOST, port=port, name=name)

    def dsn(self, role: Role) -> str:
        """The connection URL of a role."""
        return self._address.dsn(user=role, password=password_of(self.home, role))

    def connect(self, role: Role, *, autocommit: bool = True) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection as a role; the test closes it, or uses it in a `with`."""
        return psycopg.connect(self.dsn(role), autocommit=autocommit)

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a process that shall work on this database."""
        return {**os.environ, "BAHAL_HOME": str(self.home.path), **more}


@pytest.fixture(scope="module")
def reachable(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder for a module's tests that every user may pass through: under root a server is `nobody`."""
    folder = Path(tempfile.mkdtemp(dir=pytestconfig.stash[_OURS].path))
    folder.chmod(0o711)
    yield folder
    left = [path for path in folder.rglob("pg") if path.is_symlink()]
    shutil.rmtree(folder)
    assert left == [], "an instance that keeps its data elsewhere leaves it there"


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[EmbeddedPostgres]:
    """The run's server, with its roles. Its data does not outlive the run, so nothing waits for the disk."""
    home = pytestconfig.stash[_OURS]
    server = EmbeddedPostgres(
        home.path,
        settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"},
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres, django_db_blocker: "pytest.FixtureRequest") -> str:
    """The name of a database that was migrated once, as `owner`, and that nobody enters: others are copies of it."""
    with _administered(postgres) as connection:
        roles.create_database(connection, TEMPLATE)
    from django.core.management import call_command

    with django_db_blocker.unblock(), _django_in(postgres, TEMPLATE, "owner"):  # type: ignore[attr-defined]
        call_command("migrate", verbosity=0)
    return TEMPLATE


@pytest.fixture(scope="session")
def django_db_setup(postgres: EmbeddedPostgres, template: str) -> Iterator[None]:
    """Takes the place of pytest-django's: its tests share one copy, in which each is rolled back."""
    _copy(postgres, template, SHARED)
    with _django_in(postgres, SHARED, "app"):
        yield


@pytest.fixture
def database(
    postgres: EmbeddedPostgres,
    template: str,
    tmp_path: Path,
    django_db_blocker: "pytest.FixtureRequest",
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Database]:
    """A database of the test's own, in which everything commits."""
    name = f"bahal_{tmp_path.name}"[-63:]
    _copy(postgres, template, name)
    home = Home(tmp_path / "home")
    home.make()
    shutil.copytree(postgres.home.secrets, home.secrets, dirs_exist_ok=True)
    running = Address(host=HOST, port=_port(postgres), name=name)
    _state(home, port=running.port, name=name)
    monkeypatch.setenv("BAHAL_HOME", str(home.path))
    with django_db_blocker.unblock(), _django_in(postgres, name, "app"):  # type: ignore[attr-defined]
        yield Database(home=home, port=running.port, name=name)
    with _administered(postgres) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _state(home: Home, *, port: int, name: str) -> None:
    write_private(home.run / "database.json", {"host": HOST, "port": port, "name": name, "pid": 0})


def _port(postgres: EmbeddedPostgres) -> int:
    with _administered(postgres) as connection:
        return connection.info.port


def _administered(postgres: EmbeddedPostgres) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(postgres.superuser_dsn(), autocommit=True)


def _copy(postgres: EmbeddedPostgres, template: str, name: str) -> None:
    with _administered(postgres) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER owner").format(sql.Identifier(name), sql.Identifier(template))
        )
        roles.close_to_others(connection, name)


@contextlib.contextmanager
def _django_in(postgres: EmbeddedPostgres, name: str, role: Role) -> Iterator[None]:
    """Django's one connection, in every thread, to this database as this role."""
    from django.db import connections

    settings = connections.settings["default"]
    before = dict(settings)
    connections.close_all()
    settings.update(HOST=HOST, PORT=_port(postgres), NAME=name, USER=role, PASSWORD=password_of(postgres.home, role))
    try:
        yield
    finally:
        connections.close_all()
        settings.update(before)
