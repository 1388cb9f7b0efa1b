"""Association control: published APDUs, round trips, refusals."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import acse, security
from bahal.dlms.errors import AssociationRejected, DlmsError, MalformedApdu, UnexpectedApdu
from tests.dlms.meter import METER_TITLE, cipher

GREEN_BOOK_CONFORMANCE = 0x007E1F
titles = st.sampled_from((b"", METER_TITLE))
blocks = st.integers(0, 0xFFFFFF)
pdu_sizes = st.integers(0, 0xFFFF)


def green_book_request(dedicated_key: bytes = b"") -> bytes:
    return acse.initiate_request(conformance=GREEN_BOOK_CONFORMANCE, max_pdu=0x04B0, dedicated_key=dedicated_key)


def test_green_book_aarq_without_security() -> None:
    built = acse.aarq(context=1, title=b"", mechanism=0, authentication=b"", initiate=green_book_request())
    assert built.hex().upper() == "601DA109060760857405080101BE10040E01000000065F1F0400007E1F04B0"


def test_green_book_aarq_with_a_password() -> None:
    built = acse.aarq(context=1, title=b"", mechanism=1, authentication=b"12345678", initiate=green_book_request())
    assert built.hex().upper() == (
        "6036A1090607608574050801018A0207808B0760857405080201AC0A80083132333435363738"
        "BE10040E01000000065F1F0400007E1F04B0"
    )


def test_green_book_ciphered_initiate_request() -> None:
    plain = green_book_request(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    sealed = security.wrap(0x21, cipher().seal(0x30, METER_TITLE, 0x01234567, plain))
    assert sealed.hex().upper() == (
        "213030012345678013" + "02FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE6841DB204D39EE6FDB8E356855"
    )
    assert acse.parse_initiate_request(plain).dedicated_key.hex() == "00112233445566778899aabbccddeeff"


def test_green_book_aare() -> None:
    reply = acse.parse_aare(
        bytes.fromhex("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007")
    )
    assert reply[:3] == (1, acse.ACCEPTED, acse.DIAGNOSTIC_NULL)
    assert acse.parse_initiate_response(reply.initiate) == (6, 0x00501F, 500)


@given(
    context=st.sampled_from((1, 3)),
    title=titles,
    mechanism=st.sampled_from((0, 1, 2, 5)),
    authentication=st.binary(max_size=200),
    initiate=st.binary(min_size=1, max_size=300),
)
def test_aarq_comes_back(context: int, title: bytes, mechanism: int, authentication: bytes, initiate: bytes) -> None:
    built = acse.aarq(
        context=context, title=title, mechanism=mechanism, authentication=authentication, initiate=initiate
    )
    assert acse.parse_aarq(built) == (context, title, mechanism, authentication if mechanism else b"", initiate)


@given(
    result=st.integers(0, 2),
    diagnostic=st.integers(0, 255),
    title=titles,
    authentication=st.binary(min_size=1, max_size=200),
    initiate=st.binary(max_size=300),
)
def test_aare_comes_back(result: int, diagnostic: int, title: bytes, authentication: bytes, initiate: bytes) -> None:
    built = acse.aare(
        context=3,
        result=result,
        diagnostic=diagnostic,
        title=title,
        mechanism=5,
        authentication=authentication,
        initiate=initiate,
    )
    assert acse.parse_aare(built) == (3, result, diagnostic, title, 5, authentication, initiate)


@given(reason=st.integers(0, 30), initiate=st.binary(max_size=300))
def test_release_comes_back(reason: int, initiate: bytes) -> None:
    assert acse.parse_release(acse.rlrq(reason=reason, initiate=initiate), acse.RLRQ) == (reason, initiate)
    assert acse.parse_release(acse.rlre(reason=reason, initiate=initiate), acse.RLRE) == (reason, initiate)
    assert acse.parse_release(b"\x63\x00", acse.RLRE) == (None, b"")


@given(block=blocks, max_pdu=pdu_sizes, key=st.sampled_from((b"", bytes(range(16)))))
def test_initiate_comes_back(block: int, max_pdu: int, key: bytes) -> None:
    request = acse.initiate_request(conformance=block, max_pdu=max_pdu, dedicated_key=key)
    assert acse.parse_initiate_request(request) == (key, 6, block, max_pdu)
    response = acse.initiate_response(conformance=block, max_pdu=max_pdu)
    assert acse.parse_initiate_response(response) == (6, block, max_pdu)


def test_rarer_forms_of_initiate_are_read() -> None:
    # response-allowed and quality of service present, and the conformance tag in its short form
    assert acse.parse_initiate_request(bytes.fromhex("01 00 0100 0105 06 5f0400007e1f 04b0"))[1:] == (6, 0x7E1F, 0x4B0)
    assert acse.parse_initiate_response(bytes.fromhex("08 0105 06 5f0400007e1f 01f4 0007")) == (6, 0x7E1F, 500)


def test_a_service_error_in_the_place_of_initiate_is_a_rejection() -> None:
    with pytest.raises(AssociationRejected) as caught:
        acse.parse_initiate_response(bytes.fromhex("0e010601"))
    assert caught.value.data == {"result": 1, "diagnostic": 1}


def test_conformance_counts_from_the_most_significant_bit() -> None:
    assert acse.conformance("get", "set", "selective_access", "event_notification", "action") == 0x1F
    assert acse.conformance("block_get") == 0x1000
    assert acse.conformance("general_protection") == 0x400000


@pytest.mark.parametrize(
    "raw",
    [
        "60",
        "6000",
        "6005a1030601",
        "6009a1090607608574050801",
        "601da10906076085740508010abe10040e01000000065f1f0400007e1f04",
        "60848000000000",
        "601da109060660857405080101be10040e01000000065f1f0400007e1f04b0",
        "600fa10d060b6085740508010101010101",
    ],
)
def test_malformed_aarq_and_aare(raw: str) -> None:
    message = bytes.fromhex(raw)
    with pytest.raises(MalformedApdu):
        acse.parse_aarq(message)
    with pytest.raises(MalformedApdu):
        acse.parse_aare(b"\x61" + message[1:])


def test_a_diagnostic_of_an_unknown_source_is_malformed() -> None:
    reply = bytes.fromhex("6129a109060760857405080101a203020100a305a703020100be10040e0800065f1f040000501f01f40007")
    with pytest.raises(MalformedApdu):
        acse.parse_aare(reply)


@pytest.mark.parametrize("raw", [b"", b"\xc0\x01", b"\x0e\x01\x06\x01"])
def test_another_apdu_is_unexpected(raw: bytes) -> None:
    with pytest.raises(UnexpectedApdu):
        acse.parse_aarq(raw)
    with pytest.raises(UnexpectedApdu):
        acse.parse_release(raw, acse.RLRE)
    with pytest.raises(UnexpectedApdu):
        acse.parse_initiate_request(raw)


@given(raw=st.binary(max_size=60), data=st.data())
def test_random_and_altered_bytes_raise_dlms_errors_alone(raw: bytes, data: st.DataObject) -> None:
    whole = bytearray(
        data.draw(
            st.sampled_from(
                (
                    acse.aarq(context=3, title=METER_TITLE, mechanism=5, authentication=bytes(16), initiate=raw + b"!"),
                    acse.aare(context=3, result=0, diagnostic=14, title=METER_TITLE, mechanism=5, authentication=raw),
                    acse.rlrq(initiate=raw),
                    acse.initiate_request(max_pdu=1024),
                    acse.initiate_response(conformance=1, max_pdu=1024),
                )
            )
        )
    )
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for message in (raw, bytes(whole), bytes(whole[:-1]), b"\x01" + raw, b"\x08" + raw):
        for parse in (
            acse.parse_aarq,
            acse.parse_aare,
            lambda apdu: acse.parse_release(apdu, acse.RLRE),
            acse.parse_initiate_request,
            acse.parse_initiate_response,
        ):
            with contextlib.suppress(DlmsError):
                parse(message)
