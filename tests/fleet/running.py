"""The fleet as its own process, and blocking clients that dial its meters."""

import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bahal.dlms import india
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event
from bahal.dlms.quirks import quirks_of
from bahal.fleet.roster import RosterRow
from tests.fleet.household import client_of

DEADLINE_S = 60.0

_PROGRAM = """
import json, sys
from pathlib import Path
from bahal.fleet.main import FleetRefused, run
given = json.loads(sys.argv[1])
for name in ("roster_path", "log_path", "admin_path", "clock_path", "fault_log_path", "counters_path"):
    given[name] = given[name] and Path(given[name])
try:
    sys.exit(run(**given))
except FleetRefused as refusal:
    print(refusal.reason, refusal.detail)
    sys.exit(3)
"""


class Fleet:
    """One fleet process in a folder that has `roster.csv`; ended when the block is left."""

    def __init__(
        self,
        folder: Path,
        *,
        delay: float = 0.0,
        push_to: str | None = None,
        clock: Path | None = None,
        host_port: str = "0.0.0.0:0",
        **more: Any,
    ) -> None:
        self.log_path = folder / "fleet.jsonl"
        self.admin_path = folder / "fleet.sock"
        given = {
            "roster_path": str(folder / "roster.csv"),
            "host_port": host_port,
            "log_path": str(self.log_path),
            "delay": delay,
            "push_to": push_to,
            "admin_path": str(self.admin_path),
            "clock_path": clock and str(clock),
            "fault_log_path": str(folder / "faults.jsonl"),
            "counters_path": None,
        } | more
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline().strip()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(json.loads(self.ready)["port"])

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode

    def admin(self, **asked: Any) -> dict[str, Any]:
        """One line to the admin door."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(DEADLINE_S)
            door.connect(str(self.admin_path))
            door.sendall(json.dumps(asked).encode() + b"\n")
            answer: dict[str, Any] = json.loads(door.makefile().readline())
            return answer

    def movements(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Caller:
    """One TCP connection to one meter, with the client of one SAP on it."""

    def __init__(self, fleet: Fleet, row: RosterRow, sap: int, *, counter: int = 1) -> None:
        self.socket = socket.create_connection((str(ipaddress.IPv4Address(row.host)), fleet.port), timeout=DEADLINE_S)
        self.client: ClientAssociation = client_of(row, sap, quirks_of(row.make), counter=counter)

    def say(self, out: bytes) -> Event:
        """Send, and wait for the event that answers."""
        events: list[Event] = []
        while True:
            if out:
                self.socket.sendall(out)
            received = self.socket.recv(65536)
            assert received, "the meter hung up"
            events += self.client.receive(received)
            out = self.client.outgoing()
            if events and not out:
                return events[-1]

    def open(self) -> Self:
        """Associate."""
        self.say(self.client.open())
        return self

    def get(self, name: str, attribute: int = 2) -> Any:
        """The decoded value of an attribute."""
        found = india.single_phase()[name]
        event = self.say(self.client.get(found.interface.id, found.ln, attribute))
        return event.value  # type: ignore[union-attr]

    def move(self, method: int) -> int:
        """Relay method 1 or 2; returns the action-result."""
        event = self.say(self.client.action(70, india.RELAY_LN, method, b"\x0f\x00"))
        return event.result  # type: ignore[union-attr]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
