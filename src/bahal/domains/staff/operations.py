"""Enrolling officers, and carrying acts of the charter to the interlock."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.contrib.auth.hashers import make_password

from bahal.domains.staff.errors import OfficerMalformed
from bahal.domains.staff.models import ROLES
from bahal.foundation.rows import run, value
from bahal.foundation.transactions import transaction_required
from bahal.shared.charter import Act


class NewOfficer(NamedTuple):
    """An officer; `password` in clear is hashed here, `public_key` is 64 hexadecimal digits (Ed25519)."""

    login: str
    name: str
    name_hi: str
    role: str
    office: int
    password: str
    totp_secret: str
    public_key: str


@transaction_required
def enrol(officers: Sequence[NewOfficer]) -> list[NewOfficer]:
    """Enrol officers who are not enrolled yet; those who were new.

    :raises OfficerMalformed: no such role, or not a public key.
    """
    new = []
    for each in officers:
        if each.role not in ROLES:
            raise OfficerMalformed(login=each.login, field="role")
        if len(each.public_key) != 64 or not _hexadecimal(each.public_key):
            raise OfficerMalformed(login=each.login, field="public_key")
        columns = ", ".join(NewOfficer._fields)
        hashed = each._replace(password=make_password(each.password))
        if run(
            f"INSERT INTO staff_officer ({columns}) VALUES ({', '.join(['%s'] * len(hashed))}) ON CONFLICT DO NOTHING",  # noqa: S608
            *hashed,
        ):
            new.append(each)
    return new


@transaction_required
def ask_act(act: Act, document: str) -> int:
    """Write an act down for the interlock to judge, once; its id."""
    run(
        "INSERT INTO interlock_act (sha256, act, document, asked_by) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        act.sha256,
        act.act,
        document,
        act.asked_by,
    )
    return int(value("SELECT id FROM interlock_act WHERE sha256 = %s", act.sha256))


@transaction_required
def sign_act(act: int, *, officer: str, signature: str) -> None:
    """Add a signature to an act. Whether it holds, the interlock says."""
    run("INSERT INTO interlock_act_signature (act, officer, signature) VALUES (%s, %s, %s)", act, officer, signature)


@transaction_required
def lock_sign_in(login: str) -> None:
    """One try of a login at a time, until the transaction ends, so that many at once are counted like many in a row."""
    value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", login)


@transaction_required
def keep_sign_in(*, login: str, address: str, step: int | None, at: datetime) -> None:
    """Keep a try: with the step of its code if it was right, None if it was wrong."""
    run(
        "INSERT INTO staff_signin (login, address, outcome, step, at) VALUES (%s, %s, %s, %s, %s)",
        login,
        address,
        "wrong" if step is None else "in",
        step,
        at,
    )


def _hexadecimal(text: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in text)
