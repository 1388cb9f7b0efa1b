"""The supervisor: starts the rooms in order, starts again what dies, drains them all on SIGTERM.

Each room is a process of its own with its own log under `logs/` and only the environment it needs. A room that has to
announce itself prints one JSON line with `"ready": true`; others are ready when they listen. A room that dies is
started again, after a pause that grows to ten seconds while it keeps dying, and its death is a line in the log.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

import structlog

from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home, write_private

READY_LIMIT_S = 60.0
DRAIN_LIMIT_S = 20.0
PAUSE_LIMIT_S = 10.0
FEWEST_FILES = 1024


class AlreadyUp(Refusal):
    """Another `bahal up` works on this folder."""

    code = "already_up"
    exit_code = ENVIRONMENT
    hi = "{home} पर बहाल पहले से चल रहा है (प्रक्रिया {pid}): `bahal down` से रोकें।"
    en = "Bahal already runs on {home} (process {pid}): stop it with `bahal down`."


class RoomDidNotStart(Refusal):
    """A room ended, or said nothing, before it was ready."""

    code = "room_did_not_start"
    exit_code = ENVIRONMENT
    hi = "{room} शुरू नहीं हुआ: {why} (पूरा विवरण {log} में)।"
    en = "{room} did not start: {why} (more in {log})."


class TooFewFiles(Refusal):
    """The limit of open files is too low for the sockets to come."""

    code = "too_few_files"
    exit_code = ENVIRONMENT
    hi = "एक प्रक्रिया केवल {limit} फ़ाइलें खोल सकती है; कम से कम {wanted} चाहिए: `ulimit -n {wanted}` बढ़ाएँ।"
    en = "A process may open only {limit} files and at least {wanted} are needed: raise it with `ulimit -n {wanted}`."


@dataclass(slots=True)
class Room:
    """A process to keep alive. `port` is where it must listen, or None if it announces itself."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    announces: bool = False
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    again_at: float = 0.0
    started_at: float = 0.0
    said: dict[str, Any] = field(default_factory=dict)


def raise_file_limit(wanted: int) -> int:
    """Raise this process's and its children's limit of open files to the hard one; returns it.

    :raises TooFewFiles: it stays under `wanted`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and limit < wanted:
        raise TooFewFiles(limit=limit, wanted=wanted)
    return limit


def lock_home(home: Home) -> IO[str]:
    """Take the folder for this process; keep the returned file open.

    :raises AlreadyUp: another holds it.
    """
    home.make()
    held = (home.run / "up.lock").open("a+")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        held.seek(0)
        pid = held.read().strip() or "?"
        held.close()
        raise AlreadyUp(home=str(home.path), pid=pid) from taken
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


class Supervisor:
    """Keeps rooms alive until told to stop."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.rooms: dict[str, Room] = {}
        self.endpoints: dict[str, Any] = {}
        self._errands: dict[str, int] = {}
        self.check: Callable[[], None] | None = None  # called each round; the database is kept alive by it
        self._stop = threading.Event()
        self._log = structlog.get_logger(room="supervisor")

    def start(self, *rooms: Room) -> None:
        """Start rooms together and return when all are ready.

        :raises RoomDidNotStart: one of them ended or stayed silent.
        """
        for room in rooms:
            self.rooms[room.name] = room
            self._spawn(room)
        for room in rooms:
            self._await(room)
        self.publish()

    def publish(self) -> None:
        """Write `run/endpoints.json`: where every door is and which process is behind it."""
        pids = {name: room.process.pid for name, room in self.rooms.items() if room.process is not None}
        pids |= self._errands
        write_private(self.home.run / "endpoints.json", {**self.endpoints, "pids": {"supervisor": os.getpid(), **pids}})

    def errand(self, name: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. While it runs its process is published like a room's: should the supervisor be
        killed, whoever takes the folder next ends it."""
        with subprocess.Popen(
            command,
            env={**os.environ, "BAHAL_HOME": str(self.home.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._errands[name] = process.pid
            self.publish()
            out, errors = process.communicate()
        del self._errands[name]
        self.publish()
        return subprocess.CompletedProcess(command, process.returncode, out, errors)

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT end `watch`."""

        def asked(_signal: int, _frame: FrameType | None) -> None:
            self._stop.set()

        signal.signal(signal.SIGTERM, asked)
        signal.signal(signal.SIGINT, asked)

    def halt(self) -> None:
        """End `watch`, as a signal would."""
        self._stop.set()

    def watch(self) -> None:
        """Keep everything alive until a signal asks to stop."""
        while not self._stop.wait(0.1):
            if self.check is not None:
                self.check()
            self._revive()

    def drain(self) -> None:
        """Ask every room to end, later ones first, and wait; what does not end in time is killed."""
        living = [(room.name, room.process) for room in reversed(self.rooms.values()) if room.process is not None]
        for _, process in living:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + DRAIN_LIMIT_S
        for name, process in living:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._log.error("killed", process=name, why="did not drain")
                process.kill()
                process.wait()
            _end_group(process.pid)
        (self.home.run / "endpoints.json").unlink(missing_ok=True)

    def _spawn(self, room: Room) -> None:
        log = self._log_of(room)
        with log.open("ab") as errors:
            room.process = subprocess.Popen(
                room.command,
                env={**_plain_environment(self.home), **room.environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if room.announces else errors,
                stderr=errors,
                start_new_session=True,
            )
        room.started_at = time.monotonic()

    def _await(self, room: Room) -> None:
        deadline = room.started_at + READY_LIMIT_S
        ready = self._announced if room.announces else self._listens
        while not ready(room):
            assert room.process is not None
            if room.process.poll() is not None:
                raise RoomDidNotStart(room=room.name, why=self._last_word(room), log=str(self._log_of(room)))
            if time.monotonic() > deadline:
                raise RoomDidNotStart(
                    room=room.name, why=f"silent for {READY_LIMIT_S:.0f} s", log=str(self._log_of(room))
                )
        self._log.info("ready", process=room.name, seconds=round(time.monotonic() - room.started_at, 2))

    def _announced(self, room: Room) -> bool:
        assert room.process is not None
        assert room.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(room.process.stdout, selectors.EVENT_READ)
            if not selector.select(0.1):
                return False
        line = room.process.stdout.readline()
        if not line:
            time.sleep(0.05)
            return False
        try:
            said = json.loads(line)
        except ValueError:
            return False
        if not (isinstance(said, dict) and said.get("ready") is True):
            return False
        room.said = said
        threading.Thread(target=_swallow, args=(room.process.stdout,), daemon=True).start()
        return True

    def _listens(self, room: Room) -> bool:
        if room.port is None:
            return True
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", room.port)) == 0:
                return True
        time.sleep(0.05)
        return False

    def _revive(self) -> None:
        now = time.monotonic()
        for room in self.rooms.values():
            if room.process is None:
                if now >= room.again_at:
                    self._spawn(room)
                    if room.announces:
                        threading.Thread(target=self._listen_again, args=(room,), daemon=True).start()
                    self._log.warning("started_again", process=room.name, deaths=room.deaths)
                    self.publish()
                continue
            code = room.process.poll()
            if code is None:
                continue
            _end_group(room.process.pid)
            lived = now - room.started_at
            room.deaths = 1 if lived > 60 else room.deaths + 1
            pause = 0.0 if room.deaths == 1 else min(PAUSE_LIMIT_S, 0.2 * 2.0**room.deaths)
            self._log.error("died", process=room.name, code=code, lived_s=round(lived, 1), again_in_s=pause)
            room.process, room.again_at = None, now + pause

    def _listen_again(self, room: Room) -> None:
        process = room.process
        if process is not None and process.stdout is not None:
            _swallow(process.stdout)

    def _log_of(self, room: Room) -> Path:
        return self.home.logs / f"{room.name}.log"

    def _last_word(self, room: Room) -> str:
        try:
            lines = self._log_of(room).read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        code = room.process.returncode if room.process else "?"
        return lines[-1][:300] if lines else f"exit code {code}"


def _end_group(leader: int) -> None:
    """Kill what a room that has just ended left of its own process group: a web server's workers outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _swallow(stream: IO[bytes]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for _ in stream:
            pass


def _plain_environment(home: Home) -> dict[str, str]:
    """What every room may know of the outside: no secret of another, no PG* variable that would steer a client."""
    kept = (
        "PATH",
        "LANG",
        "LC_ALL",
        "TZ",
        "DATABASE_URL",
        "BAHAL_LANG",
        "BAHAL_CRASH_AT",
        "BAHAL_PG_BIN",
        "HOME",
        "TMPDIR",
    )
    passed = {name: os.environ[name] for name in kept if name in os.environ}
    return {**passed, "BAHAL_HOME": str(home.path), "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "bahal.settings"}
