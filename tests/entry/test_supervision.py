"""What dies is started again, a folder belongs to one supervisor, and an ended instance leaves nothing behind."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entry.instance import Up, alive, bahal, processes_of, until

ROOMS = ("web", "live", "worker", "headend", "interlock", "fleet", "bank", "sms", "whatsapp")


@pytest.fixture(scope="module")
def up(reachable: Path) -> Iterator[Up]:
    """One instance for the tests below; the last of them ends it."""
    running = Up(reachable / "up")
    yield running
    if running.process.poll() is None:
        running.end()


def healthy(up: Up) -> bool:
    """Whether the web process reaches its database."""
    try:
        with urllib.request.urlopen(f"{up.endpoints()['web']}/healthz", timeout=5) as page:  # noqa: S310  # our own
            return bool(page.status == 200)
    except (OSError, KeyError):
        return False


@pytest.mark.parametrize("room", [*ROOMS, "postgres"])
def test_what_is_killed_comes_back(up: Up, room: str) -> None:
    before = up.pid(room)
    assert alive(before)
    os.kill(before, signal.SIGKILL)
    until(lambda: up.pid(room) not in (0, before) and alive(up.pid(room)))
    until(lambda: healthy(up))
    if room != "postgres":
        told = [json.loads(line) for line in (up.home / "logs" / "supervisor.log").read_text().splitlines()]
        assert [line["code"] for line in told if line["event"] == "died" and line["process"] == room] == [-9]


def test_nobody_else_gets_the_folder(up: Up) -> None:
    second = bahal(up.home, "up", "--demo")
    assert second.returncode == 3
    assert second.stderr.strip() == (
        f"Bahal already runs on {up.home} (process {up.process.pid}): stop it with `bahal down`."
    )
    told = json.loads(bahal(up.home, "up", "--demo", "--json").stderr)
    assert told["error"] == "already_up"
    assert told["data"] == {"home": str(up.home), "pid": str(up.process.pid)}
    assert "पहले से चल रहा है" in told["hi"]


def test_the_doctor_finds_it_well(up: Up) -> None:
    until(lambda: healthy(up))
    seen = bahal(up.home, "doctor", "--json")
    told = json.loads(seen.stdout)
    assert seen.returncode == 0, told
    assert {"python", "postgresql", "disk", "database", "web", *ROOMS} <= {each["what"] for each in told["findings"]}


def test_a_meter_says_who_it_is(up: Up) -> None:
    port = up.endpoints()["fleet"].rpartition(":")[2]
    told = json.loads(bahal(up.home, "probe", f"127.16.0.1:{port}", "--json").stdout)
    assert told["serial_number"] == "CG10000001"
    silent = bahal(up.home, "probe", f"127.16.9.9:{port}", "--json")
    assert silent.returncode == 3
    assert json.loads(silent.stderr)["error"] == "meter_silent"


def test_an_unknown_consumer_cannot_pay(up: Up) -> None:
    refused = bahal(up.home, "pay", "2299999999", "100", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stderr)["error"] == "connection_unknown"
    wrong = bahal(up.home, "pay", "2299999999", "one hundred")
    assert wrong.returncode == 2
    assert wrong.stderr.strip() == "`one hundred` is not an amount: give rupees such as 5123 or 5123.50."


def test_a_meter_file_without_its_columns_loads_nothing(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "meters.csv"
    file.write_text("meter,make\nCG10000001,arpa\n")
    refused = bahal(up.home, "meter", "import", str(file), "--json")
    assert refused.returncode != 0
    assert json.loads(refused.stderr)["error"] == "meter_file_malformed"


def test_a_bad_row_is_named_by_its_line(up: Up, tmp_path: Path) -> None:
    rows = (up.home / "demo" / "roster.csv").read_text().splitlines()
    file = tmp_path / "meters.csv"
    file.write_text("\n".join([rows[0], rows[1].replace("127.16.0.1", "nowhere"), rows[2]]) + "\n")
    told = bahal(up.home, "meter", "import", str(file))
    named = [line.partition(": ")[0] for line in told.stderr.splitlines()]
    assert f"{file}:2" in named


def test_it_ends_and_leaves_no_process(up: Up) -> None:
    pids = [up.process.pid, up.pid("postgres"), *(up.pid(room) for room in ROOMS)]
    assert all(alive(pid) for pid in pids)
    down = bahal(up.home, "down", "--json")
    assert down.returncode == 0
    assert json.loads(down.stdout)["stopped"] == up.process.pid
    assert up.process.wait(10) == 0
    assert processes_of(up.home) == []
    assert not (up.home / "run" / "endpoints.json").exists()
    again = bahal(up.home, "down")
    assert again.returncode == 3
    assert again.stderr.strip() == f"Bahal does not run on {up.home}."


def test_what_a_killed_supervisor_left_is_ended_by_the_next(reachable: Path) -> None:
    first = Up(reachable / "orphans")
    orphans = [first.pid("postgres"), *(first.pid(room) for room in ROOMS)]
    first.process.kill()
    first.process.wait(10)
    assert all(alive(pid) for pid in orphans)
    second = Up(first.home)
    try:
        until(lambda: not any(alive(pid) for pid in orphans))
        assert healthy(second)
    finally:
        assert second.end() == 0
    assert processes_of(first.home) == []
