"""A small world for one test: its database, a circle of meters in the same loop, and an interlock between them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bahal.dlms.quirks import registry
from bahal.fleet.roster import invent, read_roster, write_roster
from bahal.headend.room import Room
from bahal.interlock.config import InterlockConfig, PageConfig
from bahal.interlock.main import Interlock
from bahal.shared.clock import RehearsalClock, move_rehearsal
from tests.interlock import facts
from tests.interlock.authenticator import Passkey
from tests.interlock.meters import Meters
from tests.plugin.databases import Database

SHORT: dict[str, Any] = {
    "rehearsal": True,
    "concurrency": 200,
    "per_cell": 200,
    "reply_s": 0.6,
    "connect_s": 0.6,
    "session_s": 2.5,
    "lease_s": 3.0,
    "poll_s": 0.1,
    "port": 0,
}
"""Limits that let a test see them pass."""


@dataclass
class World:
    """Everything a test talks to. `serials` are the meters on the connections from `facts.FIRST` on, in order."""

    database: Database
    folder: Path
    keys: facts.Keys
    meters: Meters
    serials: list[str]
    clock: Path
    app: facts.Connection
    owner: facts.Connection
    passkeys: dict[str, Passkey] = field(default_factory=dict)
    others: list[facts.Connection] = field(default_factory=list)

    def another(self, role: str = "app", *, autocommit: bool = True) -> facts.Connection:
        """One more connection of a role, closed with the world."""
        connection = self.database.connect(role, autocommit=autocommit)  # type: ignore[arg-type]
        self.others.append(connection)
        return connection

    def config(self, **changed: Any) -> InterlockConfig:
        """The interlock's configuration with short limits, and the lending door of this home's head-end."""
        values = SHORT | {"dsn": self.database.dsn("interlock"), "folder": self.folder, "clock": self.clock} | changed
        values.setdefault("sms", f"file:{self.sms}")
        values.setdefault("links", (self.database.home.socket("links.sock"),))
        return InterlockConfig(**values)

    @property
    def sms(self) -> Path:
        """Where this world's interlock writes its messages."""
        return self.database.home.logs / "interlock_sms.jsonl"

    def orders(self, kind: str = "cut") -> dict[str, tuple[str, str]]:
        """State and reason of the latest order of each meter."""
        rows = self.app.execute(
            "SELECT meter, state, reason FROM supply_order WHERE kind = %s ORDER BY id", (kind,)
        ).fetchall()
        return {meter: (state, reason) for meter, state, reason in rows}

    def counts(self, kind: str = "cut") -> dict[str, int]:
        """How many orders stand in each state."""
        rows = self.app.execute(
            "SELECT state, count(*) FROM supply_order WHERE kind = %s GROUP BY state", (kind,)
        ).fetchall()
        return dict(rows)

    def one(self, query: str, *values: object) -> Any:
        """The single value of a query."""
        row = self.owner.execute(query, values).fetchone()  # type: ignore[arg-type]
        return None if row is None else row[0]

    @contextlib.asynccontextmanager
    async def interlock(self, **changed: Any) -> AsyncIterator[Interlock]:
        """An interlock that works in this loop while the block runs; the meters answer."""
        async with self.meters.serving(), self.interlock_alone(**changed) as interlock:
            yield interlock

    @contextlib.asynccontextmanager
    async def signing(self, **changed: Any) -> AsyncIterator[tuple[Interlock, str]]:
        """An interlock whose signing page is open, and the page's origin."""
        async with self.interlock_alone(page=PageConfig(origin="http://localhost:0"), **changed) as interlock:
            server, port = await interlock.page.listen(interlock.page_config, port=0)
            try:
                yield interlock, f"http://localhost:{port}"
            finally:
                server.close()

    @contextlib.asynccontextmanager
    async def interlock_alone(self, **changed: Any) -> AsyncIterator[Interlock]:
        """An interlock, the meters served elsewhere or not at all."""
        room = Room("interlock")
        interlock = Interlock(self.config(**changed), room)
        await interlock.open()
        interlock.start()
        try:
            yield interlock
        finally:
            await room.halt()
            interlock.links.abort_all("connection_lost")
            await interlock.close()
            await asyncio.sleep(0.02)


def lay(
    database: Database,
    tmp_path: Path,
    *,
    count: int = 6,
    profile: dict[str, Any] | None = None,
    make: str = "arpa",
    delay: float = 0.0,
    dial_in: float = 0.0,
    behind_gateways: float = 0.0,
    with_passkeys: bool = False,
) -> World:
    """A circle of `count` meters whose connections may all be cut at ten o'clock; shares of them call, or stand behind
    gateways."""
    folder = database.home.path / "interlock"
    folder.mkdir(mode=0o700)
    keys = facts.Keys()
    passkeys = {login: Passkey() for login in facts.SIGNERS} if with_passkeys else {}
    (folder / "officers.json").write_text(json.dumps(facts.officers_file(keys, passkeys)))
    (folder / "profile.json").write_text(json.dumps(facts.profile_file(keys, facts.PROFILE | (profile or {}))))
    (folder / "sealing.key").write_text(keys.interlock.private_bytes_raw().hex())
    clock = database.home.run / "clock.json"
    move_rehearsal(clock, business_at=facts.TEN_O_CLOCK)
    meters = Meters(tmp_path, RehearsalClock(clock))
    flag = registry()[make].flag
    rows = list(
        invent(
            count=count,
            seed=3,
            port=meters.port,
            makes=[(make, flag.encode())],
            dial_in=dial_in,
            behind_gateways=behind_gateways,
        )
    )
    write_roster(tmp_path / "roster.csv", iter(rows))
    meters.hold(read_roster(tmp_path / "roster.csv"), delay=delay)
    owner, app = database.connect("owner"), database.connect("app")
    facts.lay_circle(owner, count=count)
    serials = facts.add_meters(owner, rows, keys)
    return World(database, folder, keys, meters, serials, clock, app, owner, passkeys)


async def until(true: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until it is so.

    :raises TimeoutError: it never was.
    """
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def waits_for_a_lock(owner: psycopg.Connection[Any], role: str) -> bool:
    """Whether some session of this role waits for a lock right now."""
    row = owner.execute(
        "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE a.datname = current_database() AND a.usename = %s AND NOT l.granted",
        (role,),
    ).fetchone()
    return bool(row and row[0])
