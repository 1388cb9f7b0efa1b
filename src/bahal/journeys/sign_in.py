"""An officer signs in: a password and a code of his second factor; each code once, and wrong tries are counted.

A wrong try is kept before it is refused, and tries of one login wait for one another: a thousand at once are a thousand
in a row.
"""

import functools
from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password

from bahal.domains.staff.errors import SignInRefused, TooManyTries
from bahal.domains.staff.operations import keep_sign_in, lock_sign_in
from bahal.domains.staff.queries import Officer, credentials_of, find_officer, wrong_tries
from bahal.domains.staff.totp import step_of
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction

PAUSE = timedelta(minutes=15)
AT_MOST_HERE = 5
"""Wrong tries of a login from one address. Somebody elsewhere cannot shut an officer out by so few."""
AT_MOST = 50
"""Wrong tries of a login from anywhere, and of anybody from one address."""
LONGEST = 256


def sign_in(*, login: str, password: str, code: str, address: str, at: datetime, business_at: datetime) -> Officer:
    """The officer, if he is one. `address` is where he comes from.

    :raises SignInRefused: no such login, a wrong password, or a code that is wrong, over or used.
    :raises TooManyTries: too many were wrong lately; nothing was looked at.
    """
    login = login.strip()[:LONGEST]
    with transaction():
        lock_sign_in(login)
        wrong = wrong_tries(login=login, address=address, since=at - PAUSE)
        if wrong.both >= AT_MOST_HERE or wrong.login >= AT_MOST or wrong.address >= AT_MOST:
            raise TooManyTries(minutes=int(PAUSE.total_seconds()) // 60)
        step = _proved(login, password[:LONGEST], code[:LONGEST], at)
        keep_sign_in(login=login, address=address, step=step, at=at)
        if step is not None:
            officer = find_officer(login=login)
            data = {"login": login, "role": officer.role}
            record(
                actor=login,
                act="staff.signed_in",
                subject=f"officer {login}",
                data=data,
                at=at,
                business_at=business_at,
            )
    if step is None:
        raise SignInRefused()
    return officer


def _proved(login: str, password: str, code: str, at: datetime) -> int | None:
    """The step of his code, or None. An unknown login takes as long as a known one."""
    found = credentials_of(login=login)
    if found is None:
        check_password(password, _nobodys())
        return None
    if not check_password(password, found.password):
        return None
    step = step_of(code, secret=found.totp_secret, at=at)
    return step if step is not None and step > found.last_step else None


@functools.cache
def _nobodys() -> str:
    return make_password("nobody has this password")
