"""The house of one instance: database, schema, and every room in the order in which they need one another."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from bahal.entry import instance
from bahal.entry.ports import Ports
from bahal.entry.postgres import EmbeddedPostgres
from bahal.entry.roles import adopt
from bahal.entry.supervisor import DRAIN_LIMIT_S, FEWEST_FILES, Room, Supervisor, lock_home, raise_file_limit
from bahal.fleet.roster import invent, sims_of, write_roster, write_sims
from bahal.shared.database import dsn_of
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, read_json

Told = Callable[[str], None]
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  # the fleet serves 127.0.0.0/8 only and refuses every other


class SchemaFailed(Refusal):
    """The database's schema could not be brought up to date."""

    code = "schema_failed"
    exit_code = ENVIRONMENT
    hi = "डेटाबेस की संरचना अद्यतन नहीं हो सकी: {why}"
    en = "The database's schema could not be brought up to date: {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The simulated outside world of a rehearsal: how many meters, from which seed, how slow each reply (seconds).

    `faults` is a profile of `bahal.fleet.faults`; `lost_links` a share in place of the profile's own. A share `dial_in`
    of the meters calls, first when the fleet starts if they have `calls_at_start`; another, `behind_gateways`, stands
    behind gateways. `drifting` is the share of meters whose clock is off; `tampers_an_hour` how often somebody tampers
    with one of them.
    """

    meters: int
    seed: int
    reply_delay: float
    faults: str = "none"
    lost_links: float | None = None
    dial_in: float = 0.0
    behind_gateways: float = 0.0
    calls_at_start: bool = True
    drifting: float = 0.0
    tampers_an_hour: float = 0.0


class House:
    """Opens and closes one instance."""

    def __init__(self, home: Home, *, told: Told = lambda _line: None) -> None:
        self.home = home
        self.supervisor = Supervisor(home)
        self._postgres: EmbeddedPostgres | None = None
        self._told = told
        self._held: IO[str] | None = None
        self._ports = Ports()
        self._log = structlog.get_logger(room="supervisor")

    def take(self) -> None:
        """Take the folder and check what this machine gives.

        :raises AlreadyUp: another process has it.
        :raises TooFewFiles: the limit of open files is too low.
        """
        self._held = lock_home(self.home)
        raise_file_limit(FEWEST_FILES)
        end_leftovers(self.home)

    def open_database(self) -> None:
        """Bring the database up, or check the operator's own, and its schema to this version."""
        url = os.environ.get("DATABASE_URL")
        if url:
            adopt(url, home=self.home)
        else:
            postgres = EmbeddedPostgres(self.home.path)
            postgres.start()
            self._postgres = postgres
            self.supervisor.check = self._keep_database
        self._told("database")
        migrate(self.home)
        self._told("schema")

    def open_rooms(self, *, outside: Outside | None) -> None:
        """Start the rooms, and in a rehearsal the outside world first."""
        home, ports = self.home, self._ports
        place = {door: ports.choose(door) for door in ("web", "live", "dial_in", "interlock")}
        endpoints = self.supervisor.endpoints
        endpoints.update(
            web=f"http://localhost:{place['web']}",
            live=f"http://localhost:{place['live']}",
            interlock=f"http://localhost:{place['interlock']}",
            dial_in=f"127.0.0.1:{place['dial_in']}",
            links=str(home.socket("links.sock")),
            reader_dsn=dsn_of("reader", home=home),
        )
        clock = {"BAHAL_CLOCK": str(home.run / "clock.json")} if instance.require(home) == "rehearsal" else {}
        environment = dict(clock)
        metrics = {"headend": ports.choose("metrics"), "worker": ports.choose("worker_metrics")}
        endpoints["metrics"] = f"http://localhost:{metrics['headend']}/metrics"
        if outside is not None:
            place |= {door: ports.choose(door) for door in ("bank", "sms", "whatsapp")}
            kept = read_json(home.path / "demo" / "people.json")
            place["fleet"] = (
                ports.choose("fleet", host=EVERY_ADDRESS)
                if kept is None
                else ports.take("fleet", int(kept["port"]), host=EVERY_ADDRESS)
            )
            endpoints["bank"] = f"http://localhost:{place['bank']}"
            endpoints["sms"] = f"http://localhost:{place['sms']}"
            endpoints["whatsapp"] = f"http://localhost:{place['whatsapp']}"
            endpoints["fleet"] = f"127.0.0.0/8:{place['fleet']}"
            environment["BAHAL_SMS_URL"] = f"http://127.0.0.1:{place['sms']}"
            environment["BAHAL_WHATSAPP_URL"] = f"http://127.0.0.1:{place['whatsapp']}"
            environment["BAHAL_BANK_URL"] = f"http://127.0.0.1:{place['bank']}"
        rooms = [
            Room("web", web_command(place["web"]), environment, port=place["web"]),
            Room("live", _live(place["live"]), environment, port=place["live"]),
            Room("worker", room_command("worker", metrics["worker"]), environment, announces=True),
            Room("headend", room_command("headend", place["dial_in"], metrics["headend"]), clock, announces=True),
            Room("interlock", room_command("interlock", place["interlock"]), {}, announces=True),
        ]
        if outside is not None:
            webhooks = f"http://127.0.0.1:{place['web']}/webhooks"
            rooms += [
                Room("bank", room_command("bank", place["bank"], f"{webhooks}/bank"), clock, announces=True),
                Room("sms", room_command("sms", place["sms"], f"{webhooks}/sms"), clock, announces=True),
                Room(
                    "whatsapp",
                    room_command("whatsapp", place["whatsapp"], f"{webhooks}/whatsapp"),
                    clock,
                    announces=True,
                ),
                Room(
                    "fleet",
                    fleet_command(home, outside, port=place["fleet"], dial_in=place["dial_in"]),
                    clock,
                    announces=True,
                ),
            ]
            if kept is None:
                write_fleet_roster(home, outside, port=place["fleet"])
        if not instance.interlock_trusts(home):
            rooms = [room for room in rooms if room.name != "interlock"]
            self._log.warning("interlock_untold", lacks="interlock/officers.json, interlock/profile.json")
        self.supervisor.start(*rooms)
        endpoints["open"] = True
        self.supervisor.publish()
        self._told("rooms")

    def close(self) -> None:
        """Drain every room, then the database; the folder is free afterwards."""
        try:
            self.supervisor.drain()
        finally:
            if self._postgres is not None:
                self._postgres.stop()
            if self._held is not None:
                self._held.close()

    def _keep_database(self) -> None:
        if self._postgres is not None and self._postgres.running() is None:
            self._log.error("died", process="postgres", again_in_s=0)
            self._postgres.start()
            self._log.warning("started_again", process="postgres")


def end_leftovers(home: Home) -> None:
    """End what a killed supervisor left running: its rooms and its database. The caller holds the folder's lock."""
    running = read_json(home.run / "endpoints.json") or {}
    pids = [int(pid) for name, pid in running.get("pids", {}).items() if name != "supervisor"]

    def living() -> list[int]:
        return [pid for pid in pids if _belongs_to(pid, home)]

    for pid in living():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_LIMIT_S
    while living() and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in living():
        os.kill(pid, signal.SIGKILL)
    (home.run / "endpoints.json").unlink(missing_ok=True)
    if not os.environ.get("DATABASE_URL"):
        EmbeddedPostgres(home.path).stop()


def _belongs_to(pid: int, home: Home) -> bool:
    """Whether this process is a room of this instance: the number may be another's by now."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return f"BAHAL_HOME={home.path}".encode() in environment.split(b"\0")


def migrate(home: Home) -> None:
    """Apply the schema's migrations as its owner.

    :raises SchemaFailed: the database refused; the sentence holds its last word.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        env={
            **os.environ,
            "BAHAL_HOME": str(home.path),
            "BAHAL_ROLE": "owner",
            "DJANGO_SETTINGS_MODULE": "bahal.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        words = [line for line in ran.stderr.strip().splitlines() if line.strip()]
        raise SchemaFailed(why=words[-1] if words else f"exit code {ran.returncode}")


def write_fleet_roster(home: Home, outside: Outside, *, port: int) -> None:
    """Write the simulated meters' roster: the same seed gives the same meters and keys."""
    from bahal.dlms.quirks import registry

    # The head-end may not have a key that also moves a relay, so meters that share theirs could never be read; and
    # nobody talks to a meter that answers another question.
    usable = [make for make in registry().values() if make.quirks.invoke_echoed and not make.quirks.shared_keys]
    makes = [(make.name, make.flag.encode()) for make in usable]
    rows = list(
        invent(
            count=outside.meters,
            seed=outside.seed,
            port=port,
            makes=makes,
            dial_in=outside.dial_in,
            behind_gateways=outside.behind_gateways,
        )
    )
    write_roster(roster_path(home), rows)
    write_sims(sims_path(home), sims_of(rows))


def roster_path(home: Home) -> Path:
    """Where the rehearsal's roster stands."""
    return home.path / "demo" / "roster.csv"


def lives_path(home: Home) -> Path:
    """Where it stands what the rehearsal's meters have counted."""
    return home.path / "demo" / "lives.csv"


def sims_path(home: Home) -> Path:
    """Where the list of the rehearsal's SIMs stands."""
    return home.path / "demo" / "sims.csv"


def fleet_command(home: Home, outside: Outside, *, port: int, dial_in: int) -> list[str]:
    """The command that starts the fleet."""
    lost = [] if outside.lost_links is None else ["--lost-links", str(outside.lost_links)]
    return [
        sys.executable, "-m", "bahal.entry.cli", "fleet",
        "--roster", str(roster_path(home)), "--port", str(port), "--reply-delay", str(outside.reply_delay),
        "--push-to", f"127.0.0.1:{dial_in}", "--faults", outside.faults, "--seed", str(outside.seed), *lost,
        "--drifting", str(outside.drifting), "--tampers-an-hour", str(outside.tampers_an_hour),
        "--calls-at-start" if outside.calls_at_start else "--no-calls-at-start",
    ]  # fmt: skip


def room_command(name: str, *arguments: object) -> list[str]:
    """The command that starts one of our own rooms."""
    return [sys.executable, "-m", "bahal.entry.rooms", name, *map(str, arguments)]


def web_command(port: int) -> list[str]:
    """The command that starts the web process."""
    # One thread a worker: four in one worker made a page three times slower (GIL).
    return [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "1", "--backlog", "1024", "--no-ws", "--log-level", "warning",
        "bahal.edges.wsgi:application",
    ]  # fmt: skip


def _live(port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--no-ws", "--log-level", "warning", "bahal.edges.live:application",
    ]  # fmt: skip
