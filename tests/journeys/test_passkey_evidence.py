"""A cut that two passkeys signed for: a stranger checks both signatures offline, and finds every one that is not."""

import copy
import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from bahal.domains.supply.errors import MakerUnsigned
from bahal.domains.supply.queries import drive_of
from bahal.foundation.audit.operations import horizon
from bahal.foundation.audit.roots import Tree
from bahal.foundation.rows import run, value
from bahal.foundation.transactions import transaction
from bahal.gateways.witness.places import FileWitness
from bahal.journeys.carry_signatures import carry_signatures
from bahal.journeys.confirm_relay import confirm_relay
from bahal.journeys.propose_drive import propose_drive
from bahal.journeys.root_audit import root_audit
from bahal.journeys.run_drive import run_drive
from bahal.journeys.seal_audit import seal_audit
from bahal.journeys.sign_drive import sign_drive
from bahal.journeys.write_evidence import write_evidence
from bahal.shared import verify_evidence as checker
from bahal.shared.passkey import Assertion
from bahal.shared.warrant import challenge, sign
from tests.interlock.authenticator import PLACE, PRESENT, Passkey
from tests.journeys import interlock, town
from tests.journeys.test_evidence import KEY, Case, went_over_the_wire
from tests.plugin.databases import Database

PAGE = {"origin": PLACE.origin, "host": PLACE.host}


def take(database: Database, drive: int, role: str, officer: str, key: Passkey, **lies: Any) -> str:
    """What the interlock's page writes when it has taken a signature."""
    found = drive_of(drive=drive)
    signature = key.sign(challenge(found.document, role), **lies).canonical()
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO interlock_signature (warrant, role, officer, authority, credential, cose, origin, host,"
            " signature, business_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [found.warrant, role, officer, officer, key.credential, key.cose.hex(), PLACE.origin, PLACE.host, signature,
             town.NINE],
        )  # fmt: skip
    return signature


@pytest.fixture
def case(database: Database, tmp_path: Path) -> Case:
    place = town.found(connections=3)
    interlock.lend(database)
    draft = town.draft_at_nine()
    drive = propose_drive(
        document=draft.document, signature=None, name="page", at=place.wall, business_at=town.NINE
    ).drive
    with pytest.raises(MakerUnsigned):
        sign_drive(
            drive=drive, checker="se", signature=sign(town.key_of("se"), draft.document, "checker"), at=place.wall,
            business_at=town.NINE,
        )  # fmt: skip
    keys = {"ee": Passkey("es256"), "se": Passkey("rs256")}
    maker = take(database, drive, "maker", "ee", keys["ee"])
    assert carry_signatures(at=place.wall, business_at=town.NINE) == 1
    take(database, drive, "checker", "se", keys["se"])
    assert carry_signatures(at=place.wall, business_at=town.NINE) == 1
    assert carry_signatures(at=place.wall, business_at=town.NINE) == 0
    assert drive_of(drive=drive).maker_signature == maker
    with pytest.raises(DatabaseError), transaction():
        run("UPDATE supply_drive SET maker_signature = 'another' WHERE id = %s", drive)
    run_drive(drive=drive, actor="ee", at=place.wall, business_at=town.TEN)
    order = value("SELECT id FROM supply_order WHERE drive = %s AND position = 1", drive)
    interlock.cut(database, order=order)
    went_over_the_wire(database, order)
    confirm_relay(limit=10, at=place.wall, business_at=town.TEN)
    seal_audit(horizon(), at=place.wall)
    roots = tmp_path / "roots.jsonl"
    root_audit(Tree(), FileWitness(roots), at=place.wall)
    published = {
        "evidence": KEY.public_key().public_bytes_raw().hex(),
        "officers": {"ee": ["00" * 32, keys["ee"].cose.hex()], "se": keys["se"].cose.hex()},
        "page": PAGE,
    }
    return Case(write_evidence(order=order, key=KEY, at=place.wall), roots, published)


def test_a_stranger_checks_what_passkeys_signed(case: Case, tmp_path: Path) -> None:
    found = case.examine()
    assert (found.wrong, found.remarks) == ([], [])
    assert "ee signed the warrant as its maker by passkey" in found.right
    assert "se signed the warrant as its checker by passkey" in found.right
    (tmp_path / "pack.json").write_bytes(case.pack.json)
    (tmp_path / "pack.pdf").write_bytes(case.pack.pdf)
    (tmp_path / "keys.json").write_text(json.dumps(case.keys))
    ran = subprocess.run(
        [sys.executable, "-I", checker.__file__, str(tmp_path / "pack.json"), "--keys", str(tmp_path / "keys.json"),
         "--roots", str(case.roots)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "everything agrees")


def _altered(name: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        given = Assertion.parse(content["warrant"]["maker"]["signature"])
        data = bytearray(getattr(given, name))
        data[-2] ^= 1
        content["warrant"]["maker"]["signature"] = dataclasses.replace(given, **{name: bytes(data)}).canonical()

    return change


def _signed_anew(**lies: Any) -> Callable[[dict[str, Any]], None]:
    """By the very key, but not as it must be."""

    def change(content: dict[str, Any]) -> None:
        key, maker, document = Passkey(), content["warrant"]["maker"], content["warrant"]["document"]
        over = challenge(document.replace("nonpayment", "nonpaymenT") if lies.get("other") else document, "maker")
        signed = key.sign(over, **{name: lie for name, lie in lies.items() if name != "other"})
        maker |= {"public_key": key.cose.hex(), "credential": key.credential, "signature": signed.canonical()}

    return change


FORGED: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (_altered("authenticator_data"), "signature"),
    (_altered("signature"), "signature"),
    (_signed_anew(origin="https://bahal.example"), "origin"),
    (_signed_anew(flags=PRESENT), "user not verified"),
    (_signed_anew(other=True), "document"),
    (_signed_anew(type="webauthn.create"), "kind"),
    (lambda content: content["warrant"]["maker"].update(credential="AAAA"), "credential"),
    (lambda content: content["warrant"]["maker"]["page"].update(host="bahal.example"), "host"),
]


def test_a_forged_signature_is_named_though_the_whole_pack_was_sealed_anew(case: Case) -> None:
    for change, word in FORGED:
        # Whoever forges so far may also publish keys of his own: none given, the signature speaks by itself.
        found = case.examine(case.forged(change), keys=None)
        assert f"signature wrong: warrant.maker ({word})" in found.wrong


def test_a_key_or_a_page_that_was_not_published_is_named(case: Case) -> None:
    found = case.examine(case.forged(_signed_anew()))
    assert "key not the published one: warrant.maker.public_key" in found.wrong
    elsewhere = copy.deepcopy(case.keys) | {"page": {"origin": "https://other.example", "host": "other.example"}}
    assert "page not the published one: warrant.maker.page" in case.examine(keys=elsewhere).wrong


def test_the_verifiers_own_copy_of_the_key_forms_agrees_with_the_products() -> None:
    message = b"\x00" * 37 + b"\x01" * 32
    for kind in ("es256", "eddsa", "rs256"):
        key = Passkey(kind)
        given = key.sign(b"x" * 32)
        signed = given.authenticator_data + hashlib.sha256(given.client_data).digest()
        assert checker.cose_verified(key.cose, given.signature, signed)
        assert not checker.cose_verified(key.cose, given.signature, message)
        assert not checker.cose_verified(key.cose + b"\x00", given.signature, signed)
        assert not checker.cose_verified(b"", given.signature, signed)
