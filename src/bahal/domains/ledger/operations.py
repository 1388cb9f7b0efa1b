"""Posting: double entry in integer paise, debit positive. What is posted is never edited."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.ledger.errors import ReferencePosted, Unbalanced
from bahal.foundation.rows import copy, next_ids, value
from bahal.foundation.transactions import transaction_required


class Line(NamedTuple):
    """One posting. `account`: receivable, advance, cash, revenue; the first two name their connection."""

    account: str
    paise: int
    connection: int | None = None
    bill: int | None = None


class Entry(NamedTuple):
    """One act of money; `kind` (bill, payment, opening) and `reference` together are unique for ever."""

    kind: str
    reference: str
    lines: Sequence[Line]


@transaction_required
def post(*, kind: str, reference: str, lines: Sequence[Line], at: datetime, business_at: datetime) -> int:
    """Post one act of money; its id. Lines of nothing are left out.

    :raises Unbalanced: the lines do not sum to zero.
    :raises ReferencePosted: this act is posted already.
    """
    kept = _balanced(reference, lines)
    posted = value(
        "WITH act AS (INSERT INTO ledger_transaction (kind, reference, posted_at, business_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (kind, reference) DO NOTHING RETURNING id),"
        " lines AS (INSERT INTO ledger_posting (transaction, account, connection, bill, paise)"
        " SELECT act.id, l.account, l.connection, l.bill, l.paise FROM act,"
        " unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[]) AS l (account, connection, bill, paise))"
        " SELECT id FROM act",
        kind,
        reference,
        at,
        business_at,
        [line.account for line in kept],
        [line.connection for line in kept],
        [line.bill for line in kept],
        [line.paise for line in kept],
    )
    if posted is None:
        raise ReferencePosted(kind=kind, reference=reference)
    return int(posted)


@transaction_required
def post_many(entries: Sequence[Entry], *, at: datetime, business_at: datetime) -> None:
    """Post a batch of acts of money.

    :raises Unbalanced: the lines of one of them do not sum to zero.
    :raises ReferencePosted: one of them is posted already.
    """
    kept = [_balanced(entry.reference, entry.lines) for entry in entries]
    for kind in {entry.kind for entry in entries}:
        references = [entry.reference for entry in entries if entry.kind == kind]
        taken = value(
            "SELECT reference FROM ledger_transaction WHERE kind = %s AND reference = ANY(%s::text[]) LIMIT 1",
            kind,
            references,
        )
        if taken is not None:
            raise ReferencePosted(kind=kind, reference=taken)
    ids = next_ids("ledger_transaction", len(entries))
    copy(
        "ledger_transaction",
        ("id", "kind", "reference", "posted_at", "business_at"),
        ((id_, entry.kind, entry.reference, at, business_at) for id_, entry in zip(ids, entries, strict=True)),
    )
    copy(
        "ledger_posting",
        ("transaction", *Line._fields),
        ((id_, *line) for id_, lines in zip(ids, kept, strict=True) for line in lines),
    )


def _balanced(reference: str, lines: Sequence[Line]) -> list[Line]:
    total = sum(line.paise for line in lines)
    kept = [line for line in lines if line.paise]
    if total or len(kept) < 2:
        raise Unbalanced(reference=reference, sum_paise=total)
    return kept
