"""Places where a test may kill a process, named in the code, at every commit and every socket boundary.

`BAHAL_CRASH_AT=point:n` (tests only) is read once, when this module is imported. On the n-th time a process passes
the point it kills itself with SIGKILL; `BAHAL_CRASH_AT=postgres@point:n` kills the database server there instead. It
happens once in an instance's life, so that what the supervisor starts again lives. Every pass of the armed point is
written to `run/crash_hits.jsonl`: a test that never reached its point must not count as passed.

Without the variable a point costs one comparison and writes nothing.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bahal.shared.home import Home, read_json

CRASH_POINTS: frozenset[str] = frozenset(
    {
        "bill.batch_after_commit",
        "bill.batch_before_commit",
        "bill.reads_before_commit",
        "clock.claimed",
        "clock.read_back",
        "clock.result_written",
        "clock.send_committed",
        "clock.set_answered",
        "clock.set_written",
        "days.validated",
        "headend.collect_claimed",
        "headend.collected",
        "headend.push_received",
        "headend.push_stored",
        "headend.read_answered",
        "headend.read_claimed",
        "ingest.before_commit",
        "ingest.lake_committed",
        "ingest.rows_committed",
        "interlock.action_answered",
        "interlock.action_written",
        "interlock.claimed",
        "interlock.readback",
        "interlock.result_written",
        "interlock.send_committed",
        "payment.after_commit",
        "payment.before_commit",
        "worker.alert_before_commit",
        "worker.clocks_before_commit",
        "worker.messages_posted",
        "worker.results_handled_before_commit",
    }
)
"""Every point in the code. A test reads the sources and finds each name here called, and each call's name here."""

_POSTGRES = "postgres@"


@dataclass(slots=True)
class _Armed:
    point: str
    strike: int
    postgres: bool
    home: Home
    passes: int = field(default=0)


def crash_point(name: str) -> None:
    """Pass a named point; if a test armed it, this may be the last thing the process does."""
    if _armed is not None and name == _armed.point:
        _pass(_armed)


def _arm(stated: str | None) -> _Armed | None:
    if not stated:
        return None
    target, _, strike = stated.rpartition(":")
    point = target.removeprefix(_POSTGRES)
    if point not in CRASH_POINTS or not strike.isdigit() or int(strike) < 1:
        raise ValueError(f"BAHAL_CRASH_AT={stated}: want point:n with one of {', '.join(sorted(CRASH_POINTS))}")
    return _Armed(point=point, strike=int(strike), postgres=target.startswith(_POSTGRES), home=Home.of())


def _pass(armed: _Armed) -> None:
    armed.passes += 1
    strikes = armed.passes == armed.strike and _first_to_strike(armed.home)
    hit = {
        "at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "point": armed.point,
        "process": os.path.basename(sys.argv[0]),
        "pid": os.getpid(),
        "pass": armed.passes,
        "struck": strikes,
    }
    line = (json.dumps(hit) + "\n").encode()
    log = os.open(armed.home.run / "crash_hits.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(log, line)
        os.fsync(log)
    finally:
        os.close(log)
    if strikes:
        os.kill(_postmaster(armed.home) if armed.postgres else os.getpid(), signal.SIGKILL)


def _first_to_strike(home: Home) -> bool:
    try:
        os.close(os.open(home.run / "crash_struck", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def _postmaster(home: Home) -> int:
    running = read_json(home.run / "database.json")
    if running is None:
        raise FileNotFoundError(f"{home.run / 'database.json'}: no embedded database to kill")
    return int(running["pid"])


_armed = _arm(os.environ.get("BAHAL_CRASH_AT"))
