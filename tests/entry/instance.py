"""Running `bahal` as people do: as a process with its own folder, on ports that nobody else has."""

import contextlib
import ctypes
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bahal.entry.ports import DEFAULTS, QUIET

PATIENCE_S = 60.0
_PR_SET_PDEATHSIG = 1
_START = secrets.randbelow(len(QUIET))
_UNTRIED = itertools.chain(QUIET[_START:], QUIET[:_START])
_LOCK = threading.Lock()


def environment(home: Path, **changed: str) -> dict[str, str]:
    """Nothing of this process's instance; every port a free one that no other instance of these tests was given."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("BAHAL_", "DATABASE_", "DJANGO_"))
    }
    free = {f"BAHAL_PORT_{door.upper()}": str(free_port()) for door in DEFAULTS}
    return {**kept, **free, "BAHAL_HOME": str(home), "BAHAL_LANG": "en", **changed}


def free_port() -> int:
    """A free port that was not given before: two instances that start at once would find the same one free."""
    with _LOCK:
        for port in _UNTRIED:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is left")


def command(*arguments: str) -> list[str]:
    """`bahal ARGUMENTS` with this interpreter."""
    return [sys.executable, "-m", "bahal.entry.cli", *arguments]


def bahal(
    home: Path,
    *arguments: str,
    prepare: Callable[[], None] | None = None,
    seconds: float = PATIENCE_S,
    changed: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end. `prepare` runs in the new process before it starts."""
    return subprocess.run(
        command(*arguments),
        env=environment(home, **(changed or {})),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        preexec_fn=prepare,  # limits of one child
    )


def end_with_the_tests() -> None:
    """In a new process: SIGTERM when the thread that started it is gone, so that a killed run leaves no instance."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Up:
    """`bahal up --demo` on a small rehearsal, until it is ended."""

    def __init__(self, home: Path, *, meters: int = 40) -> None:
        self.home = home
        words = home.with_suffix(".err")
        with words.open("wb") as errors:
            self.process = subprocess.Popen(
                command(
                    "up", "--demo", "--no-people", "--consumers", str(meters), "--defaulters", "5", "--reply-delay", "0"
                ),
                env=environment(home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                preexec_fn=end_with_the_tests,
            )
        until(lambda: self._open() or self.process.poll() is not None)
        assert self.process.poll() is None, words.read_text()

    def _open(self) -> bool:
        """Whether every room is ready: its own word, not one that an earlier instance left."""
        stated = self.endpoints()
        return stated.get("open") is True and stated["pids"]["supervisor"] == self.process.pid

    def endpoints(self) -> dict[str, Any]:
        """What the supervisor published."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            stated: dict[str, Any] = json.loads((self.home / "run" / "endpoints.json").read_text())
            return stated
        return {}

    def pid(self, room: str) -> int:
        """The process of a room; 0 while it has none."""
        if room == "postgres":
            with contextlib.suppress(FileNotFoundError, ValueError):
                return int(json.loads((self.home / "run" / "database.json").read_text())["pid"])
            return 0
        return int(self.endpoints().get("pids", {}).get(room, 0))

    def end(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def until(true: Callable[[], object], *, seconds: float = PATIENCE_S) -> None:
    """Wait for something to be so.

    :raises AssertionError: it is not, in time.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether this process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_of(home: Path) -> list[int]:
    """Living processes of this instance but this one: the folder is in their environment, or they work in it."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid() and alive(int(each.name)):
            try:
                named = f"BAHAL_HOME={home}".encode() in (each / "environ").read_bytes().split(b"\0")
                inside = os.readlink(each / "cwd").startswith(f"{home}/")
            except OSError:
                continue
            if named or inside:
                found.append(int(each.name))
    return found
