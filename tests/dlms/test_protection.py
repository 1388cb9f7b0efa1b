"""Every protection by every way of ciphering, and what either end does with frames that are old, foreign or twice."""

from typing import Any

import pytest

from bahal.dlms import acse, apdu, axdr, security, wrapper
from bahal.dlms.apdu import Acted
from bahal.dlms.association.events import ActionDone, Got, GotList, Notification, SetDone
from bahal.dlms.association.server import ServerAssociation
from bahal.dlms.association.states import State
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    HlsFailed,
    MalformedApdu,
    ReplayedCounter,
    ValueOutOfRange,
    WeakProtection,
    WrongSystemTitle,
)
from bahal.dlms.objects import security_setup
from bahal.dlms.objects.security_setup import KeyId
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from tests.dlms.bench_meter import ANSWERS, ENERGY, NOTE, NUMBER, Bench, apdus, moment
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE

DEDICATED = b"dedicated key 16"
OTHER_TITLE = b"OTHERMET"
CIPHER = Cipher(ENCRYPTION_KEY, AUTHENTICATION_KEY)
GENERAL = Quirks(general_ciphering=True)
WAYS: dict[str, dict[str, Any]] = {
    "glo": {},
    "ded": {"dedicated_key": DEDICATED},
    "general-glo": {"quirks": GENERAL},
    "general-ded": {"quirks": GENERAL, "dedicated_key": DEDICATED},
}
# How a GET and its answer begin on the line.
TAGS = {"glo": (0xC8, 0xCC), "ded": (0xD0, 0xD4), "general-glo": (0xDB, 0xDB), "general-ded": (0xDC, 0xDC)}
CONTROLS = (security.AUTHENTICATED, security.ENCRYPTED, security.AUTHENTICATED_ENCRYPTED)


def content(message: bytes) -> bytes:
    """The ciphered content of an APDU of either form."""
    if message[0] in (security.GENERAL_GLO, security.GENERAL_DED):
        return security.unwrap_general(message)[1]
    return security.unwrap(message)


# --- the matrix -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pdu", [1024, 150])
@pytest.mark.parametrize("control", CONTROLS, ids=hex)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sap", [32, 48])
def test_every_protection_carries_every_service(sap: int, way: str, control: int, pdu: int) -> None:
    bench = Bench(sap=sap, control=control, meter_pdu=pdu, client_pdu=pdu, **WAYS[way]).open()
    got = bench.say(bench.client.get(1, NUMBER, 2))
    assert isinstance(got, Got)
    assert got.value == 7
    (request,), (reply,) = apdus(bench.requests), apdus(bench.replies)
    assert (request[0], reply[0]) == TAGS[way]
    for message, title, plain in (
        (request, CLIENT_TITLE, apdu.get_request(bench.client._invoke, 1, NUMBER, 2)),
        (reply, METER_TITLE, apdu.get_response(bench.client._invoke, axdr.uint32(7))),
    ):
        assert content(message)[0] == control
        cipher = Cipher(DEDICATED, AUTHENTICATION_KEY) if "ded" in way else CIPHER
        assert cipher.open(control, title, content(message))[1] == plain
        assert (plain in message) == (control == security.AUTHENTICATED)
    note = axdr.octets(bytes(range(256)) * 3)
    written = bench.say(bench.client.set(1, NOTE, 2, note))
    assert isinstance(written, SetDone)
    allowed = sap == 48
    assert written.result == (apdu.SUCCESS if allowed else apdu.READ_WRITE_DENIED)
    bench.returned = Acted(apdu.SUCCESS, note)
    acted = bench.say(bench.client.action(3, ENERGY, 1, note))
    assert isinstance(acted, ActionDone)
    assert (acted.result, acted.data) == ((apdu.SUCCESS, note) if allowed else (apdu.READ_WRITE_DENIED, None))
    listed = bench.say(bench.client.get_list([apdu.Target(1, NOTE, 2), apdu.Target(1, NUMBER, 2)]))
    assert isinstance(listed, GotList)
    assert listed.answers == [note if allowed else axdr.octets(b"short"), axdr.uint32(7)]
    (told,) = bench.client.receive(bench.server.notify(apdu.Target(3, ENERGY, 2), axdr.uint32(1), moment(0)))
    assert isinstance(told, Notification)
    assert told.protected
    assert all(len(message) <= pdu for message in apdus(bench.requests) + apdus(bench.replies))
    # No counter twice on the line, in either direction.
    for stream in (bench.requests, bench.replies):
        counters = [content(message)[1:5] for message in apdus(stream)]
        assert len(set(counters)) == len(counters)
        assert counters == sorted(counters)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("asked", "sent"), [(0x30, 0x10), (0x30, 0x20), (0x10, 0x20), (0x20, 0x10)])
def test_less_than_the_association_asks_for_ends_it_at_both_ends(way: str, asked: int, sent: int) -> None:
    there = Bench(control=asked, **WAYS[way]).open()
    there.client._security_control = sent
    with pytest.raises(WeakProtection):
        there.server.receive(there.client.get(1, NUMBER, 2))
    assert there.server.state is State.CLOSED
    back = Bench(control=asked, **WAYS[way]).open()
    back.client.get(1, NUMBER, 2)
    cipher = Cipher(DEDICATED, AUTHENTICATION_KEY) if "ded" in way else CIPHER
    weak = cipher.seal(sent, METER_TITLE, 5_000, apdu.get_response(back.client._invoke, axdr.uint32(7)))
    tag = TAGS[way][1]
    wrapped = security.wrap_general(tag, METER_TITLE, weak) if "general" in way else security.wrap(tag, weak)
    with pytest.raises(WeakProtection):
        back.client.receive(wrapper.frame(1, 48, wrapped))
    assert back.client.state is State.CLOSED


def test_a_key_that_was_not_agreed_is_not_taken() -> None:
    for tag, general in ((0xD0, False), (security.GENERAL_DED, True)):
        bench = Bench().open()
        sealed = Cipher(DEDICATED, AUTHENTICATION_KEY).seal(
            0x30, CLIENT_TITLE, bench.client.counter, apdu.get_request(1, 1, NUMBER, 2)
        )
        message = security.wrap_general(tag, CLIENT_TITLE, sealed) if general else security.wrap(tag, sealed)
        with pytest.raises(Exception, match="no dedicated key agreed"):
            bench.server.receive(wrapper.frame(48, 1, message))
        assert bench.server.state is State.CLOSED


# --- old frames -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_comes_twice_is_served_once(way: str) -> None:
    bench = Bench(**WAYS[way]).open()
    request = bench.client.action(3, ENERGY, 1, axdr.int8(0))
    bench.client.receive(bench.server.receive(request))
    with pytest.raises(ReplayedCounter) as caught:
        bench.server.receive(request)
    floor = bench.client.counter
    assert caught.value.data == {"last": floor - 1, "got": floor - 1}
    assert len(bench.acted) == 1
    assert bench.server.state is State.CLOSED
    said = apdu.exception_response(1, apdu.SERVICE_INVOCATION_COUNTER_ERROR, floor)
    assert apdus([bench.server.last_words]) == [said]


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_comes_twice_is_heard_once(way: str) -> None:
    bench = Bench(**WAYS[way]).open()
    reply = bench.server.receive(bench.client.get(1, NUMBER, 2))
    assert isinstance(bench.client.receive(reply)[0], Got)
    for _ in range(15):  # until the invoke-id is that of the old answer again
        assert isinstance(bench.say(bench.client.get(1, NUMBER, 2)), Got)
    bench.client.get(1, NUMBER, 2)
    with pytest.raises(ReplayedCounter):
        bench.client.receive(reply)
    assert bench.client.state is State.CLOSED


def test_counters_that_fall_back_are_refused_at_both_ends() -> None:
    bench = Bench().open()
    meter = bench.meter
    again = Bench()
    again.server = ServerAssociation(meter, answers=ANSWERS)
    with pytest.raises(ReplayedCounter):  # a client that forgot its counters: the meter did not
        again.server.receive(again.client.open())
    fallen = Bench()  # a meter that forgot its counters: the client did not
    fallen.client.meter_counter = bench.client.meter_counter
    with pytest.raises(ReplayedCounter):
        fallen.say(fallen.client.open())
    assert fallen.client.state is State.CLOSED


# --- foreign frames ---------------------------------------------------------------------------------------------------


def sealed_by(cipher: Cipher, title: bytes, counter: int, plain: bytes, *, tag: int) -> bytes:
    """An APDU as another party with these keys would send it."""
    body = cipher.seal(0x30, title, counter, plain)
    return security.wrap_general(tag, title, body) if tag in (0xDB, 0xDC) else security.wrap(tag, body)


@pytest.mark.parametrize(("tag", "error"), [(0xCC, BadTag), (security.GENERAL_GLO, WrongSystemTitle)])
def test_another_meter_with_the_same_keys_cannot_answer(tag: int, error: type[Exception]) -> None:
    bench = Bench(quirks=GENERAL if tag == security.GENERAL_GLO else Quirks()).open()
    bench.client.get(1, NUMBER, 2)
    plain = apdu.get_response(bench.client._invoke, axdr.uint32(7))
    with pytest.raises(error):
        bench.client.receive(wrapper.frame(1, 48, sealed_by(CIPHER, OTHER_TITLE, 5_000, plain, tag=tag)))
    assert bench.client.state is State.CLOSED


@pytest.mark.parametrize("tag", [0xC8, security.GENERAL_GLO])
def test_another_client_with_the_same_keys_cannot_ask_in_an_open_association(tag: int) -> None:
    bench = Bench(quirks=GENERAL).open()
    floor = bench.meter.counter_floor(48)
    frame = sealed_by(CIPHER, OTHER_TITLE, floor + 5, apdu.get_request(1, 1, NUMBER, 2), tag=tag)
    with pytest.raises(BadTag):
        bench.server.receive(wrapper.frame(48, 1, frame))
    assert bench.meter.counter_floor(48) == floor
    assert bench.server.state is State.CLOSED


@pytest.mark.parametrize("mechanism", [2, 5])
def test_an_opening_heard_at_one_meter_opens_nothing_at_another_with_the_same_keys(mechanism: int) -> None:
    bench = Bench(quirks=Quirks(hls_mechanism=mechanism))
    bench.open()
    heard = Bench(quirks=Quirks(hls_mechanism=mechanism))
    heard.say(heard.client.open())
    opening, proof = heard.requests
    twin = Bench(quirks=Quirks(hls_mechanism=mechanism))
    twin.server.receive(opening)
    twin.server.receive(proof)
    assert [type(refused) for refused in twin.server.refusals] == [HlsFailed]
    assert twin.server.state is not State.OPEN


# --- keys that come twice ---------------------------------------------------------------------------------------------


def test_a_dedicated_key_is_another_than_the_global_one() -> None:
    with pytest.raises(ValueOutOfRange, match="the global key again"):
        Bench(dedicated_key=ENCRYPTION_KEY)
    bench = Bench(dedicated_key=DEDICATED)
    bench.client._initiate = acse.initiate_request(
        conformance=acse.CLIENT_CONFORMANCE, max_pdu=1024, dedicated_key=ENCRYPTION_KEY
    )
    with pytest.raises(AssociationRejected):
        bench.say(bench.client.open())
    assert bench.server.state is State.IDLE


def transfer_of(*keys: tuple[int, bytes]) -> axdr.Value:
    """A key transfer under the master key of this test, decoded as the meter gets it."""
    return axdr.decode(
        axdr.array(
            *(axdr.structure(axdr.enum(number), axdr.octets(security.wrap_key(bytes(16), key))) for number, key in keys)
        )
    )


def test_a_transfer_names_each_key_once_and_no_two_alike() -> None:
    encryption, authentication = (KeyId.GLOBAL_UNICAST_ENCRYPTION, b"E" * 16), (KeyId.AUTHENTICATION, b"A" * 16)
    assert security_setup.read_transfer(bytes(16), transfer_of(encryption, authentication)) == dict(
        [encryption, authentication]
    )
    for wrong in (
        transfer_of(encryption, (encryption[0], b"F" * 16)),
        transfer_of(encryption, encryption),
        transfer_of(encryption, (KeyId.AUTHENTICATION, encryption[1])),
        transfer_of(encryption, authentication, (KeyId.GLOBAL_BROADCAST_ENCRYPTION, encryption[1])),
        transfer_of(encryption, (3, b"G" * 16)),
        transfer_of((0, b"H" * 24)),
        [[0, b""]],
        (),
    ):
        with pytest.raises((MalformedApdu, BadTag)):
            security_setup.read_transfer(bytes(16), wrong)
    with pytest.raises(ValueOutOfRange, match="keys"):
        security_setup.transfer(bytes(16), {encryption[0]: bytes(16), KeyId.AUTHENTICATION: bytes(16)})
