"""Writing bills."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from bahal.domains.billing.errors import BillMalformed, BillNumberTaken
from bahal.foundation.rows import copy, next_ids, value
from bahal.foundation.transactions import transaction_required


class NewBill(NamedTuple):
    """A bill of one month alone, without arrears: integer paise and Wh; days are days in India."""

    connection: int
    number: str
    month: date
    issued_on: date
    due_on: date
    consumption_wh: int
    paise: int
    estimated: bool = False
    disputed: bool = False
    supplementary: bool = False


@transaction_required
def post_bills(bills: Sequence[NewBill]) -> list[int]:
    """Write bills; their ids, in the same order. The ledger's side is the caller's journey.

    :raises BillMalformed: no positive amount, or due not after its issue.
    :raises BillNumberTaken: a number is used already, here or in the given ones.
    """
    numbers = set()
    for bill in bills:
        if bill.paise <= 0 or bill.due_on <= bill.issued_on:
            raise BillMalformed(number=bill.number, paise=bill.paise, issued_on=bill.issued_on, due_on=bill.due_on)
        if bill.number in numbers:
            raise BillNumberTaken(number=bill.number)
        numbers.add(bill.number)
    taken = value("SELECT number FROM billing_bill WHERE number = ANY(%s::text[]) LIMIT 1", list(numbers))
    if taken is not None:
        raise BillNumberTaken(number=taken)
    ids = next_ids("billing_bill", len(bills))
    copy("billing_bill", ("id", *NewBill._fields), ((id_, *bill) for id_, bill in zip(ids, bills, strict=True)))
    return ids
