"""Whom the server does not let in, and what it does with bytes that no client should send."""

import contextlib
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import acse, apdu, india, security, wrapper
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Got
from bahal.dlms.association.server import REFUSALS_AT_MOST, ServerAssociation
from bahal.dlms.association.states import State
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    DlmsError,
    HlsFailed,
    OversizedApdu,
    ReplayedCounter,
    ServiceException,
    UnexpectedApdu,
    WeakProtection,
)
from bahal.dlms.security import Cipher
from bahal.fleet.circle import Circle
from bahal.fleet.roster import RosterRow
from tests.fleet.household import CLIENT_TITLE, NullModem, circle_of, client_of, modem, number_of, roster

SAPS = (16, 32, 48)


# --- who is let in ----------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_rejected_and_three_of_them_end_the_connection(
    circle: Circle, rows: list[RosterRow]
) -> None:
    n = number_of(rows, "arpa")
    row = dataclasses.replace(rows[n], mr_lls=b"guess")
    link = NullModem(circle, row, n, 32)
    for attempt in range(REFUSALS_AT_MOST):
        client = client_of(row, 32, link.meter.quirks, counter=10 * attempt)
        if attempt == REFUSALS_AT_MOST - 1:
            with pytest.raises(AssociationRejected):
                link.server.receive(client.open())
            reply = link.server.last_words
        else:
            reply = link.server.receive(client.open())
        with pytest.raises(AssociationRejected) as refused:
            client.receive(reply)
        assert refused.value.diagnostic == acse.DIAGNOSTIC_AUTHENTICATION_FAILED
    assert link.server.state is State.CLOSED
    assert [error.name for error in link.server.refusals] == ["association_rejected"] * REFUSALS_AT_MOST


@pytest.mark.parametrize("key", ["us_ek", "us_ak"])
def test_a_wrong_key_ends_the_association_and_says_why(circle: Circle, rows: list[RosterRow], key: str) -> None:
    n = number_of(rows, "arpa")
    link = NullModem(circle, dataclasses.replace(rows[n], **{key: bytes(16)}), n, 48)
    with pytest.raises(BadTag):
        link.server.receive(link.client.open())
    with pytest.raises(ServiceException) as said:
        link.client.receive(link.server.last_words)
    assert said.value.service_error == apdu.SERVICE_DECIPHERING_ERROR
    assert circle.columns.floors[48][n] == 0


def test_a_wrong_hls_secret_is_refused_and_nothing_is_served(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "shivnath")
    link = NullModem(circle, dataclasses.replace(rows[n], us_hls=bytes(16)), n, 48)
    with pytest.raises(HlsFailed):
        link.say(link.client.open())
    assert link.server.state is State.IDLE
    assert [error.name for error in link.server.refusals] == ["hls_failed"]
    stray = Cipher(rows[n].us_ek, rows[n].us_ak).seal(
        0x30, CLIENT_TITLE, 90, apdu.get_request(1, 70, india.RELAY_LN, 2)
    )
    reply = link.server.receive(wrapper.frame(48, 1, security.wrap(0xC8, stray)))
    assert reply[8:] == apdu.exception_response(1, 1)


def test_a_replayed_frame_moves_nothing_and_ends_the_association(
    circle: Circle, rows: list[RosterRow], tmp_path: Path
) -> None:
    link = modem(circle, rows).open()
    link.act("relay", 1)
    cut = link.sent[-1]
    link.act("relay", 2)
    with pytest.raises(ReplayedCounter):
        link.server.receive(cut)
    floor = link.client.counter
    assert link.server.last_words[8:] == apdu.exception_response(1, apdu.SERVICE_INVOCATION_COUNTER_ERROR, floor)
    assert link.meter.connected
    assert len((tmp_path / "fleet.jsonl").read_text().splitlines()) == 2
    with pytest.raises(UnexpectedApdu):
        link.server.receive(cut)


def test_counters_must_rise_across_associations_too(circle: Circle, rows: list[RosterRow]) -> None:
    modem(circle, rows, counter=50).open()
    stale = modem(circle, rows, counter=50)
    with pytest.raises(ReplayedCounter):
        stale.server.receive(stale.client.open())
    assert isinstance(modem(circle, rows, counter=53).open().get("relay", 2), Got)


def test_the_public_client_reads_the_last_counter(circle: Circle, rows: list[RosterRow]) -> None:
    fresh = modem(circle, rows, sap=16).open().get("counter_setting")
    used = modem(circle, rows, counter=70)
    used.open()
    known = modem(circle, rows, sap=16).open().get("counter_setting")
    assert (fresh.value, known.value) == (0, used.client.counter - 1)  # type: ignore[union-attr]


def test_plain_requests_in_a_ciphered_association_end_it(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows).open()
    with pytest.raises(WeakProtection):
        link.server.receive(wrapper.frame(48, 1, apdu.get_request(1, 70, india.RELAY_LN, 2)))


def test_encryption_alone_is_too_weak_for_the_setting_client(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "arpa")
    link = NullModem(circle, rows[n], n, 48).open()
    content = Cipher(rows[n].us_ek, rows[n].us_ak).seal(
        0x20, CLIENT_TITLE, 5000, apdu.action_request(1, 70, india.RELAY_LN, 1)
    )
    with pytest.raises(WeakProtection):
        link.server.receive(wrapper.frame(48, 1, security.wrap(0xCB, content)))
    assert link.meter.connected


@pytest.mark.parametrize(
    ("sap", "mechanism", "context", "diagnostic"),
    [
        (80, 0, 1, acse.DIAGNOSTIC_NO_REASON),
        (16, 0, 3, acse.DIAGNOSTIC_CONTEXT_NOT_SUPPORTED),
        (16, 1, 1, acse.DIAGNOSTIC_MECHANISM_NOT_RECOGNISED),
        (48, 0, 3, acse.DIAGNOSTIC_MECHANISM_REQUIRED),
        (48, 2, 3, acse.DIAGNOSTIC_MECHANISM_NOT_RECOGNISED),
        (48, 5, 3, acse.DIAGNOSTIC_TITLE_NOT_RECOGNISED),
    ],
)
def test_an_association_that_does_not_fit_is_rejected(
    circle: Circle, rows: list[RosterRow], sap: int, mechanism: int, context: int, diagnostic: int
) -> None:
    server = ServerAssociation(circle.meter(number_of(rows, "arpa")), answers=india.single_phase_answers())
    asked = acse.aarq(
        context=context,
        title=b"",
        mechanism=mechanism,
        authentication=bytes(16),
        initiate=acse.initiate_request(max_pdu=512),
    )
    reply = acse.parse_aare(server.receive(wrapper.frame(sap, 1, asked))[8:])
    assert (reply.result, reply.diagnostic) == (acse.REJECTED_PERMANENT, diagnostic)
    assert server.state is State.IDLE


def test_requests_before_the_association_and_unknown_services_are_answered(
    circle: Circle, rows: list[RosterRow]
) -> None:
    link = modem(circle, rows, sap=16)
    request = wrapper.frame(16, 1, apdu.get_request(1, 8, india.CLOCK_LN, 2))
    assert link.server.receive(request)[8:] == apdu.exception_response(1, 1)
    link.open()
    strange = bytes.fromhex("d90001")
    assert link.server.receive(wrapper.frame(16, 1, strange + b"\x00"))[8:] == apdu.exception_response(2, 2)
    assert link.server.receive(request)[8] == apdu.GET_RESPONSE


def test_one_connection_serves_one_association_after_another(circle: Circle, rows: list[RosterRow]) -> None:
    """As a head-end does that reads the counter as the public client first, with and without a release between."""
    n = number_of(rows, "arpa")
    link = NullModem(circle, rows[n], n, 16).open()
    assert isinstance(link.get("counter_setting"), Got)
    link.say(link.client.release())
    link.client = client_of(rows[n], 48, link.meter.quirks)
    assert isinstance(link.open().get("relay", 3), Got)
    link.client = client_of(rows[n], 32, link.meter.quirks)
    assert isinstance(link.open().get("energy_import"), Got)


def test_a_dedicated_key_is_taken(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "arpa")
    link = NullModem(circle, rows[n], n, 48)
    link.client = ClientAssociation(
        client_sap=48,
        mechanism=5,
        security_control=0x30,
        system_title=CLIENT_TITLE,
        meter_title=rows[n].system_title,
        cipher=Cipher(rows[n].us_ek, rows[n].us_ak),
        counter=1,
        counter_end=100,
        dedicated_key=bytes(range(16)),
    )
    assert isinstance(link.open().get("relay", 3), Got)
    assert link.sent[-1][8] == security.DED[apdu.GET_REQUEST]


# --- any input --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def still_circle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Circle, list[RosterRow], Path]:
    folder = tmp_path_factory.mktemp("still")
    rows = roster(folder, count=3)
    return circle_of(rows, folder), rows, folder / "fleet.jsonl"


@given(data=st.binary(max_size=300), framed=st.booleans(), sap=st.sampled_from(SAPS))
def test_any_bytes_get_a_reply_or_a_named_error(
    still_circle: tuple[Circle, list[RosterRow], Path], data: bytes, framed: bool, sap: int
) -> None:
    circle, _, log = still_circle
    server = ServerAssociation(circle.meter(0), answers=india.single_phase_answers())
    closed = False
    try:
        server.receive(wrapper.frame(sap, 1, data) if framed and data else data)
    except DlmsError:
        closed = True
    assert (server.state is State.CLOSED) is closed
    assert log.read_bytes() == b""


@given(at=st.integers(0, 60), flip=st.integers(1, 255))
def test_no_altered_byte_of_a_cut_gets_through(
    still_circle: tuple[Circle, list[RosterRow], Path], at: int, flip: int
) -> None:
    circle, rows, log = still_circle
    n = next((n for n, row in enumerate(rows) if row.make != "kharun"), 0)
    start = circle.columns.floors[48][n]
    link = NullModem(circle, rows[n], n, 48, counter=start).open()
    cut = bytearray(link.client.action(70, india.RELAY_LN, 1, b"\x0f\x00"))
    cut[at % len(cut)] ^= flip
    with contextlib.suppress(DlmsError):
        link.server.receive(bytes(cut))
    # Only the source wPort is outside the tag; from another client's port the frame opens nothing either.
    assert link.meter.connected
    assert log.read_bytes() == b""


def test_a_frame_longer_than_agreed_is_refused_before_it_arrives(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, sap=16).open()
    with pytest.raises(OversizedApdu):
        link.server.receive(wrapper.HEADER.pack(1, 16, 1, 5000))


def test_bytes_may_come_one_by_one(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows)
    asked = link.client.open()
    replies = [link.server.receive(asked[n : n + 1]) for n in range(len(asked))]
    assert replies[:-1] == [b""] * (len(asked) - 1)
    assert replies[-1]
