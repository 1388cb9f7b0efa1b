"""The interlock's own configuration, from its own folder; nothing in it can be changed through the database.

`interlock.json`: `rehearsal` (dials 127.0.0.0/8 only and takes the business time from `clock`), `concurrency`,
`per_cell`, and optionally the limits below and `links`, its head-ends' lending doors. A production interlock refuses a
clock file: its time is the machine's.
`officers.json`: whose signatures count. `profile.json`: the caps, signed by two of them. `sealing.key`: X25519.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bahal.shared.clock import Clock, RehearsalClock, WallClock
from bahal.shared.errors import ENVIRONMENT, Refusal

SETTING_SAP = 48
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class InterlockMisconfigured(Refusal):
    """A file of the interlock's own folder is missing or wrong: it does not start."""

    code = "interlock_misconfigured"
    exit_code = ENVIRONMENT
    hi = "इंटरलॉक की फ़ाइल {file} सही नहीं है: {why}"
    en = "The interlock's file {file} is wrong: {why}"


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody whose signature counts; `public_key` is 64 hexadecimal digits (Ed25519)."""

    login: str
    role: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InterlockConfig:
    """Everything the interlock is told. Seconds are wall time.

    `session_s` plus the wait for room must stay under `lease_s`: a lease is never renewed, and who outlives it finds
    his result refused and his frames below the next holder's counters.
    """

    dsn: str
    folder: Path
    port: int = 8802
    rehearsal: bool = False
    clock: Path | None = None
    links: tuple[Path, ...] = ()
    concurrency: int = 10_000
    per_cell: int = 8
    per_gateway: int = 16
    reply_s: float = 8.0
    connect_s: float = 8.0
    session_s: float = 25.0
    lease_s: float = 40.0
    counter_block: int = 32
    poll_s: float = 0.5
    drain_s: float = 10.0
    connections: int = 6
    system_title: bytes = b"BHL\x00\x00\x00\x00\x30"

    def with_concurrency(self, concurrency: int) -> InterlockConfig:
        """The same with another number of sessions at once."""
        return replace(self, concurrency=concurrency)

    def business_clock(self) -> Clock:
        """The clock that windows, warrants and policies are judged by.

        :raises InterlockMisconfigured: a rehearsal without a readable clock file.
        """
        if not self.rehearsal:
            return WallClock()
        if self.clock is None:
            raise InterlockMisconfigured(file="interlock.json", why="a rehearsal names its clock file")
        try:
            return RehearsalClock(self.clock)
        except (OSError, ValueError) as wrong:
            raise InterlockMisconfigured(file=str(self.clock), why=str(wrong)) from wrong

    def may_dial(self, host: str) -> bool:
        """Whether this address may be dialled: any address in production, 127.0.0.0/8 alone in a rehearsal."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return not self.rehearsal or (address.version == 4 and address in LOOPBACK)


_NUMBERS: dict[str, type] = {
    "concurrency": int,
    "per_cell": int,
    "per_gateway": int,
    "reply_s": float,
    "connect_s": float,
    "session_s": float,
    "lease_s": float,
    "counter_block": int,
    "poll_s": float,
    "drain_s": float,
    "connections": int,
}


def load_config(folder: Path, *, dsn: str, port: int = 8802, links: Path | None = None) -> InterlockConfig:
    """Read `interlock.json`; `links` is the lending door where it names none.

    :raises InterlockMisconfigured: no such file, a value that is no positive number, limits that contradict each other,
        or a production instance with a clock file.
    """
    stated = read_file(folder / "interlock.json")
    rehearsal = stated.get("rehearsal")
    clock = stated.get("clock")
    if not isinstance(rehearsal, bool):
        raise InterlockMisconfigured(file="interlock.json", why="rehearsal must be true or false")
    if clock is not None and not rehearsal:
        raise InterlockMisconfigured(file="interlock.json", why="a production interlock takes no clock file")
    doors = stated.get("links", [] if links is None else [str(links)])
    if not isinstance(doors, list) or not all(isinstance(each, str) for each in doors):
        raise InterlockMisconfigured(file="interlock.json", why="links must be a list of paths")
    numbers: dict[str, Any] = {}
    for name, kind in _NUMBERS.items():
        value = stated.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise InterlockMisconfigured(file="interlock.json", why=f"{name} must be a number above zero")
        numbers[name] = kind(value)
    config = InterlockConfig(
        dsn=dsn,
        folder=folder,
        port=port,
        rehearsal=rehearsal,
        clock=Path(clock) if clock else None,
        links=tuple(map(Path, doors)),
        **numbers,
    )
    if config.session_s >= config.lease_s:
        raise InterlockMisconfigured(file="interlock.json", why="session_s must be below lease_s")
    return config


def load_officers(folder: Path) -> dict[str, Officer]:
    """The officers by login.

    :raises InterlockMisconfigured: no such file, or an entry without login, role and key.
    """
    try:
        entries = read_file(folder / "officers.json")["officers"]
        officers = [Officer(str(e["login"]), str(e["role"]), str(e["public_key"])) for e in entries]
    except (KeyError, TypeError) as wrong:
        raise InterlockMisconfigured(file="officers.json", why=f"entry without {wrong}") from wrong
    if len({each.public_key for each in officers}) != len(officers) or len({e.login for e in officers}) != len(
        officers
    ):
        raise InterlockMisconfigured(file="officers.json", why="two officers share a login or a key")
    return {each.login: each for each in officers}


def read_file(path: Path) -> dict[str, Any]:
    """A JSON object from one of the interlock's files.

    :raises InterlockMisconfigured: no such file, or no JSON object in it.
    """
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except OSError as missing:
        raise InterlockMisconfigured(file=path.name, why=missing.strerror or "not readable") from missing
    except ValueError as wrong:
        raise InterlockMisconfigured(file=path.name, why="not JSON") from wrong
    if not isinstance(stated, dict):
        raise InterlockMisconfigured(file=path.name, why="not a JSON object")
    return stated
