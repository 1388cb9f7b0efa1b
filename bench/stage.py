"""A whole instance for one bench: made as the product makes it, in a folder of its own, and removed at the end.

Its PostgreSQL is the embedded one with its own settings (fsync and synchronous_commit on); its schema comes from the
migrations, its people from the rehearsal's population, its meters through the import, its drive through the journeys
under two officers' signatures; its rooms are the processes that the supervisor starts for a user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.request import urlopen

import psycopg

from bahal.entry import instance
from bahal.entry.house import (
    Outside,
    fleet_command,
    migrate,
    room_command,
    roster_path,
    web_command,
    write_fleet_roster,
)
from bahal.entry.instance import Profile
from bahal.entry.logs import set_up_logs
from bahal.entry.ports import Ports
from bahal.entry.postgres import EmbeddedPostgres
from bahal.entry.supervisor import DRAIN_LIMIT_S, Room, Supervisor, raise_file_limit
from bahal.fleet.roster import read_roster
from bahal.rehearsal import officers
from bahal.rehearsal.almanac import STORY_MONDAY
from bahal.rehearsal.layout import CIRCLE
from bahal.rehearsal.population import Population, populate
from bahal.shared.clock import RehearsalClock, move_rehearsal
from bahal.shared.database import Role, address_of, password_of
from bahal.shared.home import Home, read_json, write_private
from bahal.shared.warrant import sign

TEN_O_CLOCK = datetime(STORY_MONDAY.year, STORY_MONDAY.month, STORY_MONDAY.day, 4, 30, tzinfo=UTC)
"""10:00 in India on the Monday."""

FILES = 11_000
"""Open files a bench needs: ten thousand associations and some."""

SEED = 7


def say(*words: object) -> None:
    """A line of progress, out at once."""
    print(*words, flush=True)


class Process:
    """What one process has used, by the kernel's account."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def cpu_s(self) -> float:
        """Seconds of CPU of all its threads, its own and the kernel's for it."""
        fields = (self._folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> int:
        """Bytes in memory."""
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def highest_resident(self) -> int:
        """Bytes in memory when it held most."""
        lines = (self._folder / "status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


class Stage:
    """One instance, with what a bench asks of it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.postgres = EmbeddedPostgres(home.path)
        self.supervisor = Supervisor(home)
        self.staff: dict[str, officers.Officer] = {}
        self._ports = Ports()
        self.web = ""
        self._meters = 0
        self._fleet_port = 0
        self._dial_in = 0.0
        self._dial_in_port = 0

    # --- the house ---------------------------------------------------------------------------------------------------

    def build(self, profile: Profile, **interlock: float) -> None:
        """Instance, database, schema, officers, signed caps. `interlock` replaces limits of its configuration."""
        instance.make(self.home, rehearsal=True, business_at=TEN_O_CLOCK)
        if interlock:
            stated = self.home.path / "interlock" / "interlock.json"
            write_private(stated, {**(read_json(stated) or {}), **interlock})
        self.staff = {each.login: each for each in officers.enrol(self.home, profile=profile)}
        self.postgres.start()
        migrate(self.home)
        figures = ", ".join(f"{name} {value}" for name, value in asdict(profile).items() if name != "name")
        say(f"caps: profile {profile.name}, signed by {' and '.join(officers.SIGNERS)}: {figures}")

    def fill(self, *, connections: int, candidates: int, postings: int, dial_in: float = 0.0) -> Population:
        """People and money by the population, meters by the import, officers by their journey; then statistics.

        A share `dial_in` of the meters calls and cannot be dialled.
        """
        self._meters, self._dial_in = connections, dial_in
        self._fleet_port = self._ports.choose("fleet", host="0.0.0.0")  # noqa: S104  # it refuses all but 127.0.0.0/8
        write_fleet_roster(self.home, self._outside(0.0), port=self._fleet_port)
        roster = Path(roster_path(self.home))
        made = populate(
            app_dsn=self.dsn("app"),
            owner_dsn=self.dsn("owner"),
            connections=connections,
            candidates=candidates,
            postings=postings,
            monday=STORY_MONDAY,
            meters=[{"meter": row.meter, "make": row.make} for row in read_roster(roster)],
        )
        begun = time.perf_counter()
        self.enter()
        self.enrol()
        self._import(roster)
        self.vacuum()
        say(
            f"population: {made.connections} connections, {made.candidates} who may be cut, {made.postings} postings,"
            f" {made.bills} bills in {made.made_s:.0f} s, vacuumed in {made.vacuumed_s:.0f} s;"
            f" {connections} meters imported in {time.perf_counter() - begun:.0f} s"
        )
        return made

    def vacuum(self) -> None:
        """What autovacuum would have done by a morning."""
        with psycopg.connect(self.dsn("owner"), autocommit=True) as owner:
            owner.execute("VACUUM (ANALYZE) interlock_meter, headend_meter, meters_meter, supply_order, supply_fence")

    def dsn(self, role: Role) -> str:
        """The connection URL of a role."""
        return self.postgres.dsn(role)

    def enter(self) -> None:
        """Django as the role `app` in this process, for the journeys; a later stage's Django turns to its database."""
        os.environ["BAHAL_HOME"] = str(self.home.path)
        for name in ("DATABASE_URL", "BAHAL_ROLE", "BAHAL_CLOCK"):
            os.environ.pop(name, None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "bahal.settings"
        import django
        from django.db import connections

        django.setup()
        connections.close_all()
        address = address_of(self.home)
        connections.settings["default"].update(
            HOST=address.host, PORT=address.port, NAME=address.name, PASSWORD=password_of(self.home, "app")
        )
        self.clock = RehearsalClock(self.home.run / "clock.json")

    def enrol(self) -> None:
        """The officers, by their journey."""
        from bahal.domains.staff.operations import NewOfficer
        from bahal.journeys.enrol_officers import enrol_officers

        new = [
            NewOfficer(o.login, o.name, o.name_hi, o.role, o.office, o.password, o.totp_secret, o.public_key)
            for o in self.staff.values()
        ]
        enrol_officers(new, actor="bench", at=self.clock.wall(), business_at=self.clock.now())

    def _import(self, roster: Path) -> None:
        from bahal.journeys.import_meters import import_meters

        with roster.open(encoding="utf-8", newline="") as rows:
            done = import_meters(
                rows=rows,
                interlock_public=self._public("interlock"),
                headend_public=self._public("headend"),
                actor="bench",
                at=self.clock.wall(),
                business_at=self.clock.now(),
            )
        if done.refused:
            raise SystemExit(f"the import refused {len(done.refused)} meters, the first: {done.refused[0].as_json()}")

    def _public(self, room: str) -> bytes:
        return bytes.fromhex((self.home.path / room / "sealing.pub").read_text())

    # --- the drive ---------------------------------------------------------------------------------------------------

    def signed_drive(self) -> int:
        """A drive over everybody who may be cut, drafted, proposed and signed at 10:00; its id."""
        from bahal.journeys.draft_drive import draft_drive
        from bahal.journeys.propose_drive import propose_drive
        from bahal.journeys.sign_drive import sign_drive

        begun = time.perf_counter()
        move_rehearsal(self.home.run / "clock.json", business_at=TEN_O_CLOCK)
        now = self.clock.now()
        draft = draft_drive(
            office=CIRCLE, maker="ee", not_before=now, expires_at=now + timedelta(hours=4), business_at=now
        )
        proposed = propose_drive(
            document=draft.document,
            signature=sign(self.staff["ee"].key(), draft.document, "maker"),
            name="bench",
            at=self.clock.wall(),
            business_at=self.clock.now(),
        )
        sign_drive(
            drive=proposed.drive,
            checker="se",
            signature=sign(self.staff["se"].key(), draft.document, "checker"),
            at=self.clock.wall(),
            business_at=self.clock.now(),
        )
        say(
            f"drive {proposed.drive}: {proposed.orders} orders, Rs {proposed.sum_paise // 100}, list"
            f" {proposed.list_sha256[:16]}, proposed by ee and signed by se in {time.perf_counter() - begun:.1f} s"
        )
        return proposed.drive

    def run(self, drive: int) -> None:
        """Set it running."""
        from bahal.journeys.run_drive import run_drive

        run_drive(drive=drive, actor="ee", at=self.clock.wall(), business_at=self.clock.now())

    # --- the rooms ---------------------------------------------------------------------------------------------------

    def start(self, *rooms: Room) -> None:
        """Start rooms and wait until they are ready."""
        self.supervisor.start(*rooms)

    def stop(self, name: str) -> None:
        """Drain one room."""
        room = self.supervisor.rooms.pop(name)
        assert room.process is not None
        room.process.terminate()
        room.process.wait(DRAIN_LIMIT_S)

    def fleet(self, *, reply_delay: float = 0.0, faults: str = "none", lost_links: float | None = None) -> Room:
        """The meters of the roster, in their own process; seconds before each reply, and what goes wrong."""
        outside = replace(self._outside(reply_delay), faults=faults, lost_links=lost_links)
        command = fleet_command(self.home, outside, port=self._fleet_port, dial_in=self._door())
        return Room("fleet", command, self._clock_file, announces=True)

    def headend(self) -> Room:
        """The head-end, as the supervisor starts it."""
        command = room_command("headend", self._door(), self._ports.choose("metrics"))
        return Room("headend", command, self._clock_file, announces=True)

    def _door(self) -> int:
        """The port that meters call."""
        self._dial_in_port = self._dial_in_port or self._ports.choose("dial_in")
        return self._dial_in_port

    def interlock(self, name: str = "interlock") -> Room:
        """The interlock, as the supervisor starts it; any number of them work side by side."""
        return Room(name, room_command("interlock", self._ports.choose("interlock")), announces=True)

    def business(self) -> tuple[Room, Room, Room]:
        """The web process, the worker that draws the consequences, and the SMS centre that it tells them by."""
        web, sms, metrics = (self._ports.choose(door) for door in ("web", "sms", "metrics"))
        self.web = f"http://127.0.0.1:{web}"
        return (
            Room("web", web_command(web), self._clock_file, port=web),
            Room("sms", room_command("sms", sms, f"{self.web}/webhooks/sms"), self._clock_file, announces=True),
            Room(
                "worker",
                room_command("worker", metrics),
                self._clock_file | {"BAHAL_SMS_URL": f"http://127.0.0.1:{sms}"},
                announces=True,
            ),
        )

    @property
    def _clock_file(self) -> dict[str, str]:
        return {"BAHAL_CLOCK": str(self.home.run / "clock.json")}

    def process(self, name: str) -> Process:
        """What a room's process uses."""
        room = self.supervisor.rooms[name]
        assert room.process is not None
        return Process(room.process.pid)

    def metric(self, name: str, sample: str) -> float:
        """A sample of a room's own metrics, by its whole name with labels; 0 where it was never counted."""
        said = self.supervisor.rooms[name].said
        port = said.get("metrics", said.get("port"))
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:  # our own page
            for line in page.read().decode().splitlines():
                if line.startswith(f"{sample} "):
                    return float(line.rsplit(" ", 1)[1])
        return 0.0

    def movements(self) -> Path:
        """The fleet's own log."""
        return self.home.logs / "fleet.jsonl"

    def _outside(self, reply_delay: float) -> Outside:
        return Outside(
            meters=self._meters, seed=SEED, reply_delay=reply_delay, dial_in=self._dial_in,
            calls_at_start=False,
        )  # fmt: skip

    def close(self) -> None:
        """End all of it and leave no trace."""
        with contextlib.suppress(Exception):
            from django.db import connections

            connections.close_all()
        self.supervisor.drain()
        self.postgres.stop()
        pg = (self.home.path / "pg").resolve()
        shutil.rmtree(self.home.path, ignore_errors=True)
        shutil.rmtree(pg, ignore_errors=True)


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A stage that is cleared away however the bench ends."""
    set_up_logs("bench")
    signal.signal(signal.SIGTERM, _end)
    raise_file_limit(FILES)
    folder = Path(tempfile.mkdtemp(prefix="bahal-bench-"))
    folder.chmod(0o711)  # under root the database is `nobody`, who must pass through
    set_stage = Stage(Home(folder))
    try:
        yield set_stage
    finally:
        set_stage.close()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit("ended by SIGTERM")
