"""A machine or an operator that gives Bahal something wrong gets one clear sentence, and exit code 3."""

import contextlib
import json
import os
import resource
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from bahal.entry import instance, ports
from bahal.entry.ports import Ports
from bahal.shared.home import Home
from tests.entry.instance import bahal
from tests.plugin.databases import Database


@pytest.fixture
def home(reachable: Path) -> Path:
    """A folder whose parents everybody may pass through, so that its data lies in it and goes with it."""
    folder = Path(tempfile.mkdtemp(dir=reachable))
    folder.chmod(0o755)
    return folder / "home"


def one_sentence(told: "subprocess.CompletedProcess[str]") -> str:
    """The only line on stderr of a command that failed by its environment."""
    assert told.returncode == 3, told.stderr
    lines = told.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_port_that_was_asked_for_and_is_taken(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = bahal(home, "up", "--demo", "--consumers", "5", changed={"BAHAL_PORT_WEB": str(port)})
    assert one_sentence(told) == (
        f"Port {port} for web is taken by another process: give another one, or 0 for any free port."
    )


def test_a_taken_default_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setitem(ports.DEFAULTS, "web", first)
        monkeypatch.delenv("BAHAL_PORT_WEB", raising=False)
        chosen = Ports().choose("web")
        assert first < chosen < first + ports.SEARCHED
        monkeypatch.setattr(ports, "SEARCHED", 1)
        with pytest.raises(ports.NoPortFree, match=f"{first} to {first} are all taken"):
            Ports().choose("web")


@pytest.mark.parametrize("asked", [None, "0"])
def test_no_port_is_given_twice(monkeypatch: pytest.MonkeyPatch, asked: str | None) -> None:
    monkeypatch.delenv("BAHAL_PORT_METRICS", raising=False)
    if asked is not None:
        monkeypatch.setenv("BAHAL_PORT_METRICS", asked)
        monkeypatch.setattr(ports, "QUIET", range(12_000, 12_000 + ports.SEARCHED + 1))
    giving = Ports()
    assert len({giving.choose("metrics") for _ in range(5)}) == 5


@pytest.mark.parametrize("asked", ["abc", "-1", "65536", "", "८८००"])
def test_what_is_no_port(asked: str) -> None:
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("BAHAL_PORT_WEB", asked)
        with pytest.raises(ports.PortWrong, match="BAHAL_PORT_WEB is"):
            Ports().choose("web")


def test_what_is_no_port_as_a_command(home: Path) -> None:
    told = bahal(home, "up", "--demo", "--consumers", "5", changed={"BAHAL_PORT_WEB": "abc"})
    assert one_sentence(told) == "BAHAL_PORT_WEB is `abc`, which is no port: give a number from 0 to 65535."


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hush@127.0.0.1/bahal", "DATABASE_URL cannot be read: scheme."),
        ("postgresql://u:hush@127.0.0.1", "DATABASE_URL cannot be read: database."),
        ("postgresql://u:hush@127.0.0.1:1/bahal", "The database bahal at 127.0.0.1:1 cannot be entered"),
    ],
)
def test_a_wrong_database_url(home: Path, url: str, says: str) -> None:
    sentence = one_sentence(bahal(home, "up", changed={"DATABASE_URL": url}))
    assert says in sentence
    assert "hush" not in sentence


@pytest.fixture
def address(database: Database) -> str:
    """A real server's URL, as the owner."""
    return database.dsn("owner")


def test_a_wrong_password_is_not_repeated(home: Path, address: str) -> None:
    parts = urlsplit(address)
    url = urlunsplit(parts._replace(netloc=f"owner:wronghush@{parts.hostname}:{parts.port}"))
    sentence = one_sentence(bahal(home, "up", changed={"DATABASE_URL": url}))
    assert "password" in sentence
    assert "wronghush" not in sentence


def test_a_database_that_is_not_there(home: Path, address: str) -> None:
    url = urlunsplit(urlsplit(address)._replace(path="/nowhere"))
    sentence = one_sentence(bahal(home, "up", changed={"DATABASE_URL": url}))
    assert "nowhere" in sentence


def test_too_few_open_files(home: Path) -> None:
    told = bahal(home, "up", prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    assert one_sentence(told) == (
        "A process may open only 256 files and at least 1024 are needed: raise it with `ulimit -n 1024`."
    )


@pytest.fixture
def small_disk(reachable: Path) -> Iterator[Path]:
    """A folder that holds next to nothing: a small disk for root, who may mount one, a limit of file size otherwise."""
    folder = Path(tempfile.mkdtemp(dir=reachable))
    folder.chmod(0o755)
    mounted = False
    if os.geteuid() == 0:
        made = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0755", "tmpfs", str(folder)]
        mounted = subprocess.run(made, check=False, capture_output=True).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, 256 * 1024))

    prepare = None if os.path.ismount(small_disk) else limited
    sentence = one_sentence(bahal(small_disk / "home", "up", prepare=prepare))
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    if prepare is None:
        assert "space" in sentence


def test_a_folder_without_an_instance(home: Path) -> None:
    assert one_sentence(bahal(home, "hold", "list", "2200000001")) == (
        f"No Bahal instance lives in {home}: run `bahal up` first."
    )


def test_in_hindi_too(home: Path) -> None:
    told = bahal(home, "hold", "list", "2200000001", changed={"BAHAL_LANG": "hi"})
    assert one_sentence(told) == f"{home} में बहाल की कोई स्थापना नहीं है: पहले `bahal up` चलाएँ।"


@pytest.fixture
def made(home: Path) -> Path:
    """An instance's files, without its database."""
    instance.make(Home(home), rehearsal=True, business_at=datetime(2025, 11, 24, 4, 30, tzinfo=UTC))
    Home(home).keep_secret("app", {"password": "hush"})
    return home


AWAY = {"DATABASE_URL": "postgresql://app:hush@127.0.0.1:1/bahal"}


@pytest.mark.parametrize(
    "asked",
    [
        ("pay", "2200000001", "100"),
        ("hold", "list", "2200000001"),
        ("drive", "status", "1"),
        ("order", "show", "1"),
        ("report", "1"),
    ],
)
def test_a_database_that_does_not_answer(made: Path, asked: tuple[str, ...]) -> None:
    assert one_sentence(bahal(made, *asked, changed=AWAY)) == "The database does not answer: Connection refused"


def test_no_database_at_all(made: Path) -> None:
    assert one_sentence(bahal(made, "pay", "2200000001", "100")) == (
        f"No database runs for {made}: start one with `bahal up`, or set DATABASE_URL."
    )


def test_an_instance_of_the_other_kind(made: Path) -> None:
    assert one_sentence(bahal(made, "up")) == (
        f"The instance in {made} is a rehearsal one, and that is fixed: choose another BAHAL_HOME."
    )


def test_a_moment_that_is_none(made: Path) -> None:
    told = bahal(made, "drive", "propose", "--office", "1", "--opens", "at ten", changed=AWAY)
    assert (told.returncode, told.stderr.strip()) == (
        2,
        "`at ten` is not a moment: give it like 2025-12-31T18:00+05:30.",
    )


def test_the_doctor_says_what_is_wrong_and_what_to_do(home: Path) -> None:
    empty = home.parent / "empty"
    empty.mkdir()
    told = bahal(home, "doctor", changed={"BAHAL_PG_BIN": str(empty), "COLUMNS": "200"})
    assert told.returncode == 3
    (wrong,) = [line.split() for line in told.stdout.splitlines() if "WRONG" in line]
    assert (wrong[0], " ".join(wrong[-3:])) == ("postgresql", "run `make setup`")
    hindi = bahal(home, "doctor", changed={"BAHAL_PG_BIN": str(empty), "COLUMNS": "200", "BAHAL_LANG": "hi"})
    assert "समस्या" in hindi.stdout


@contextlib.contextmanager
def saying(words: bytes) -> Iterator[str]:
    """A meter that answers whoever calls with these words; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    with caller:
                        caller.recv(4096)
                        caller.sendall(words)
                        caller.recv(4096)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "malformed"),
        (b"\x00\x01\x00\x01\x00\x10\xff\xff", "oversized"),
        (b"\x00\x01\x00\x01\x00\x10\x00\x02\xc4\x01", "unexpected"),
    ],
)
def test_a_meter_that_speaks_nonsense_to_the_probe(home: Path, words: bytes, name: str) -> None:
    with saying(words) as address:
        told = bahal(home, "probe", address, "--timeout", "5", "--json")
    assert told.returncode == 1, told.stderr
    refused = json.loads(told.stderr)
    assert (refused["error"], refused["data"]["name"]) == ("meter_misspoke", name)


def test_a_probe_of_no_address(home: Path) -> None:
    told = bahal(home, "probe", "the meter")
    assert (told.returncode, told.stderr.strip()) == (
        2,
        "`the meter` is not an address: give HOST:PORT, such as 127.16.0.1:4059.",
    )
