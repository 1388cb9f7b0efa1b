"""Counters, their days and cheques, and what one person proposes and another decides."""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime

from django.db import IntegrityError

from bahal.domains.payments.errors import (
    ChequeEnded,
    CounterTaken,
    CounterUnknown,
    DayNotOpen,
    DayOpenAlready,
    ProposalDecided,
    SamePerson,
)
from bahal.domains.payments.queries import Counter, Day, Proposal, Receipt, open_day_of, proposal_of
from bahal.foundation.rows import one, run, value
from bahal.foundation.transactions import transaction_required

_CODE = re.compile(r"[A-Z0-9]{1,8}")


@transaction_required
def add_counter(*, code: str, office: int) -> int:
    """Add a counter; its id. Its code begins its receipts' numbers.

    :raises CounterTaken: the code is used, or is not 1 to 8 capital letters and digits.
    """
    made = None
    if _CODE.fullmatch(code):
        made = value(
            "INSERT INTO payments_counter (code, office) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id",
            code,
            office,
        )
    if made is None:
        raise CounterTaken(counter=code[:20])
    return int(made)


@transaction_required
def open_day(*, counter: Counter, cashier: str, opening_paise: int, business_on: date, at: datetime) -> int:
    """Open a cashier's day at a counter; its id.

    :raises DayOpenAlready: one is open there.
    """
    made = value(
        "INSERT INTO payments_day (counter, cashier, business_on, opened_at, opening_paise) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        counter.id,
        cashier,
        business_on,
        at,
        opening_paise,
    )
    if made is None:
        standing = open_day_of(counter=counter.id)
        raise DayOpenAlready(
            counter=counter.code,
            cashier="-" if standing is None else standing.cashier,
            opened_at=at if standing is None else standing.opened_at,
        )
    return int(made)


@transaction_required
def lock_day(*, counter: str, cashier: str) -> Day:
    """A cashier's open day, locked: every receipt of it is written, and none can be until the transaction ends.

    :raises CounterUnknown: no such counter.
    :raises DayNotOpen: he has none open there.
    """
    row = one("SELECT id FROM payments_counter WHERE code = %s", counter)
    if row is None:
        raise CounterUnknown(counter=counter[:20])
    locked = value(
        "SELECT id FROM payments_day WHERE counter = %s AND cashier = %s AND closed_at IS NULL FOR UPDATE",
        row[0],
        cashier,
    )
    day = None if locked is None else open_day_of(counter=row[0])
    if day is None:
        raise DayNotOpen(counter=counter, cashier=cashier)
    return day


@transaction_required
def close_day(
    day: Day, *, expected_paise: int, counted_paise: int, denominations: Mapping[int, int], reason: str, at: datetime
) -> None:
    """Close a locked day with what was counted; the database refuses a difference without a reason."""
    run(
        "UPDATE payments_day SET closed_at = %s, expected_paise = %s, counted_paise = %s, denominations = %s::jsonb,"
        " reason = %s WHERE id = %s",
        at,
        expected_paise,
        counted_paise,
        json.dumps(denominations),
        reason,
        day.id,
    )


@transaction_required
def end_cheque(receipt: Receipt, *, cleared: bool, by: str, reason: str, at: datetime) -> None:
    """Note that the bank cleared the cheque behind a receipt, or that it was given back.

    :raises ChequeEnded: none is outstanding behind it.
    """
    done = run(
        f"UPDATE payments_cheque SET {'cleared_at' if cleared else 'bounced_at'} = %s, decided_by = %s, reason = %s"  # noqa: S608
        " WHERE payment = %s AND cleared_at IS NULL AND bounced_at IS NULL",
        at,
        by,
        reason,
        receipt.id,
    )
    if not done:
        raise ChequeEnded(receipt=receipt.receipt)


@transaction_required
def propose(
    *,
    kind: str,
    connection: int,
    paise: int,
    reason: str,
    by: str,
    at: datetime,
    payment: int | None = None,
    suspense: int | None = None,
) -> int:
    """Write a proposal; its id.

    :raises ProposalDecided: there is one on the same receipt or money already, open or accepted.
    """
    made = value(
        "INSERT INTO payments_proposal (kind, payment, suspense, connection, paise, reason, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        kind,
        payment,
        suspense,
        connection,
        paise,
        reason,
        by,
        at,
    )
    if made is None:
        other = value(
            "SELECT id FROM payments_proposal WHERE (payment = %s OR suspense = %s)"
            " AND accepted IS DISTINCT FROM false",
            payment,
            suspense,
        )
        raise ProposalDecided(proposal=other, subject=f"{kind} {payment or suspense}")
    return int(made)


@transaction_required
def decide(*, proposal: int, by: str, accepted: bool, at: datetime) -> Proposal:
    """Decide a proposal, once; the proposal. Its row stays locked.

    :raises ProposalUnknown: no such one.
    :raises ProposalDecided: it was decided before.
    :raises SamePerson: who proposed it may not decide it; the database refuses him as well.
    """
    found = proposal_of(proposal=proposal)
    if found.proposed_by == by:
        raise SamePerson(login=by)
    try:
        done = run(
            "UPDATE payments_proposal SET decided_by = %s, decided_at = %s, accepted = %s"
            " WHERE id = %s AND decided_by IS NULL",
            by,
            at,
            accepted,
            proposal,
        )
    except IntegrityError as failure:
        raise SamePerson(login=by) from failure
    if not done:
        raise ProposalDecided(
            proposal=proposal, subject=f"{found.kind} {found.payment or found.suspense or ''}".strip()
        )
    return found
