"""A period is rated again, and only the difference is billed or credited: a bill is never edited.

What came in since decides: a corrected register, a reading that overtakes an estimate, terms that were set late, a
tariff accepted later. More to pay is a supplementary bill, which no cut may rest on; less is a credit note, which
settles dues like money and brings the supply back when nothing is due any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection as database

from bahal.domains.billing.errors import (
    DraftRateNotAccepted,
    NothingToRevise,
    PeriodNotBilled,
    ReasonWanted,
    RegisterUnknown,
)
from bahal.domains.billing.operations import NewCreditNote, RatedBill, write_credit_note
from bahal.domains.billing.queries import USUAL_GROUP, Document, carried_before, documents_of, groups, unpacked
from bahal.domains.billing.registers import Used, covered, uses
from bahal.domains.ledger.operations import Line as Posting
from bahal.domains.ledger.operations import post
from bahal.domains.ledger.queries import balance, dues
from bahal.domains.network.queries import centre_of
from bahal.domains.supply.operations import bump
from bahal.domains.supply.queries import standing_locked
from bahal.domains.tariffs.determinants import Determinants
from bahal.domains.tariffs.lines import Line, Rating, read_stored
from bahal.domains.tariffs.queries import book, unaccepted
from bahal.domains.tariffs.rating import rate
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction, transaction_required
from bahal.journeys.determine import (
    cut,
    facts_of,
    registers_of,
    spans_of,
    stands_of,
    terms_of,
    use_of,
    with_advances,
)
from bahal.journeys.issue_bills import issue, number_of, packed, parts_of
from bahal.journeys.take_payment import cancel_unsent, restore
from bahal.shared.clock import day_in_india
from bahal.shared.locks import Fence, lock_supply

BILLED = "billed"
"""The rule and component of the line that takes off what was billed for the period before."""

_LOOK_BACK = timedelta(days=420)
_LOOK_AHEAD = timedelta(days=120)
_BY_READING = "estimate replaced by reading"


@dataclass(frozen=True, slots=True)
class Revised:
    """What came of a revision: a bill's or a credit note's number, and the difference in paise, signed. `order`: the
    restore that a credit brought about."""

    number: str
    paise: int
    order: int | None


def revise_bill(
    *, connection: int, period_from: date, reason: str, actor: str, at: datetime, business_at: datetime
) -> Revised:
    """Rate a billed period again and bill, or credit, the difference.

    :raises ReasonWanted: no reason was given.
    :raises PeriodNotBilled: no bill with lines begins on that day.
    :raises RegisterUnknown: registers do not cover the period.
    :raises NothingToRevise: it comes to the same.
    :raises DraftRateNotAccepted: a rate that decides it is neither verified nor accepted.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if not reason.strip():
        raise ReasonWanted()
    documents = documents_of(connection=connection, period_from=period_from)
    if not documents:
        raise PeriodNotBilled(connection=connection, day=period_from)
    latest = documents[-1]
    rating, within = _again(connection, latest)
    open_rates = unaccepted(rating.unverified)
    if open_rates:
        raise DraftRateNotAccepted(draft=latest.number, path=open_rates[0].path)
    paise = sum(each.paise for each in documents)
    if rating.total_paise == paise:
        raise NothingToRevise(number=documents[0].number, paise=paise)
    taken_off = Line(BILLED, BILLED, "", "paise", paise, -10_000, 1, 1, 0, 0, 0, -paise)
    difference = replace(rating, closing=(*rating.closing, taken_off))
    basis = {
        "revises": [each.number for each in documents], "reason": reason.strip(), "registers": registers_of(within),
    }  # fmt: skip
    (stored,) = packed([difference], [basis])
    old = parts_of(line for line in read_stored(unpacked([latest.kept])[latest.id]).lines if line.rule != BILLED)
    parts = parts_of(rating.lines)
    parts.subtract(old)
    with transaction():
        with database.cursor() as cursor:
            fence = lock_supply(cursor, [connection])[connection]
        if documents_of(connection=connection, period_from=period_from) != documents:
            raise NothingToRevise(number=documents[0].number, paise=paise)
        change = _Change(
            connection, latest, sum(piece.wh for piece in rating.pieces), rating.total_paise - paise, stored, parts,
            reason.strip(),
        )  # fmt: skip
        if change.paise > 0:
            return _bill(change, actor=actor, at=at, business_at=business_at)
        return _credit(change, documents[0], fence, actor=actor, at=at, business_at=business_at)


def true_up(*, connection: int, period_from: date, actor: str, at: datetime, business_at: datetime) -> bool:
    """Replace an estimate by what the next reading says of its days; whether it came to another amount.

    :raises SupplyBusy: another act on this connection did not end in time.
    """
    try:
        revise_bill(
            connection=connection, period_from=period_from, reason=_BY_READING, actor=actor, at=at,
            business_at=business_at,
        )  # fmt: skip
    except (NothingToRevise, RegisterUnknown, DraftRateNotAccepted):
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Change:
    connection: int
    latest: Document
    wh: int
    paise: int
    stored: Any
    parts: Any
    reason: str


def _again(connection: int, latest: Document) -> tuple[Rating, list[Used]]:
    """The period's rating by what is known now, and the uses it rests on; one that reaches over its edges is parted by
    days."""
    start, end = latest.period_from, latest.period_to
    stands = stands_of(since={connection: start - _LOOK_BACK}, until=end + _LOOK_AHEAD).get(connection, [])
    within = cut(uses(stands), start, end)
    if not covered(within, start, end):
        raise RegisterUnknown(connection=connection, day=end)
    facts = facts_of(connections=[connection])[connection]
    spans = spans_of(facts, terms_of(connections=[connection]).get(connection, ()), start, end)
    carried = carried_before(connections=[connection], day=start).get(connection, 0)
    determinants = Determinants(start=start, end=end, spans=spans, uses=tuple(map(use_of, within)), carried_wh=carried)
    in_force = book()
    return rate(with_advances({connection: determinants}, in_force)[connection], in_force), within


@transaction_required
def _bill(change: _Change, *, actor: str, at: datetime, business_at: datetime) -> Revised:
    latest = change.latest
    today = day_in_india(business_at)
    group = groups().get(centre_of(connection=change.connection), USUAL_GROUP)
    sequence = latest.sequence + 1
    bill = RatedBill(
        change.connection,
        number_of(change.connection, latest.period_to, sequence),
        latest.month,
        today,
        today + timedelta(days=group.days_to_pay),
        change.wh,
        change.paise,
        False,
        True,
        "revised",
        latest.period_from,
        latest.period_to,
        sequence,
        change.stored.amounts,
        change.stored.body,
    )
    bump([change.connection])
    _told(change, bill.number, actor=actor, at=at, business_at=business_at)
    issue([bill], change.parts, actor=actor, at=at, business_at=business_at)
    return Revised(bill.number, change.paise, None)


@transaction_required
def _credit(
    change: _Change, first: Document, fence: Fence, *, actor: str, at: datetime, business_at: datetime
) -> Revised:
    connection, credit = change.connection, -change.paise
    number = f"CN-{number_of(connection, change.latest.period_to, change.latest.sequence + 1)}"
    owed = balance(connection=connection).due_paise
    settled = min(dues(connection=connection).get("receivable", 0), credit)
    cleared = owed <= settled
    order = None
    acts: list[Act] = []
    generation = bump([connection], desired="on" if cleared else None)[connection]
    if cleared:
        standing = standing_locked(connection=connection)
        acts = cancel_unsent(standing, cause=f"credit note {number}")
        order = restore(standing, fence, generation=generation, cause=f"credit note {number}", at=at, acts=acts)
    write_credit_note(
        NewCreditNote(
            number,
            connection,
            first.id,
            change.latest.period_from,
            change.latest.sequence + 1,
            day_in_india(business_at),
            credit,
            change.reason,
            change.wh,
            change.stored.amounts,
            change.stored.body,
        )
    )
    lines = [
        Posting("receivable", -settled, connection),
        Posting("advance", settled - credit, connection),
        *(Posting(account, -paise) for account, paise in change.parts.items()),
    ]
    post(kind="credit_note", reference=number, lines=lines, at=at, business_at=business_at)
    _told(change, number, actor=actor, at=at, business_at=business_at)
    record_many(acts, actor=actor, at=at, business_at=business_at)
    if order is not None:
        ring("bahal_orders")
    return Revised(number, change.paise, order)


def _told(change: _Change, number: str, *, actor: str, at: datetime, business_at: datetime) -> None:
    data = {
        "number": number,
        "month": f"{change.latest.month:%m-%Y}",
        "paise": change.paise,
        "why": change.reason,
    }
    act = Act("bill.revised", f"bill {number}", change.connection, data)
    record_many([act], actor=actor, at=at, business_at=business_at)
