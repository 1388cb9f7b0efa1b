"""A consumer pays online without logging in: a signed link that ends, and an attempt with a name of its own each time.

What a browser says or where it returns to never marks anything paid: only the gateway, asked by us, does.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from django.core import signing
from django.db import connection as database

from bahal.domains.consumers.queries import contacts
from bahal.domains.ledger.queries import balance
from bahal.domains.payments import wire
from bahal.domains.payments.errors import LinkWrong, PaymentMalformed, TooManyAttempts
from bahal.domains.payments.operations import LARGEST_PAISE
from bahal.domains.payments.queries import open_dues, outstanding_cheques, policy_at
from bahal.domains.supply.queries import generations
from bahal.foundation.transactions import transaction
from bahal.gateways.bank.interface import Gateway
from bahal.shared.clock import day_in_india
from bahal.shared.locks import ConnectionUnknown, lock_supply
from bahal.shared.text import Language

SMALLEST_PAISE = 1_00
MOST_AN_HOUR = 20
"""Attempts for one connection: whoever has a link opens no orders without end."""
_SALT = "bahal.pay-link"


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is paid by UPI: his address, and the name that the payer's application shows."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows: dues by account in paise, what is in advance, and the consumer's language."""

    connection: int
    due_paise: int
    advance_paise: int
    pending_paise: int
    parts: list[tuple[str, int]]
    language: Language


def make_link(*, connection: int, at: datetime, business_at: datetime) -> str:
    """The token of a pay link for a connection; whoever has it sees the due and may pay it, and nothing else.

    :raises ConnectionUnknown: no such connection.
    """
    if not generations(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    ends = at + timedelta(hours=policy_at(business_at=business_at).link_hours)
    return signing.dumps([connection, int(ends.timestamp())], salt=_SALT, compress=False)


def read_link(token: str, *, at: datetime) -> int:
    """The connection of a pay link.

    :raises LinkWrong: not signed by us, or its time is over.
    """
    try:
        connection, ends = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as wrong:
        raise LinkWrong() from wrong
    if ends < at.timestamp():
        raise LinkWrong()
    return int(connection)


def show_page(*, connection: int) -> Page:
    """What a payer needs to see."""
    stands = balance(connection=connection)
    parts: dict[str, int] = {}
    for due in open_dues(connection=connection):
        parts[due.account] = parts.get(due.account, 0) + due.paise
    contact = contacts(connections=[connection]).get(connection)
    return Page(
        connection,
        max(0, stands.due_paise),
        stands.advance_paise,
        outstanding_cheques(connection=connection),
        [(account, parts[account]) for account in ("receivable", "surcharge", "expenses") if parts.get(account)],
        "hi" if contact is None else contact.language,
    )


def start_attempt(
    gateway: Gateway, *, connection: int, paise: int, at: datetime, business_at: datetime
) -> wire.Attempt:
    """Open an order at the gateway for one attempt to pay, under a reference used once.

    :raises PaymentMalformed: less than a rupee, or absurdly much.
    :raises TooManyAttempts: so many were begun for this connection within the hour.
    :raises BankUnreachable: the gateway does not answer; nothing was begun.
    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time; the gateway's order is left to lapse.
    """
    if not SMALLEST_PAISE <= paise <= LARGEST_PAISE:
        raise PaymentMalformed(field="paise", given=str(paise))
    if wire.attempts_since(connection=connection, since=at - timedelta(hours=1)) >= MOST_AN_HOUR:
        raise TooManyAttempts(connection=connection, most=MOST_AN_HOUR)
    tr = f"BHL{day_in_india(business_at):%y%m%d}{secrets.token_hex(8).upper()}"
    order = gateway.open_order(reference=tr, paise=paise, consumer=connection)
    minutes = policy_at(business_at=business_at).attempt_minutes
    attempt = wire.Attempt(tr, connection, paise, order, at, at + timedelta(minutes=minutes))
    with transaction():
        # Under the fence: once the payer holds his order, no cut that knew nothing of it is still to be marked sent.
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        wire.add_attempt(attempt)
    return attempt


def upi_uri(attempt: wire.Attempt, payee: Payee) -> str:
    """What a UPI application opens, as text of a QR code or as a link (NPCI's linking specification)."""
    whole, rest = divmod(attempt.paise, 100)
    fields = {
        "pa": payee.address,
        "pn": payee.name,
        "tr": attempt.tr,
        "tn": f"Electricity {attempt.connection}",
        "am": f"{whole}.{rest:02d}",
        "cu": "INR",
    }
    return "upi://pay?" + "&".join(f"{name}={quote(value, safe='@.')}" for name, value in fields.items())


@dataclass(frozen=True, slots=True)
class Stands:
    """An attempt, and the receipt it ended in if the gateway has said so and it is booked."""

    attempt: wire.Attempt
    receipt: str | None


def show_attempt(*, tr: str, connection: int) -> Stands:
    """How an attempt of this connection stands.

    :raises LinkWrong: there is no such attempt of it.
    """
    found = wire.attempt_of(tr=tr)
    if found is None or found.connection != connection:
        raise LinkWrong()
    return Stands(found, wire.paid_by(tr=tr))


def language_of_link(token: str, *, at: datetime) -> Language:
    """The language of the consumer behind a pay link.

    :raises LinkWrong: not signed by us, or its time is over.
    """
    connection = read_link(token, at=at)
    contact = contacts(connections=[connection]).get(connection)
    return "hi" if contact is None else contact.language
