"""A consumer's account at a glance: what is due and why, line by line; whether there is light, and the clock of the
latest payment; what he was told and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.consumers.queries import both_names_of
from bahal.domains.ledger.queries import balance, held
from bahal.domains.meters.queries import meters_on
from bahal.domains.notices.queries import Told, told
from bahal.domains.payments.queries import open_dues, outstanding_cheques
from bahal.foundation.rows import many, one
from bahal.journeys.explain_due import explain_due
from bahal.journeys.pay_online import make_link

MESSAGES = 10
_UNDER_WAY = ("proposed", "authorised", "claimed", "sent", "unknown", "quarantined")


@dataclass(frozen=True, slots=True)
class Owed:
    """One line of what is due. A bill has its number and days, and `reason` (words "reasons of a bill") says whether a
    cut may rest on it."""

    account: str
    paise: int
    bill: str | None = None
    issued_on: date | None = None
    due_on: date | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """From a payment's acknowledgement to the relay read back closed, wall time; `lit_at` None: not yet."""

    receipt: str
    paid_at: datetime
    ordered_at: datetime
    lit_at: datetime | None


@dataclass(frozen=True, slots=True)
class Account:
    """The account. `supply` is on, off, cutting, restoring or field; `clock` is of the latest payment that lit it."""

    connection: int
    name: str
    name_hi: str
    meter: str | None
    due_paise: int
    advance_paise: int
    protest_paise: int
    pending_paise: int
    owed: Sequence[Owed]
    enforceable_paise: int
    minimum_paise: int
    supply: str
    clock: Clock | None
    messages: Sequence[Told]
    pay_token: str


def show_account(*, connection: int, at: datetime, business_at: datetime) -> Account:
    """The account of a connection.

    :raises ConnectionUnknown: no such connection.
    :raises NoPolicy: no recovery policy is in force.
    """
    due = explain_due(connection=connection, business_at=business_at)
    stands = balance(connection=connection)
    reasons = {part.bill: part.reason for part in due.enforceable.parts}
    name, name_hi = both_names_of(connections=[connection]).get(connection, ("", ""))
    return Account(
        connection=connection,
        name=name,
        name_hi=name_hi,
        meter=meters_on(connections=[connection]).get(connection),
        due_paise=max(0, stands.due_paise),
        advance_paise=stands.advance_paise,
        protest_paise=held(connection=connection).get("protest", 0),
        pending_paise=outstanding_cheques(connection=connection),
        owed=_owed(connection, reasons),
        enforceable_paise=due.enforceable.paise,
        minimum_paise=due.policy.minimum_paise,
        supply=_supply(connection),
        clock=_clock(connection),
        messages=told(connection=connection, limit=MESSAGES),
        pay_token=make_link(connection=connection, at=at, business_at=business_at),
    )


def _owed(connection: int, reasons: Mapping[int, str]) -> list[Owed]:
    open_ = open_dues(connection=connection)
    bills = {
        row[0]: row[1:]
        for row in many(
            "SELECT id, number, issued_on, due_on FROM billing_bill WHERE id = ANY(%s::bigint[])",
            [each.bill for each in open_ if each.bill is not None],
        )
    }
    lines = []
    for each in open_:
        if each.bill is None:
            lines.append(Owed(each.account, each.paise))
        else:
            number, issued_on, due_on = bills[each.bill]
            lines.append(Owed(each.account, each.paise, number, issued_on, due_on, reasons.get(each.bill)))
    return lines


def _supply(connection: int) -> str:
    """What the latest order that lives says, and what is desired where there is none."""
    row = one(
        "SELECT f.desired, o.kind, o.state FROM supply_fence f LEFT JOIN LATERAL"
        " (SELECT kind, state FROM supply_order o WHERE o.connection = f.connection"
        " AND o.state NOT IN ('cancelled', 'refused', 'expired') ORDER BY o.id DESC LIMIT 1) AS o ON true"
        " WHERE f.connection = %s",
        connection,
    )
    assert row is not None
    desired, kind, state = row
    if kind == "restore":
        return "field" if state == "field_task" else "restoring" if state in _UNDER_WAY else "on"
    if kind == "cut" and state in ("sent", "unknown"):
        return "cutting"
    return "off" if desired == "off" else "on"


def _clock(connection: int) -> Clock | None:
    row = one(
        "SELECT p.receipt, p.acknowledged_at, o.made_at, o.confirmed_at FROM payments_payment p JOIN supply_order o"
        " ON o.id = p.\"order\" WHERE p.connection = %s AND o.kind = 'restore' ORDER BY p.id DESC LIMIT 1",
        connection,
    )
    return None if row is None else Clock(*row)
