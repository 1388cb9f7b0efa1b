"""Questions about payments, counters, cheques and proposals."""

import json
from datetime import date, datetime
from typing import Any, NamedTuple

from bahal.domains.payments.allocation import Due, Share
from bahal.domains.payments.errors import (
    ConsumerNumberWrong,
    CounterUnknown,
    DayNotOpen,
    ProposalUnknown,
    ReceiptUnknown,
    SuspenseUnknown,
)
from bahal.foundation.rows import many, one, value

CONSUMER_DIGITS = 10


class Receipt(NamedTuple):
    """A payment as it was receipted; `cancelled` when two people undid it."""

    id: int
    receipt: str
    idempotency_key: str
    connection: int
    paise: int
    channel: str
    instrument: str
    allocation: list[Share]
    policy: str
    day: int | None
    order: int | None
    acknowledged_at: datetime
    business_at: datetime
    cancelled: bool
    cheque: str | None
    bounced: bool
    cleared: bool


class Policy(NamedTuple):
    """The payments' policy in force."""

    version: str
    allocation: list[str]
    bounce_paise: int
    link_hours: int
    attempt_minutes: int
    settled_within_days: int
    verified: bool


class Counter(NamedTuple):
    """A cash counter."""

    id: int
    code: str
    office: int


class Day(NamedTuple):
    """A cashier's day at a counter."""

    id: int
    counter: int
    cashier: str
    business_on: date
    opened_at: datetime
    opening_paise: int


class Taking(NamedTuple):
    """What a day took by one instrument; cancelled receipts are counted apart."""

    instrument: str
    receipts: int
    paise: int
    cancelled: int
    cancelled_paise: int


class Proposal(NamedTuple):
    """What one person proposed."""

    id: int
    kind: str
    payment: int | None
    suspense: int | None
    connection: int
    paise: int
    reason: str
    proposed_by: str
    decided_by: str | None
    accepted: bool | None


class Held(NamedTuple):
    """Money in suspense."""

    id: int
    source: str
    paise: int
    note: str


def consumer_number(text: str) -> int:
    """A consumer number as a person types it.

    :raises ConsumerNumberWrong: not ten digits; says how many there were.
    """
    plain = text.strip().replace(" ", "")
    if not (plain.isascii() and plain.isdigit() and len(plain) == CONSUMER_DIGITS):
        raise ConsumerNumberWrong(given=text[:40], digits=sum(each.isdigit() for each in text))
    return int(plain)


def receipt_of(*, key: str) -> str | None:
    """The receipt of the payment that used this key, or None."""
    found: str | None = value("SELECT receipt FROM payments_payment WHERE idempotency_key = %s", key)
    return found


def find_receipt(*, receipt: str) -> Receipt:
    """A receipt by its number.

    :raises ReceiptUnknown: no such one.
    """
    row = one(f"{_RECEIPT} WHERE p.receipt = %s", receipt)
    if row is None:
        raise ReceiptUnknown(receipt=receipt[:40])
    return _receipt(row)


def receipt_by_id(*, payment: int) -> Receipt:
    """A receipt by its row.

    :raises ReceiptUnknown: no such one.
    """
    row = one(f"{_RECEIPT} WHERE p.id = %s", payment)
    if row is None:
        raise ReceiptUnknown(receipt=str(payment))
    return _receipt(row)


def open_dues(*, connection: int) -> list[Due]:
    """What is open on a connection: surcharge, expenses, and its bills oldest first; a credit is a negative row."""
    rows = many("SELECT account, bill, paise FROM payment_dues(%s) ORDER BY account, place", connection)
    return [Due(*row) for row in rows]


def outstanding_cheques(*, connection: int) -> int:
    """The paise of a connection's cheques that have neither cleared nor come back."""
    return int(
        value(
            "SELECT coalesce(sum(paise), 0)::bigint FROM payments_cheque"
            " WHERE connection = %s AND cleared_at IS NULL AND bounced_at IS NULL",
            connection,
        )
    )


def policy_at(*, business_at: datetime) -> Policy:
    """The policy in force at an instant; the migration lays one that is always there."""
    row = one(
        "SELECT version, allocation, bounce_paise, link_hours, attempt_minutes, settled_within_days, verified"
        " FROM payment_policy(%s)",
        business_at,
    )
    assert row is not None
    return Policy(*row)


def find_counter(*, code: str) -> Counter:
    """A counter by its code.

    :raises CounterUnknown: no such one.
    """
    row = one("SELECT id, code, office FROM payments_counter WHERE code = %s", code)
    if row is None:
        raise CounterUnknown(counter=code[:20])
    return Counter(*row)


def open_day_of(*, counter: int) -> Day | None:
    """The day that is open at a counter, or None."""
    row = one(
        "SELECT id, counter, cashier, business_on, opened_at, opening_paise FROM payments_day"
        " WHERE counter = %s AND closed_at IS NULL",
        counter,
    )
    return None if row is None else Day(*row)


def day_of_cashier(*, counter: str, cashier: str) -> Day:
    """A cashier's open day at a counter.

    :raises CounterUnknown: no such counter.
    :raises DayNotOpen: he has none open there.
    """
    day = open_day_of(counter=find_counter(code=counter).id)
    if day is None or day.cashier != cashier:
        raise DayNotOpen(counter=counter, cashier=cashier)
    return day


def latest_day_of(*, cashier: str) -> Day:
    """The day that a cashier opened last and has not closed, at whichever counter.

    :raises DayNotOpen: there is none.
    """
    row = one(
        "SELECT id, counter, cashier, business_on, opened_at, opening_paise FROM payments_day"
        " WHERE cashier = %s AND closed_at IS NULL ORDER BY id DESC LIMIT 1",
        cashier,
    )
    if row is None:
        raise DayNotOpen(counter="—", cashier=cashier)
    return Day(*row)


def day_is_open(*, day: int | None) -> bool:
    """Whether a receipt's day is still open."""
    return bool(value("SELECT EXISTS (SELECT FROM payments_day WHERE id = %s AND closed_at IS NULL)", day))


def takings_of(*, day: int) -> list[Taking]:
    """What a day took, by instrument."""
    rows = many(
        "SELECT p.instrument, count(*) FILTER (WHERE c.id IS NULL),"
        " coalesce(sum(p.paise) FILTER (WHERE c.id IS NULL), 0)::bigint, count(c.id),"
        " coalesce(sum(p.paise) FILTER (WHERE c.id IS NOT NULL), 0)::bigint"
        " FROM payments_payment p LEFT JOIN payments_proposal c ON c.payment = p.id AND c.accepted"
        " WHERE p.day = %s GROUP BY 1 ORDER BY 1",
        day,
    )
    return [Taking(*row) for row in rows]


def proposal_of(*, proposal: int) -> Proposal:
    """One proposal.

    :raises ProposalUnknown: no such one.
    """
    row = one(f"SELECT {', '.join(Proposal._fields)} FROM payments_proposal WHERE id = %s", proposal)  # noqa: S608
    if row is None:
        raise ProposalUnknown(proposal=proposal)
    return Proposal(*row)


def open_proposals() -> list[Proposal]:
    """Every proposal that nobody has decided, oldest first."""
    columns = ", ".join(Proposal._fields)
    rows = many(f"SELECT {columns} FROM payments_proposal WHERE decided_by IS NULL ORDER BY id")  # noqa: S608
    return [Proposal(*row) for row in rows]


def find_suspense(*, suspense: int) -> Held:
    """Money in suspense.

    :raises SuspenseUnknown: no such.
    """
    row = one("SELECT id, source, paise, note FROM payments_suspense WHERE id = %s", suspense)
    if row is None:
        raise SuspenseUnknown(suspense=suspense)
    return Held(*row)


def payerless() -> list[Held]:
    """Money in suspense that nobody's payment was made of, oldest first."""
    rows = many(
        "SELECT s.id, s.source, s.paise, s.note FROM payments_suspense s WHERE NOT EXISTS"
        " (SELECT FROM payments_payment p WHERE p.idempotency_key = 'suspense:' || s.id) ORDER BY s.id"
    )
    return [Held(*row) for row in rows]


def assigned_unposted() -> list[Proposal]:
    """Accepted findings of a payer whose money has not been booked yet: a process died in between."""
    columns = ", ".join(f"r.{name}" for name in Proposal._fields)
    rows = many(
        f"SELECT {columns} FROM payments_proposal r WHERE r.kind = 'assign' AND r.accepted"  # noqa: S608
        " AND NOT EXISTS (SELECT FROM payments_payment p WHERE p.idempotency_key = 'suspense:' || r.suspense)"
        " ORDER BY r.id"
    )
    return [Proposal(*row) for row in rows]


_RECEIPT = (
    "SELECT p.id, p.receipt, p.idempotency_key, p.connection, p.paise, p.channel, p.instrument, p.allocation, p.policy,"
    ' p.day, p."order", p.acknowledged_at, p.business_at,'
    " EXISTS (SELECT FROM payments_proposal c WHERE c.payment = p.id AND c.accepted),"
    " q.number, q.bounced_at IS NOT NULL, q.cleared_at IS NOT NULL"
    " FROM payments_payment p LEFT JOIN payments_cheque q ON q.payment = p.id"
)


def _receipt(row: tuple[Any, ...]) -> Receipt:
    # Django leaves JSON as text when it is asked by SQL.
    found = Receipt(*row)
    return found._replace(allocation=[Share(*share) for share in json.loads(row[7])])


def latest_receipt(*, connection: int) -> str | None:
    """The number of the latest receipt of a connection; None if it has none."""
    found: str | None = value(
        "SELECT receipt FROM payments_payment WHERE connection = %s ORDER BY id DESC LIMIT 1", connection
    )
    return found


class Taken(NamedTuple):
    """A payment as its payer finds it in a list."""

    receipt: str
    paise: int
    instrument: str
    business_at: datetime
    cancelled: bool
    bounced: bool


def payments_of(*, connection: int, limit: int) -> list[Taken]:
    """The payments of a connection, the latest first."""
    rows = many(
        "SELECT p.receipt, p.paise, p.instrument, p.business_at,"
        " EXISTS (SELECT FROM payments_proposal c WHERE c.payment = p.id AND c.accepted), q.bounced_at IS NOT NULL"
        " FROM payments_payment p LEFT JOIN payments_cheque q ON q.payment = p.id"
        " WHERE p.connection = %s ORDER BY p.id DESC LIMIT %s",
        connection,
        limit,
    )
    return [Taken(*row) for row in rows]
