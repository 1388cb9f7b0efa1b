"""Peers as processes of their own: another interpreter, another environment, JSON in and out."""

import json
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from interop.peer import SCRIPTS

from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event
from tests.plugin.machine import PEERS

DEADLINE_S = 60.0


def command(environment: str, script: str) -> list[str]:
    """How a peer's script is run: isolated from our modules, paths and settings."""
    return [str(PEERS / environment / "bin" / "python"), "-I", str(SCRIPTS / environment / script)]


class PeerMeter:
    """A peer's meter, listening; ended when the block is left."""

    def __init__(self, environment: str, script: str, **asked: Any) -> None:
        self._process = subprocess.Popen(
            command(environment, script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        first = self._process.stdout.readline()
        assert first, self.end()[1]
        self.port: int = json.loads(first)["port"]

    def end(self) -> tuple[list[dict[str, Any]], str]:
        """End it; the relay's movements by its own account, and what it wrote to standard error."""
        out, errors = self._process.communicate(timeout=DEADLINE_S)
        return [json.loads(line) for line in out.splitlines()], errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            _, errors = self._process.communicate()
            if kind is not None:
                sys.stderr.write(errors)


class HungUp(Exception):
    """The meter closed the connection instead of an answer."""


class Line:
    """Our client on one blocking connection."""

    def __init__(self, port: int, client: ClientAssociation) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.client = client

    def say(self, out: bytes) -> Event:
        """Send a request and whatever it entails; returns the event that answers.

        :raises HungUp: the meter closed the connection.
        """
        events: list[Event] = []
        while out or not events:
            if out:
                self._socket.sendall(out)
            received = self._socket.recv(65536)
            if not received:
                raise HungUp
            events += self.client.receive(received)
            out = self.client.outgoing()
        return events[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
