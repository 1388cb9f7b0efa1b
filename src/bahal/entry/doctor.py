"""`bahal doctor`: what this machine and this instance need, what they have, and what to do about the difference."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bahal.entry import instance
from bahal.entry.postgres import BinariesMissing, postgres_binaries
from bahal.shared.database import dsn_of
from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json
from bahal.shared.text import language_of

LEAST_DISK = 2 * 1024**3
FILES_FOR_TEN_THOUSAND = 12_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `advice_*` says what to do when it is not good."""

    what: str
    good: bool
    found: str
    advice_hi: str = ""
    advice_en: str = ""


def examine(home: Home) -> list[Finding]:
    """Look at everything; nothing is changed."""
    findings = [_python(), _postgres(), _files(), _disk(home), _loopback()]
    kind = instance.kind_of(home)
    findings.append(
        Finding("instance", True, f"{kind or 'none yet'} in {home.path}")
        if kind
        else Finding("instance", True, f"none in {home.path}: `bahal up` or `bahal demo` makes one")
    )
    running = read_json(home.run / "endpoints.json")
    if kind and running:
        findings += [_database(home), *_rooms(running)]
    return findings


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings as a table or as JSON."""
    if as_json:
        good = all(finding.good for finding in findings)
        typer.echo(
            json.dumps({"good": good, "findings": [asdict(finding) for finding in findings]}, ensure_ascii=False)
        )
        return
    hindi = language_of() == "hi"
    table = Table(box=None, pad_edge=False)
    for heading in ("क्या", "हाल", "मिला", "क्या करें") if hindi else ("what", "state", "found", "what to do"):
        table.add_column(heading)
    for finding in findings:
        state = ("ठीक" if finding.good else "समस्या") if hindi else ("good" if finding.good else "WRONG")
        advice = finding.advice_hi if hindi else finding.advice_en
        table.add_row(finding.what, state, finding.found, "" if finding.good else advice)
    Console().print(table)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        "python", sys.version_info >= (3, 11), version, "Python 3.11 या नया लगाएँ", "install Python 3.11 or newer"
    )


def _postgres() -> Finding:
    if os.environ.get("DATABASE_URL"):
        return Finding("postgresql", True, "DATABASE_URL is set: the operator's own")
    try:
        return Finding("postgresql", True, str(postgres_binaries()))
    except BinariesMissing as missing:
        return Finding("postgresql", False, str(missing), "`make setup` चलाएँ", "run `make setup`")


def _files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard == resource.RLIM_INFINITY or hard >= FILES_FOR_TEN_THOUSAND
    return Finding(
        "open files",
        enough,
        "unlimited" if hard == resource.RLIM_INFINITY else str(hard),
        f"`ulimit -n {FILES_FOR_TEN_THOUSAND}` (एक साथ कम मीटर चलेंगे)",
        f"raise `ulimit -Hn` to {FILES_FOR_TEN_THOUSAND} for ten thousand associations at once",
    )


def _disk(home: Home) -> Finding:
    place = home.path
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Finding("disk", free >= LEAST_DISK, f"{free / 1024**3:.1f} GiB free", "डिस्क खाली करें", "free some disk space")


def _loopback() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.16.0.1", 0))
    except OSError as failure:
        return Finding(
            "loopback", False, str(failure), "127.0.0.0/8 चाहिए", "the simulated fleet needs all of 127.0.0.0/8"
        )
    return Finding("loopback", True, "127.0.0.0/8 answers")


def _database(home: Home) -> Finding:
    def ask() -> str:
        with psycopg.connect(dsn_of("reader", home=home), connect_timeout=5) as connection:
            row = connection.execute("SELECT current_setting('server_version'), count(*) FROM supply_order").fetchone()
        assert row is not None
        return f"PostgreSQL {row[0]}, {row[1]} orders"

    return _tried("database", ask, "`bahal up` देखें: logs/postgres.log", "look into logs/postgres.log")


def _rooms(running: dict[str, object]) -> list[Finding]:
    def ask() -> str:
        with urllib.request.urlopen(f"{running['web']}/healthz", timeout=5) as reply:  # noqa: S310  # our own address
            return f"{running['web']} {reply.status}"

    findings = [_tried("web", ask, "logs/web.log देखें", "look into logs/web.log")]
    pids = running["pids"]
    assert isinstance(pids, dict)
    for name, pid in pids.items():
        try:
            os.kill(int(pid), 0)
            findings.append(Finding(str(name), True, f"process {pid}"))
        except ProcessLookupError:
            findings.append(
                Finding(str(name), False, f"process {pid} is gone", f"logs/{name}.log देखें", f"look into logs/{name}.log")
            )
    return findings


def _tried(what: str, ask: Callable[[], str], advice_hi: str, advice_en: str) -> Finding:
    try:
        return Finding(what, True, ask())
    except (Refusal, psycopg.Error, urllib.error.URLError, OSError) as failure:
        return Finding(what, False, str(failure).strip().splitlines()[0], advice_hi, advice_en)
