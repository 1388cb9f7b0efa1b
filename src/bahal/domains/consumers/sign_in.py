"""How a consumer signs in: a code to the telephone that we know, good for a short time and few tries.

The code is six digits of an HMAC of the sign-in's id by the instance's own key. Neither a table nor the queue of
messages holds it, so whoever reads the database learns none.
"""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.utils.crypto import constant_time_compare, salted_hmac

from bahal.domains.consumers.errors import CodeWrong, NotANumber, SignedOut, TooManyCodes
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction_required

CODE_LIFE = timedelta(minutes=5)
MOST_TRIES = 5
DIGITS = 6
WINDOW = timedelta(minutes=15)
MOST_OF_A_NUMBER = 3
"""Codes that may be asked for one number, or sent to one telephone, within a window."""
MOST_OF_A_DAY = 10
MOST_OF_AN_ADDRESS = 30
"""Of an address within a window: a mobile operator's customers come from few."""
IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
"""So long does a session last that is used all the time."""


class Asked(NamedTuple):
    """Whom a number means: the connections that it opens, and where the code goes."""

    connections: Sequence[int]
    phone: str
    language: str


def number_of(text: str) -> str:
    """Ten digits of what somebody typed, in either script, with or without +91 or a zero before a mobile.

    :raises NotANumber: they are not ten.
    """
    digits = "".join(str(unicodedata.digit(each)) for each in text if each.isdigit())
    if len(digits) == 12 and digits.startswith("91"):
        digits = digits[2:]
    elif len(digits) == 11 and digits.startswith("0"):
        digits = digits[1:]
    if len(digits) != 10 or re.search(r"[^\W\d]", text):
        raise NotANumber()
    return digits


def code_of(sign_in: UUID | str) -> str:
    """The code of a sign-in."""
    found = salted_hmac("bahal.sign-in", str(sign_in), algorithm="sha256").digest()
    return f"{int.from_bytes(found[:8]) % 10**DIGITS:0{DIGITS}d}"


def whom(number: str) -> Asked | None:
    """Whom ten digits mean: a consumer number first, else everybody of that mobile; None: nobody who can be reached."""
    rows = many(
        "SELECT id, phone, language, id = %s FROM consumers_consumer WHERE phone <> '' AND"
        " (id = %s OR phone = ANY(%s::text[])) ORDER BY 4 DESC, id LIMIT 100",
        int(number),
        int(number),
        [f"+91{number}", f"91{number}", f"0{number}", number],
    )
    if not rows:
        return None
    mine = [row for row in rows if row[3]] or rows
    return Asked([row[0] for row in mine], mine[0][1], "en" if mine[0][2] == "en" else "hi")


@transaction_required
def add_sign_in(*, number: str, address: str, asked: Asked | None, at: datetime) -> tuple[UUID, bool]:
    """Note that a code was asked for; its id, and whether it is to be sent: not where there is nobody, nor again and
    again to one telephone. The limits do not depend on whether there is anybody.

    :raises TooManyCodes: so many were asked for this number, or from this address.
    """
    by_number, by_address = _hashed("number", number), _hashed("address", address)
    by_phone = None if asked is None else _hashed("phone", asked.phone)
    for key in sorted({by_number, by_address, by_phone or by_number}):
        value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", key)
    lately, today, from_there, to_phone = many(
        "SELECT count(*) FILTER (WHERE asked_sha256 = %s AND asked_at > %s), count(*) FILTER (WHERE asked_sha256 = %s),"
        " count(*) FILTER (WHERE address_sha256 = %s AND asked_at > %s),"
        " count(*) FILTER (WHERE phone_sha256 = %s AND asked_at > %s) FROM consumers_signin"
        " WHERE asked_at > %s AND (asked_sha256 = %s OR address_sha256 = %s OR phone_sha256 = %s)",
        by_number, at - WINDOW, by_number, by_address, at - WINDOW, by_phone, at - WINDOW, at - timedelta(days=1),
        by_number, by_address, by_phone,
    )[0]  # fmt: skip
    if lately >= MOST_OF_A_NUMBER or today >= MOST_OF_A_DAY or from_there >= MOST_OF_AN_ADDRESS:
        raise TooManyCodes(minutes=int(WINDOW.total_seconds()) // 60)
    id_ = uuid4()
    run(
        "INSERT INTO consumers_signin (id, asked_sha256, address_sha256, phone_sha256, connections, asked_at,"
        " expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        id_, by_number, by_address, by_phone, [] if asked is None else list(asked.connections), at, at + CODE_LIFE,
    )  # fmt: skip
    return id_, asked is not None and to_phone < MOST_OF_A_NUMBER


@transaction_required
def try_code(*, sign_in: UUID, code: str, at: datetime) -> list[int] | None:
    """Try a code; the connections that it opens, or None. A try is counted whatever comes of it, so the caller commits
    before he says that it was wrong."""
    row = one(
        "UPDATE consumers_signin SET tries = tries + 1 WHERE id = %s AND tries < %s AND used_at IS NULL"
        " AND expires_at > %s RETURNING connections",
        sign_in,
        MOST_TRIES,
        at,
    )
    right = constant_time_compare(code, code_of(sign_in))
    if row is None or not right or not row[0]:
        return None
    run("UPDATE consumers_signin SET used_at = %s WHERE id = %s", at, sign_in)
    return list(row[0])


@transaction_required
def open_session(*, connections: Sequence[int], at: datetime) -> str:
    """Begin a session; the token that the browser holds."""
    token = secrets.token_urlsafe(32)
    run(
        "INSERT INTO consumers_session (token_sha256, connections, opened_at, seen_at) VALUES (%s, %s, %s, %s)",
        _digest(token),
        list(connections),
        at,
        at,
    )
    return token


def use_session(*, token: str, at: datetime) -> list[int]:
    """The connections of a session, which was used now.

    :raises SignedOut: there is no such session, it was left, or it was idle too long.
    """
    row = one(
        "UPDATE consumers_session SET seen_at = greatest(seen_at, %s) WHERE token_sha256 = %s AND ended_at IS NULL"
        " AND seen_at > %s AND opened_at > %s RETURNING connections",
        at,
        _digest(token),
        at - IDLE,
        at - LONGEST,
    )
    if row is None:
        raise SignedOut(minutes=int(IDLE.total_seconds()) // 60)
    return list(row[0])


def end_session(*, token: str, at: datetime) -> None:
    """End a session; one that has ended, or never was, is left as it is."""
    run("UPDATE consumers_session SET ended_at = %s WHERE token_sha256 = %s AND ended_at IS NULL", at, _digest(token))


def wrong() -> CodeWrong:
    """The one answer to every code that opens nothing: wrong, late, used, tried too often, or asked for nobody."""
    return CodeWrong(minutes=int(CODE_LIFE.total_seconds()) // 60, tries=MOST_TRIES)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _hashed(what: str, text: str) -> str:
    return salted_hmac(f"bahal.sign-in.{what}", text, algorithm="sha256").hexdigest()
