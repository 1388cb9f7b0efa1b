"""Ciphered pushes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import apdu, axdr, push, security
from bahal.dlms.errors import (
    BadTag,
    DlmsError,
    MalformedApdu,
    ReplayedCounter,
    UnexpectedApdu,
    WeakProtection,
)
from bahal.dlms.security import Cipher
from tests.dlms.meter import AUTHENTICATION_KEY, METER_TITLE, cipher

CLOCK = bytes.fromhex("07e90b18010a000000feb600")
BODY = axdr.structure(
    axdr.octets(b"BH0000001"),
    axdr.octets(bytes((0, 4, 25, 9, 0, 255))),
    axdr.octets(CLOCK),
    axdr.bits(axdr.BitString.of(128, 81, 84)),
)


def alert(counter: int = 7, control: int = 0x30) -> bytes:
    return push.seal_notification(
        cipher=cipher(), system_title=METER_TITLE, counter=counter, clock=CLOCK, body=BODY, security_control=control
    )


@given(counter=st.integers(0, 0xFFFFFFFF), control=st.sampled_from((0x10, 0x20, 0x30)))
def test_a_push_comes_back(counter: int, control: int) -> None:
    sealed = alert(counter, control)
    assert push.sender_of(sealed) == METER_TITLE
    opened = push.open_notification(sealed, cipher(), counter - 1, security_control=control)
    assert opened == (METER_TITLE, counter, apdu.DataNotification(0, CLOCK, BODY))
    value = axdr.decode(opened.notification.body)
    assert isinstance(value, tuple)
    assert isinstance(value[3], axdr.BitString)
    assert value[3].positions() == [81, 84]


def test_a_replayed_push_is_refused() -> None:
    for last in (7, 8):
        with pytest.raises(ReplayedCounter) as caught:
            push.open_notification(alert(), cipher(), last)
        assert caught.value.data == {"last": last, "got": 7}


def test_another_key_another_title_and_less_protection_are_refused() -> None:
    with pytest.raises(BadTag):
        push.open_notification(alert(), Cipher(bytes(16), AUTHENTICATION_KEY), -1)
    with pytest.raises(BadTag):
        push.open_notification(alert().replace(METER_TITLE, b"OTHERMET"), cipher(), -1)
    with pytest.raises(WeakProtection):
        push.open_notification(alert(control=0x20), cipher(), -1)


def test_what_is_no_ciphered_notification_is_refused() -> None:
    with pytest.raises(UnexpectedApdu):
        push.open_notification(apdu.data_notification(1, b"", BODY), cipher(), -1)
    request = cipher().seal(0x30, METER_TITLE, 7, apdu.get_request(1, 1, bytes(6), 2))
    with pytest.raises(UnexpectedApdu):
        push.open_notification(security.wrap_general(0xDB, METER_TITLE, request), cipher(), -1)
    with pytest.raises(MalformedApdu):
        push.sender_of(b"\xdb\x07" + alert()[2:])


@given(at=st.integers(0, len(alert()) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(alert()) - 1))
def test_an_altered_or_cut_push_is_refused(at: int, byte: int, cut: int) -> None:
    whole = alert()
    altered = whole[:at] + bytes((byte,)) + whole[at + 1 :]
    for message in (altered, whole[:cut]):
        if message == whole:
            continue
        with pytest.raises(DlmsError):
            push.open_notification(message, cipher(), -1)
