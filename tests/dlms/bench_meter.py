"""A meter on the bench: five objects in a dictionary, wired to our client without a socket."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bahal.dlms import apdu, axdr, clock
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Opened
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.framing import Framing, ServerFraming
from bahal.dlms.objects.model import load_model
from bahal.dlms.objects.serving import Answers, Keys, Origin
from bahal.dlms.objects.stored import UTC, StoredMeter
from bahal.dlms.quirks import STANDARD, Quirks
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import Deframer
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE, SECRET

OBJECTS = """
version = "bench"

[[object]]
class = 1
ln = "0.0.96.1.0.255"
name = "note"
en = "A note of any length"
hi = "टिप्पणी"
type = "octet-string"
read = [16, 32, 48]
write = { "2" = [16, 48] }

[[object]]
class = 1
ln = "0.0.96.1.1.255"
name = "number"
en = "A number"
hi = "संख्या"
type = "double-long-unsigned"
read = [16, 32, 48]
write = { "2" = [16, 48] }

[[object]]
class = 3
ln = "1.0.1.8.0.255"
name = "energy"
en = "Energy"
hi = "ऊर्जा"
type = "double-long-unsigned"
scaler = [0, 30]
read = [16, 32, 48]
act = { "1" = [16, 48] }

[[object]]
class = 8
ln = "0.0.1.0.0.255"
name = "clock"
en = "Clock"
hi = "घड़ी"
read = [16, 32, 48]

[[object]]
class = 7
ln = "1.0.99.1.0.255"
name = "load"
en = "Load profile"
hi = "लोड प्रोफ़ाइल"
read = [16, 32, 48]
columns = ["clock", "energy"]
period = 1800
depth = 500
"""
ANSWERS = Answers(load_model(OBJECTS), zone=UTC)
NOTE, NUMBER, ENERGY, LOAD = (ANSWERS.model[name].ln for name in ("note", "number", "energy", "load"))


class Bench:
    """A meter and one client on it.

    :param sap: 16 without protection, 32 encrypted with a password, 48 with HLS.
    :param control: what the client's association asks for; the usual protection of the SAP by default.
    """

    def __init__(
        self,
        *,
        sap: int = 48,
        control: int | None = None,
        quirks: Quirks = STANDARD,
        meter_pdu: int = 1024,
        client_pdu: int = 1024,
        dedicated_key: bytes = b"",
        framings: Callable[[], tuple[Framing | None, ServerFraming | None]] = lambda: (None, None),
    ) -> None:
        keys = {
            32: Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET),
            48: Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET),
        }
        self.acted: list[tuple[axdr.Value, Origin]] = []
        self.returned: int | apdu.Acted = apdu.SUCCESS
        self.meter = StoredMeter(
            system_title=METER_TITLE,
            keys=keys,
            quirks=quirks,
            values={
                ("note", 2): b"short",
                ("number", 2): 7,
                ("energy", 2): 1_234_567,
                ("clock", 2): moment(0),
            },
            rows={"load": [(moment(n), 1000 + n) for n in range(300)]},
            methods={("energy", 1): self._reset},
        )
        usual = {16: 0, 32: 0x20, 48: 0x30}
        control = usual[sap] if control is None else control
        ours, theirs = framings()
        self.server = ServerAssociation(
            self.meter, answers=ANSWERS, max_pdu=meter_pdu, framing=theirs, controls=usual | {sap: control}
        )
        self.client = ClientAssociation(
            client_sap=sap,
            mechanism={16: 0, 32: 1, 48: quirks.hls_mechanism}[sap],
            security_control=control,
            system_title=CLIENT_TITLE if sap > 16 else b"",
            cipher=Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY) if sap > 16 else None,
            secret=SECRET,
            counter=1,
            counter_end=1_000_000,
            max_pdu=client_pdu,
            quirks=quirks,
            dedicated_key=dedicated_key,
            framing=ours,
        )
        self.requests: list[bytes] = []
        self.replies: list[bytes] = []

    def _reset(self, parameter: axdr.Value, origin: Origin) -> int | apdu.Acted:
        self.acted.append((parameter, origin))
        return self.returned

    def say(self, out: bytes) -> Event:
        """Send one request and pass on what it entails; returns the one event that comes of it."""
        events: list[Event] = []
        while out:
            self.requests.append(out)
            reply = self.server.receive(out)
            self.replies.append(reply)
            events += self.client.receive(reply)
            out = self.client.outgoing()
        (event,) = events
        return event

    def open(self) -> "Bench":
        """Associate."""
        assert isinstance(self.say(self.client.open()), Opened)
        self.requests.clear()
        self.replies.clear()
        return self


def moment(n: int) -> bytes:
    """The n-th half hour of 24 November 2025 and after, in UTC."""
    return clock.encode(datetime(2025, 11, 24, tzinfo=UTC) + timedelta(minutes=30 * n))


def apdus(stream: list[bytes]) -> list[bytes]:
    """The APDUs in wrapper frames."""
    found: list[bytes] = []
    for data in stream:
        found += [message for _, _, message in Deframer().feed(data)]
    return found
