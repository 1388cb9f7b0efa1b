"""`bahal probe` in this process against meters on real sockets: the fleet's, and one of a make that nobody knows."""

import json
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import typer
from typer.testing import CliRunner

from bahal.dlms import clock
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.errors import DlmsError
from bahal.dlms.framing import ServerFraming
from bahal.dlms.objects.model import load_model
from bahal.dlms.objects.serving import Answers, Keys
from bahal.dlms.objects.stored import StoredMeter
from bahal.dlms.quirks import STANDARD, Quirks, quirks_of
from bahal.entry.verbs import probe
from bahal.fleet.roster import RosterRow
from bahal.shared.errors import Refusal

APP = typer.Typer()
probe.add_to(APP)

EK = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90")
AK = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
HLS_KEY = bytes.fromhex("5566778899aabbccddeeff0011223344")
PASSWORD = b"s3cret-of-LLS"
METER_TITLE = b"XYZ\x00\x00\x12\x34\x56"

STRANGE = """
version = "strange"

[[object]]
class = 15
version = 1
ln = "0.0.40.0.0.255"
name = "association"
en = "Association"
hi = "संबंध"
read = [16, 32, 48]

[[object]]
class = 1
ln = "0.0.43.1.3.255"
name = "counter"
en = "Counter"
hi = "काउंटर"
type = "double-long-unsigned"
read = [16, 48]

[[object]]
class = 1
ln = "0.0.128.0.7.255"
name = "words"
en = "Words"
hi = "शब्द"
type = "octet-string"
read = [16, 32, 48]

[[object]]
class = 1
ln = "0.0.96.128.0.255"
name = "mode"
en = "Mode"
hi = "विधि"
type = "unsigned"
read = [48]
write = { "2" = [48] }

[[object]]
class = 3
ln = "1.0.31.7.0.255"
name = "current_r"
en = "Current R"
hi = "धारा R"
type = "long-unsigned"
scaler = [-2, 33]
read = [16, 32, 48]
act = { "1" = [48] }

[[object]]
class = 8
ln = "0.0.1.0.0.255"
name = "clock"
en = "Clock"
hi = "घड़ी"
read = [16, 32, 48]

[[object]]
class = 7
ln = "1.0.99.128.0.255"
name = "load"
en = "Load"
hi = "लोड"
columns = ["clock", "current_r", "mode"]
read = [16, 32, 48]
period = 900
depth = 200
"""
ANSWERS = Answers(load_model(STRANGE), zone=UTC)
BEGIN = datetime(2025, 11, 24, tzinfo=UTC)


class Told(NamedTuple):
    """How a probe ended: what it printed, and the refusal that it raised."""

    out: str
    err: str
    refusal: Refusal | None

    @property
    def data(self) -> Any:
        """The one JSON object that was printed."""
        assert self.refusal is None, self.refusal
        return json.loads(self.out)


def ask(address: str, *words: str) -> Told:
    """Run it; any failure but a refusal is the test's."""
    done = CliRunner().invoke(APP, [address, *words])
    if done.exception is not None and not isinstance(done.exception, Refusal | SystemExit):
        raise done.exception
    refusal = done.exception if isinstance(done.exception, Refusal) else None
    if isinstance(done.exception, SystemExit):
        assert done.exception.code == 0, done.output
    return Told(done.stdout, done.stderr, refusal)


def address_of(row: RosterRow, port: int) -> str:
    """Where a meter of the fleet listens."""
    return f"{IPv4Address(row.host)}:{port}"


def file_of(folder: Path, row: RosterRow, sap: int, **changed: object) -> Path:
    """The ten lines for a meter of the fleet."""
    lines: dict[str, object] = {"client": sap, "title": "42484C0000000001", "make": row.make}
    if sap == 32:
        lines |= {"mechanism": "lls", "security": 0x20, "password_hex": row.mr_lls.hex(), "ek": row.mr_ek.hex()}
    else:
        lines |= {"mechanism": "hls", "security": 0x30, "ek": row.us_ek.hex(), "ak": row.us_ak.hex()}
        if quirks_of(row.make).hls_mechanism == 2:
            lines["hls_key"] = row.us_hls.hex()
    return write(folder / f"{row.meter}-{sap}.toml", lines | changed)


def strange_file(folder: Path, **changed: object) -> Path:
    """The lines for the strange meter: HLS 5, authenticated and encrypted."""
    lines: dict[str, object] = {
        "client": 48, "title": "42484C0000000002", "mechanism": "hls5", "security": 0x30,
        "ek": EK.hex(), "ak": AK.hex(),
    }  # fmt: skip
    return write(folder / "strange.toml", lines | changed)


def write(path: Path, lines: dict[str, object]) -> Path:
    """A TOML file of plain values; None leaves a key out, a dictionary is a table."""
    plain = {key: value for key, value in lines.items() if value is not None and not isinstance(value, dict)}
    tables = {key: value for key, value in lines.items() if isinstance(value, dict)}
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in plain.items())
    for name, table in tables.items():
        text += f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
    path.write_text(text)
    return path


def _toml(value: object) -> str:
    return json.dumps(value)


class StrangeMeter:
    """A meter of no known make, with objects that the catalogue does not know, on a socket of its own.

    `bent` changes each reply, or hangs up instead (None); `answer` replies in the meter's place.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        quirks: Quirks = STANDARD,
        control: int = 0x30,
        max_pdu: int = 1024,
        counter: int = 41,
        framing: Callable[[], ServerFraming] | None = None,
        bent: Callable[[bytes], bytes | None] = lambda reply: reply,
        answer: Callable[[bytes], bytes] | None = None,
    ) -> None:
        keys = Keys(EK, AK, HLS_KEY)
        self.meter = StoredMeter(
            system_title=METER_TITLE,
            keys={48: keys, 32: Keys(EK, bytes(16), PASSWORD)},
            quirks=quirks,
            values={
                ("counter", 2): counter,
                ("words", 2): b"key " + EK + b" end",
                ("mode", 2): 3,
                ("current_r", 2): 512,
                ("clock", 2): clock.encode(BEGIN),
            },
            rows={"load": [(clock.encode(BEGIN + timedelta(minutes=15 * n)), 500 + n, n % 7) for n in range(120)]},
        )
        self.received: list[bytes] = []
        self._make = lambda: ServerAssociation(
            self.meter,
            answers=ANSWERS,
            framing=framing() if framing else None,
            max_pdu=max_pdu,
            controls={16: 0, 32: 0x20, 48: control},
        )
        self._bent = bent
        self._answer = answer
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        port = self._listener.getsockname()[1]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        association = self._make()
        connection.settimeout(20)
        while True:
            try:
                received = connection.recv(65536)
            except OSError:
                return
            if not received:
                return
            self.received.append(received)
            try:
                reply = self._answer(received) if self._answer else association.receive(received)
            except DlmsError:
                reply = association.last_words
                connection.sendall(reply)
                return
            bent = self._bent(reply)
            if bent is None:
                return
            connection.sendall(bent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)
