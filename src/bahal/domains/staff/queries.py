"""Questions about officers."""

from datetime import datetime
from typing import NamedTuple

from bahal.domains.staff.errors import OfficerMayNotSign, OfficerUnknown
from bahal.foundation.rows import many, one

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


def public_keys_of_signers() -> dict[str, str]:
    """The public keys of the officers who may sign a drive, by login: what a company publishes."""
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
