"""Which port each door gets: the contract's default, the next free one if it is taken, any free one for 0."""

from __future__ import annotations

import os
import secrets
import socket

from bahal.shared.errors import ENVIRONMENT, Refusal

DEFAULTS = {
    "web": 8800,
    "live": 8801,
    "interlock": 8802,
    "dial_in": 4060,
    "fleet": 4059,
    "bank": 8810,
    "sms": 8811,
    "whatsapp": 8812,
    "metrics": 9100,
    "worker_metrics": 9101,
}

SEARCHED = 200
QUIET = range(12_000, 32_000)
"""Below the range that outgoing connections are given: one of those may be taken before it is used."""


class NoPortFree(Refusal):
    """The default port and those after it are taken."""

    code = "no_port_free"
    exit_code = ENVIRONMENT
    hi = "{door} के लिए कोई पोर्ट खाली नहीं है ({first} से {last} तक सब व्यस्त)।"
    en = "No port is free for {door}: {first} to {last} are all taken."


class PortTaken(Refusal):
    """A port that was asked for by number is taken."""

    code = "port_taken"
    exit_code = ENVIRONMENT
    hi = "{door} का पोर्ट {port} किसी और के पास है: दूसरा दें या 0 (कोई भी खाली पोर्ट)।"
    en = "Port {port} for {door} is taken by another process: give another one, or 0 for any free port."


class PortWrong(Refusal):
    """What was asked for is no port."""

    code = "port_wrong"
    exit_code = ENVIRONMENT
    hi = "BAHAL_PORT_{door} में `{given}` पोर्ट नहीं है: 0 से 65535 तक की संख्या दें।"
    en = "BAHAL_PORT_{door} is `{given}`, which is no port: give a number from 0 to 65535."


class Ports:
    """Gives out ports, none twice. A port asked for in `BAHAL_PORT_<DOOR>` is that one, or refused."""

    def __init__(self) -> None:
        self._given: set[int] = set()

    def choose(self, door: str, *, host: str = "127.0.0.1") -> int:
        """A port that nobody listens on now.

        :raises NoPortFree: the default and its successors are taken.
        :raises PortTaken: the port asked for is taken.
        :raises PortWrong: what was asked for is no port.
        """
        asked = os.environ.get(f"BAHAL_PORT_{door.upper()}")
        if asked is None:
            return self._first(door, range(DEFAULTS[door], DEFAULTS[door] + SEARCHED), host)
        if not (asked.isascii() and asked.isdigit() and int(asked) <= 0xFFFF):
            raise PortWrong(door=door.upper(), given=asked)
        if int(asked) == 0:
            start = secrets.choice(QUIET[:-SEARCHED])
            return self._first(door, range(start, start + SEARCHED), host)
        return self.take(door, int(asked), host=host)

    def _first(self, door: str, among: range, host: str) -> int:
        for port in among:
            if port not in self._given and _free(host, port):
                self._given.add(port)
                return port
        raise NoPortFree(door=door, first=among[0], last=among[-1])

    def take(self, door: str, port: int, *, host: str = "127.0.0.1") -> int:
        """That very port.

        :raises PortTaken: somebody has it.
        """
        if port in self._given or not _free(host, port):
            raise PortTaken(door=door, port=port)
        self._given.add(port)
        return port


def _free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
