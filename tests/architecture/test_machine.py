"""What a run does about a missing program and about a skip: says so, and under CI fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent

CASES = """
import pytest

def test_plain(): assert 1
"""
NEEDY = """
@pytest.mark.needs("spin")
def test_needy(): assert 1
"""
SKIPPING = """
def test_skipping(): pytest.skip("no reason")
"""
MISNAMED = """
@pytest.mark.needs("a unicorn")
def test_misnamed(): assert 1
"""


def run(folder: Path, source: str, *, ci: bool) -> "subprocess.CompletedProcess[str]":
    (folder / "test_case.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(TOP), "PATH": str(folder), "CI": "true" if ci else ""}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.plugin.machine",
            "-p",
            "no:django",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_missing_is_left_out_and_said(tmp_path: Path) -> None:
    told = run(tmp_path, CASES + NEEDY, ci=False)
    assert told.returncode == 0
    assert "spin: 1 test left out; apt-get install spin" in told.stdout
    assert "softhsm: no test needs it yet" in told.stdout
    assert "1 passed, 1 deselected in" in told.stdout.splitlines()[-1]


def test_ci_takes_what_is_missing_for_a_failure(tmp_path: Path) -> None:
    told = run(tmp_path, CASES + NEEDY, ci=True)
    assert told.returncode == pytest.ExitCode.USAGE_ERROR
    assert "spin: apt-get install spin" in told.stderr


@pytest.mark.parametrize(("ci", "code"), [(False, 0), (True, 1)])
def test_ci_takes_a_skip_for_a_failure(tmp_path: Path, ci: bool, code: int) -> None:
    told = run(tmp_path, CASES + SKIPPING, ci=ci)
    assert told.returncode == code
    assert ("which fails this run" in told.stdout) == ci


def test_an_unknown_need_is_refused(tmp_path: Path) -> None:
    assert "needs a unicorn" in run(tmp_path, CASES + MISNAMED, ci=False).stderr
