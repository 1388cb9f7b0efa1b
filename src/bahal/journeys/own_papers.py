"""The papers of one connection for whoever may see them: its bills and receipts, and nobody else's.

A number that belongs to another connection is as unknown here as one that was never given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bahal.domains.billing.errors import BillUnknown
from bahal.domains.billing.queries import Own, bill_by_number, bills_of
from bahal.domains.payments.errors import ReceiptUnknown
from bahal.domains.payments.queries import Taken, find_receipt, open_dues, payments_of
from bahal.journeys.pay_online import Payee
from bahal.journeys.print_bill import print_bill
from bahal.journeys.print_receipt import print_receipt
from bahal.journeys.show_bill import Shown, show_bill
from bahal.journeys.verify_receipt import receipt_address

MOST = 36
"""So many of each are listed, the latest first."""


@dataclass(frozen=True, slots=True)
class OwnBill:
    """A bill in the list; `open_paise` is what payments have not settled yet."""

    bill: Own
    open_paise: int


@dataclass(frozen=True, slots=True)
class Papers:
    """Bills and receipts, the latest first."""

    bills: Sequence[OwnBill]
    receipts: Sequence[Taken]


def own_papers(*, connection: int) -> Papers:
    """What a connection was billed and what it paid."""
    open_ = {each.bill: each.paise for each in open_dues(connection=connection) if each.bill is not None}
    bills = [OwnBill(each, open_.get(each.id, 0)) for each in bills_of(connection=connection, limit=MOST)]
    return Papers(bills, payments_of(connection=connection, limit=MOST))


def own_bill(*, connection: int, number: str) -> Shown:
    """A bill of this connection with its lines.

    :raises BillUnknown: there is none of this connection.
    :raises BillHasNoLines: it came in with the books.
    """
    _mine(connection, number)
    return show_bill(number=number)


def own_bill_pdf(*, connection: int, number: str, payee: Payee | None) -> bytes:
    """The same on paper.

    :raises BillUnknown: there is none of this connection.
    :raises BillHasNoLines: it came in with the books.
    :raises PageFailed: it could not be set.
    """
    _mine(connection, number)
    return print_bill(number=number, payee=payee)


def own_receipt_pdf(*, connection: int, receipt: str, site: str) -> bytes:
    """A receipt of this connection on paper, with the address that proves it.

    :raises ReceiptUnknown: there is none of this connection.
    :raises PageFailed: it could not be set.
    """
    if "\0" in receipt or find_receipt(receipt=receipt).connection != connection:
        raise ReceiptUnknown(receipt=receipt[:40])
    return print_receipt(receipt=receipt, check=receipt_address(receipt, site=site))


def _mine(connection: int, number: str) -> None:
    if "\0" in number or bill_by_number(number=number).connection != connection:
        raise BillUnknown(number=number[:40].replace("\0", ""))
