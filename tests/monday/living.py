"""Runs of `bahal demo` as its user runs it: a process, a folder of its own, free ports."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import psycopg

from tests.entry.instance import environment as plain
from tests.monday.recount import Recount

LIMIT_S = 900.0


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a `bahal` on this folder, whose lines are wide enough to be read as lines."""
    return plain(home, **{"COLUMNS": "200", "NO_COLOR": "1", **more})


def bahal(home: Path, *arguments: object, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bahal.entry.cli", *map(str, arguments)],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT_S,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A demo that ended: what it printed, wrote and left behind."""

    home: Path
    code: int
    told_live: str
    """The story as it happened, from stderr."""
    reported: str
    """The report at the end, from stdout."""
    told: Mapping[str, Any]
    page: str
    counted: Recount
    connection_of: Mapping[str, int] = field(default_factory=dict)
    """Which connection each meter hangs on; asked of the database, as only the product knows."""


def live(home: Path, *, lang: str, keep: bool = False, **wishes: object) -> Lived:
    """Live a Monday; with `keep` the instance is asked which meter hangs where, then stopped."""
    result = home.parent / f"{home.name}.json"
    options = [part for name, value in wishes.items() for part in (f"--{name.replace('_', '-')}", value)]
    ran = bahal(home, "demo", *options, "--lang", lang, "--json", result, *(["--keep"] if keep else []))
    try:
        connections = _connections(home) if keep and ran.returncode == 0 else {}
    finally:
        if keep:
            bahal(home, "down")
    page = home / "recovery.html"
    return Lived(
        home=home,
        code=ran.returncode,
        told_live=_one_line(ran.stderr),
        reported=_one_line(ran.stdout),
        told=json.loads(result.read_text() or "{}") if result.exists() else {},
        page=_text_of(page.read_text(encoding="utf-8")) if page.exists() else "",
        counted=Recount(home / "logs"),
        connection_of=connections,
    )


def _connections(home: Path) -> dict[str, int]:
    endpoints = json.loads((home / "run" / "endpoints.json").read_text())
    with psycopg.connect(endpoints["reader_dsn"]) as reader:
        return dict(reader.execute("SELECT serial, connection FROM meters_meter").fetchall())


def _one_line(printed: str) -> str:
    return re.sub(r"\s+", " ", printed)


def _text_of(page: str) -> str:
    without = re.sub(r"<style>.*?</style>", " ", page, flags=re.DOTALL)
    return _one_line(unescape(re.sub(r"<[^>]+>", " ", without)))
