"""Questions about officers."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bahal.domains.staff.errors import AmendmentUnknown, CandidateUnknown, OfficerMayNotSign, OfficerUnknown
from bahal.foundation.rows import many, one, value

SHORTEST_NUMBER = 8
"""Digits of an act's number that people may leave it at."""
SIGNING_ROLES = ("executive_engineer", "superintending_engineer")


class Officer(NamedTuple):
    """An officer as the audit and the signatures know him."""

    login: str
    name: str
    name_hi: str
    role: str
    office: int
    public_key: str


def find_officer(*, login: str) -> Officer:
    """One officer.

    :raises OfficerUnknown: no such one.
    """
    row = one("SELECT login, name, name_hi, role, office, public_key FROM staff_officer WHERE login = %s", login)
    if row is None:
        raise OfficerUnknown(login=login)
    return Officer(*row)


def signing_officer(*, login: str) -> Officer:
    """An officer who may sign a drive.

    :raises OfficerUnknown: no such one.
    :raises OfficerMayNotSign: his role does not sign drives.
    """
    officer = find_officer(login=login)
    if officer.role not in SIGNING_ROLES:
        raise OfficerMayNotSign(login=login, role=officer.role)
    return officer


class AskedAct(NamedTuple):
    """An act of the charter on its way. `outcome`: empty, `accepted`, or why not."""

    id: int
    sha256: str
    act: str
    document: str
    asked_by: str
    outcome: str
    signed_by: list[str]


_ACTS = """
    SELECT a.id, a.sha256, a.act, a.document, a.asked_by, a.outcome,
           ARRAY(SELECT DISTINCT s.officer FROM interlock_act_signature s WHERE s.act = a.id ORDER BY 1)
    FROM interlock_act a
"""


def act_of(*, sha256: str) -> AskedAct:
    """An act by its number, or by the beginning of it, if that is one act's only.

    :raises AmendmentUnknown: none, or more than one.
    """
    rows = many(f"{_ACTS} WHERE starts_with(a.sha256, %s) LIMIT 2", sha256)
    if len(sha256) < SHORTEST_NUMBER or len(rows) != 1:
        raise AmendmentUnknown(number=sha256)
    return AskedAct(*rows[0])


def acts_waiting() -> list[AskedAct]:
    """The acts that the interlock has not judged, oldest first."""
    return [AskedAct(*row) for row in many(f"{_ACTS} WHERE a.outcome = '' ORDER BY a.id")]


def candidate(*, fingerprint: str) -> tuple[str, str, str, int]:
    """A passkey that was made on the interlock's page: login, credential, public key (COSE) and count.

    :raises CandidateUnknown: there is none with this number.
    """
    row = one(
        "SELECT login, credential, cose, count FROM interlock_candidate"
        " WHERE starts_with(encode(sha256(cose::bytea), 'hex'), %s) AND length(%s) >= 16",
        fingerprint,
        fingerprint,
    )
    if row is None:
        raise CandidateUnknown(fingerprint=fingerprint)
    return str(row[0]), str(row[1]), str(row[2]), int(row[3])


def stated_by_interlock() -> dict[str, Any]:
    """Whose signature counts, as the interlock last said; empty before it ever ran."""
    found = value("SELECT stated FROM interlock_roll")
    stated: dict[str, Any] = json.loads(found) if isinstance(found, str) else found or {}
    return stated


def page_of_interlock() -> dict[str, str] | None:
    """Where passkeys sign: the page's origin and host, as the interlock last said; None before it ever ran."""
    origin = stated_by_interlock().get("origin")
    return None if not origin else {"origin": origin, "host": urlsplit(origin).hostname or ""}


def public_keys_of_signers() -> dict[str, Any]:
    """The public keys of the officers who may sign a drive, by login: what a company publishes.

    One key is its digits; where the interlock knows more of him, a list.
    """
    keys: dict[str, Any] = _key_files()
    for each in stated_by_interlock().get("officers", []):
        more = [key["public"] for key in each["keys"]]
        first = [keys[each["login"]]] if each["login"] in keys else []
        every = list(dict.fromkeys(first + more))
        if every:
            keys[each["login"]] = every[0] if len(every) == 1 else every
    return keys


def _key_files() -> dict[str, str]:
    return dict(
        many(
            "SELECT login, public_key FROM staff_officer WHERE role = ANY(%s::text[]) ORDER BY login",
            list(SIGNING_ROLES),
        )
    )


class Credentials(NamedTuple):
    """What proves an officer: the hash of his password, his second factor's secret, the last step that he used."""

    password: str
    totp_secret: str
    last_step: int


def credentials_of(*, login: str) -> Credentials | None:
    """An officer's credentials; None if there is no such officer."""
    row = one(
        "SELECT password, totp_secret, coalesce((SELECT max(step) FROM staff_signin WHERE login = %s), 0)"
        " FROM staff_officer WHERE login = %s",
        login,
        login,
    )
    return None if row is None else Credentials(*row)


class Wrong(NamedTuple):
    """How often a sign-in went wrong: of this login from this address, of this login, from this address."""

    both: int
    login: int
    address: int


def wrong_tries(*, login: str, address: str, since: datetime) -> Wrong:
    """The wrong tries since an instant."""
    row = one(
        "SELECT count(*) FILTER (WHERE login = %s AND address = %s), count(*) FILTER (WHERE login = %s),"
        " count(*) FILTER (WHERE address = %s) FROM staff_signin"
        " WHERE outcome = 'wrong' AND at > %s AND (login = %s OR address = %s)",
        login,
        address,
        login,
        address,
        since,
        login,
        address,
    )
    assert row is not None
    return Wrong(*row)
