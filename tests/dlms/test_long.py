"""Requests and answers that do not fit one APDU, and lists: our client against our server, both ways of cutting."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bahal.dlms import acse, apdu, axdr, security
from bahal.dlms.apdu import Acted, Target
from bahal.dlms.association import client as client_module
from bahal.dlms.association.answering import REQUEST_LIMIT
from bahal.dlms.association.blocks import Collector, Upload
from bahal.dlms.association.events import (
    ActionDone,
    ActionListDone,
    Got,
    GotList,
    Notification,
    Refused,
    SetDone,
    SetListDone,
)
from bahal.dlms.association.states import State
from bahal.dlms.errors import (
    BadTag,
    DlmsError,
    MalformedApdu,
    OversizedApdu,
    RequestTooLong,
    ServiceException,
    StateError,
    UnexpectedApdu,
    ValueOutOfRange,
    WeakProtection,
)
from bahal.dlms.hdlc import HdlcClient, HdlcServer, Parameters
from bahal.dlms.objects import profile
from bahal.dlms.quirks import STANDARD, Quirks
from tests.dlms.bench_meter import ENERGY, LOAD, NOTE, NUMBER, UTC, Bench, apdus, moment

GENERAL = replace(STANDARD, block_window=5)
LONG_NOTE = axdr.octets(bytes(range(256)) * 12)


def without(monkeypatch: pytest.MonkeyPatch, *services: str) -> None:
    """A client that does not propose these services."""
    rest = acse.CLIENT_CONFORMANCE & ~acse.conformance(*services)
    monkeypatch.setattr(client_module.acse, "CLIENT_CONFORMANCE", rest)


LINKS: dict[str, dict[str, Any]] = {
    "plain": {"sap": 16},
    "encrypted": {"sap": 32},
    "authenticated": {"control": 0x10},
    "both": {},
    "HLS 2": {"quirks": Quirks(hls_mechanism=2)},
    "general-glo": {"quirks": Quirks(general_ciphering=True)},
    "dedicated": {"dedicated_key": bytes(16)},
    "general-ded": {"quirks": Quirks(general_ciphering=True), "dedicated_key": bytes(16)},
    "HDLC": {"framings": lambda: (HdlcClient(), HdlcServer())},
    "HDLC, windows": {
        "framings": lambda: (
            HdlcClient(proposal=Parameters(transmit=300, receive=200, transmit_window=4, receive_window=3)),
            HdlcServer(),
        )
    },
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("blocks", ["of the service", "general"])
def test_long_things_pass_both_ways(link: str, blocks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given_settings = dict(LINKS[link])
    if blocks == "general":
        without(monkeypatch, "block_get", "block_set", "block_action")
        given_settings["quirks"] = replace(given_settings.get("quirks", STANDARD), block_window=3)
    bench = Bench(**given_settings, meter_pdu=200, client_pdu=160).open()
    may_set = bench.client._client_sap != 32
    done = bench.say(bench.client.set(1, NOTE, 2, LONG_NOTE))
    assert isinstance(done, SetDone)
    assert done.result == (apdu.SUCCESS if may_set else apdu.READ_WRITE_DENIED)
    if may_set:
        got = bench.say(bench.client.get(1, NOTE, 2))
        assert isinstance(got, Got)
        assert got.data == LONG_NOTE
        bench.returned = Acted(apdu.SUCCESS, axdr.octets(bytes(700)))
        acted = bench.say(bench.client.action(3, ENERGY, 1, LONG_NOTE))
        assert isinstance(acted, ActionDone)
        assert (acted.result, acted.data) == (apdu.SUCCESS, axdr.octets(bytes(700)))
        assert [parameter for parameter, _ in bench.acted] == [axdr.decode(LONG_NOTE)]
    rows = bench.say(bench.client.get(7, LOAD, 2))
    assert isinstance(rows, Got)
    assert len(rows.value) == 300  # type: ignore[arg-type]
    listed = bench.say(bench.client.get_list([Target(7, LOAD, 2), Target(3, ENERGY, 2), Target(3, ENERGY, 9)]))
    assert isinstance(listed, GotList)
    assert listed.answers == [rows.data, axdr.uint32(1_234_567), apdu.READ_WRITE_DENIED]
    if bench.client._framing.__class__.__name__ == "WrapperFraming":
        assert max(map(len, apdus(bench.requests))) <= 200
        assert max(map(len, apdus(bench.replies))) <= 160
    kinds = {message[0] for message in apdus(bench.replies)} if not link.startswith("HDLC") else set()
    assert (apdu.GENERAL_BLOCK_TRANSFER in kinds) == (blocks == "general" and not link.startswith("HDLC"))
    assert bench.client.state is bench.server.state is State.OPEN


@given(
    meter_pdu=st.integers(64, 300),
    client_pdu=st.integers(64, 300),
    sap=st.sampled_from([16, 48]),
    note=st.binary(max_size=1500),
    general=st.booleans(),
    window=st.integers(0, 63),
)
@settings(max_examples=60)
def test_nobody_ever_sends_more_than_the_other_takes(
    meter_pdu: int, client_pdu: int, sap: int, note: bytes, general: bool, window: int
) -> None:
    quirks = Quirks(general_ciphering=general, block_window=window)
    bench = Bench(sap=sap, meter_pdu=meter_pdu, client_pdu=client_pdu, quirks=quirks)
    try:
        bench.open()
    except RequestTooLong:
        # The proof of HLS does not fit the smallest of APDUs under general ciphering.
        assert sap == 48
        assert meter_pdu < 100
        return
    for target in ([Target(1, NOTE, 2)], [Target(1, NUMBER, 2), Target(1, NOTE, 2)]):
        value = axdr.octets(note)
        try:
            if len(target) == 1:
                done = bench.say(bench.client.set(1, NOTE, 2, value))
            else:
                done = bench.say(bench.client.set_list(target, [axdr.uint32(9), value]))
        except RequestTooLong:
            continue
        assert (done.results if isinstance(done, SetListDone) else [done.result])[-1] == 0  # type: ignore[union-attr]
        got = bench.say(bench.client.get(1, NOTE, 2))
        assert isinstance(got, Got)
        assert got.data == value
    assert all(len(message) <= meter_pdu for message in apdus(bench.requests))
    assert all(len(message) <= client_pdu for message in apdus(bench.replies))


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meter_pdu", [1024, 120])
def test_lists_of_sets_and_actions(meter_pdu: int) -> None:
    bench = Bench(meter_pdu=meter_pdu).open()
    targets = [Target(1, NUMBER, 2), Target(3, ENERGY, 2), Target(1, NOTE, 2), Target(1, NOTE, 9), Target(1, NUMBER, 2)]
    values = [axdr.uint32(5), axdr.uint32(1), axdr.octets(bytes(90)), axdr.null(), axdr.uint16(1)]
    done = bench.say(bench.client.set_list(targets, values))
    assert isinstance(done, SetListDone)
    assert done.results == [0, apdu.READ_WRITE_DENIED, 0, apdu.READ_WRITE_DENIED, apdu.TYPE_UNMATCHED]
    assert bench.meter.values["number", 2] == 5
    bench.returned = Acted(apdu.SUCCESS, axdr.uint8(3))
    acted = bench.say(
        bench.client.action_list(
            [Target(3, ENERGY, 1), Target(1, NOTE, 1), Target(3, ENERGY, 1)], [axdr.octets(bytes(80)), None, None]
        )
    )
    assert isinstance(acted, ActionListDone)
    assert [(each.result, each.data) for each in acted.done] == [
        (apdu.SUCCESS, axdr.uint8(3)),
        (apdu.READ_WRITE_DENIED, None),
        (apdu.SUCCESS, axdr.uint8(3)),
    ]
    assert [parameter for parameter, _ in bench.acted] == [bytes(80), None]
    single = bench.say(bench.client.set_list([Target(1, NUMBER, 2)], [axdr.uint32(6)]))
    assert isinstance(single, SetListDone)
    assert single.results == [0]


def test_lists_are_bounded_and_even() -> None:
    bench = Bench().open()
    target = Target(1, NUMBER, 2)
    for ask in (
        lambda: bench.client.set_list([target], []),
        lambda: bench.client.set_list([], []),
        lambda: bench.client.action_list([target], [None, None]),
        lambda: bench.client.action_list([target] * 65, [None] * 65),
    ):
        with pytest.raises(ValueOutOfRange):
            ask()
    assert bench.client.state is State.OPEN


def test_a_selection_of_rows_by_entry_comes_in_blocks() -> None:
    bench = Bench(client_pdu=128).open()
    for selection, expected in (
        (apdu.by_entry(2, 3), [(moment(1), 1001), (moment(2), 1002)]),
        (apdu.by_entry(290, 0, first_column=2, last_column=2), [(1000 + n,) for n in range(289, 300)]),
        (apdu.by_entry(1, 300, first_column=1, last_column=1), [(moment(n),) for n in range(300)]),
    ):
        got = bench.say(bench.client.get(7, LOAD, 2, selection))
        assert isinstance(got, Got)
        assert got.value == expected
    from_at = profile.clock.decode(moment(4), zone=UTC)
    ranged = bench.say(bench.client.get(7, LOAD, 2, profile.between(from_at=from_at, to_at=from_at)))
    assert isinstance(ranged, Got)
    assert ranged.value == [(moment(4), 1004)]
    # A SET with a selection is understood, and refused: nothing here can be set in part.
    refused = bench.say(bench.client.set(1, NOTE, 2, axdr.octets(b"x"), apdu.by_entry(1, 1)))
    assert isinstance(refused, SetDone)
    assert refused.result == apdu.SCOPE_OF_ACCESS_VIOLATED


# --- what is not agreed ----------------------------------------------------------------------------------------------


def test_without_blocks_a_long_request_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "block_get", "block_set", "block_action")
    bench = Bench(meter_pdu=200, client_pdu=200).open()
    for ask in (
        lambda: bench.client.set(1, NOTE, 2, LONG_NOTE),
        lambda: bench.client.action(3, ENERGY, 1, LONG_NOTE),
        lambda: bench.client.set_list([Target(1, NOTE, 2)], [LONG_NOTE]),
        lambda: bench.client.get_list([Target(1, NOTE, 2)] * 30),
    ):
        used = bench.client.counters_used
        with pytest.raises(RequestTooLong) as caught:
            ask()
        assert caught.value.limit == 200
        assert bench.client.counters_used == used
    assert bench.requests == []
    bench.meter.values["note", 2] = bytes(500)
    refused = bench.say(bench.client.get(1, NOTE, 2))
    assert isinstance(refused, Refused)
    assert refused.result == apdu.OTHER_REASON
    listed = bench.say(bench.client.get_list([Target(1, NOTE, 2), Target(1, NUMBER, 2)]))
    assert isinstance(listed, GotList)
    assert listed.answers == [apdu.OTHER_REASON] * 2
    bench.returned = Acted(apdu.SUCCESS, axdr.octets(bytes(500)))
    acted = bench.say(bench.client.action(3, ENERGY, 1))
    assert isinstance(acted, ActionDone)
    assert (acted.result, acted.data_result) == (apdu.SUCCESS, apdu.OTHER_REASON)


def test_a_descriptor_list_without_room_for_a_block_is_refused_here() -> None:
    bench = Bench(meter_pdu=100).open()
    with pytest.raises(RequestTooLong):
        bench.client.set_list([Target(1, NOTE, 2)] * 10, [axdr.octets(b"x")] * 10)
    assert bench.client.state is State.OPEN


def test_more_than_the_meter_takes_is_refused_by_it() -> None:
    bench = Bench(sap=16, meter_pdu=100).open()
    bench.client._room = 10_000
    with pytest.raises(ServiceException) as caught:
        bench.say(bench.client.set(1, NOTE, 2, axdr.octets(bytes(200))))
    assert caught.value.service_error == apdu.SERVICE_PDU_TOO_LONG
    assert bench.say(bench.client.get(1, NUMBER, 2)).value == 7  # type: ignore[union-attr]
    bench.client._room = 10_000
    with pytest.raises(OversizedApdu):
        bench.server.receive(bench.client.set(1, NOTE, 2, axdr.octets(bytes(2000))))


def test_more_than_we_take_is_refused_by_us() -> None:
    bench = Bench(client_pdu=100).open()
    bench.meter.values["note", 2] = bytes(110)
    bench.server._limit_replies(1000, general=False)
    with pytest.raises(OversizedApdu):
        bench.say(bench.client.get(1, NOTE, 2))
    for size in (63, 0x10000):
        with pytest.raises(ValueOutOfRange):
            Bench(client_pdu=size)
        with pytest.raises(ValueOutOfRange):
            Bench(meter_pdu=size)


# --- a meter's side of a broken transfer -----------------------------------------------------------------------------


def served(bench: Bench, plain: bytes) -> bytes:
    """What the meter answers to a plain request of the public client."""
    ((_, _, reply),) = [(0, 0, message) for message in apdus([bench.server.receive(bench.client._framed(plain))])]
    return reply


def block(number: int, raw: bytes, *, last: bool = False) -> apdu.DataBlock:
    return apdu.DataBlock(last, number, raw)


def test_a_long_set_out_of_turn_is_abandoned() -> None:
    bench = Bench(sap=16).open()
    set_, act = apdu.SET_REQUEST, apdu.ACTION_REQUEST
    first = apdu.first_block(set_, 1, [Target(1, NOTE, 2)], listed=False, block=block(1, b"\x09\x04"))
    assert served(bench, apdu.next_block(set_, 1, block(2, b"x"))) == apdu.set_last_block(
        1, [apdu.NO_LONG_SET_IN_PROGRESS], 2, listed=False
    )
    assert served(bench, apdu.next_block(act, 1, block(2, b"x"))) == apdu.action_response(
        1, apdu.NO_LONG_ACTION_IN_PROGRESS
    )
    assert served(bench, first) == apdu.set_block_taken(1, 1)
    assert bench.server.state is State.BLOCKS
    assert served(bench, apdu.next_block(set_, 1, block(3, b"x"))) == apdu.set_last_block(
        1, [apdu.LONG_SET_ABORTED], 3, listed=False
    )
    assert bench.server.state is State.OPEN
    # Another request ends it as well, and the note is as it was.
    served(bench, first)
    assert served(bench, apdu.get_request(2, 1, NOTE, 2)) == apdu.get_response(2, axdr.octets(b"short"))
    assert served(bench, apdu.next_block(set_, 1, block(2, b"abcd", last=True)))[3] == apdu.NO_LONG_SET_IN_PROGRESS
    served(bench, first)
    assert served(bench, apdu.next_block(act, 1, block(2, b"abcd", last=True)))[3] == apdu.NO_LONG_ACTION_IN_PROGRESS
    served(bench, first)
    assert served(bench, apdu.next_block(set_, 1, block(2, b"abcd", last=True))) == apdu.set_last_block(
        1, [apdu.SUCCESS], 2, listed=False
    )
    assert bench.meter.values["note", 2] == b"abcd"


def test_a_long_request_is_bounded_and_a_list_is_abandoned_as_a_list() -> None:
    bench = Bench(sap=16, meter_pdu=60_000).open()
    targets = [Target(1, NOTE, 2), Target(1, NUMBER, 2)]
    for tag in (apdu.SET_REQUEST, apdu.ACTION_REQUEST):
        served(bench, apdu.first_block(tag, 1, targets, listed=True, block=block(1, bytes(50_000))))
        reply = served(bench, apdu.next_block(tag, 1, block(2, bytes(REQUEST_LIMIT - 49_999))))
        if tag == apdu.SET_REQUEST:
            assert reply == apdu.set_last_block(1, [apdu.LONG_SET_ABORTED] * 2, 2, listed=True)
        else:
            assert reply == apdu.action_response_list(1, [Acted(apdu.LONG_ACTION_ABORTED)] * 2)
    assert bench.meter.values["note", 2] == b"short"
    assert bench.acted == []


def test_a_long_answer_is_given_block_by_block_only() -> None:
    bench = Bench(sap=16, client_pdu=100).open()
    bench.returned = Acted(apdu.SUCCESS, axdr.octets(bytes(200)))
    first = served(bench, apdu.action_request(1, 3, ENERGY, 1))
    assert first[1] == apdu.ACTION_IN_BLOCKS
    assert apdu.parse_data_block(first, 3)[:2] == (False, 1)
    assert served(bench, apdu.action_next(1, 2)) == apdu.action_response(1, apdu.LONG_ACTION_ABORTED)
    assert served(bench, apdu.action_next(1, 1)) == apdu.action_response(1, apdu.NO_LONG_ACTION_IN_PROGRESS)
    served(bench, apdu.action_request(1, 3, ENERGY, 1))
    assert apdu.parse_block(served(bench, apdu.get_next(1, 1))).raw == apdu.DATA_BLOCK_NUMBER_INVALID


def test_blocks_that_were_not_agreed_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "block_set", "block_action")
    bench = Bench(sap=16).open()
    for tag in (apdu.SET_REQUEST, apdu.ACTION_REQUEST):
        first = apdu.first_block(tag, 1, [Target(1, NOTE, 2)], listed=False, block=block(1, b"x"))
        assert served(bench, first) == apdu.exception_response(apdu.STATE_SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)
    general = apdu.general_block(apdu.GeneralBlock(True, False, 1, 1, 0, apdu.get_request(1, 1, NOTE, 2)))
    assert served(bench, general) == apdu.exception_response(apdu.STATE_SERVICE_UNKNOWN, apdu.SERVICE_NOT_SUPPORTED)
    fresh = Bench(sap=16)
    assert served(fresh, general)[0] == apdu.EXCEPTION_RESPONSE
    assert bench.server.state is State.OPEN


# --- a client's side of a broken transfer ----------------------------------------------------------------------------


def told(bench: Bench, plain: bytes) -> Any:
    """What the public client makes of a plain reply."""
    events = bench.client.receive(bench.server._framing.send(1, 16, plain))
    return events[0] if events else None


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (apdu.set_block_taken(1, 2), MalformedApdu),
        (apdu.set_response_list(1, [0, 0]), MalformedApdu),
        (apdu.action_block_taken(1, 1), UnexpectedApdu),
        (b"\xc5\x06\xc1\x00", UnexpectedApdu),
        (b"\xc5\x02\xc1\x00", MalformedApdu),
    ],
)
def test_a_wrong_answer_to_a_block_ends_the_association(reply: bytes, error: type[DlmsError]) -> None:
    bench = Bench(sap=16, meter_pdu=100).open()
    bench.client.set(1, NOTE, 2, LONG_NOTE)
    with pytest.raises(error):
        told(bench, reply)
    assert bench.client.state is State.CLOSED


def test_a_meter_may_end_a_long_request_early() -> None:
    bench = Bench(sap=16, meter_pdu=100).open()
    bench.client.set(1, NOTE, 2, LONG_NOTE)
    done = told(bench, apdu.set_last_block(1, [apdu.LONG_SET_ABORTED], 1, listed=False))
    assert isinstance(done, SetDone)
    assert done.result == apdu.LONG_SET_ABORTED
    bench.client.action(3, ENERGY, 1, LONG_NOTE)
    acted = told(bench, apdu.action_response(2, apdu.LONG_ACTION_ABORTED))
    assert isinstance(acted, ActionDone)
    assert acted.result == apdu.LONG_ACTION_ABORTED
    bench.client.set(1, NOTE, 2, LONG_NOTE)
    with pytest.raises(ServiceException):
        told(bench, apdu.exception_response(1, 1))
    assert isinstance(bench.say(bench.client.get(1, NUMBER, 2)), Got)


def test_no_block_is_sent_after_the_last() -> None:
    bench = Bench(sap=16, meter_pdu=100).open()
    bench.client.action(3, ENERGY, 1, axdr.octets(bytes(120)))
    assert told(bench, apdu.action_block_taken(1, 1)) is None
    assert bench.client.outgoing()
    with pytest.raises(UnexpectedApdu):
        told(bench, apdu.action_block_taken(1, 2))


@pytest.mark.parametrize(
    "reply",
    [
        apdu.action_response_list(1, []),
        apdu.action_response_list(1, [Acted(0), Acted(0), Acted(0)]),
        b"\xc7\x03\xc1\x02\x00\x00\x00\x02",
        b"\xc7\x04\xc1\x00",
        b"\xc7\x02\xc1\x01\x00\x00\x00\x02\x00",
    ],
)
def test_a_malformed_answer_to_a_list_of_actions_ends_the_association(reply: bytes) -> None:
    bench = Bench(sap=16).open()
    bench.client.action_list([Target(3, ENERGY, 1)] * 2, [None] * 2)
    with pytest.raises(MalformedApdu):
        told(bench, reply)
    assert bench.client.state is State.CLOSED


def test_pieces_know_their_bounds() -> None:
    collector = Collector(10)
    assert collector.take(last=False, number=1, raw=bytes(10)) is None
    with pytest.raises(OversizedApdu):
        collector.take(last=True, number=2, raw=b"x")
    with pytest.raises(MalformedApdu):
        Collector(10).take(last=False, number=1, raw=b"")
    upload = Upload(b"abcdef", 4)
    assert not upload.done
    assert upload.next(2) == (False, 1, b"ab")
    assert upload.next() == (True, 2, b"cdef")
    assert upload.done
    with pytest.raises(RequestTooLong):
        upload.next(4)
    with pytest.raises(RequestTooLong):
        Upload(b"", 0)


# --- notifications and protection ------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
def test_an_event_is_told_within_the_association(link: str) -> None:
    bench = Bench(**LINKS[link]).open()
    target = Target(3, ENERGY, 2)
    (event,) = bench.client.receive(bench.server.notify(target, axdr.uint32(5), moment(1)))
    assert isinstance(event, Notification)
    assert event.protected == (bench.client._client_sap != 16)
    assert event.content == apdu.EventNotification(moment(1), target, axdr.uint32(5))
    assert isinstance(bench.say(bench.client.get(1, NUMBER, 2)), Got)


def test_an_event_comes_before_an_answer() -> None:
    bench = Bench().open()
    event = bench.server.notify(Target(1, NOTE, 2), axdr.null())
    told_first, got = bench.client.receive(event + bench.server.receive(bench.client.get(1, NUMBER, 2)))
    assert isinstance(told_first, Notification)
    assert told_first.content == apdu.EventNotification(b"", Target(1, NOTE, 2), axdr.null())
    assert isinstance(got, Got)
    with pytest.raises(StateError):
        Bench().server.notify(Target(1, NOTE, 2), axdr.null())
    data = Notification(1, 16, apdu.data_notification(5, b"", axdr.uint8(1)), protected=False)
    assert data.content == apdu.DataNotification(5, b"", axdr.uint8(1))


def test_replies_have_the_protection_of_their_request() -> None:
    bench = Bench(control=0x10)
    bench.client._security_control = 0x30
    bench.open()
    assert isinstance(bench.say(bench.client.get(1, NUMBER, 2)), Got)
    assert apdus(bench.replies)[0][2] == 0x30


def test_authentication_alone_hides_nothing_and_is_checked() -> None:
    bench = Bench(control=security.AUTHENTICATED).open()
    request = bench.client.get(1, NUMBER, 2)
    assert apdu.get_request(2, 1, NUMBER, 2) in request
    reply = bytearray(bench.server.receive(request))
    reply[-14] ^= 1
    with pytest.raises(BadTag):
        bench.client.receive(bytes(reply))
    weak = Bench(control=0x10).open()
    weak.client._security_control = 0x20
    unproved = weak.client.get(1, NUMBER, 2)
    with pytest.raises(WeakProtection):
        weak.server.receive(unproved)
