"""Whose signature counts: two enrol, one revokes, a link officer stands in; and what nobody can make of it."""

import dataclasses
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.interlock.charter import ActRefused, Charter, Signed
from bahal.interlock.config import InterlockMisconfigured
from bahal.interlock.officers import NoAuthority, authority_of
from bahal.interlock.warrant import WarrantRefused, check_document
from bahal.shared.charter import Act, challenge, sign_act, stamp
from bahal.shared.warrant import Document
from tests.interlock import facts
from tests.interlock.authenticator import PLACE, PRESENT, Passkey
from tests.interlock.test_warrant import drive_of

AT = facts.TEN_O_CLOCK
KEYS = facts.Keys()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "officers.json").write_text(json.dumps(facts.officers_file(KEYS, PASSKEYS)))
    (tmp_path / "profile.json").write_text(json.dumps(facts.profile_file(KEYS, facts.PROFILE)))
    return tmp_path


PASSKEYS = {"ee": Passkey(), "se": Passkey()}


def charter_of(folder: Path) -> Charter:
    return Charter(folder, place=PLACE)


def act(kind: str, *, at: datetime = AT, by: str = "ee", **of: Any) -> str:
    return Act(kind, by, secrets.token_hex(8), at + timedelta(hours=12), of).canonical()


def enrolment(login: str = "ae", *, key: Any = None, **changed: Any) -> str:
    made = Passkey() if key is None else key
    stated = (
        {"kind": "passkey", "public": made.cose.hex(), "credential": made.credential, "count": 0}
        if isinstance(made, Passkey)
        else {"kind": "ed25519", "public": made.public_key().public_bytes_raw().hex()}
    )
    of: dict[str, Any] = {
        "login": login, "name": "Asha Verma", "name_hi": "आशा वर्मा", "role": "executive_engineer", "office": 101,
        "circle": facts.CIRCLE, "cap": None, "phone": "9111111111", "key": stated, "valid_from": stamp(AT),
        "valid_until": None,
    }  # fmt: skip
    return act("enrol", **(of | changed))


def by_file(document: str, *logins: str) -> list[Signed]:
    return [Signed(login, sign_act(KEYS.officers[login], document)) for login in logins]


def by_passkey(document: str, login: str, **more: Any) -> Signed:
    return Signed(login, PASSKEYS[login].sign(challenge(document), **more).canonical())


def refused(folder: Path, document: str, signed: Sequence[Signed], *, at: datetime = AT) -> str:
    charter = charter_of(folder)
    before = charter.stated()
    with pytest.raises(ActRefused) as refusal:
        charter.ask(document, signed, at=at)
    assert charter_of(folder).stated() == before
    return refusal.value.name


def warrant(charter: Charter, *, maker: str, checker: str, keys: dict[str, Ed25519PrivateKey], **changed: Any) -> Any:
    """What a warrant of these two is refused for, or by whose authority it holds."""
    from bahal.shared.warrant import sign

    drive = drive_of(maker="ee", checker="se", **changed)
    document = dataclasses.replace(Document.parse(drive.document), maker=maker)
    text = document.canonical()
    drive = dataclasses.replace(
        drive, maker=maker, checker=checker, document=text, maker_signature=sign(keys[maker], text, "maker"),
        checker_signature=sign(keys[checker], text, "checker"),
    )  # fmt: skip
    try:
        return check_document(drive, charter, at=AT, place=PLACE)[1]
    except WarrantRefused as refusal:
        return refusal.name


# --- enrolling -------------------------------------------------------------------------------------------------------


def test_two_enrol_and_the_new_officer_counts_after_a_restart_too(folder: Path) -> None:
    document = enrolment()
    charter_of(folder).ask(document, [*by_file(document, "ee"), by_passkey(document, "se")], at=AT)
    again = charter_of(folder)
    assert again["ae"].signs(AT)
    assert not again["ae"].signs(AT - timedelta(seconds=1))
    assert again.founding == ("ee", "se", "clerk")
    assert (folder / "charter.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_new_officer_enrols_the_next_with_another(folder: Path) -> None:
    new = Ed25519PrivateKey.generate()
    document = enrolment(key=new)
    charter = charter_of(folder)
    charter.ask(document, by_file(document, "ee", "se"), at=AT)
    next_one = enrolment("je", phone="9222222222")
    charter.ask(next_one, [Signed("ae", sign_act(new, next_one)), *by_file(next_one, "se")], at=AT)
    assert charter_of(folder)["je"].signs(AT)


@pytest.mark.parametrize("logins", [(), ("ee",), ("ee", "ee"), ("ee", "clerk"), ("ee", "nobody")])
def test_one_officer_is_not_two(folder: Path, logins: tuple[str, ...]) -> None:
    document = enrolment()
    signed = [
        Signed(login, sign_act(KEYS.officers.get(login, Ed25519PrivateKey.generate()), document)) for login in logins
    ]
    assert refused(folder, document, signed) == "act_lacks_signatures"


def test_a_key_file_and_a_passkey_of_one_person_are_one_signature(folder: Path) -> None:
    document = enrolment()
    assert refused(folder, document, [*by_file(document, "ee"), by_passkey(document, "ee")]) == "act_lacks_signatures"


def test_a_passkey_that_lies_does_not_count(folder: Path) -> None:
    document, other = enrolment(), enrolment("je")
    for second in (
        by_passkey(document, "se", flags=PRESENT),
        by_passkey(document, "se", origin="https://bahal.example"),
        by_passkey(other, "se"),
        Signed("se", by_passkey(document, "ee").signature),
        Signed("se", "{}"),
    ):
        assert refused(folder, document, [*by_file(document, "ee"), second]) == "act_lacks_signatures"


def test_an_act_is_judged_once_in_time_and_in_one_form(folder: Path) -> None:
    document = enrolment()
    signed = by_file(document, "ee", "se")
    assert refused(folder, document, signed, at=AT + timedelta(hours=12)) == "act_expired"
    assert refused(folder, document, signed, at=AT - timedelta(hours=13)) == "act_expired"
    altered = document.replace("Asha", "Esha")
    assert refused(folder, altered, signed) == "act_lacks_signatures"
    assert refused(folder, document.replace('"act":', '"act": '), signed) == "act_not_canonical"
    charter = charter_of(folder)
    charter.ask(document, signed, at=AT)
    with pytest.raises(ActRefused, match="act_used"):
        charter.ask(document, signed, at=AT)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"key": PASSKEYS["ee"]}, "enrolment_key_known"),
        ({"key": KEYS.officers["clerk"]}, "enrolment_key_known"),
        ({"phone": "9000000001"}, "enrolment_phone_of_another"),
        ({"phone": ""}, "enrolment_incomplete"),
        ({"cap": -1}, "enrolment_incomplete"),
        ({"circle": True}, "enrolment_incomplete"),
        ({"valid_until": stamp(AT)}, "enrolment_never_valid"),
    ],
)
def test_an_enrolment_that_makes_no_second_person(folder: Path, changed: dict[str, Any], name: str) -> None:
    document = enrolment(**changed)
    assert refused(folder, document, by_file(document, "ee", "se")) == name


# --- revoking --------------------------------------------------------------------------------------------------------


def test_one_revokes_and_the_key_never_comes_back(folder: Path) -> None:
    charter = charter_of(folder)
    document = act("revoke", login="se", key="", reason="left")
    charter.ask(document, by_file(document, "ee"), at=AT)
    again = charter_of(folder)
    assert not again["se"].signs(AT)
    assert warrant(again, maker="ee", checker="se", keys=KEYS.officers) == "warrant_officer_unknown"
    # Nobody is left to enrol with.
    back = enrolment("se2", key=KEYS.officers["se"])
    with pytest.raises(ActRefused, match="enrolment_key_known"):
        again.ask(back, by_file(back, "ee", "se"), at=AT)
    other = enrolment("se3")
    with pytest.raises(ActRefused, match="act_lacks_signatures"):
        again.ask(other, by_file(other, "ee", "se"), at=AT)


def test_one_key_alone_is_revoked(folder: Path) -> None:
    charter = charter_of(folder)
    document = act("revoke", login="se", key=PASSKEYS["se"].credential, reason="lost")
    charter.ask(document, by_file(document, "ee"), at=AT)
    assert charter["se"].passkeys(AT) == []
    assert charter["se"].key_file(AT)


def test_a_clerk_revokes_nobody(folder: Path) -> None:
    document = act("revoke", login="se", key="", reason="spite")
    assert refused(folder, document, by_file(document, "clerk")) == "act_lacks_signatures"


# --- standing in -----------------------------------------------------------------------------------------------------


def with_link(folder: Path, **changed: Any) -> tuple[Charter, Ed25519PrivateKey]:
    """A link officer, who signs nothing of his own, stands in for `se` for lists of up to ten from ten to noon."""
    new = Ed25519PrivateKey.generate()
    charter = charter_of(folder)
    document = enrolment("ae", key=new, role="assistant_engineer")
    charter.ask(document, by_file(document, "ee", "se"), at=AT)
    of: dict[str, Any] = {
        "officer": "se", "link": "ae", "circle": facts.CIRCLE, "grounds": ["nonpayment_s56"], "cap": 10,
        "valid_from": stamp(AT), "valid_until": stamp(AT + timedelta(hours=2)),
    }  # fmt: skip
    document = act("delegate", by="se", **(of | changed))
    charter.ask(document, by_file(document, str((of | changed)["officer"])), at=AT)
    return charter_of(folder), new


def test_a_link_officer_signs_in_anothers_stead(folder: Path) -> None:
    charter, key = with_link(folder)
    keys = KEYS.officers | {"ae": key}
    found = warrant(charter, maker="ee", checker="ae", keys=keys)
    assert (found.maker, found.checker) == ("ee", "se")


def test_one_authority_does_not_sign_twice(folder: Path) -> None:
    charter, key = with_link(folder)
    keys = KEYS.officers | {"ae": key}
    assert warrant(charter, maker="se", checker="ae", keys=keys) == "warrant_one_authority"
    assert warrant(charter, maker="ae", checker="ae", keys=keys) == "warrant_one_officer"


@pytest.mark.parametrize(
    ("changed", "of_warrant", "name"),
    [
        ({"valid_until": stamp(AT + timedelta(seconds=0)), "valid_from": stamp(AT - timedelta(hours=1))}, {},
         "warrant_delegation_over"),
        ({"valid_from": stamp(AT + timedelta(seconds=1))}, {}, "warrant_delegation_over"),
        ({"cap": 3}, {}, "warrant_delegation_over_cap"),
        ({"grounds": ["theft_s135"]}, {}, "warrant_delegation_elsewhere"),
        ({}, {"circle": facts.OTHER_CIRCLE}, "warrant_delegation_elsewhere"),
    ],
)  # fmt: skip
def test_a_delegation_reaches_no_further_than_it_says(
    folder: Path, changed: dict[str, Any], of_warrant: dict[str, Any], name: str
) -> None:
    charter, key = with_link(folder, **changed)
    assert warrant(charter, maker="ee", checker="ae", keys=KEYS.officers | {"ae": key}, **of_warrant) == name


def test_nobody_hands_on_what_he_was_lent(folder: Path) -> None:
    charter, key = with_link(folder)
    chained = act(
        "delegate", by="ae", officer="ae", link="clerk", circle=facts.CIRCLE, grounds=["nonpayment_s56"], cap=5,
        valid_from=stamp(AT), valid_until=stamp(AT + timedelta(hours=1)),
    )  # fmt: skip
    with pytest.raises(ActRefused, match="delegation_between_nobodies"):
        charter.ask(chained, [Signed("ae", sign_act(key, chained))], at=AT)
    with pytest.raises(NoAuthority):
        authority_of("clerk", Document.parse(drive_of().document), charter, AT)


def test_nobody_delegates_for_another_or_more_than_he_has(folder: Path) -> None:
    new = Ed25519PrivateKey.generate()
    document = enrolment("je", key=new, cap=20)
    charter = charter_of(folder)
    charter.ask(document, by_file(document, "ee", "se"), at=AT)
    of = {
        "officer": "je", "link": "clerk", "circle": facts.CIRCLE, "grounds": ["nonpayment_s56"], "cap": 20,
        "valid_from": stamp(AT), "valid_until": stamp(AT + timedelta(hours=1)),
    }  # fmt: skip
    for changed, name in (
        ({"cap": 21}, "delegation_over_cap"),
        ({"circle": facts.OTHER_CIRCLE}, "delegation_elsewhere"),
        ({"valid_until": None}, "delegation_undated"),
        ({"link": "je"}, "delegation_between_nobodies"),
        ({}, "act_lacks_signatures"),
    ):
        document = act("delegate", by="je", **(of | changed))
        assert refused(folder, document, by_file(document, "ee")) == name


def test_a_delegation_ends_with_the_officer_and_when_it_is_withdrawn(folder: Path) -> None:
    charter, key = with_link(folder)
    keys = KEYS.officers | {"ae": key}
    (lent,) = charter["ae"].delegations
    document = act("withdraw", delegation=lent.sha256, reason="back")
    charter.ask(document, by_file(document, "ee"), at=AT)
    assert warrant(charter_of(folder), maker="ee", checker="ae", keys=keys) == "warrant_officer_unknown"


def test_a_revoked_officer_lends_nothing(folder: Path) -> None:
    charter, key = with_link(folder)
    document = act("revoke", login="se", key="", reason="left")
    charter.ask(document, by_file(document, "ee"), at=AT)
    keys = KEYS.officers | {"ae": key}
    assert warrant(charter, maker="ee", checker="ae", keys=keys) == "warrant_delegation_void"


# --- caps ------------------------------------------------------------------------------------------------------------


def profile(**changed: Any) -> str:
    return json.dumps(facts.PROFILE | {"name": "next"} | changed, sort_keys=True, separators=(",", ":"))


def test_two_raise_a_cap_and_it_holds_a_day_later(folder: Path) -> None:
    document = act("caps", profile=profile(drive=2000), effective_from=stamp(AT + timedelta(hours=24)))
    charter_of(folder).ask(document, by_file(document, "ee", "se"), at=AT)
    again = charter_of(folder)
    assert again.caps(AT + timedelta(hours=23))[0].drive == 1000
    found, signers = again.caps(AT + timedelta(hours=24))
    assert (found.drive, sorted(signers)) == (2000, ["ee", "se"])
    # A clock that is set back takes the raise back with it.
    assert again.caps(AT)[0].drive == 1000


def test_one_lowers_at_once_and_a_clock_that_is_set_back_raises_nothing(folder: Path) -> None:
    document = act("lower", profile=profile(drive=10), effective_from=stamp(AT))
    charter_of(folder).ask(document, by_file(document, "se"), at=AT)
    assert charter_of(folder).caps(AT - timedelta(days=400))[0].drive == 10


@pytest.mark.parametrize("changed", [{"drive": 1001}, {"canary": 2}, {"canary_wrong_share": 0.2}, {"day_floor": 1001}])
def test_whatever_lets_more_through_is_a_raise(folder: Path, changed: dict[str, Any]) -> None:
    for kind, signers, name in (
        ("lower", ("ee", "se"), "caps_raised_by_one"),
        ("caps", ("ee", "se"), "caps_raised_at_once"),
    ):
        document = act(kind, profile=profile(**changed), effective_from=stamp(AT + timedelta(hours=23)))
        assert refused(folder, document, by_file(document, *signers)) == name
    document = act("caps", profile=profile(**changed), effective_from=stamp(AT + timedelta(hours=24)))
    assert refused(folder, document, by_file(document, "ee")) == "act_lacks_signatures"


# --- the record ------------------------------------------------------------------------------------------------------


def two_acts(folder: Path) -> list[bytes]:
    charter = charter_of(folder)
    for login, phone in (("ae", "9111111111"), ("je", "9222222222")):
        document = enrolment(login, phone=phone)
        charter.ask(document, by_file(document, "ee", "se"), at=AT)
    return (folder / "charter.jsonl").read_bytes().splitlines(keepends=True)


def test_an_altered_cut_or_shuffled_record_does_not_start(folder: Path) -> None:
    first, second = two_acts(folder)
    path = folder / "charter.jsonl"
    for content in (
        second,
        second + first,
        first + first,
        first.replace(b"Asha", b"Esha") + second,
        first + second.replace(b'"se"', b'"xx"', 1),
        first + second + b"{}\n",
    ):
        path.write_bytes(content)
        with pytest.raises(InterlockMisconfigured):
            charter_of(folder)


def test_a_line_that_a_crash_left_half_written_is_written_again(folder: Path) -> None:
    first, second = two_acts(folder)
    path = folder / "charter.jsonl"
    path.write_bytes(first + second[:40])
    charter = charter_of(folder)
    assert set(charter) == {"ee", "se", "clerk", "ae"}
    document = enrolment("je", phone="9222222222")
    charter.ask(document, by_file(document, "ee", "se"), at=AT)
    assert set(charter_of(folder)) == {"ee", "se", "clerk", "ae", "je"}


def test_two_workers_of_one_machine_see_each_others_acts(folder: Path) -> None:
    one, other = charter_of(folder), charter_of(folder)
    document = act("revoke", login="se", key="", reason="left")
    one.ask(document, by_file(document, "ee"), at=AT)
    # The other one has not looked yet, and must not let the revoked officer enrol anybody.
    enrolled = enrolment()
    with pytest.raises(ActRefused, match="act_lacks_signatures"):
        other.ask(enrolled, by_file(enrolled, "ee", "se"), at=AT)
    assert other.stated() == one.stated()
