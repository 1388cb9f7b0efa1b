"""Whose signature counts, and how far: the interlock's officers, their keys, and who stands in for whom.

An officer is a person: whatever number of keys he has, he signs a warrant once. His own authority is his role, his
circle and the largest list that he may sign; a link officer has another's, for the days and lists of a delegation that
the other signed, and hands none of it on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bahal.interlock.config import InterlockMisconfigured, read_file
from bahal.shared import passkey
from bahal.shared.passkey import Place
from bahal.shared.warrant import Document, challenge, verified

SIGNING_ROLES: Final = frozenset({"executive_engineer", "superintending_engineer"})
ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
NEVER_ENDS: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key file's public half (64 hexadecimal digits), or a passkey's (COSE) with its credential and the
    count that it was enrolled with."""

    public: str
    credential: str = ""
    count: int = 0
    valid_from: datetime = ALWAYS
    valid_until: datetime = NEVER_ENDS

    def valid(self, at: datetime) -> bool:
        """Whether it may sign now."""
        return self.valid_from <= at < self.valid_until


@dataclass(frozen=True, slots=True)
class Delegation:
    """`officer` lets his link officer sign in his stead, for lists of one circle no longer than `cap`."""

    sha256: str
    officer: str
    circle: int
    grounds: frozenset[str]
    cap: int
    valid_from: datetime
    valid_until: datetime

    def valid(self, at: datetime) -> bool:
        """Whether it holds now."""
        return self.valid_from <= at < self.valid_until


@dataclass(frozen=True, slots=True)
class Officer:
    """A person whose signature counts. `circle`: the only one whose warrants he signs, None any; `cap`: the largest
    list, None the profile's own cap. The interlock's messages go to `phone`."""

    login: str
    role: str
    keys: tuple[Key, ...]
    name: str = ""
    name_hi: str = ""
    office: int | None = None
    circle: int | None = None
    cap: int | None = None
    phone: str = ""
    delegations: tuple[Delegation, ...] = ()

    def key_file(self, at: datetime) -> str:
        """The public half of his key file, empty if none is valid."""
        return next((key.public for key in self.keys if not key.credential and key.valid(at)), "")

    def passkeys(self, at: datetime) -> list[Key]:
        """His valid passkeys."""
        return [key for key in self.keys if key.credential and key.valid(at)]

    def signs(self, at: datetime) -> bool:
        """Whether his role and one of his keys make him one of those who decide."""
        return self.role in SIGNING_ROLES and any(key.valid(at) for key in self.keys)

    def own_authority(self, document: Document, at: datetime) -> str:
        """Why he may not sign this warrant by himself; empty if he may."""
        if not self.signs(at):
            return "warrant_officer_unknown"
        if self.circle is not None and self.circle != document.circle:
            return "warrant_other_circle"
        if self.cap is not None and document.cap > self.cap:
            return "warrant_over_officers_cap"
        return ""


class NoAuthority(Exception):
    """This officer may not sign this warrant; `name` is a refusal of `bahal.interlock.warrant`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def authority_of(login: str, document: Document, officers: Mapping[str, Officer], at: datetime) -> str:
    """By whose authority he signs this warrant: his own login, or that of the officer he stands in for.

    :raises NoAuthority: by nobody's.
    """
    officer = officers.get(login)
    if officer is None:
        raise NoAuthority("warrant_officer_unknown")
    refused = officer.own_authority(document, at)
    if not refused:
        return login
    if not any(key.valid(at) for key in officer.keys):
        raise NoAuthority("warrant_officer_unknown")
    for each in officer.delegations:
        behind = officers.get(each.officer)
        if each.circle != document.circle or document.ground not in each.grounds:
            refused = "warrant_delegation_elsewhere"
        elif not each.valid(at):
            refused = "warrant_delegation_over"
        elif document.cap > each.cap:
            refused = "warrant_delegation_over_cap"
        elif behind is None or behind.own_authority(document, at):
            # Not by a delegation of his own either: nobody hands on what he was lent.
            refused = "warrant_delegation_void"
        else:
            return each.officer
    raise NoAuthority(refused)


def wrong_with(signature: str, officer: Officer, text: str, role: str, place: Place | None, at: datetime) -> str:
    """What is wrong with an officer's signature over a warrant in this role: a refusal's name, empty if nothing is."""
    if not passkey.is_assertion(signature):
        return "" if verified(officer.key_file(at), signature, text, role) else "warrant_signature_wrong"
    return wrong_with_passkey(signature, officer, challenge(text, role), place, at)


def wrong_with_passkey(signature: str, officer: Officer, asked: bytes, place: Place | None, at: datetime) -> str:
    """What is wrong with a passkey's signature over a challenge, by name."""
    try:
        given = passkey.Assertion.parse(signature)
        key = next((each for each in officer.passkeys(at) if each.credential == given.credential), None)
        if key is None or place is None:
            return "warrant_passkey_unknown"
        passkey.checked(given, cose=key.public, challenge=asked, place=place)
    except passkey.PasskeyWrong as wrong:
        return "warrant_signature_wrong" if wrong.name == "signature" else f"warrant_passkey_{wrong.name}"
    return ""


def load_officers(folder: Path) -> dict[str, Officer]:
    """The founding officers by login: those whom `officers.json` names, without anybody's signature. All that follow
    are enrolled by two of them.

    :raises InterlockMisconfigured: no such file, or an entry without login, role and key.
    """
    try:
        officers = [_founding(entry) for entry in read_file(folder / "officers.json")["officers"]]
    except (KeyError, TypeError, ValueError) as wrong:
        raise InterlockMisconfigured(file="officers.json", why=f"entry without {wrong}") from wrong
    except passkey.PasskeyWrong as wrong:
        raise InterlockMisconfigured(file="officers.json", why=f"a passkey's {wrong.name}") from wrong
    publics = list(_publics(officers))
    if len({each.login for each in officers}) != len(officers) or len(set(publics)) != len(publics):
        raise InterlockMisconfigured(file="officers.json", why="two officers share a login or a key")
    return {each.login: each for each in officers}


def _founding(entry: dict[str, Any]) -> Officer:
    keys = [Key(str(entry["public_key"]))] if "public_key" in entry else []
    for each in entry.get("passkeys", []):
        passkey.key_of(str(each["cose"]))
        keys.append(Key(str(each["cose"]), str(each["credential"]), int(each["count"])))
    if not keys:
        raise KeyError("public_key")
    numbers = {name: None if entry.get(name) is None else int(entry[name]) for name in ("office", "circle", "cap")}
    texts = {name: str(entry.get(name, "")) for name in ("name", "name_hi", "phone")}
    return Officer(str(entry["login"]), str(entry["role"]), tuple(keys), **texts, **numbers)  # type: ignore[arg-type]


def _publics(officers: list[Officer]) -> Iterator[str]:
    for officer in officers:
        for key in officer.keys:
            yield key.public
            if key.credential:
                yield key.credential
