"""Rated bills become due: lines, bills and ledger in one act, and what was paid in advance settles them at once.

The bills of a batch are one act of money: each stands in the ledger by its own line on its own connection, what they
are made of by one line an account. A bill alone is an act of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection as database

from bahal.domains.billing.explanations import Fragments, Packed, Rated, pack
from bahal.domains.billing.operations import RatedBill, learn, write_bills
from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.domains.ledger.queries import advances
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction, transaction_required

ACCOUNTS: Mapping[str, str] = {
    "duty": "duty",
    "cess": "cess",
    "free_units": "subsidy",
    "scheme": "subsidy",
    "interest": "interest",
    "surcharge": "surcharge_income",
}
"""The account that a component of a bill belongs to; every other is the company's revenue."""

REVENUE = "revenue"

_kept: dict[tuple[Any, ...], Fragments] = {}


def packed(ratings: Sequence[Rated], bases: Sequence[Mapping[str, Any] | None]) -> list[Packed]:
    """Ratings as they are stored; a fragment that is new is kept at once.

    Inside a transaction nothing is remembered of it: it may be undone, and its numbers with it.
    """
    if database.in_atomic_block:
        fragments = Fragments()
        learn(fragments.missing(ratings), fragments=fragments)
        return _packed(ratings, bases, fragments)
    where = database.settings_dict
    fragments = _kept.setdefault((where["HOST"], where["PORT"], where["NAME"]), Fragments())
    try:
        return _packed(ratings, bases, fragments)
    except KeyError:
        with transaction():
            learn(fragments.missing(ratings), fragments=fragments)
    return _packed(ratings, bases, fragments)


def _packed(ratings: Sequence[Rated], bases: Sequence[Mapping[str, Any] | None], fragments: Fragments) -> list[Packed]:
    return [pack(rating, fragments=fragments, basis=basis) for rating, basis in zip(ratings, bases, strict=True)]


def parts_of(lines: Iterable[Sequence[Any]]) -> Counter[str]:
    """What lines come to by account; together the bill. Each is twelve values in the tariffs' order."""
    parts: Counter[str] = Counter()
    for line in lines:
        parts[ACCOUNTS.get(line[1], REVENUE)] += line[11]
    return parts


@transaction_required
def issue(
    bills: Sequence[RatedBill], parts: Mapping[str, int], *, actor: str, at: datetime, business_at: datetime
) -> list[int]:
    """Write bills whose fences the caller holds, post them and settle them from advances; their ids.

    `parts` is what all of them come to by account.

    :raises django.db.Error: a period was billed already; nothing was written.
    """
    ids = write_bills(bills)
    held = dict(advances(connections=[bill.connection for bill in bills]))
    lines = []
    settled = 0
    for id_, bill in zip(ids, bills, strict=True):
        paise = bill.paise
        if not paise:
            continue
        connection = bill.connection
        lines.append(Line("receivable", paise, connection, id_))
        if connection in held:
            advance = min(held[connection], paise)
            held[connection] -= advance
            settled += advance
            lines += (Line("advance", advance, connection), Line("receivable", -advance, connection))
    lines += [Line(account, -paise) for account, paise in parts.items()]
    if any(line.paise for line in lines):
        first, last = bills[0].number, bills[-1].number
        reference = first if len(bills) == 1 else f"{first} - {last}"
        post_many([Entry("bill", reference, lines)], at=at, business_at=business_at)
    data = {"bills": len(ids), "paise": sum(bill.paise for bill in bills), "advance_paise": settled}
    record(
        actor=actor,
        act="bill.posted",
        subject=f"bills {bills[0].number} - {bills[-1].number}",
        connection=bills[0].connection if len(bills) == 1 else None,
        data=data,
        at=at,
        business_at=business_at,
    )
    return ids


def number_of(connection: int, period_to: date, sequence: int) -> str:
    """The number printed on a bill: the month of its last day, the consumer, and which bill of the period it is."""
    month = period_to - timedelta(days=1)
    return f"{month:%Y%m}-{connection}" + (f"-{sequence}" if sequence else "")
