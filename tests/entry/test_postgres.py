"""The embedded server: up, down, killed, started twice, out of reach; and an operator's own server adopted."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bahal.entry import postgres, roles
from bahal.entry.postgres import EmbeddedPostgres
from bahal.shared.database import ROLES, DatabaseUnknown, DatabaseUrlWrong, address_of, dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json

SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture(scope="module")
def home_path(reachable: Path) -> Path:
    """One instance for these tests: its data is made once, its server started for each."""
    return reachable / "home"


@pytest.fixture
def server(home_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server that runs, and is stopped however the test leaves it."""
    made = EmbeddedPostgres(home_path, settings=SETTINGS)
    made.start()
    yield made
    made.stop()


def test_it_keeps_what_it_promises(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.superuser_dsn("bahal")) as connection:
        shown = {
            name: connection.execute("SELECT current_setting(%s)", [name]).fetchone()
            for name in ("listen_addresses", "unix_socket_directories", "synchronous_commit", "TimeZone")
        }
        locale = connection.execute("SELECT datlocprovider, datlocale FROM pg_database").fetchall()
        owner = connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'bahal'").fetchone()
        privileged = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND (rolsuper OR rolcreatedb OR rolcreaterole)",
            [[*ROLES]],
        ).fetchall()
    assert shown == {
        "listen_addresses": ("127.0.0.1",),
        "unix_socket_directories": ("",),
        "synchronous_commit": ("on",),
        "TimeZone": ("UTC",),
    }
    assert set(locale) == {("b", "C.UTF-8")}
    assert owner == ("owner",)
    assert privileged == []
    assert postgres.SETTINGS["fsync"] == "on"


def test_it_asks_everyone_for_a_password(server: EmbeddedPostgres) -> None:
    address = address_of(server.home, {})
    for user in ("postgres", *ROLES):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address.dsn(user=user, password="wrong"))
    with psycopg.connect(server.dsn("reader")) as entered, pytest.raises(psycopg.errors.InsufficientPrivilege):
        entered.execute("SELECT pg_read_file('PG_VERSION')")


def test_a_second_start_on_the_same_data_is_refused(server: EmbeddedPostgres, home_path: Path) -> None:
    with pytest.raises(postgres.AlreadyRunning, match=str(server.running())) as refused:
        EmbeddedPostgres(home_path, settings=SETTINGS).start()
    assert refused.value.exit_code == 3
    with psycopg.connect(server.dsn("app")) as entered:
        assert entered.execute("SELECT 1").fetchone() == (1,)


def test_after_a_kill_it_comes_back_where_it_was_with_what_was_committed(
    server: EmbeddedPostgres, home_path: Path
) -> None:
    before = server.dsn("owner")
    with psycopg.connect(before) as entered:
        entered.execute("CREATE TABLE kept AS SELECT 42 AS n")
    pid = server.running()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while server.running() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    again = EmbeddedPostgres(home_path, settings=SETTINGS)
    assert again.running() is None
    again.start()
    assert again.dsn("owner") == before
    with psycopg.connect(before) as entered:
        assert entered.execute("SELECT n FROM kept").fetchone() == (42,)
    again.stop()


def test_whoever_stops_it_leaves_nothing_running(server: EmbeddedPostgres, home_path: Path) -> None:
    pid = server.running()
    assert pid is not None
    EmbeddedPostgres(home_path).stop()
    assert server.running() is None
    assert read_json(server.home.run / "database.json") is None
    with pytest.raises(DatabaseUnknown):
        server.dsn("app")
    EmbeddedPostgres(home_path).stop()


def test_another_process_with_the_old_id_is_no_server(server: EmbeddedPostgres) -> None:
    server.stop()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{os.getppid()}\n{server.data}\n")
    assert server.running() is None
    server.start()
    assert server.running() not in (None, os.getppid())


def test_under_root_it_moves_to_where_nobody_can_reach(
    reachable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "APART", reachable / "apart")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    made = EmbeddedPostgres(closed / "home", settings=SETTINGS)
    made.start()
    made.stop()
    assert (closed / "home" / "pg").is_symlink() == (os.geteuid() == 0)
    made.start()
    with psycopg.connect(made.dsn("reader")) as entered:
        assert entered.execute("SELECT 1").fetchone() == (1,)
    made.stop()


def test_without_programs_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAHAL_PG_BIN", str(tmp_path))
    with pytest.raises(postgres.BinariesMissing, match="BAHAL_PG_BIN"):
        EmbeddedPostgres(tmp_path / "home").start()


def test_a_server_that_dies_says_its_last_word(home_path: Path) -> None:
    broken = EmbeddedPostgres(home_path.with_name("broken"), settings={**SETTINGS, "max_connections": "none"})
    with pytest.raises(postgres.StartFailed, match="max_connections"):
        broken.start()
    assert broken.running() is None


@pytest.mark.parametrize(
    "words",
    [
        "2025 FATAL:  could not write: No space left on device",
        "initdb: error: could not create: No space left on device",
    ],
)
def test_a_full_disk_has_its_own_sentence(tmp_path: Path, words: str) -> None:
    assert isinstance(postgres.failure_in(words, data=tmp_path, log=tmp_path / "log"), postgres.DiskFull)


def test_root_without_nobody_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres.pwd, "getpwnam", unknown)
    with pytest.raises(postgres.NoUnprivilegedUser):
        EmbeddedPostgres(tmp_path)


def refusal_of(url: str, home: Home) -> Refusal:
    with pytest.raises(Refusal) as refused:
        roles.adopt(url, home=home)
    assert refused.value.exit_code == 3
    return refused.value


def test_an_operators_server_is_adopted(server: EmbeddedPostgres, tmp_path: Path) -> None:
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as connection:
        connection.execute("CREATE ROLE admin LOGIN CREATEDB CREATEROLE PASSWORD 'admin'")
        connection.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
        connection.execute("CREATE DATABASE utility OWNER admin")
        for role in ROLES:
            connection.execute(f"GRANT {role} TO admin WITH ADMIN OPTION")
    where = address_of(server.home, {})
    url = f"postgresql://admin:admin@{where.host}:{where.port}/utility"
    plain = f"postgresql://plain:plain@{where.host}:{where.port}/utility"
    home = Home(tmp_path / "operator")

    refused = refusal_of(plain, home)
    assert isinstance(refused, roles.RolesMissing)
    assert "CREATE ROLE interlock LOGIN PASSWORD" in refused.data["sql"]
    roles.adopt(url, home=home)
    roles.adopt(
        dsn_of("reader", home=home, environ={"DATABASE_URL": url}), home=home
    )  # all is done: no right is needed
    for role in ROLES:
        with psycopg.connect(dsn_of(role, home=home, environ={"DATABASE_URL": url})) as entered:
            assert entered.execute("SELECT current_user, current_database()").fetchone() == (role, "utility")
    with psycopg.connect(dsn_of("owner", home=home, environ={"DATABASE_URL": url})) as entered:
        entered.execute("CREATE TABLE mine ()")


def test_what_is_wrong_with_an_operators_server_is_said(
    server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE libc TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'")
    home = Home(tmp_path / "operator")
    good = server.superuser_dsn("libc")
    where = address_of(server.home, {})
    assert isinstance(refusal_of(good, home), roles.WrongLocale)
    assert isinstance(refusal_of(server.superuser_dsn("nowhere"), home), roles.NotReached)
    assert isinstance(refusal_of(f"postgresql://app:wrong@127.0.0.1:{where.port}/libc", home), roles.NotReached)
    assert isinstance(refusal_of("postgresql://app:x@127.0.0.1:1/libc", home), roles.NotReached)
    assert isinstance(refusal_of("postgresql://127.0.0.1/libc", home), DatabaseUrlWrong)
    monkeypatch.setattr(roles, "OLDEST", 990000)
    assert isinstance(refusal_of(good, home), roles.TooOld)
