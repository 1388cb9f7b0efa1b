"""Each oddity that others have met, twice over: the make really does it, and our client copes or refuses by name.

Here client and meter are wired to each other; over sockets, with the interlock's own sessions, in
`tests/interlock/test_makes.py`.
"""

import dataclasses
import itertools
from pathlib import Path

import pytest

from bahal.dlms import apdu, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Got, Opened, Released
from bahal.dlms.errors import (
    AssociationRejected,
    BadTag,
    DlmsError,
    InvokeIdMismatch,
    MalformedApdu,
    ServiceException,
    WrongSystemTitle,
)
from bahal.dlms.quirks import STANDARD, Make, Quirks, quirks_of, registry
from bahal.dlms.security import Cipher
from bahal.fleet.circle import Circle
from bahal.fleet.roster import RosterRow
from tests.fleet.household import CLIENT_TITLE, NullModem, circle_of, client_of, modem, number_of, roster

SETTING, READING = 48, 32
_HEADER = 8
MAKES = ("arpa", "hasdeo", "kharun", "mand", "shivnath")
DEDICATED = bytes(range(16))
_BLOCKS = itertools.count(50_000, 1000)
"""Where each further client of a test begins: no counter is used twice."""


@pytest.fixture
def rows(tmp_path: Path) -> list[RosterRow]:
    """Enough meters for every make to be among them."""
    return roster(tmp_path, count=40)


def asked_by(link: NullModem, quirks: Quirks, **changed: object) -> ClientAssociation:
    """A setting client of that link's meter that believes it to have these quirks."""
    meter, counter = link.meter, next(_BLOCKS)
    keys = meter.keys(SETTING)
    assert keys is not None
    settings: dict[str, object] = {
        "client_sap": SETTING,
        "mechanism": quirks.hls_mechanism,
        "security_control": security.AUTHENTICATED_ENCRYPTED,
        "system_title": CLIENT_TITLE,
        "meter_title": meter.system_title,
        "cipher": Cipher(keys.encryption, keys.authentication),
        "secret": keys.secret,
        "counter": counter,
        "counter_end": counter + 1000,
        "quirks": quirks,
    }
    return ClientAssociation(**(settings | changed))  # type: ignore[arg-type]


def tags(link: NullModem) -> list[int]:
    """The tag of each APDU that the client has sent."""
    return [each[_HEADER] for each in link.sent]


# --- the profiles -----------------------------------------------------------------------------------------------------


def test_makes_are_data_and_none_of_them_claims_to_be_real() -> None:
    known = registry()
    assert set(MAKES) < set(known)
    assert len(known) >= 4
    assert len({make.flag for make in known.values()}) == len(known)
    for make in known.values():
        assert isinstance(make, Make)
        assert "fictitious" in make.manufacturer
        assert not make.verified
        assert make.quirks.challenge_length <= make.quirks.challenge_limit
    assert quirks_of("never heard of") is STANDARD


@pytest.mark.parametrize("make", MAKES)
def test_every_make_is_read_cut_and_lit_by_its_own_profile(circle: Circle, rows: list[RosterRow], make: str) -> None:
    link = modem(circle, rows, make=make).open()
    for method, after in ((1, False), (2, True)):
        done = link.act("relay", method)
        assert isinstance(done, ActionDone)
        assert done.result == apdu.SUCCESS
        assert link.meter.connected is after
        read = link.get("relay", 2)
        assert isinstance(read, Got)
        assert read.value is after
    assert isinstance(link.say(link.client.release()), Released)


# --- quirk by quirk ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "breaks_at"), [("mand", 32), ("mand", 17), ("kharun", 9), ("arpa", None)])
def test_a_long_challenge_breaks_some(circle: Circle, rows: list[RosterRow], make: str, breaks_at: int | None) -> None:
    link = modem(circle, rows, make=make)
    link.client = asked_by(link, link.meter.quirks, challenge_length=breaks_at or 64)
    if breaks_at is None:
        assert isinstance(link.say(link.client.open()), Opened)
        return
    with pytest.raises(AssociationRejected):
        link.say(link.client.open())
    link.client = asked_by(link, link.meter.quirks)
    assert isinstance(link.say(link.client.open()), Opened)


def test_a_value_sent_twice_is_one_value_and_counted(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, make="shivnath")
    strict = dataclasses.replace(link.meter.quirks, lenient_duplicate=False)
    link.client = asked_by(link, strict)
    link.open()
    twice = link.get("clock")
    assert isinstance(twice, Got)
    assert twice.data[:14] == twice.data[14:]
    with pytest.raises(MalformedApdu):
        _ = twice.value
    link.client = asked_by(link, link.meter.quirks)
    link.open()
    once = link.get("clock")
    assert isinstance(once, Got)
    assert len(once.data) == 14
    assert link.client.duplicates == 1


def test_a_first_counter_of_nothing_is_a_counter(circle: Circle, rows: list[RosterRow]) -> None:
    n = number_of(rows, "arpa")
    circle.columns.counters[SETTING][n] = 0
    link = NullModem(circle, rows[n], n, SETTING)
    aare = link.server.receive(link.client.open())
    assert b"\x28" in aare
    sealed_at_nothing = bytes((security.AUTHENTICATED_ENCRYPTED,)) + bytes(4)
    assert sealed_at_nothing in aare
    assert link.client.meter_counter == -1
    link.client.receive(aare)
    assert link.client.meter_counter == 0
    link.client.receive(link.server.receive(link.client.outgoing()))
    assert isinstance(link.get("relay", 2), Got)


@pytest.mark.parametrize(("make", "answer"), [("hasdeo", security.DED), ("arpa", security.GLO)])
def test_hls_is_proved_under_the_global_key_and_the_answer_taken_under_either(
    circle: Circle, rows: list[RosterRow], make: str, answer: dict[int, int]
) -> None:
    link = modem(circle, rows, make=make)
    link.client = asked_by(link, link.meter.quirks, dedicated_key=DEDICATED)
    link.client.receive(link.server.receive(link.client.open()))
    pass_three = link.client.outgoing()
    assert pass_three[_HEADER] == security.GLO[apdu.ACTION_REQUEST]
    pass_four = link.server.receive(pass_three)
    assert pass_four[_HEADER] == answer[apdu.ACTION_RESPONSE]
    assert isinstance(link.client.receive(pass_four)[0], Opened)
    assert isinstance(link.get("relay", 2), Got)
    assert tags(link)[-1] == security.DED[apdu.GET_REQUEST]


def test_no_dedicated_key_is_proposed_by_default(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, make="hasdeo").open()
    assert isinstance(link.get("relay", 2), Got)
    assert set(tags(link)[1:]) == {security.GLO[apdu.ACTION_REQUEST], security.GLO[apdu.GET_REQUEST]}


def test_the_title_of_the_aare_makes_the_nonce_and_must_be_the_registered_one(
    circle: Circle, rows: list[RosterRow]
) -> None:
    n = number_of(rows, "arpa")
    other = b"ARP\x00\x00\x00\x00\x63"
    circle.meter(n).retitle(other)
    link = NullModem(circle, rows[n], n, SETTING)
    link.client = asked_by(link, STANDARD, meter_title=None)
    assert link.open().client.meter_title == other
    assert isinstance(link.get("relay", 2), Got)
    link.client = asked_by(link, STANDARD, meter_title=rows[n].system_title)
    with pytest.raises(WrongSystemTitle):
        link.open()


@pytest.mark.parametrize(
    ("make", "answer"), [("hasdeo", bytes((apdu.EXCEPTION_RESPONSE, 2, 2))), ("mand", b"\x63"), ("arpa", None)]
)
def test_release_is_best_effort(circle: Circle, rows: list[RosterRow], make: str, answer: bytes | None) -> None:
    link = modem(circle, rows, make=make).open()
    asked = link.client.release()
    said = link.server.receive(asked)
    if answer is not None:
        assert said[_HEADER:] == answer
    (released,) = link.client.receive(said)
    assert isinstance(released, Released)
    assert released.clean is (answer is None)


def test_a_make_that_must_not_be_asked_to_release_is_just_left(circle: Circle, rows: list[RosterRow]) -> None:
    link = modem(circle, rows, make="arpa")
    link.client = asked_by(link, dataclasses.replace(STANDARD, rlrq_allowed=False))
    link.open()
    assert link.client.release() == b""


class Interrupted:
    """A meter's end that gives an ExceptionResponse in place of one of its replies."""

    def __init__(self, link: NullModem, at: int) -> None:
        self._server, self._left = link.server, at

    def receive(self, data: bytes) -> bytes:
        reply = self._server.receive(data)
        self._left -= 1
        if self._left:
            return reply
        refusal = apdu.exception_response(apdu.STATE_SERVICE_NOT_ALLOWED, apdu.SERVICE_OPERATION_NOT_POSSIBLE)
        return reply[:6] + len(refusal).to_bytes(2, "big") + refusal


def a_session(link: NullModem) -> None:
    link.open()
    link.get("relay", 2)
    link.act("relay", 1)


@pytest.mark.parametrize("at", range(1, 5))
def test_an_exception_may_answer_anything_and_nothing_sticks(circle: Circle, rows: list[RosterRow], at: int) -> None:
    link = modem(circle, rows, make="arpa")
    link.server = Interrupted(link, at)  # type: ignore[assignment]
    with pytest.raises(ServiceException):
        a_session(link)
    assert link.meter.connected is (at < 4)
    if at <= 2:
        link.client = asked_by(link, STANDARD)
        link.open()
    assert isinstance(link.get("relay", 3), Got)


def test_an_answer_under_another_invoke_id_is_refused_by_name(circle: Circle, rows: list[RosterRow]) -> None:
    with pytest.raises(InvokeIdMismatch):
        modem(circle, rows, make="lilagar").open()
    assert circle.meter(number_of(rows, "lilagar")).connected


@pytest.mark.parametrize(("make", "own", "other"), [("shivnath", 2, 5), ("arpa", 5, 2)])
def test_each_make_has_its_mechanism_and_no_other(
    circle: Circle, rows: list[RosterRow], make: str, own: int, other: int
) -> None:
    link = modem(circle, rows, make=make)
    assert link.meter.quirks.hls_mechanism == own
    link.client = asked_by(link, dataclasses.replace(link.meter.quirks, hls_mechanism=other))
    with pytest.raises(AssociationRejected):
        link.open()
    link.client = asked_by(link, link.meter.quirks)
    assert isinstance(link.open().get("relay", 2), Got)


def test_who_shares_a_key_shares_a_counter(circle: Circle, rows: list[RosterRow]) -> None:
    n, plain = number_of(rows, "mand"), number_of(rows, "arpa")
    assert rows[n].mr_ek == rows[n].us_ek
    assert rows[plain].mr_ek != rows[plain].us_ek
    used = []
    for sap, counter in ((READING, 1), (SETTING, 1), (READING, 500), (SETTING, 500)):
        link = NullModem(circle, rows[n], n, sap)
        link.client = client_of(rows[n], sap, link.meter.quirks, counter=counter)
        before = link.meter.next_counter(sap)
        link.open().get("relay", 2)
        used.append(range(before, link.meter.next_counter(sap)))
    spent = [counter for each in used for counter in each]
    assert len(spent) == len(set(spent)) > 8
    assert spent == sorted(spent)


def test_a_shared_key_does_not_open_the_setting_client_without_its_authentication(
    circle: Circle, rows: list[RosterRow]
) -> None:
    link = modem(circle, rows, make="mand")
    row = rows[number_of(rows, "mand")]
    link.client = asked_by(link, link.meter.quirks, cipher=Cipher(row.mr_ek, bytes(16)))
    with pytest.raises(DlmsError) as refused:
        link.open()
    assert isinstance(refused.value, BadTag)
    assert link.meter.connected


def test_the_circle_of_these_tests_has_every_make(rows: list[RosterRow], tmp_path: Path) -> None:
    assert {row.make for row in rows} == set(registry())
    assert len(circle_of(rows, tmp_path).columns) == len(rows)
