"""A small circle in memory, and a client wired to one of its meters without a socket."""

from datetime import UTC, datetime
from pathlib import Path

from bahal.dlms import india, security, wrapper
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.framing import Framing
from bahal.dlms.quirks import Quirks, registry
from bahal.dlms.security import Cipher
from bahal.fleet.circle import Circle
from bahal.fleet.faults import Behaviour
from bahal.fleet.movements import MovementLog
from bahal.fleet.roster import RosterRow, invent, read_roster, write_roster
from bahal.fleet.store import MeterColumns

CLIENT_TITLE = b"BHL\x00\x00\x00\x00\x01"
MONDAY = datetime(2025, 11, 24, 4, 30, tzinfo=UTC)
FIRST_COUNTER = 1000


class StandingClock:
    """Business and wall time that move only when told to."""

    def __init__(self, at: datetime = MONDAY) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at


def roster(folder: Path, *, count: int = 12, seed: int = 7, port: int = 0) -> list[RosterRow]:
    """An invented roster, written and read back."""
    path = folder / "roster.csv"
    pairs = [(make.name, make.flag.encode()) for make in registry().values()]
    write_roster(path, invent(count=count, seed=seed, port=port, makes=pairs))
    return list(read_roster(path))


def circle_of(rows: list[RosterRow], folder: Path, clock: StandingClock | None = None) -> Circle:
    """A circle of these meters that logs into the folder."""
    return Circle(
        columns=MeterColumns(rows, first_counter=FIRST_COUNTER),
        clock=clock or StandingClock(),
        log=MovementLog(folder / "fleet.jsonl"),
        behaviour=Behaviour(),
    )


def client_of(
    row: RosterRow, sap: int, quirks: Quirks, *, counter: int = 1, framing: Framing | None = None
) -> ClientAssociation:
    """The client that a meter of this make and SAP expects."""
    if sap == 16:
        return ClientAssociation(client_sap=16, mechanism=0, security_control=0, quirks=quirks, framing=framing)
    reading = sap == 32
    return ClientAssociation(
        client_sap=sap,
        mechanism=1 if reading else quirks.hls_mechanism,
        security_control=0x20 if reading else 0x30,
        system_title=CLIENT_TITLE,
        meter_title=row.system_title,
        cipher=Cipher(row.mr_ek, bytes(16)) if reading else Cipher(row.us_ek, row.us_ak),
        secret=row.mr_lls if reading else row.us_hls,
        counter=counter,
        counter_end=counter + 100_000,
        quirks=quirks,
        framing=framing,
    )


class NullModem:
    """A client and a meter's server, wired to each other."""

    def __init__(self, circle: Circle, row: RosterRow, number: int, sap: int, *, counter: int = 1) -> None:
        self.meter = circle.meter(number)
        self.server = ServerAssociation(self.meter, answers=india.single_phase_answers())
        self.client = client_of(row, sap, self.meter.quirks, counter=counter)
        self.sent: list[bytes] = []
        self.round_trips = 0

    def say(self, out: bytes) -> Event:
        """Send one request and pass on what it entails; returns the last event."""
        events: list[Event] = []
        while out:
            self.sent.append(out)
            self.round_trips += 1
            events += self.client.receive(self.server.receive(out))
            out = self.client.outgoing()
        return events[-1]

    def open(self) -> "NullModem":
        """Associate."""
        self.say(self.client.open())
        return self

    def get(self, name: str, attribute: int = 2, selection: bytes | None = None) -> Event:
        """GET by the model's name."""
        found = india.single_phase()[name]
        return self.say(self.client.get(found.interface.id, found.ln, attribute, selection))

    def set(self, name: str, attribute: int, data: bytes) -> Event:
        """SET by the model's name."""
        found = india.single_phase()[name]
        return self.say(self.client.set(found.interface.id, found.ln, attribute, data))

    def act(self, name: str, method: int, data: bytes | None = b"\x0f\x00") -> Event:
        """ACTION by the model's name."""
        found = india.single_phase()[name]
        return self.say(self.client.action(found.interface.id, found.ln, method, data))


def number_of(rows: list[RosterRow], make: str) -> int:
    """The first meter of a make."""
    return next(n for n, row in enumerate(rows) if row.make == make)


def modem(circle: Circle, rows: list[RosterRow], *, make: str = "arpa", sap: int = 48, counter: int = 1) -> NullModem:
    n = number_of(rows, make)
    return NullModem(circle, rows[n], n, sap, counter=counter)


def sealed(row: RosterRow, sap: int, counter: int, plain: bytes) -> bytes:
    """A request as that client would cipher and frame it, at any counter."""
    cipher, control = (Cipher(row.mr_ek, bytes(16)), 0x20) if sap == 32 else (Cipher(row.us_ek, row.us_ak), 0x30)
    content = cipher.seal(control, CLIENT_TITLE, counter, plain)
    return wrapper.frame(sap, 1, security.wrap(security.GLO[plain[0]], content))
