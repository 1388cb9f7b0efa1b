"""Our client on meters put together from the codecs of two peers; what moved is asked of both sides."""

import importlib.util
from datetime import UTC, datetime

import pytest

from bahal.dlms import clock, india
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Got, Opened, Refused, Released
from bahal.dlms.association.states import State
from bahal.dlms.errors import BadTag
from bahal.dlms.objects.model import obis
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from tests.interop.running import HungUp, Line, PeerMeter

needs_peers = pytest.mark.needs("peers")

OUR_TITLE = b"BHL\x00\x00\x00\x00\x01"
METER_TITLE = "4755580000000001"
FIRST_COUNTER = 5
CLOCK_TOLERANCE_S = 120


def test_no_peer_in_our_own_environment() -> None:
    """Neither the product nor its tests can import a peer."""
    assert importlib.util.find_spec("dlms_cosem") is None
    assert importlib.util.find_spec("gurux_dlms") is None
    assert importlib.util.find_spec("pydlms") is None


# --- our client, their meter -----------------------------------------------------------------------------------------

KEYS = {
    "title": METER_TITLE,
    "encryption_key": bytes(range(16)).hex(),
    "authentication_key": bytes(range(0xD0, 0xE0)).hex(),
    "secret": bytes(range(0x20, 0x30)).hex(),
    "reading_key": bytes(range(0x40, 0x50)).hex(),
    "password": b"chhattis".hex(),
}
ENERGY_WH = 1_234_567
SERIAL_NUMBER = "PEER0001"
SERIAL, ENERGY, RELAY = obis("0.0.96.1.0.255"), india.ENERGY_IMPORT_LN, india.RELAY_LN
DISCONNECT, RECONNECT = 1, 2
GURUX_METER = ("gurux-dlms", "meter.py")
COSEM_METER = ("dlms-cosem", "meter.py")
INTEGER_ZERO = b"\x0f\x00"


def key(name: str) -> bytes:
    """One of the keys of their meter."""
    return bytes.fromhex(KEYS[name])


def peer_meter(peer: tuple[str, str] = GURUX_METER, *, mechanism: int = 5) -> PeerMeter:
    """Their meter with these keys."""
    return PeerMeter(*peer, **KEYS, mechanism=mechanism, energy_wh=ENERGY_WH, serial=SERIAL_NUMBER)


def setting_client(
    mechanism: int = 5, *, general: bool = False, encryption_key: bytes = b"", authentication_key: bytes = b""
) -> ClientAssociation:
    """Our client that may act on it."""
    return ClientAssociation(
        client_sap=48,
        mechanism=mechanism,
        security_control=0x30,
        system_title=OUR_TITLE,
        meter_title=key("title"),
        cipher=Cipher(encryption_key or key("encryption_key"), authentication_key or key("authentication_key")),
        secret=key("secret"),
        counter=FIRST_COUNTER,
        counter_end=FIRST_COUNTER + 100,
        quirks=Quirks(general_ciphering=general),
    )


def value(line: Line, class_id: int, name: bytes, attribute: int = 2) -> object:
    """GET, decoded."""
    event = line.say(line.client.get(class_id, name, attribute))
    assert isinstance(event, Got)
    return event.value


def move(line: Line, method: int) -> None:
    """ACTION on the relay; it must succeed."""
    event = line.say(line.client.action(70, RELAY, method, INTEGER_ZERO))
    assert isinstance(event, ActionDone)
    assert event.result == 0


def release(line: Line) -> None:
    """RLRQ; it must be answered in good form."""
    event = line.say(line.client.release())
    assert isinstance(event, Released)
    assert event.clean


def obey(meter: PeerMeter, client: ClientAssociation) -> None:
    """Open the relay and close it, read back each time, and compare with what the meter says it did."""
    with Line(meter.port, client) as line:
        opened = line.say(client.open())
        assert isinstance(opened, Opened)
        assert opened.meter_title == key("title")
        assert value(line, 3, ENERGY) == ENERGY_WH
        assert value(line, 70, RELAY) is True
        move(line, DISCONNECT)
        assert value(line, 70, RELAY) is False
        move(line, RECONNECT)
        assert value(line, 70, RELAY) is True
        release(line)
    (off, on), _ = meter.end()
    assert (off["relay"], off["sap"]) == ("off", 48)
    assert (on["relay"], on["sap"]) == ("on", 48)
    assert FIRST_COUNTER < off["counter"] < on["counter"] < client.counter


@needs_peers
@pytest.mark.parametrize(
    ("peer", "mechanism", "general"),
    [(GURUX_METER, 5, False), (GURUX_METER, 5, True), (GURUX_METER, 2, False), (COSEM_METER, 5, True)],
    ids=["gurux-hls5-glo", "gurux-hls5-general-glo", "gurux-hls2-glo", "dlms-cosem-hls5-general-glo"],
)
def test_our_client_reads_and_moves_an_independent_meter(peer: tuple[str, str], mechanism: int, general: bool) -> None:
    """HLS, authenticated and encrypted: the meter's relay does what we order, by its own account."""
    with peer_meter(peer, mechanism=mechanism) as meter:
        obey(meter, setting_client(mechanism, general=general))


@needs_peers
def test_our_public_client_reads_an_independent_meter() -> None:
    """No keys: the nameplate and the clock, and nothing more."""
    client = ClientAssociation(client_sap=16, mechanism=0, security_control=0)
    with peer_meter() as meter, Line(meter.port, client) as line:
        assert isinstance(line.say(client.open()), Opened)
        assert value(line, 1, SERIAL) == SERIAL_NUMBER
        shown = value(line, 8, india.CLOCK_LN)
        assert isinstance(shown, bytes)
        age = clock.decode(shown, zone=india.IST) - datetime.now(UTC)
        assert abs(age.total_seconds()) < CLOCK_TOLERANCE_S
        assert isinstance(line.say(client.get(3, ENERGY, 2)), Refused)
        release(line)


@needs_peers
def test_our_reading_client_reads_an_independent_meter() -> None:
    """LLS, encrypted only: the register with its scaler, and no way to the relay."""
    client = ClientAssociation(
        client_sap=32,
        mechanism=1,
        security_control=0x20,
        system_title=OUR_TITLE,
        meter_title=key("title"),
        cipher=Cipher(key("reading_key"), bytes(16)),
        secret=key("password"),
        counter=FIRST_COUNTER,
        counter_end=FIRST_COUNTER + 100,
    )
    with peer_meter() as meter:
        with Line(meter.port, client) as line:
            assert isinstance(line.say(client.open()), Opened)
            assert value(line, 3, ENERGY) == ENERGY_WH
            assert value(line, 3, ENERGY, 3) == (0, 30)
            refused = line.say(client.action(70, RELAY, DISCONNECT, INTEGER_ZERO))
            assert isinstance(refused, ActionDone)
            assert refused.result != 0
            release(line)
        assert meter.end()[0] == []


@needs_peers
@pytest.mark.parametrize("wrong", ["encryption_key", "authentication_key"])
def test_an_independent_meter_does_not_open_to_our_client_without_its_key(wrong: str) -> None:
    """It hangs up, says why, and still serves whoever has the keys."""
    with peer_meter(COSEM_METER) as meter:
        stranger = setting_client(general=True, **{wrong: bytes(16)})
        with Line(meter.port, stranger) as line, pytest.raises(HungUp):
            line.say(stranger.open())
        obey(meter, setting_client(general=True))


@needs_peers
def test_our_client_refuses_an_independent_meter_with_another_key() -> None:
    """gurux-dlms deciphers without looking at the tag, so its meter answers us; we look, and end it."""
    stranger = setting_client(authentication_key=bytes(16))
    with peer_meter(GURUX_METER) as meter:
        with Line(meter.port, stranger) as line, pytest.raises(BadTag):
            line.say(stranger.open())
        assert stranger.state is State.CLOSED
        assert meter.end()[0] == []
