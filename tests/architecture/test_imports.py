"""The rules of the house hold, and a planted violation of each is caught."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bahal

SOURCE = Path(bahal.__file__).parent
TOP = SOURCE.parent.parent

# One violation or more of every contract: the file that offends, and what it imports.
PLANTED = {
    "shared/planted.py": ["bahal.foundation", "django"],
    "foundation/planted.py": ["bahal.gateways", "bahal.headend"],
    "gateways/planted.py": ["bahal.domains", "bahal.dlms"],
    "domains/ledger/planted.py": ["bahal.journeys", "bahal.domains.supply", "bahal.fleet"],
    "journeys/planted.py": ["bahal.edges", "bahal.interlock"],
    "edges/planted.py": ["bahal.rehearsal", "bahal.interlock"],
    "rehearsal/planted.py": ["bahal.entry", "bahal.settings"],
    "dlms/planted.py": ["bahal.headend", "asyncio", "django", "socket", "threading", "time"],
    "headend/planted.py": ["bahal.interlock", "bahal.foundation", "django"],
    "interlock/planted.py": ["bahal.fleet", "bahal.domains", "django"],
    "fleet/planted.py": ["bahal.headend", "bahal.interlock", "django"],
}
FOUND = re.compile(r"^-\s+(?P<importer>\S+) -> (?P<imported>\S+) \(l\.", re.MULTILINE)


def lint(source: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", TOP / "pyproject.toml"],
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "200"},
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("planted")
    shutil.copytree(SOURCE, top / "bahal", ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
    return top


def test_the_house_is_in_order(copy: Path) -> None:
    told = lint(copy)
    assert told.returncode == 0, told.stdout
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert f"Contracts: {len(contracts)} kept, 0 broken." in told.stdout


def test_planted_violations_are_caught(copy: Path) -> None:
    expected = set()
    for name, imported in PLANTED.items():
        (copy / "bahal" / name).write_text("".join(f"import {module}\n" for module in imported))
        importer = "bahal." + name.removesuffix(".py").replace("/", ".")
        expected.update((importer, module) for module in imported)
    (copy / "bahal" / "attic").mkdir()
    (copy / "bahal" / "attic" / "__init__.py").touch()
    told = lint(copy)
    assert told.returncode == 1
    assert ", 0 broken" not in told.stdout
    assert {(found["importer"], found["imported"]) for found in FOUND.finditer(told.stdout)} >= expected
    assert "Contracts: 0 kept" in told.stdout
    assert "not listed as layers:\n\n- bahal.attic" in told.stdout
