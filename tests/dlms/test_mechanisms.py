"""Every mechanism and protection between our two ends, and each proof by a vector made by hand."""

import hashlib

import pytest

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Opened
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.errors import BadTag, HlsFailed, ValueOutOfRange
from bahal.dlms.objects.serving import Keys
from bahal.dlms.objects.stored import StoredMeter
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from tests.dlms.bench_meter import ANSWERS, NOTE
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE

SECRET = b"a secret of hls!"


def ends(mechanism: int, control: int, *, secret: bytes = SECRET) -> tuple[ClientAssociation, ServerAssociation]:
    """A client and a meter that agree on all but perhaps the secret."""
    quirks = Quirks(hls_mechanism=mechanism)
    meter = StoredMeter(
        system_title=METER_TITLE,
        keys={48: Keys(ENCRYPTION_KEY, AUTHENTICATION_KEY, SECRET)},
        values={("note", 2): b"read"},
        quirks=quirks,
    )
    client = ClientAssociation(
        client_sap=48,
        mechanism=mechanism,
        security_control=control,
        system_title=CLIENT_TITLE,
        meter_title=METER_TITLE,
        cipher=Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY) if control or mechanism == 5 else None,
        secret=secret,
        counter=1,
        counter_end=100,
    )
    return client, ServerAssociation(meter, answers=ANSWERS, controls={48: control})


def say(client: ClientAssociation, server: ServerAssociation, out: bytes) -> Event:
    """Pass bytes between both until an event comes."""
    events: list[Event] = []
    while out:
        events += client.receive(server.receive(out))
        out = client.outgoing()
    (event,) = events
    return event


@pytest.mark.parametrize(
    ("mechanism", "control"),
    [(mechanism, control) for mechanism in (2, 3, 4, 6) for control in (0, 0x10, 0x20, 0x30)]
    + [(5, 0x10), (5, 0x20), (5, 0x30)],
)
def test_every_mechanism_opens_under_every_protection(mechanism: int, control: int) -> None:
    client, server = ends(mechanism, control)
    assert isinstance(say(client, server, client.open()), Opened)
    got = say(client, server, client.get(1, NOTE, 2))
    assert isinstance(got, Got)
    assert got.value == b"read"


@pytest.mark.parametrize("mechanism", [2, 3, 4, 6])
def test_another_secret_opens_nothing(mechanism: int) -> None:
    client, server = ends(mechanism, 0x30, secret=b"another secret!!")
    with pytest.raises(HlsFailed):
        say(client, server, client.open())


def test_the_proofs_by_hand() -> None:
    stoc, ctos = b"P6wRJ21F", b"K56iVagY"
    usual = {"own_title": CLIENT_TITLE, "other_title": METER_TITLE, "asked": stoc, "sent": ctos}
    assert security.answer(3, SECRET, **usual) == hashlib.md5(stoc + SECRET, usedforsecurity=False).digest()
    assert security.answer(4, SECRET, **usual) == hashlib.sha1(stoc + SECRET, usedforsecurity=False).digest()
    assert (
        security.answer(6, SECRET, **usual)
        == hashlib.new("sha256", SECRET + CLIENT_TITLE + METER_TITLE + stoc + ctos).digest()
    )
    for mechanism in (3, 4, 6):
        proof = security.answer(mechanism, SECRET, **usual)
        security.check_answer(mechanism, SECRET, proof, **usual)
        with pytest.raises(BadTag):
            security.check_answer(mechanism, SECRET, proof[:-1], **usual)
    with pytest.raises(ValueOutOfRange):
        security.answer(7, SECRET, **usual)


def test_a_proof_of_titles_needs_titles() -> None:
    for mechanism in (5, 6):
        with pytest.raises(ValueOutOfRange, match="title"):
            ClientAssociation(
                client_sap=48, mechanism=mechanism, security_control=0, cipher=Cipher(bytes(16), bytes(16))
            )
