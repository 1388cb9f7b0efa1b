"""Crash points: armed once, counted, struck once in an instance's life."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bahal.shared.home import Home, write_private

PASS_THRICE = """
import bahal.shared.crash as crash
crash.CRASH_POINTS = frozenset({"here", "there"})
crash._armed = crash._arm(__import__("os").environ.get("POINT"))
for _ in range(3):
    crash.crash_point("there")
    crash.crash_point("here")
print("alive")
"""


def passed(home: Home, point: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "BAHAL_HOME": str(home.path), "POINT": point}
    return subprocess.run(
        [sys.executable, "-c", PASS_THRICE], env=environment, capture_output=True, text=True, check=False
    )


def hits(home: Home) -> list[tuple[str, int, bool]]:
    lines = (home.run / "crash_hits.jsonl").read_text().splitlines()
    return [(hit["point"], hit["pass"], hit["struck"]) for hit in map(json.loads, lines)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.make()
    return made


def test_it_strikes_on_the_named_pass_and_never_again(home: Home) -> None:
    assert passed(home, "here:2").returncode == -signal.SIGKILL
    assert hits(home) == [("here", 1, False), ("here", 2, True)]
    again = passed(home, "here:2")
    assert (again.returncode, again.stdout) == (0, "alive\n")
    assert len(hits(home)) == 5


def test_unarmed_it_leaves_no_trace(home: Home) -> None:
    assert passed(home, "").stdout == "alive\n"
    assert not (home.run / "crash_hits.jsonl").exists()


def test_it_strikes_the_database_and_lives(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stand_in:
        write_private(home.run / "database.json", {"pid": stand_in.pid})
        assert passed(home, "postgres@here:1").stdout == "alive\n"
        assert stand_in.wait(10) == -signal.SIGKILL
    assert hits(home)[0] == ("here", 1, True)


@pytest.mark.parametrize("stated", ["nowhere:1", "here:0", "here", "here:x"])
def test_a_point_that_is_not_there_stops_the_start(home: Home, stated: str) -> None:
    refused = passed(home, stated)
    assert refused.returncode == 1
    assert "want point:n with one of here, there" in refused.stderr
