"""What a payment settles, in a written order: one pure function.

The order is data of the payments' policy; the default is

1. `surcharge`: delayed payment surcharge, so that none runs on after the dues are paid,
2. `expenses`: of cutting and reconnecting, and of bounced cheques (s.56(1): they are part of what brings supply back),
3. `receivable`: energy bills, the oldest first,

and what is left is kept as an advance. A credit that stands on one of the three accounts is spent first, like money, so
that nothing stays open beside it. The order was not checked against a tariff order.
"""

from collections.abc import Sequence
from typing import NamedTuple

ORDER = ("surcharge", "expenses", "receivable")
"""The default order."""

REST = "advance"


class Due(NamedTuple):
    """What is open on an account, by bill where it is known; negative paise are a credit on that account."""

    account: str
    bill: int | None
    paise: int


class Share(NamedTuple):
    """What of a payment goes where. Negative paise: a credit of that account that was spent on the others."""

    account: str
    bill: int | None
    paise: int


def allocate(paise: int, dues: Sequence[Due], *, order: Sequence[str] = ORDER) -> list[Share]:
    """Divide a payment over the dues; shares of nothing are left out, and the shares sum to the payment.

    `dues` of one account come oldest first. An account that the order does not name is settled last.
    """
    credits = [due for due in dues if due.paise < 0]
    left = paise - sum(due.paise for due in credits)
    shares = [Share(*credit) for credit in credits]
    rank = {account: place for place, account in enumerate(order)}
    for due in sorted((due for due in dues if due.paise > 0), key=lambda due: rank.get(due.account, len(rank))):
        settled = min(due.paise, left)
        if settled:
            shares.append(Share(due.account, due.bill, settled))
            left -= settled
    if left:
        shares.append(Share(REST, None, left))
    return shares
