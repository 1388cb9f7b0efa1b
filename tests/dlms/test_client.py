"""The client association against a small meter: its life, its refusals, and what it does with anything else."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from bahal.dlms import acse, apdu, axdr, push, security
from bahal.dlms.apdu import Target
from bahal.dlms.association.client import DATA_LIMIT, ClientAssociation
from bahal.dlms.association.events import (
    ActionDone,
    Event,
    Got,
    GotList,
    Notification,
    Opened,
    Refused,
    Released,
    SetDone,
)
from bahal.dlms.association.states import State
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    CounterExhausted,
    DlmsError,
    HlsFailed,
    InvokeIdMismatch,
    MalformedApdu,
    OversizedApdu,
    RemoteError,
    ReplayedCounter,
    RequestTooLong,
    ServiceException,
    StateError,
    UnexpectedApdu,
    ValueOutOfRange,
    WeakProtection,
    WrongSystemTitle,
)
from bahal.dlms.quirks import Quirks
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import frame
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_SAP, CLIENT_TITLE, METER_TITLE, SECRET, Meter, cipher

ENERGY = bytes((1, 0, 1, 8, 0, 255))
LOAD = bytes((1, 0, 99, 1, 0, 255))
RELAY = bytes((0, 0, 96, 3, 10, 255))
READING = axdr.uint32(1_234_567)


def client(**settings: Any) -> ClientAssociation:
    usual: dict[str, Any] = {
        "client_sap": CLIENT_SAP,
        "mechanism": 5,
        "security_control": 0x30,
        "system_title": CLIENT_TITLE,
        "meter_title": METER_TITLE,
        "cipher": cipher(),
        "secret": SECRET,
        "counter": 100,
        "counter_end": 10_000,
    }
    return ClientAssociation(**(usual | settings))


def exchange(ours: ClientAssociation, meter: Meter, request: bytes) -> list[Event]:
    """Write a request, and whatever the client makes of the replies, until it wants nothing more."""
    events: list[Event] = []
    while request:
        events += ours.receive(meter.answer(request))
        request = ours.outgoing()
    return events


def opened(meter: Meter, **settings: Any) -> ClientAssociation:
    ours = client(**settings)
    (event,) = exchange(ours, meter, ours.open())
    assert isinstance(event, Opened)
    assert ours.state is State.OPEN
    return ours


def meter_with_values(**settings: Any) -> Meter:
    meter = Meter(**settings)
    meter.values = {
        (3, ENERGY, 2): READING,
        (7, LOAD, 2): axdr.array(*(axdr.structure(axdr.octets(bytes(12)), axdr.uint32(n)) for n in range(200))),
        (70, RELAY, 2): axdr.boolean(True),
    }
    return meter


LIVES = [
    pytest.param({"mechanism": 0, "control": 0}, {"system_title": b"", "cipher": None}, id="public"),
    pytest.param({"mechanism": 1, "control": 0x20}, {}, id="password, encrypted only"),
    pytest.param({"mechanism": 1, "control": 0x30}, {}, id="password, authenticated"),
    pytest.param({"mechanism": 2, "control": 0x30}, {}, id="HLS 2"),
    pytest.param({"mechanism": 5, "control": 0x30}, {}, id="HLS 5"),
    pytest.param({"mechanism": 5, "control": 0}, {}, id="HLS 5 over plain services"),
    pytest.param({"mechanism": 5, "control": 0x30}, {"dedicated_key": bytes(16)}, id="dedicated key"),
    pytest.param(
        {"mechanism": 5, "control": 0x30, "general": True}, {"quirks": Quirks(general_ciphering=True)}, id="general-glo"
    ),
    pytest.param(
        {"mechanism": 2, "control": 0x20, "general": True},
        {"quirks": Quirks(general_ciphering=True), "dedicated_key": bytes(16)},
        id="general-ded",
    ),
]


@pytest.mark.parametrize(("bent", "settings"), LIVES)
def test_a_whole_life(bent: dict[str, Any], settings: dict[str, Any]) -> None:
    meter = meter_with_values(**bent)
    ours = opened(meter, mechanism=bent["mechanism"], security_control=bent["control"], **settings)
    (got,) = exchange(ours, meter, ours.get(3, ENERGY, 2))
    assert isinstance(got, Got)
    assert (got.data, got.value) == (READING, 1_234_567)
    (refused,) = exchange(ours, meter, ours.get(3, ENERGY, 9))
    assert isinstance(refused, Refused)
    assert refused.result == apdu.OBJECT_UNDEFINED
    (done,) = exchange(ours, meter, ours.set(3, ENERGY, 3, axdr.enum(30)))
    assert isinstance(done, SetDone)
    assert done.result == apdu.SUCCESS
    (acted,) = exchange(ours, meter, ours.action(70, RELAY, 1, axdr.int8(0)))
    assert isinstance(acted, ActionDone)
    assert (acted.result, acted.data) == (apdu.SUCCESS, None)
    (listed,) = exchange(ours, meter, ours.get_list([Target(70, RELAY, 2), Target(3, ENERGY, 9), Target(3, ENERGY, 3)]))
    assert isinstance(listed, GotList)
    assert listed.answers == [axdr.boolean(True), apdu.OBJECT_UNDEFINED, axdr.enum(30)]
    (again,) = exchange(ours, meter, ours.get(3, ENERGY, 2))
    assert isinstance(again, Got)
    (released,) = exchange(ours, meter, ours.release())
    assert isinstance(released, Released)
    assert released.clean
    assert ours.state is State.CLOSED
    assert [request.invoke for request in meter.requests] == [n % 16 for n in range(1, len(meter.requests) + 1)]
    assert len(set(meter.client_counters)) == len(meter.client_counters)
    assert ours.counters_used == ours.counter - 100
    if bent["control"]:
        assert ours.meter_counter == meter.counter - 1


@pytest.mark.parametrize("block", [1, 7, 100, 900])
def test_blocks_are_asked_for_and_joined(block: int) -> None:
    meter = meter_with_values(block=block if block > 1 else 16)
    ours = opened(meter)
    (got,) = exchange(ours, meter, ours.get(7, LOAD, 2))
    assert isinstance(got, Got)
    assert got.data == meter.values[7, LOAD, 2]
    (listed,) = exchange(ours, meter, ours.get_list([Target(7, LOAD, 2), Target(3, ENERGY, 2)]))
    assert isinstance(listed, GotList)
    assert listed.answers == [meter.values[7, LOAD, 2], READING]


def test_the_first_meter_counter_may_be_zero() -> None:
    meter = Meter(counter=0)
    assert opened(meter).meter_counter == 2


def test_events_tell_what_was_negotiated() -> None:
    ours = client(meter_title=None)
    meter = Meter(max_pdu=300)
    meter.agreed &= ~acse.conformance("block_set")
    (event,) = exchange(ours, meter, ours.open())
    assert isinstance(event, Opened)
    assert (event.conformance, event.max_pdu, event.meter_title) == (meter.agreed, 300, METER_TITLE)
    with pytest.raises(RequestTooLong):
        ours.set(1, ENERGY, 2, axdr.octets(bytes(300)))
    assert ours.state is State.OPEN


# --- counters --------------------------------------------------------------------------------------------------------


def test_no_counter_is_used_twice_and_none_beyond_the_range() -> None:
    meter = meter_with_values()
    ours = opened(meter, counter=5, counter_end=9)
    exchange(ours, meter, ours.get(3, ENERGY, 2))
    with pytest.raises(CounterExhausted):
        ours.get(3, ENERGY, 2)
    assert sorted(meter.client_counters) == [5, 6, 7, 8]
    assert ours.state is State.OPEN
    (released,) = exchange(ours, meter, ours.release())
    assert isinstance(released, Released)


@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_range_that_ends_during_the_opening_ends_the_association(room: int) -> None:
    meter = Meter()
    ours = client(counter=5, counter_end=5 + room)
    with pytest.raises(CounterExhausted):
        exchange(ours, meter, ours.open())
    assert ours.counter == 5 + room


def test_a_replayed_answer_ends_the_association() -> None:
    meter = meter_with_values()
    ours = opened(meter)
    ours.get(3, ENERGY, 2)
    meter.counter -= 1
    with pytest.raises(ReplayedCounter) as caught:
        ours.receive(meter.framed(meter.seal(apdu.get_response(2, READING))))
    assert caught.value.data == {"last": meter.counter - 1, "got": meter.counter - 1}
    assert ours.state is State.CLOSED
    with pytest.raises(StateError):
        ours.receive(b"")
    with pytest.raises(StateError):
        ours.get(3, ENERGY, 2)


def test_a_counter_known_from_before_must_be_passed() -> None:
    ours = client(last_meter_counter=50)
    with pytest.raises(ReplayedCounter):
        exchange(ours, Meter(counter=50), ours.open())
    assert opened(Meter(counter=51), last_meter_counter=50).meter_counter == 53


# --- keys and identity -----------------------------------------------------------------------------------------------


def test_a_meter_of_another_title_is_refused() -> None:
    ours = client()
    with pytest.raises(WrongSystemTitle) as caught:
        exchange(ours, Meter(title=b"OTHERMET"), ours.open())
    assert caught.value.data == {"expected": METER_TITLE, "got": b"OTHERMET"}


def test_a_wrongly_keyed_answer_ends_the_association() -> None:
    meter = meter_with_values()
    ours = opened(meter)
    meter.keys = Cipher(bytes(16), AUTHENTICATION_KEY)
    ours.get(3, ENERGY, 2)
    with pytest.raises(BadTag):
        ours.receive(meter.framed(meter.seal(apdu.get_response(2, READING))))
    assert ours.state is State.CLOSED


@pytest.mark.parametrize("cut", [1, 5, 11, 12, 13])
def test_a_truncated_tag_ends_the_association(cut: int) -> None:
    meter = meter_with_values()
    ours = opened(meter)
    ours.get(3, ENERGY, 2)
    content = meter.keys.seal(0x30, METER_TITLE, meter.counter, apdu.get_response(2, READING))
    with pytest.raises((BadTag, MalformedApdu)):
        ours.receive(meter.framed(security.wrap(0xCC, content[:-cut])))
    assert ours.state is State.CLOSED


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda meter: apdu.get_response(2, READING), UnexpectedApdu),
        (lambda meter: security.wrap(0xCC, meter.keys.seal(0x20, METER_TITLE, 99, READING)), WeakProtection),
        (lambda meter: security.wrap(0xCD, meter.keys.seal(0x30, METER_TITLE, 99, READING)), MalformedApdu),
        (lambda meter: meter.seal(apdu.set_response(2, 0)), UnexpectedApdu),
        (lambda meter: meter.seal(apdu.get_response(3, READING)), InvokeIdMismatch),
        (lambda meter: meter.seal(apdu.get_response(2, b"")), MalformedApdu),
        (lambda meter: meter.seal(apdu.get_response_list(2, [READING])), UnexpectedApdu),
        (lambda meter: security.wrap(0xD4, meter.keys.seal(0x30, METER_TITLE, 99, READING)), UnexpectedApdu),
        (lambda meter: security.wrap_general(0xDB, b"OTHERMET", bytes(20)), WrongSystemTitle),
        (lambda meter: acse.rlre(), UnexpectedApdu),
    ],
    ids=["plain", "encrypted only", "other kind", "set", "invoke", "empty", "list", "dedicated", "title", "rlre"],
)
def test_an_answer_of_another_kind_ends_the_association(
    wrong: Callable[[Meter], bytes], error: type[DlmsError]
) -> None:
    meter = meter_with_values()
    ours = opened(meter)
    ours.get(3, ENERGY, 2)
    with pytest.raises(error):
        ours.receive(meter.framed(wrong(meter)))
    assert ours.state is State.CLOSED


def test_hls_wants_the_meters_own_proof() -> None:
    for mechanism, proof in ((5, bytes(17)), (5, b"\x10" + bytes(16)), (2, bytes(16)), (5, b"")):
        meter = Meter(mechanism=mechanism)
        meter.proof = proof
        ours = client(mechanism=mechanism)
        with pytest.raises((HlsFailed, MalformedApdu)):
            exchange(ours, meter, ours.open())
        assert ours.state is State.CLOSED


def test_our_own_challenge_is_not_answered() -> None:
    meter = Meter(mechanism=2)
    meter.challenge = b"the same for two"
    ours = client(mechanism=2, random=lambda _: b"the same for two")
    with pytest.raises(HlsFailed):
        exchange(ours, meter, ours.open())
    assert ours.outgoing() == b""
    assert ours.state is State.CLOSED


def test_a_meter_that_skips_hls_is_refused() -> None:
    meter = Meter(mechanism=1)
    ours = client(mechanism=5)
    with pytest.raises(HlsFailed):
        exchange(ours, meter, ours.open())


def test_a_refused_proof_may_be_tried_again() -> None:
    meter = Meter()
    ours = client()
    ours.receive(meter.answer(ours.open()))
    meter.reply = apdu.action_response(1, apdu.READ_WRITE_DENIED)
    with pytest.raises(HlsFailed):
        ours.receive(meter.answer(ours.outgoing()))
    assert ours.state is State.IDLE
    (event,) = exchange(ours, meter, ours.open())
    assert isinstance(event, Opened)


def test_a_password_only_client_does_not_prove_itself_by_hls() -> None:
    ours = client(mechanism=1)
    with pytest.raises(AssociationRejected) as caught:
        exchange(ours, Meter(mechanism=5), ours.open())
    assert caught.value.diagnostic == acse.DIAGNOSTIC_AUTHENTICATION_REQUIRED


def test_a_rejection_is_told_and_may_be_tried_again() -> None:
    meter = Meter()
    ours = client()
    ours.open()
    with pytest.raises(AssociationRejected) as caught:
        ours.receive(meter.framed(acse.aare(context=3, result=1, diagnostic=13)))
    assert caught.value.data == {"result": 1, "diagnostic": 13}
    assert ours.state is State.IDLE
    exchange(ours, meter, ours.open())
    assert ours.state is State.OPEN  # type: ignore[comparison-overlap]


def test_a_service_error_in_an_accepting_aare_is_a_rejection() -> None:
    ours = client(mechanism=0, security_control=0)
    ours.open()
    with pytest.raises(AssociationRejected):
        ours.receive(Meter.framed(acse.aare(context=1, result=0, diagnostic=0, initiate=bytes.fromhex("0e010603"))))
    assert ours.state is State.IDLE


# --- exceptions, blocks, release, notifications ----------------------------------------------------------------------


def test_an_exception_may_answer_anything_and_does_not_stick() -> None:
    meter = meter_with_values()
    ours = client()
    ours.open()
    with pytest.raises(ServiceException) as caught:
        ours.receive(Meter.framed(apdu.exception_response(1, 6, 77)))
    assert caught.value.data == {"state_error": 1, "service_error": 6, "invocation_counter": 77}
    ours.receive(meter.answer(ours.open()))
    with pytest.raises(ServiceException):
        ours.receive(Meter.framed(apdu.exception_response(1, 1)))
    exchange(ours, meter, ours.open())
    for request in (ours.get(3, ENERGY, 2), b"", b""):
        request = request or ours.action(70, RELAY, 1, axdr.int8(0))
        with pytest.raises(ServiceException):
            ours.receive(Meter.framed(apdu.exception_response(2, 2)))
        assert ours.state is State.OPEN
    (got,) = exchange(ours, meter, ours.get(3, ENERGY, 2))
    assert isinstance(got, Got)
    ours.release()
    (released,) = ours.receive(Meter.framed(apdu.exception_response(1, 1)))
    assert isinstance(released, Released)
    assert not released.clean


def test_an_exception_within_blocks_forgets_them() -> None:
    meter = meter_with_values(block=500)
    ours = opened(meter)
    ours.receive(meter.answer(ours.get(7, LOAD, 2)))
    assert ours.outgoing()
    with pytest.raises(ServiceException):
        ours.receive(Meter.framed(apdu.exception_response(1, 1)))
    (got,) = exchange(ours, meter, ours.get(7, LOAD, 2))
    assert isinstance(got, Got)
    assert got.data == meter.values[7, LOAD, 2]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (apdu.get_response_block(2, last=False, number=2, raw=b"ab"), MalformedApdu),
        (apdu.get_response_block(2, last=False, number=1, raw=b""), MalformedApdu),
        (apdu.get_response_block(2, last=True, number=1, raw=b""), MalformedApdu),
        (apdu.get_response_block(2, last=True, number=1, raw=b"ab")[:-1], MalformedApdu),
    ],
)
def test_blocks_out_of_order_or_empty_end_the_association(reply: bytes, error: type[DlmsError]) -> None:
    meter = Meter()
    ours = opened(meter)
    ours.get(7, LOAD, 2)
    with pytest.raises(error):
        ours.receive(meter.framed(meter.seal(reply)))
    assert ours.state is State.CLOSED


def test_a_block_may_carry_a_refusal() -> None:
    meter = Meter()
    ours = opened(meter)
    ours.get(7, LOAD, 2)
    reply = apdu.get_response_block(2, last=True, number=1, raw=apdu.LONG_GET_ABORTED)
    (refused,) = ours.receive(meter.framed(meter.seal(reply)))
    assert isinstance(refused, Refused)
    assert refused.result == apdu.LONG_GET_ABORTED
    assert ours.state is State.OPEN


def test_blocks_without_end_are_bounded() -> None:
    meter = Meter()
    ours = opened(meter, max_pdu=0xFF00)
    ours.get(7, LOAD, 2)
    raw = bytes(0xF000)
    for number in range(1, DATA_LIMIT // len(raw) + 1):
        ours.receive(meter.framed(meter.seal(apdu.get_response_block(2, last=False, number=number, raw=raw))))
    reply = apdu.get_response_block(2, last=False, number=number + 1, raw=raw)
    with pytest.raises(OversizedApdu):
        ours.receive(meter.framed(meter.seal(reply)))
    assert ours.state is State.CLOSED


def test_one_request_at_a_time() -> None:
    ours = client()
    with pytest.raises(StateError):
        ours.get(3, ENERGY, 2)
    with pytest.raises(StateError):
        ours.release()
    ours = opened(Meter())
    ours.get_list([Target(3, ENERGY, 2)])
    with pytest.raises(StateError):
        ours.get(3, ENERGY, 2)
    with pytest.raises(StateError):
        ours.action(70, RELAY, 1)
    with pytest.raises(StateError):
        ours.release()
    with pytest.raises(StateError):
        ours.open()
    assert ours.state is State.AWAITING
    ours.lost()
    assert ours.state is State.CLOSED  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("reply", [b"\x63\x7f", b"\xff", b"\x63\x03\x80\x01\x01", b"\x63\x00", acse.rlre(reason=0)])
def test_release_is_best_effort(reply: bytes) -> None:
    ours = opened(Meter())
    ours.release()
    (released,) = ours.receive(Meter.framed(reply))
    assert isinstance(released, Released)
    assert released.clean == (reply in (b"\x63\x00", acse.rlre()))
    assert ours.state is State.CLOSED


def test_release_survives_a_broken_wrapper() -> None:
    ours = opened(Meter())
    ours.release()
    (released,) = ours.receive(b"\xff\xff")
    assert isinstance(released, Released)
    assert not released.clean


def test_a_make_that_must_not_be_released_is_just_closed() -> None:
    ours = opened(Meter(), quirks=Quirks(rlrq_allowed=False))
    assert ours.release() == b""
    assert ours.state is State.CLOSED


def test_an_rlrq_is_ciphered_unless_the_make_wants_it_bare() -> None:
    sealed = opened(Meter()).release()
    assert acse.parse_release(sealed[8:], acse.RLRQ).initiate[0] == 0x21
    bare = opened(Meter(), quirks=Quirks(bare_release=True)).release()
    assert acse.parse_release(bare[8:], acse.RLRQ) == (0, b"")


def test_data_sent_twice_is_taken_once_and_counted_where_the_make_does_so() -> None:
    meter = meter_with_values()
    ours = opened(meter, quirks=Quirks(lenient_duplicate=True))
    for invoke, sent in ((2, READING * 2), (3, READING)):
        ours.get(3, ENERGY, 2)
        (got,) = ours.receive(meter.framed(meter.seal(apdu.get_response(invoke, sent))))
        assert isinstance(got, Got)
        assert got.data == READING
    assert ours.duplicates == 1
    strict = opened(meter)
    strict.get(3, ENERGY, 2)
    (got,) = strict.receive(meter.framed(meter.seal(apdu.get_response(2, READING * 2))))
    assert isinstance(got, Got)
    with pytest.raises(MalformedApdu):
        got.value  # noqa: B018 (decoding happens when it is asked for)


def test_notifications_come_through_at_any_time_and_change_nothing() -> None:
    meter = meter_with_values()
    ours = opened(meter)
    ours.get(3, ENERGY, 2)
    alert = push.seal_notification(cipher=cipher(), system_title=METER_TITLE, counter=50, body=axdr.uint8(1))
    plain = apdu.data_notification(1, b"", axdr.uint8(1))
    meter.counter = 60
    stream = (
        frame(1, 64, alert)
        + meter.framed(plain)
        + meter.framed(meter.seal(apdu.event_notification(b"", Target(1, ENERGY, 2), axdr.uint8(1))))
        + meter.framed(meter.seal(apdu.get_response(2, READING)))
    )
    foreign, bare, event, got = ours.receive(stream)
    assert isinstance(foreign, Notification)
    assert (foreign.source, foreign.destination, foreign.apdu, foreign.protected) == (1, 64, alert, False)
    assert isinstance(bare, Notification)
    assert (bare.apdu, bare.protected) == (plain, False)
    assert isinstance(event, Notification)
    assert event.protected
    assert apdu.parse_event_notification(event.apdu).value == axdr.uint8(1)
    assert isinstance(got, Got)


def test_another_address_is_not_ours() -> None:
    ours = opened(Meter())
    ours.get(3, ENERGY, 2)
    with pytest.raises(UnexpectedApdu):
        ours.receive(frame(1, CLIENT_SAP + 1, apdu.get_response(2, READING)))


def test_an_answer_nobody_asked_for_ends_the_association() -> None:
    meter = Meter()
    for message in (apdu.exception_response(1, 1), meter.seal(apdu.get_response(1, READING))):
        ours = opened(Meter())
        with pytest.raises(RemoteError):
            ours.receive(meter.framed(message))
        assert ours.state is State.CLOSED


@pytest.mark.parametrize(
    "settings",
    [
        {"mechanism": 7},
        {"security_control": 0x40},
        {"cipher": None},
        {"system_title": b"short"},
        {"meter_title": b"short"},
        {"counter": -1},
        {"counter": 9, "counter_end": 8},
        {"counter_end": (1 << 32) + 1},
        {"challenge_length": 7},
        {"challenge_length": 65},
        {"security_control": 0, "dedicated_key": bytes(16)},
        {"security_control": 0, "cipher": None},
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueOutOfRange):
        client(**settings)


def test_the_challenge_is_as_long_as_the_make_stands_it() -> None:
    sizes: list[int] = []

    def random(size: int) -> bytes:
        sizes.append(size)
        return os.urandom(size)

    for settings in ({}, {"challenge_length": 32}, {"quirks": Quirks(challenge_length=8)}):
        ours = client(**settings, random=random)
        assert len(acse.parse_aarq(ours.open()[8:]).authentication) == sizes[-1]
    assert sizes == [16, 32, 8]
