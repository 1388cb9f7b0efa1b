"""The meters of the matrix: our fleet, our stand, and a peer's meter; each can say what it must have answered."""

from __future__ import annotations

import contextlib
import csv
import ipaddress
import json
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from bahal.dlms import apdu, axdr, india, push, security
from bahal.dlms.association.server import CONTROL, ServerAssociation
from bahal.dlms.errors import DlmsError
from bahal.dlms.hdlc import HdlcServer
from bahal.dlms.objects.classes import CLASSES
from bahal.dlms.objects.model import CosemObject, ObjectModel, obis
from bahal.dlms.objects.serving import Answers, Origin
from bahal.dlms.quirks import Quirks, registry
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import HEADER_LENGTH
from bahal.fleet.circle import Circle
from bahal.fleet.faults import Behaviour
from bahal.fleet.meter import SimulatedMeter
from bahal.fleet.movements import MovementLog
from bahal.fleet.registers import twelve_bytes
from bahal.fleet.roster import COLUMNS, LINK_COLUMNS, MASTER_KEY_COLUMN, RosterRow, invent, read_roster
from bahal.fleet.store import MeterColumns
from bahal.shared.clock import WallClock
from interop.ours import COUNTERS, OurClient, encode, plain, selection
from interop.peer import Driver
from interop.rows import WRONG_KEY, WRONG_PASSWORD, Row

CLIENT_TITLE: Final = "5045455200000001"
MAX_PDU: Final = 512
"""Longest APDU that every client takes here: small enough that an object list comes in blocks."""

FLAGS: Final = b"A\x7e\x7eB\x7e\x7e\x7eC"
"""What the note holds before anybody writes it: the flag of HDLC, next to itself."""

NOTE_LN: Final = "0.0.96.50.0.255"
_METERS: Final = 24
_SEED: Final = 7
_DEADLINE_S: Final = 20.0
_WRONG: Final = bytes(16).hex()

_FLEET: Final = """
import sys
from pathlib import Path
from bahal.fleet.main import run
folder = Path(sys.argv[1])
sys.exit(run(folder / "roster.csv", "0.0.0.0:0", folder / "fleet.jsonl", push_to=sys.argv[2],
             admin_path=folder / "fleet.sock"))
"""


class Meter(Protocol):
    """The meter's end of one row."""

    def settings(self) -> dict[str, Any]:
        """What a client is told to reach it: host, port, keys, counter. New counters with every call."""
        ...

    def truth(self, target: Mapping[str, Any]) -> Any:
        """What a GET must bring, as the contract writes values."""
        ...

    def moved(self) -> list[str]:
        """What its relay did since the row began, by its own account: `off` and `on`."""
        ...

    def keyed(self) -> Any:
        """The key that the last key transfer brought, wrapped; None where the meter does not tell."""
        ...


def base_settings(row: Row, meter: RosterRow) -> dict[str, Any]:
    """A client's settings for one meter of a roster, by what the row says."""
    wrong = row.note == WRONG_KEY
    reading = row.sap == 32
    secret = b"" if row.sap == 16 else meter.mr_lls if reading else meter.us_hls
    if row.note == WRONG_PASSWORD:
        secret = secret[::-1]
    encryption = meter.mr_ek if reading else meter.us_ek
    return {
        "framing": row.framing,
        "sap": row.sap,
        "mechanism": row.mechanism,
        "control": row.control,
        "form": row.form,
        "challenge": row.challenge,
        "max_pdu": MAX_PDU,
        "title": CLIENT_TITLE,
        "meter_title": meter.system_title.hex(),
        "encryption_key": _WRONG if wrong else encryption.hex(),
        "authentication_key": bytes(16).hex() if reading else meter.us_ak.hex(),
        "secret": secret.hex(),
    }


class Counters:
    """The clients' invocation counters: each association takes a range that no other has."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def take(self, meter: str, sap: int) -> int:
        """The first counter of a new range."""
        first = self._next.get((meter, sap), 1)
        self._next[meter, sap] = first + COUNTERS
        return first


# --- our meters -------------------------------------------------------------------------------------------------------


class StandMeter(SimulatedMeter):
    """A fleet's meter with something long to write, and with the mechanism that a row asks for."""

    __slots__ = ("_stand",)

    def __init__(self, circle: Circle, row: int, stand: Stand) -> None:
        super().__init__(circle, row)
        self._stand = stand
        self.quirks = Quirks(hls_mechanism=2 if stand.row.mechanism == 2 else 5)

    def value(self, name: str, attribute: int) -> Any:
        """The note is kept here; everything else is the meter's own."""
        return self._stand.note if name == "note" else super().value(name, attribute)

    def write(self, name: str, attribute: int, value: axdr.Value, origin: Origin) -> int:
        """Likewise."""
        if name == "note" and isinstance(value, bytes):
            self._stand.note = value
            return apdu.SUCCESS
        return super().write(name, attribute, value, origin)


def stand_answers() -> Answers:
    """The single-phase model and a note of any length."""
    note = CosemObject(
        interface=CLASSES[1],
        version=0,
        ln=obis(NOTE_LN),
        name="note",
        en="Note",
        hi="टिप्पणी",
        read=frozenset((32, 48)),
        write={2: frozenset((48,))},
        type="octet-string",
    )
    model = india.single_phase()
    return Answers(ObjectModel(version=model.version, objects=[*model, note]), zone=india.IST)


class Stand:
    """Our server over what the fleet does not offer: HDLC, and protections that IS 15959 gives no client.

    One meter of the fleet behind one listening socket of 127.0.0.1; `row` says how it is to be spoken to.
    """

    def __init__(self, meter: RosterRow, folder: Path, counters: Counters) -> None:
        self.meter = meter
        self.row = Row(peer="", role="client", at="stand")
        self.note = FLAGS
        self.tape: list[str] = []
        self.answers = stand_answers()
        self._counters = counters
        self._log = folder / "stand.jsonl"
        self._circle = Circle(
            columns=MeterColumns([meter], first_counter=1),
            clock=WallClock(),
            log=MovementLog(self._log),
            behaviour=Behaviour(),
        )
        self._seen = 0
        stand = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                stand.serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def begin(self, row: Row) -> None:
        """From now on its meter is spoken to as the row says."""
        self.row = row
        self.note = FLAGS
        self._seen = len(self._movements())

    def serve(self, link: socket.socket) -> None:
        """One connection to its end."""
        row = self.row
        self.tape = []
        association = ServerAssociation(
            StandMeter(self._circle, 0, self),
            answers=self.answers,
            controls={**CONTROL, row.sap: row.control},
            framing=HdlcServer() if row.framing == "hdlc" else None,
        )
        with contextlib.suppress(OSError):
            while received := link.recv(65536):
                self.tape.append(f"> {received.hex()}")
                try:
                    reply = association.receive(received)
                except DlmsError as error:
                    self.tape.append(f"! {error}")
                    link.sendall(association.last_words)
                    return
                self.tape.append(f"< {reply.hex()}")
                link.sendall(reply)

    def settings(self) -> dict[str, Any]:
        """As `Meter.settings`."""
        counter = self._counters.take("stand", self.row.sap)
        where = {"host": "127.0.0.1", "port": self._server.server_address[1], "counter": counter}
        return base_settings(self.row, self.meter) | where

    def truth(self, target: Mapping[str, Any]) -> Any:
        """As the meter itself would answer its own client."""
        return read_here(self.answers, StandMeter(self._circle, 0, self), self.row.sap, target)

    def moved(self) -> list[str]:
        """By the log of movements."""
        return [each["relay"] for each in self._movements()[self._seen :]]

    def keyed(self) -> Any:
        """Not told: a wrong one would have been refused."""
        return None

    def _movements(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def notification(self, control: int) -> tuple[str, Any]:
        """A push of its meter, sealed by us, and what it says."""
        meter = StandMeter(self._circle, 0, self)
        body = self.answers.push_body("push_alert", meter)
        stamp = twelve_bytes(meter.now)
        if not control:
            return apdu.data_notification(1, stamp, body).hex(), plain(axdr.decode(body))
        sealed = push.seal_notification(
            cipher=Cipher(self.meter.us_ek, self.meter.us_ak),
            system_title=self.meter.system_title,
            counter=9,
            body=body,
            clock=stamp,
            invoke=1,
            security_control=control,
        )
        return sealed.hex(), plain(axdr.decode(body))

    def end(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def read_here(answers: Answers, meter: SimulatedMeter, sap: int, target: Mapping[str, Any]) -> Any:
    """What a server answers, without any bytes on a line."""
    wanted = target["class"].to_bytes(2, "big") + obis(target["ln"]) + bytes((target["attribute"],))
    chosen = selection(target.get("selection"))
    answer = answers.read(wanted, meter, sap) if chosen is None else answers.select(wanted, chosen, meter, sap)
    return answer if isinstance(answer, int) else plain(axdr.decode(answer))


class Fleet:
    """The product's fleet in a process of its own, and the socket that its alerts are pushed to."""

    def __init__(self, folder: Path, counters: Counters) -> None:
        roster = folder / "roster.csv"
        makes = [(make.name, make.flag.encode()) for make in registry().values()]
        with roster.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, (*COLUMNS, *LINK_COLUMNS, MASTER_KEY_COLUMN))
            writer.writeheader()
            for row in invent(count=_METERS, seed=_SEED, port=0, makes=makes):
                writer.writerow(row | {MASTER_KEY_COLUMN: _KEYS["mk"].hex()})
        self.meters = list(read_roster(roster))
        self.row = Row(peer="", role="client", at="fleet")
        self._folder = folder
        self._counters = counters
        self._seen = 0
        self._pushes = socket.create_server(("127.0.0.1", 0))
        self._pushes.settimeout(_DEADLINE_S)
        there = f"127.0.0.1:{self._pushes.getsockname()[1]}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FLEET, str(folder), there], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self.port = json.loads(self._process.stdout.readline())["port"]
        self._own = OurClient()

    def begin(self, row: Row) -> None:
        """From now on speak of a meter of the row's make."""
        self.row = row
        self._seen = len(self._movements())

    @property
    def meter(self) -> RosterRow:
        """The first meter of the row's make."""
        return next(meter for meter in self.meters if meter.make == self.row.make)

    def settings(self) -> dict[str, Any]:
        """As `Meter.settings`."""
        return self._settings(self.row)

    def _settings(self, row: Row) -> dict[str, Any]:
        where = {
            "host": str(ipaddress.IPv4Address(self.meter.host)),
            "port": self.port,
            "counter": self._counters.take(self.meter.meter, row.sap),
        }
        return base_settings(row, self.meter) | where

    def truth(self, target: Mapping[str, Any]) -> Any:
        """What our own client reads; the object list as the model has it, since each client has its own."""
        if target["class"] == 15:
            return read_here(india.single_phase_answers(), None, self.row.sap, target)  # type: ignore[arg-type]
        # Not as the client of the row, whose counter would then be too low for the meter.
        how = (5, 0x30) if self.row.sap == 32 else (1, 0x20)
        own = Row(peer="", role="client", at="fleet", mechanism=how[0], control=how[1], form="glo", make=self.row.make)
        opened = self._own.ask("open", **self._settings(own))
        assert "ok" in opened, opened
        answer = self._own.ask("get", **target)
        self._own.ask("release")
        return answer["ok"]

    def moved(self) -> list[str]:
        """By the fleet's log."""
        return [each["relay"] for each in self._movements()[self._seen :] if each["meter"] == self.meter.meter]

    def keyed(self) -> Any:
        """Not told: a wrong one would have been refused."""
        return None

    def _movements(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "fleet.jsonl").read_text().splitlines()]

    def notification(self) -> tuple[str, Any]:
        """An alert as the fleet pushes it when a meter cuts itself off, and what our own head-end reads in it."""
        self._admin("trip_limiter")
        link, _ = self._pushes.accept()
        frame = b""
        with link:
            link.settimeout(_DEADLINE_S)
            while received := link.recv(4096):
                frame += received
        self._admin("press_button")
        self._pushes.accept()[0].close()
        sealed = frame[HEADER_LENGTH:]
        opened = push.open_notification(
            sealed, Cipher(self.meter.push_ek, bytes(16)), -1, security_control=security.ENCRYPTED
        )
        return sealed.hex(), plain(axdr.decode(opened.notification.body))

    def _admin(self, do: str) -> None:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(_DEADLINE_S)
            door.connect(str(self._folder / "fleet.sock"))
            door.sendall(json.dumps({"do": do, "meter": self.meter.meter}).encode() + b"\n")
            answer = json.loads(door.makefile().readline())
        assert answer["ok"], answer

    def end(self) -> None:
        """End the process."""
        self._own.end()
        self._process.terminate()
        self._process.communicate(timeout=_DEADLINE_S)
        self._pushes.close()


# --- a peer's meter ---------------------------------------------------------------------------------------------------

_STAMPS: Final = [datetime(2026, 11, 23, hour, 30 * half, tzinfo=india.IST) for hour in range(24) for half in (0, 1)]
_KEYS: Final[dict[str, bytes]] = {
    "mr_ek": bytes(range(0x40, 0x50)),
    "us_ek": bytes(range(16)),
    "us_ak": bytes(range(0xD0, 0xE0)),
    "us_hls": bytes(range(0x20, 0x30)),
    "mk": bytes(range(0x70, 0x80)),
}
PEER_ROW: Final = RosterRow(
    meter="PEER0001",
    make="peer",
    system_title=bytes.fromhex("4755580000000001"),
    host=int(ipaddress.IPv4Address("127.0.0.1")),
    port=0,
    cell="",
    phase=1,
    mr_lls=b"chhattis",
    push_ek=bytes(16),
    mr_ek=_KEYS["mr_ek"],
    us_ek=_KEYS["us_ek"],
    us_ak=_KEYS["us_ak"],
    us_hls=_KEYS["us_hls"],
    mk=_KEYS["mk"],
)


def _stamp(at: datetime) -> list[Any]:
    return ["octets", twelve_bytes(int(at.timestamp())).hex()]


def _captured(kind: int, ln: str) -> list[Any]:
    return ["structure", [["uint16", kind], ["octets", obis(ln).hex()], ["int8", 2], ["uint16", 0]]]


def _interval(at: datetime, number: int) -> list[Any]:
    return ["structure", [_stamp(at), ["uint32", 1_000 + number]]]


_INTERVALS: Final = ["array", [_interval(at, number) for number, at in enumerate(_STAMPS)]]
_CAPTURED: Final = ["array", [_captured(8, "0.0.1.0.0.255"), _captured(3, "1.0.1.8.0.255")]]

OBJECTS: Final[list[tuple[int, str, dict[int, Any]]]] = [
    (1, "0.0.96.1.0.255", {2: ["text", "PEER0001"]}),
    (1, "0.0.96.1.1.255", {2: ["text", "Peer"]}),
    (8, "0.0.1.0.0.255", {2: _stamp(_STAMPS[0])}),
    (3, "1.0.1.8.0.255", {2: ["uint32", 1_234_567], 3: ["structure", [["int8", 0], ["enum", 30]]]}),
    (71, "0.0.17.0.0.255", {4: ["uint32", 5_000]}),
    (70, "0.0.96.3.10.255", {2: ["boolean", True], 3: ["enum", 1], 4: ["enum", 4]}),
    (64, "0.0.43.0.3.255", {3: ["enum", 0]}),
    (1, NOTE_LN, {2: ["octets", FLAGS.hex()]}),
    (7, "1.0.99.1.0.255", {2: _INTERVALS, 3: _CAPTURED, 4: ["uint32", 1_800]}),
    (7, "1.0.99.2.0.255", {2: _INTERVALS, 3: _CAPTURED, 4: ["uint32", 1_800]}),
]
"""What every peer's meter is asked to hold, in the words of the contract: class, logical name, attributes."""


_NEWS: Final = ["structure", [["octets", b"PEER0001".hex()], ["octets", obis("0.0.25.9.0.255").hex()], ["uint32", 7]]]
"""What a peer's meter pushes: its name, the push setup, and a number."""


class PeerMeter:
    """A peer's meter with `OBJECTS`; it listens anew for each row."""

    def __init__(self, driver: Driver, row: Row) -> None:
        """:raises RuntimeError: it does not listen."""
        self._driver = driver
        self._row = row
        self._right = Row(
            peer=row.peer, role="meter", at="peer", mechanism=row.mechanism, control=row.control, form=row.form
        )
        asked = base_settings(self._right, PEER_ROW) | {"framing": row.framing}
        answer = driver.ask("listen", **asked, objects=OBJECTS)
        if "ok" not in answer:
            raise RuntimeError(f"it does not listen: {answer}")
        self._port = answer["ok"]["port"]
        self._counter = 1

    def settings(self) -> dict[str, Any]:
        """As `Meter.settings`."""
        self._counter += COUNTERS
        return base_settings(self._row, PEER_ROW) | {
            "host": "127.0.0.1",
            "port": self._port,
            "counter": self._counter,
        }

    def truth(self, target: Mapping[str, Any]) -> Any:
        """By `OBJECTS`; of the object list, which the peer makes, only that each of them stands in it can be said."""
        found = next(each for kind, ln, each in OBJECTS if (kind, ln) == (target["class"], target["ln"]))
        value = found[target["attribute"]]
        return self._chosen(value[1], target["selection"]) if "selection" in target else self._plain(value)

    def _chosen(self, intervals: list[Any], chosen: list[Any]) -> Any:
        kind, first, last = chosen
        if kind == "entry":
            return [self._plain(each) for each in intervals[first - 1 : last]]
        low, high = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return [self._plain(each) for each, at in zip(intervals, _STAMPS, strict=True) if low <= at <= high]

    def _plain(self, value: list[Any]) -> Any:
        return value[1] if value[0] == "text" else plain(axdr.decode(encode(*value)))

    def moved(self) -> list[str]:
        """By the driver's account."""
        moved: list[str] = self._driver.ask("told")["ok"]["moved"]
        return moved

    def push(self) -> tuple[list[Any], str]:
        """Make it push; what the body says, and the moment in it, both as the contract writes them."""
        return _NEWS, _stamp(_STAMPS[0])[1]

    def keyed(self) -> Any:
        """What its method was called with."""
        asked = self._driver.ask("told")["ok"]["asked"]
        return asked[-1] if asked else None


def key_transfer(meter: RosterRow) -> list[Any]:
    """The parameter that gives a meter the key it has, wrapped by its master key."""
    wrapped = security.wrap_key(meter.mk, meter.us_ek)
    return ["array", [["structure", [["enum", 0], ["octets", wrapped.hex()]]]]]
