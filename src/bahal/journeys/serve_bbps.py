"""Bharat Bill Payment System, the biller's side: a bill is fetched, then paid under the reference of that fetch.

`refId` has 35 characters and binds a payment to what was fetched; `txnReferenceId` is the payment's key for ever;
responseCode 000 is success. The amount must be the one fetched (amount exactness "exact").
"""

from dataclasses import dataclass
from datetime import datetime

from bahal.domains.consumers.queries import names_of
from bahal.domains.ledger.queries import balance
from bahal.domains.payments import wire
from bahal.domains.payments.errors import FetchUnknown, PaymentMalformed
from bahal.domains.payments.queries import receipt_of
from bahal.domains.supply.queries import generations
from bahal.foundation.transactions import transaction
from bahal.journeys.take_payment import Taken, take_payment
from bahal.shared.locks import ConnectionUnknown

REF_LENGTH = 35
LONGEST_TXN = 35


@dataclass(frozen=True, slots=True)
class Bill:
    """What BBPS shows a payer: the amount due, and whose it is."""

    ref: str
    connection: int
    name: str
    paise: int


def fetch(*, ref: str, connection: int, at: datetime) -> Bill:
    """The amount due on a connection, kept under `ref`; the same reference gets the same answer.

    :raises PaymentMalformed: the reference has not 35 letters and digits, or was used for another connection.
    :raises ConnectionUnknown: no such connection.
    """
    if len(ref) != REF_LENGTH or not (ref.isascii() and ref.isalnum()):
        raise PaymentMalformed(field="refId", given=ref[:40])
    if not generations(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    due = max(0, balance(connection=connection).due_paise)
    with transaction():
        kept = wire.add_fetch(wire.Fetched(ref, connection, due, at))
    if kept.connection != connection:
        raise PaymentMalformed(field="refId", given=ref)
    return Bill(ref, connection, names_of(connections=[connection]).get(connection, ""), kept.paise)


def pay(*, ref: str, txn: str, paise: int, business_at: datetime) -> Taken:
    """Book a payment for a fetched bill, once per `txn`.

    :raises PaymentMalformed: no transaction reference.
    :raises FetchUnknown: no bill was fetched under `ref`, or another amount.
    And as `take_payment`.
    """
    if not txn or len(txn) > LONGEST_TXN or not (txn.isascii() and txn.isalnum()):
        raise PaymentMalformed(field="txnReferenceId", given=txn[:40])
    fetched = wire.fetch_of(ref=ref)
    if paise != fetched.paise:
        raise FetchUnknown(ref=ref)
    return take_payment(
        key=f"bbps:{txn}",
        connection=fetched.connection,
        paise=paise,
        channel="bbps",
        actor="bbps",
        business_at=business_at,
    )


def status(*, txn: str) -> str | None:
    """The receipt of a transaction, or None: it was not booked, and may be sent again."""
    return receipt_of(key=f"bbps:{txn}")
