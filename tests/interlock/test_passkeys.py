"""A passkey's signature: what holds, and every way in which one does not. An independent library is asked the same."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable

import pytest
import webauthn
from webauthn.helpers.exceptions import WebAuthnException

from bahal.shared import passkey
from bahal.shared.passkey import Assertion, PasskeyWrong, Place, checked, made
from tests.interlock.authenticator import ATTESTED, PLACE, PRESENT, VERIFIED, Passkey, posted, text_of

CHALLENGE = hashlib.sha256(b"a warrant").digest()
WEB = Place("https://bahal.example", "bahal.example")


def wrong(assertion: Assertion, key: Passkey, *, challenge: bytes = CHALLENGE, place: Place = PLACE) -> str:
    with pytest.raises(PasskeyWrong) as refusal:
        checked(assertion, cose=key.cose.hex(), challenge=challenge, place=place)
    return refusal.value.name


def oracle(assertion: Assertion, key: Passkey, *, challenge: bytes = CHALLENGE) -> int | None:
    """What py_webauthn says: the new count, or None if it refuses."""
    stated = {
        "id": assertion.credential,
        "rawId": assertion.credential,
        "type": "public-key",
        "response": {
            "authenticatorData": posted(assertion)["authenticator_data"],
            "clientDataJSON": posted(assertion)["client_data"],
            "signature": posted(assertion)["signature"],
        },
        "clientExtensionResults": {},
    }
    try:
        return webauthn.verify_authentication_response(
            credential=stated, expected_challenge=challenge, expected_rp_id=PLACE.host, expected_origin=PLACE.origin,
            credential_public_key=key.cose, credential_current_sign_count=0, require_user_verification=True,
        ).new_sign_count  # fmt: skip
    except WebAuthnException:
        return None


@pytest.mark.parametrize("kind", ["es256", "eddsa", "rs256"])
def test_what_a_passkey_signed_holds_and_survives_being_written(kind: str) -> None:
    key = Passkey(kind)
    given = Assertion.parse(key.sign(CHALLENGE).canonical())
    assert checked(given, cose=key.cose.hex(), challenge=CHALLENGE, place=PLACE) == oracle(given, key) == 2


FORGERIES: dict[str, Callable[[Passkey], Assertion]] = {
    "origin": lambda key: key.sign(CHALLENGE, origin=WEB.origin),
    "host": lambda key: key.sign(CHALLENGE, WEB, origin=PLACE.origin),
    "challenge": lambda key: key.sign(hashlib.sha256(b"another warrant").digest()),
    "kind": lambda key: key.sign(CHALLENGE, type="webauthn.create"),
    "user_unverified": lambda key: key.sign(CHALLENGE, flags=PRESENT),
    "user_absent": lambda key: key.sign(CHALLENGE, flags=VERIFIED),
    "signature": lambda key: dataclasses.replace(Passkey().sign(CHALLENGE), credential=key.credential),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_one_is_refused_by_its_name_and_by_the_other_library(name: str) -> None:
    key = Passkey()
    forged = FORGERIES[name](key)
    assert wrong(forged, key) == name
    assert oracle(forged, key) is None


def test_one_made_inside_another_page_is_refused() -> None:
    key = Passkey()
    assert wrong(key.sign(CHALLENGE, crossOrigin=True), key) == "cross_origin"
    assert wrong(key.sign(CHALLENGE, topOrigin=WEB.origin), key) == "cross_origin"


def test_every_altered_byte_is_refused() -> None:
    key = Passkey()
    given = key.sign(CHALLENGE)
    for name in ("authenticator_data", "client_data", "signature"):
        data = getattr(given, name)
        for at in range(len(data)):
            altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            wrong(dataclasses.replace(given, **{name: altered}), key)
    for text in (given.canonical()[1:], given.canonical() + " ", "{}", "null", "[]", "ab" * 64):
        with pytest.raises(PasskeyWrong):
            Assertion.parse(text)


def test_a_longer_or_attested_answer_is_no_signature() -> None:
    key = Passkey()
    for data in (key.data(PLACE) + b"\x00", key.data(PLACE, flags=PRESENT | VERIFIED | ATTESTED), key.data(PLACE)[:36]):
        assert wrong(key.sign(CHALLENGE, data=data), key) == "malformed"


@pytest.mark.parametrize("kind", ["es256", "eddsa", "rs256"])
def test_a_key_is_taken_in_one_form_of_bytes(kind: str) -> None:
    key = Passkey(kind)
    client_data, data = key.create(CHALLENGE)
    found = made(client_data=client_data, authenticator_data=data, challenge=CHALLENGE, place=PLACE)
    assert (found.credential, found.cose, found.count) == (key.credential, key.cose.hex(), 0)
    for other in (key.cose.hex() + "00", key.cose.hex()[2:], "a0", "", "zz", key.cose.hex().replace("01", "02", 1)):
        with pytest.raises(PasskeyWrong):
            passkey.key_of(other)


def test_a_point_off_the_curve_is_no_key() -> None:
    raw = bytearray(Passkey().cose)
    raw[-1] ^= 1
    with pytest.raises(PasskeyWrong):
        passkey.key_of(raw.hex())


@pytest.mark.parametrize("at", ["origin", "challenge", "type"])
def test_a_passkey_made_elsewhere_is_not_kept(at: str) -> None:
    client_data, data = Passkey().create(CHALLENGE)
    stated = json.loads(client_data) | {at: "another"}
    with pytest.raises(PasskeyWrong):
        made(client_data=json.dumps(stated).encode(), authenticator_data=data, challenge=CHALLENGE, place=PLACE)


def test_text_is_base64url_and_nothing_else() -> None:
    for length in range(40):
        data = os.urandom(length)
        assert passkey.bytes_of(text_of(data)) == data == passkey.bytes_of(passkey.text_of(data))
    for text in ("a", "aa==", "a+b/", "aa\n", "é", None, 7):
        with pytest.raises(PasskeyWrong):
            passkey.bytes_of(text)
