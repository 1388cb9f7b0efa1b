"""Bills are posted: what is billed becomes due, and what a consumer has paid in advance settles it at once."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection as database

from bahal.domains.billing import operations as billing
from bahal.domains.billing.operations import NewBill
from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.domains.ledger.queries import advances
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply


def post_bills(bills: Sequence[NewBill], *, actor: str, at: datetime, business_at: datetime) -> list[int]:
    """Post bills; their ids, in the same order.

    :raises BillMalformed: one has no positive amount, or is due before it is issued.
    :raises BillNumberTaken: a number is used already.
    :raises ConnectionUnknown: there is no such connection.
    :raises SupplyBusy: another act on one of the connections did not end in time; nothing was posted.
    """
    if not bills:
        return []
    with transaction():
        # A payment that arrives meanwhile would see no bill, and this no advance: one waits for the other.
        with database.cursor() as cursor:
            lock_supply(cursor, {bill.connection for bill in bills})
        ids = billing.post_bills(bills)
        held = dict(advances(connections={bill.connection for bill in bills}))
        entries = []
        settled = 0
        for id_, bill in zip(ids, bills, strict=True):
            advance = min(held.get(bill.connection, 0), bill.paise)
            held[bill.connection] = held.get(bill.connection, 0) - advance
            settled += advance
            lines = (
                Line("receivable", bill.paise, bill.connection, id_),
                Line("revenue", -bill.paise),
                Line("advance", advance, bill.connection),
                Line("receivable", -advance, bill.connection),
            )
            entries.append(Entry("bill", bill.number, lines))
        post_many(entries, at=at, business_at=business_at)
        data = {"bills": len(ids), "paise": sum(bill.paise for bill in bills), "advance_paise": settled}
        subject = f"bills {bills[0].number} - {bills[-1].number}"
        record(actor=actor, act="bill.posted", subject=subject, data=data, at=at, business_at=business_at)
    return ids
