"""Questions about officers."""

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
