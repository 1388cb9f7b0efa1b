"""Writing bills, credit notes and drafts. The ledger's side is the caller's journey."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from bahal.domains.billing.errors import BillMalformed, BillNumberTaken, DraftUnknown, ReasonWanted
from bahal.domains.billing.explanations import Fragments
from bahal.foundation.rows import copy, many, next_ids, one, run, value
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


class RatedBill(NamedTuple):
    """A bill that was rated here, with its lines as `explanations.pack` made them; `amounts` sum to `paise`."""

    connection: int
    number: str
    month: date
    issued_on: date
    due_on: date
    consumption_wh: int
    paise: int
    estimated: bool
    supplementary: bool
    kind: str
    period_from: date
    period_to: date
    sequence: int
    amounts: Sequence[int]
    body: str


class NewCreditNote(NamedTuple):
    """What was billed too much; `paise` is positive and the amounts sum to its negative."""

    number: str
    connection: int
    bill: int
    period_from: date
    sequence: int
    issued_on: date
    paise: int
    reason: str
    consumption_wh: int
    amounts: Sequence[int]
    body: str


class NewDraft(NamedTuple):
    """A bill that is held; `reasons` of `HELD_FOR`, `basis` what the officer must see."""

    connection: int
    month: date
    period_from: date
    period_to: date
    kind: str
    consumption_wh: int
    paise: int
    estimated: bool
    reasons: Sequence[str]
    basis: Mapping[str, Any]
    amounts: Sequence[int]
    body: str


class Draft(NamedTuple):
    """A held bill as an officer decides it."""

    id: int
    connection: int
    month: date
    period_from: date
    period_to: date
    kind: str
    consumption_wh: int
    paise: int
    estimated: bool
    reasons: list[str]
    amounts: list[int]
    body: str


@transaction_required
def post_bills(bills: Sequence[NewBill]) -> list[int]:
    """Write bills that came in without lines; their ids, in the same order.

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


@transaction_required
def write_bills(bills: Sequence[RatedBill]) -> list[int]:
    """Write rated bills with their lines; their ids, in the same order. The lines go first: the database sums them.

    :raises django.db.Error: a period was billed already, or lines do not sum to their bill; nothing was written.
    """
    ids = next_ids("billing_bill", len(bills))
    copy(
        "billing_explanation",
        ("bill", "amounts", "body"),
        ((id_, array(bill.amounts), bill.body) for id_, bill in zip(ids, bills, strict=True)),
    )
    copy(
        "billing_bill",
        ("id", "disputed", *RatedBill._fields[:-2]),
        ((id_, False, *bill[:-2]) for id_, bill in zip(ids, bills, strict=True)),
    )
    return ids


@transaction_required
def write_credit_note(note: NewCreditNote) -> int:
    """Write a credit note; its id."""
    (id_,) = next_ids("billing_creditnote", 1)
    copy("billing_creditnote", ("id", *NewCreditNote._fields), [(id_, *note[:-2], array(note.amounts), note.body)])
    return id_


@transaction_required
def hold(drafts: Sequence[NewDraft], *, at: datetime) -> int:
    """Keep bills for review; how many."""
    return copy(
        "billing_draft",
        ("made_at", *NewDraft._fields),
        (
            (
                at,
                *draft[:8],
                "{" + ",".join(draft.reasons) + "}",
                json.dumps(draft.basis, ensure_ascii=False),
                array(draft.amounts),
                draft.body,
            )
            for draft in drafts
        ),
    )


@transaction_required
def take_draft(*, draft: int) -> Draft:
    """A held draft, locked for a decision.

    :raises DraftUnknown: none is held under this number.
    """
    row = one(
        f"SELECT {', '.join(Draft._fields)} FROM billing_draft WHERE id = %s AND state = 'held' FOR UPDATE",  # noqa: S608
        draft,
    )
    if row is None:
        raise DraftUnknown(draft=draft)
    return Draft(*row)


@transaction_required
def decide(*, draft: int, state: str, officer: str, reason: str, at: datetime, bill: int | None = None) -> None:
    """End a draft: `issued` with its bill, or `dropped`.

    :raises ReasonWanted: no reason was given.
    """
    if not reason.strip():
        raise ReasonWanted()
    run(
        "UPDATE billing_draft SET state = %s, decided_by = %s, decided_at = %s, reason = %s, bill = %s WHERE id = %s",
        state,
        officer,
        at,
        reason.strip(),
        bill,
        draft,
    )


@transaction_required
def drop_held(*, connection: int, officer: str, reason: str, at: datetime) -> None:
    """Drop the held draft of a connection, if it has one.

    :raises ReasonWanted: no reason was given.
    """
    if not reason.strip():
        raise ReasonWanted()
    run(
        "UPDATE billing_draft SET state = 'dropped', decided_by = %s, decided_at = %s, reason = %s"
        " WHERE connection = %s AND state = 'held'",
        officer,
        at,
        reason.strip(),
        connection,
    )


@transaction_required
def learn(bodies: Sequence[str], *, fragments: Fragments) -> None:
    """Keep fragments that are new, and know the numbers of all of these."""
    run(
        "INSERT INTO billing_fragment (body) SELECT b FROM unnest(%s::text[]) AS b ON CONFLICT DO NOTHING", list(bodies)
    )
    fragments.learn(many("SELECT id, body FROM billing_fragment WHERE body = ANY(%s::text[])", list(bodies)))


class NewTerms(NamedTuple):
    """What the tariff sees of a connection from a day on; loads in W and thousandths of a HP."""

    connection: int
    effective_from: date
    category: str
    phases: int
    load_w: int
    load_mhp: int
    bpl: bool
    temporary: bool
    kind: str
    owner: str
    reason: str


@transaction_required
def set_terms(terms: NewTerms) -> None:
    """Keep a change; a later day's row goes on holding from its day.

    :raises django.db.IntegrityError: there is one of that day already.
    """
    copy("billing_terms", NewTerms._fields, [terms])


@transaction_required
def set_group(*, centre: int, issue_day: int, days_to_pay: int) -> None:
    """Say when a centre's bills go out."""
    run(
        "INSERT INTO billing_group (centre, issue_day, days_to_pay) VALUES (%s, %s, %s)"
        " ON CONFLICT (centre) DO UPDATE SET issue_day = EXCLUDED.issue_day, days_to_pay = EXCLUDED.days_to_pay",
        centre,
        issue_day,
        days_to_pay,
    )


def array(numbers: Iterable[int]) -> str:
    """Numbers as COPY takes an array."""
    return "{" + ",".join(map(str, numbers)) + "}"
