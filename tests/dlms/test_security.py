"""Suite 0: published vectors, round trips, and every way a content can be wrong."""

import contextlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bahal.dlms import security
from bahal.dlms.errors import BadTag, MalformedApdu, UnexpectedApdu, ValueOutOfRange, WeakProtection
from bahal.dlms.security import Cipher
from tests.dlms.meter import AUTHENTICATION_KEY, CLIENT_TITLE, ENCRYPTION_KEY, METER_TITLE, cipher

controls = st.sampled_from((0x10, 0x20, 0x30))
counters = st.integers(0, 0xFFFFFFFF)


def test_green_book_gmac_of_the_client() -> None:
    answer = cipher().gmac_answer(CLIENT_TITLE, 1, b"P6wRJ21F")
    assert answer.hex().upper() == "1000000001" + "1A52FE7DD3E72748973C1E28"
    assert cipher().check_gmac(CLIENT_TITLE, b"P6wRJ21F", answer) == 1


def test_green_book_gmac_of_the_server() -> None:
    answer = cipher().gmac_answer(METER_TITLE, 0x01234567, b"K56iVagY")
    assert answer.hex().upper() == "1001234567" + "FE1466AFB3DBCD4F9389E2B7"
    assert cipher().check_gmac(METER_TITLE, b"K56iVagY", answer) == 0x01234567


@pytest.mark.parametrize(
    ("control", "apdu"),
    [
        (0x10, "C81E1001234567C0010000080000010000FF020006725D910F9221D263877516"),
        (0x20, "C8122001234567411312FF935A47566827C467BC"),
        (0x30, "C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B"),
    ],
)
def test_green_book_glo_get_request(control: int, apdu: str) -> None:
    plain = bytes.fromhex("C0010000080000010000FF0200")
    assert security.wrap(0xC8, cipher().seal(control, METER_TITLE, 0x01234567, plain)).hex().upper() == apdu
    assert cipher().open(control, METER_TITLE, security.unwrap(bytes.fromhex(apdu))) == (0x01234567, plain)


@given(plain=st.binary(max_size=300), counter=counters)
def test_a_sealed_content_is_aes_gcm_with_the_tag_cut_to_twelve(plain: bytes, counter: int) -> None:
    content = cipher().seal(0x30, METER_TITLE, counter, plain)
    nonce = METER_TITLE + counter.to_bytes(4, "big")
    whole = AESGCM(ENCRYPTION_KEY).encrypt(nonce, plain, b"\x30" + AUTHENTICATION_KEY)
    assert content == b"\x30" + nonce[8:] + whole[:-4]


@given(control=controls, plain=st.binary(max_size=300), counter=counters)
def test_what_is_sealed_opens(control: int, plain: bytes, counter: int) -> None:
    content = cipher().seal(control, METER_TITLE, counter, plain)
    assert cipher().open(control, METER_TITLE, content) == (counter, plain)


@given(control=st.sampled_from((0x10, 0x30)), plain=st.binary(max_size=60), data=st.data())
def test_one_altered_bit_is_noticed(control: int, plain: bytes, data: st.DataObject) -> None:
    content = bytearray(cipher().seal(control, METER_TITLE, 7, plain))
    at = data.draw(st.integers(1, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadTag):
        cipher().open(control, METER_TITLE, bytes(content))


@given(control=st.sampled_from((0x10, 0x30)), plain=st.binary(max_size=60), data=st.data())
def test_a_cut_tag_is_no_tag(control: int, plain: bytes, data: st.DataObject) -> None:
    content = cipher().seal(control, METER_TITLE, 7, plain)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises((BadTag, MalformedApdu)):
        cipher().open(control, METER_TITLE, content[:cut])


@pytest.mark.parametrize(
    "other",
    [Cipher(bytes(16), AUTHENTICATION_KEY), Cipher(ENCRYPTION_KEY, bytes(16))],
    ids=["encryption key", "authentication key"],
)
@pytest.mark.parametrize("control", [0x10, 0x30])
def test_another_key_is_noticed(control: int, other: Cipher) -> None:
    content = cipher().seal(control, METER_TITLE, 7, b"\xc0")
    with pytest.raises(BadTag) as caught:
        other.open(control, METER_TITLE, content)
    assert caught.value.counter == 7
    with pytest.raises(BadTag):
        cipher().open(control, CLIENT_TITLE, content)


@pytest.mark.parametrize(("required", "sent"), [(0x30, 0x20), (0x30, 0x10), (0x20, 0x10), (0x10, 0x20)])
def test_less_protection_than_required_is_refused(required: int, sent: int) -> None:
    content = cipher().seal(sent, METER_TITLE, 7, b"\xc4")
    with pytest.raises(WeakProtection):
        cipher().open(required, METER_TITLE, content)


@pytest.mark.parametrize("control", [0x31, 0x70, 0xB0, 0xFF])
def test_other_suites_broadcast_keys_and_compression_are_not_spoken(control: int) -> None:
    with pytest.raises(MalformedApdu):
        cipher().open(0x30, METER_TITLE, bytes((control,)) + bytes(30))


@given(required=controls, content=st.binary(max_size=60))
def test_random_content_never_opens_as_authentic(required: int, content: bytes) -> None:
    try:
        counter, _ = cipher().open(required, METER_TITLE, content)
    except (MalformedApdu, WeakProtection, BadTag):
        return
    assert required == 0x20
    assert 0 <= counter <= 0xFFFFFFFF


@given(challenge=st.binary(min_size=8, max_size=64), other=st.binary(min_size=16, max_size=16))
def test_aes_answers_are_checked(challenge: bytes, other: bytes) -> None:
    secret = b"sixteen byte key"
    answer = security.aes_answer(secret, challenge)
    assert len(answer) % 16 == 0
    security.check_answer(2, secret, answer, own_title=b"", other_title=b"", asked=challenge, sent=b"")
    if other != secret:
        with pytest.raises(BadTag):
            security.check_answer(2, other, answer, own_title=b"", other_title=b"", asked=challenge, sent=b"")


def test_aes_answer_is_the_fips_197_vector() -> None:
    secret = bytes(range(16))
    assert security.aes_answer(secret, bytes.fromhex("00112233445566778899aabbccddeeff")) == bytes.fromhex(
        "69c4e0d86a7b0430d8cdb78070b4c55a"
    )


def test_key_wrap_is_the_rfc_3394_vector() -> None:
    master = bytes(range(16))
    key = bytes.fromhex("00112233445566778899aabbccddeeff")
    wrapped = security.wrap_key(master, key)
    assert wrapped.hex().upper() == "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"
    assert security.unwrap_key(master, wrapped) == key
    for wrong in (wrapped[:-1] + b"\x00", wrapped[:-1], b""):
        with pytest.raises(BadTag):
            security.unwrap_key(master, wrong)


@given(content=st.binary(max_size=400))
def test_wrappings_come_apart(content: bytes) -> None:
    assert security.unwrap(security.wrap(0xC8, content)) == content
    assert security.unwrap_general(security.wrap_general(0xDB, METER_TITLE, content)) == (METER_TITLE, content)


@given(raw=st.binary(max_size=40))
def test_random_wrappings_are_malformed_or_unexpected(raw: bytes) -> None:
    for unwrap in (security.unwrap, security.unwrap_general):
        for candidate in (raw, b"\xdb" + raw, b"\xdb\x08" + raw):
            with contextlib.suppress(MalformedApdu, UnexpectedApdu):
                unwrap(candidate)


def test_keys_of_another_length_are_refused_without_being_told() -> None:
    with pytest.raises(ValueOutOfRange) as caught:
        Cipher(b"short", AUTHENTICATION_KEY)
    assert "short" not in str(caught.value)
    with pytest.raises(ValueOutOfRange):
        security.aes_answer(b"short", b"challenge")
    with pytest.raises(ValueOutOfRange):
        cipher().seal(0x40, METER_TITLE, 1, b"")


@pytest.mark.parametrize("answer", [b"", bytes(17), b"\x10" + bytes(15), b"\x30" + bytes(16)])
def test_a_gmac_answer_of_another_form_is_malformed(answer: bytes) -> None:
    with pytest.raises((MalformedApdu, BadTag)):
        cipher().check_gmac(METER_TITLE, b"K56iVagY", answer)
