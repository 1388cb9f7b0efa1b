"""The interlock's own configuration, from its own folder; nothing in it can be changed through the database.

`interlock.json`: `rehearsal` (dials 127.0.0.0/8 only and takes the business time from `clock`), `concurrency`,
`per_cell`, and optionally the limits below and `links`, its head-ends' lending doors. A production interlock refuses a
clock file: its time is the machine's.
`page` is the signing page: `origin` as people open it (https, or http on localhost), and optionally `address`, and
`certificate` and `key` (PEM) where it speaks TLS itself. `sms` is the address of the interlock's own SMS centre:
without it nobody is told of what he signs, and no drive is taken in. `file:` writes the
messages down instead: rehearsals only.
`officers.json`: the founding officers. `profile.json`: the caps, signed by two of them. `charter.jsonl`: whatever
changed since, act by act. `sealing.key`: X25519.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bahal.shared.clock import Clock, RehearsalClock, WallClock
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.passkey import Place

SETTING_SAP = 48
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


class InterlockMisconfigured(Refusal):
    """A file of the interlock's own folder is missing or wrong: it does not start."""

    code = "interlock_misconfigured"
    exit_code = ENVIRONMENT
    hi = "इंटरलॉक की फ़ाइल {file} सही नहीं है: {why}"
    en = "The interlock's file {file} is wrong: {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageConfig:
    """How the signing page is reached: its origin, and at which address it listens. Without a certificate it speaks
    plain HTTP, for localhost or behind a proxy that speaks TLS."""

    origin: str
    address: str = "127.0.0.1"
    certificate: Path | None = None
    key: Path | None = None

    def place(self) -> Place:
        """What its passkeys are bound to."""
        return Place(self.origin, urlsplit(self.origin).hostname or "")


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
    sms: str | None = None
    page: PageConfig | None = None

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


def load_config(
    folder: Path, *, dsn: str, port: int = 8802, links: Path | None = None, sms: str | None = None
) -> InterlockConfig:
    """Read `interlock.json`; `links` is the lending door where it names none, `sms` a rehearsal's centre likewise.

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
    centre = stated.get("sms", sms if rehearsal else None)
    if centre is not None and not _is_centre(centre, rehearsal=rehearsal):
        raise InterlockMisconfigured(
            file="interlock.json", why="sms must be an http address; a file in rehearsals only"
        )
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
        sms=centre,
        page=_page(stated.get("page"), port=port, rehearsal=rehearsal),
        **numbers,
    )
    if config.session_s >= config.lease_s:
        raise InterlockMisconfigured(file="interlock.json", why="session_s must be below lease_s")
    return config


def _is_centre(given: object, *, rehearsal: bool) -> bool:
    return isinstance(given, str) and urlsplit(given).scheme in (
        ("http", "https", "file") if rehearsal else ("http", "https")
    )


def _page(stated: object, *, port: int, rehearsal: bool) -> PageConfig | None:
    """The signing page; a rehearsal that names none serves it on localhost, a production one serves none."""
    if stated is None:
        return PageConfig(origin=f"http://localhost:{port}") if rehearsal else None
    if not isinstance(stated, dict) or not stated.keys() <= {"origin", "address", "certificate", "key"}:
        raise InterlockMisconfigured(file="interlock.json", why="page has origin, address, certificate and key")
    origin = urlsplit(str(stated.get("origin")))
    secure = origin.scheme == "https" or (origin.scheme == "http" and origin.hostname == "localhost")
    if not secure or not origin.hostname or f"{origin.scheme}://{origin.netloc}" != stated["origin"]:
        raise InterlockMisconfigured(
            file="interlock.json", why="page's origin must be https://HOST or http://localhost"
        )
    if ("certificate" in stated) != ("key" in stated):
        raise InterlockMisconfigured(file="interlock.json", why="page's certificate and key belong together")
    return PageConfig(
        origin=str(stated["origin"]),
        address=str(stated.get("address", "127.0.0.1")),
        certificate=Path(stated["certificate"]) if "certificate" in stated else None,
        key=Path(stated["key"]) if "key" in stated else None,
    )


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
