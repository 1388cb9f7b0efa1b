"""A last bill up to a day: the meter is exchanged, or the occupier moves out and takes his account with him.

Who moves out is billed to the day; his deposit settles what he owes, what is left of his money is to be paid back, and
what he still owes becomes a former occupier's due: never the next one's, never a ground for a cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection as database

from bahal.domains.billing.errors import DraftHeld, DraftRateNotAccepted, NothingToBill, ReasonWanted
from bahal.domains.billing.intake import Came, write
from bahal.domains.billing.operations import NewTerms, RatedBill, set_terms
from bahal.domains.billing.queries import USUAL_GROUP, groups, held_drafts
from bahal.domains.billing.registers import Stand
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import dues, held
from bahal.domains.supply.operations import bump
from bahal.domains.supply.queries import standing_locked
from bahal.domains.tariffs.determinants import Facts
from bahal.domains.tariffs.queries import book, unaccepted
from bahal.domains.tariffs.rating import rate
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction, transaction_required
from bahal.journeys.bill_cycle import basis_of
from bahal.journeys.determine import facts_of, gather, terms_of, with_advances
from bahal.journeys.issue_bills import issue, number_of, packed, parts_of
from bahal.journeys.take_payment import cancel_unsent
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply

MONEY_HELD = ("deposit", "advance")


@dataclass(frozen=True, slots=True)
class Final:
    """What a moving out came to: the bill, what of his money settled dues, is to be paid back, and is still owed."""

    number: str
    paise: int
    settled_paise: int
    refund_paise: int
    former_paise: int


def exchange_meter(
    *,
    connection: int,
    on: date,
    old: Stand,
    new: Stand,
    reason: str,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> str:
    """Bill the old meter up to its last register; the next bill begins with the new meter's first. The bill's number.

    `old` and `new` are the registers of the two meters at the start of `on`.

    :raises ReasonWanted: no reason was given.
    :raises DraftHeld: a bill of this connection is held.
    :raises NothingToBill: no earlier register of the old meter.
    :raises DraftRateNotAccepted: a rate that decides the bill is neither verified nor accepted.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        _lock(connection, reason)
        write([Came(connection, each._replace(read_on=on), f"exchange, {actor}") for each in (old, new)])
        bill = _final(connection, on, actor=actor, at=at, business_at=business_at)
        data = {"meter": old.meter, "new_meter": new.meter, "number": bill.number, "why": reason.strip()}
        act = Act("bill.meter_exchanged", f"meter {old.meter}", connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
        return bill.number


def move_out(
    *, connection: int, on: date, next_owner: str, reason: str, actor: str, at: datetime, business_at: datetime
) -> Final:
    """Bill the occupier up to `on`, settle his money, and hand the connection over; slabs begin anew on that day.

    :raises ReasonWanted: no reason was given.
    :raises DraftHeld: a bill of this connection is held.
    :raises NothingToBill: no register of that day, or billed so far already.
    :raises DraftRateNotAccepted: a rate that decides the bill is neither verified nor accepted.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        _lock(connection, reason)
        bill = _final(connection, on, actor=actor, at=at, business_at=business_at)
        final = _hand_over(connection, bill, at=at, business_at=business_at)
        bump([connection])
        acts = cancel_unsent(standing_locked(connection=connection), cause=f"final bill {bill.number}")
        facts = _facts_on(connection, on)
        set_terms(NewTerms(connection, on, *facts._replace(owner=next_owner), reason.strip()))
        data = {
            "number": bill.number,
            "paise": bill.paise,
            "settled_paise": final.settled_paise,
            "refund_paise": final.refund_paise,
            "former_paise": final.former_paise,
            "why": reason.strip(),
        }
        acts.append(Act("bill.moved_out", f"connection {connection}", connection, data))
        record_many(acts, actor=actor, at=at, business_at=business_at)
        return final


def _lock(connection: int, reason: str) -> None:
    if not reason.strip():
        raise ReasonWanted()
    with database.cursor() as cursor:
        lock_supply(cursor, [connection])
    drafts = held_drafts(connections=[connection])
    if drafts:
        raise DraftHeld(connection=connection, draft=drafts[connection])


@transaction_required
def _final(connection: int, on: date, *, actor: str, at: datetime, business_at: datetime) -> RatedBill:
    ready, _ = gather(connections=[connection], until=on, estimate_after=2**15)
    if not ready:
        raise NothingToBill(connection=connection, day=on)
    in_force = book()
    rating = rate(with_advances({connection: ready[0].determinants}, in_force)[connection], in_force)
    open_rates = unaccepted(rating.unverified)
    if open_rates:
        raise DraftRateNotAccepted(draft=f"{connection}", path=open_rates[0].path)
    (stored,) = packed([rating], [basis_of(ready[0])])
    today = day_in_india(business_at)
    bill = RatedBill(
        connection,
        f"{number_of(connection, on, 0)}-F{on:%d}",
        (on - timedelta(days=1)).replace(day=1),
        today,
        today + timedelta(days=groups().get(ready[0].centre, USUAL_GROUP).days_to_pay),
        ready[0].wh,
        rating.total_paise,
        False,
        False,
        "final",
        ready[0].determinants.start,
        on,
        0,
        stored.amounts,
        stored.body,
    )
    issue([bill], parts_of(rating.lines), actor=actor, at=at, business_at=business_at)
    return bill


@transaction_required
def _hand_over(connection: int, bill: RatedBill, *, at: datetime, business_at: datetime) -> Final:
    """Deposit and advance settle dues, oldest kind first; the rest of either side leaves the account."""
    owed = dict(dues(connection=connection))
    money = held(connection=connection)
    lines: list[Line] = []
    settled = 0
    left = 0
    for account in MONEY_HELD:
        free = money.get(account, 0)
        for due in owed:
            part = min(free, owed[due])
            lines += (Line(account, part, connection), Line(due, -part, connection))
            owed[due] -= part
            free -= part
            settled += part
        lines += (Line(account, free, connection), Line("refund", -free, connection))
        left += free
    if any(line.paise for line in lines):
        post(kind="settlement", reference=bill.number, lines=lines, at=at, business_at=business_at)
    former = sum(owed.values())
    if former:
        lines = [*(Line(due, -paise, connection) for due, paise in owed.items()), Line("former", former, connection)]
        post(kind="handover", reference=bill.number, lines=lines, at=at, business_at=business_at)
    return Final(bill.number, bill.paise, settled, left, former)


def _facts_on(connection: int, on: date) -> Facts:
    """What the tariff saw of the connection on the day before `on`."""
    facts = facts_of(connections=[connection])[connection]
    for day, each in terms_of(connections=[connection]).get(connection, ()):
        if day < on:
            facts = each
    return facts
