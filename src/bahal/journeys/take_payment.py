"""Money comes in: it is acknowledged, booked, and if it clears the dues the supply comes back by itself.

Usually nothing stands in the way of the supply, and the payment is one statement and one transaction: `payment_take`
locks the connection's fence first and raises it, so that a cut that is being derived at this moment either was marked
sent before, or finds the money. Where an order may stand in the way, the same statement is part of a transaction that
settles the orders too: an unsent cut is cancelled, one that went out is followed by a restore.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import connection as database

from bahal.domains.fieldwork.operations import withdraw
from bahal.domains.meters.queries import meters_on
from bahal.domains.notices.templates import template
from bahal.domains.payments.errors import DayNotOpen, KeyReusedWithOtherBody, ReceiptCancelled
from bahal.domains.payments.operations import (
    Asked,
    Booked,
    Cheque,
    KeyInUse,
    Settled,
    book,
    draw_receipt,
    instrument_of,
    key_in_use,
    wait_for_disk,
)
from bahal.domains.supply.operations import bump, cancel, hasten, open_restore
from bahal.domains.supply.queries import Standing, standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.crash import crash_point
from bahal.shared.locks import LOCK_TIMEOUT_MS, ConnectionUnknown, Fence, lock_supply
from bahal.shared.money import rupees
from bahal.shared.text import LANGUAGES


@dataclass(frozen=True, slots=True)
class Taken:
    """What the payer is told. `order`: the restore that his payment brought about or found under way, or None."""

    receipt: str
    acknowledged_at: datetime
    order: int | None


def take_payment(
    *,
    key: str,
    connection: int,
    paise: int,
    channel: str,
    actor: str,
    business_at: datetime,
    instrument: str | None = None,
    cheque: Cheque | None = None,
    day: int | None = None,
) -> Taken:
    """Take a payment of `paise` for a connection, once per `key`: the same request again gets the same answer.

    It settles what is open in the order of `allocate`, and the rest is kept as an advance. When nothing is due any
    more, a cut that has not gone out is cancelled, and one that has, or may have, is undone by a restore. A payment
    never fails because an order stands in its way. By a cheque or draft the supply comes back only when it has cleared.
    `day` is a counter's open day: its receipt is of that counter's series.

    When this returns the payment is on the disk.

    :raises PaymentMalformed: no amount, no such channel, no key.
    :raises ChequeMalformed: a cheque that no bank would take; `ChequeTaken`: one taken before.
    :raises KeyReusedWithOtherBody: the key stands for another request.
    :raises ReceiptCancelled: it stands for a receipt that was cancelled.
    :raises ConnectionUnknown: no such connection.
    :raises DayNotOpen: the actor has no such day open.
    :raises SupplyBusy: another act on this connection did not end in time; nothing was taken.
    """
    asked = Asked(key, connection, paise, channel, instrument or instrument_of(channel), cheque)
    asked.check(business_at=business_at)
    request = _Request(asked, actor, business_at, day)
    try:
        booked = request.book(alone=True)
        if booked.outcome == "in_the_way":
            booked = _settle_orders_and_book(request)
        else:
            crash_point("payment.after_commit")
            if not booked.durable:
                wait_for_disk()
    except KeyInUse:
        raise key_in_use(key) from None
    return _answer(request, booked)


@dataclass(frozen=True, slots=True)
class _Request:
    asked: Asked
    actor: str
    business_at: datetime
    day: int | None

    def book(self, *, alone: bool, settled: Settled | None = None) -> Booked:
        return book(
            self.asked,
            actor=self.actor,
            business_at=self.business_at,
            texts=_texts(self.asked),
            day=self.day,
            alone=alone,
            lock_timeout_ms=LOCK_TIMEOUT_MS,
            settled=settled,
        )


def _answer(request: _Request, booked: Booked) -> Taken:
    asked = request.asked
    if booked.outcome == "unknown":
        raise ConnectionUnknown(connection=asked.connection)
    if booked.outcome == "no_day":
        raise DayNotOpen(counter=request.day, cashier=request.actor)
    if booked.outcome in ("before", "cancelled") and booked.body_sha256 != asked.sha256():
        raise KeyReusedWithOtherBody(key=asked.key, receipt=booked.receipt)
    if booked.outcome == "cancelled":
        raise ReceiptCancelled(receipt=booked.receipt)
    return Taken(booked.receipt, booked.acknowledged_at, booked.order)


def _settle_orders_and_book(request: _Request) -> Booked:
    """The same with the orders: nothing is due after this payment, and the supply is, or is about to be, off."""
    asked = request.asked
    with transaction():
        with database.cursor() as cursor:
            fence = lock_supply(cursor, [asked.connection])[asked.connection]
        booked = request.book(alone=False)
        if booked.outcome == "in_the_way":
            standing = standing_locked(connection=asked.connection)
            id_, receipt, now = draw_receipt(day=request.day, business_at=request.business_at)
            cause = f"payment {receipt}"
            generation = bump([asked.connection], desired="on" if booked.restores else None)[asked.connection]
            acts = cancel_unsent(standing, cause=cause)
            order = None
            if booked.restores:
                order = restore(standing, fence, generation=generation, cause=cause, at=now, acts=acts)
            booked = request.book(alone=False, settled=Settled(id_, receipt, order))
            record_many(acts, actor=request.actor, at=now, business_at=request.business_at)
            if order is not None:
                ring("bahal_orders")
        crash_point("payment.before_commit")
    crash_point("payment.after_commit")
    return booked


def cancel_unsent(standing: Standing, *, cause: str) -> list[Act]:
    """Cancel the cut of a locked connection that has not gone out, because nothing is due any more."""
    cut = standing.unsent_cut()
    if cut is None:
        return []
    cancel(cut.id, reason="paid")
    data = {"order": cut.id, "reason": "paid", "cause": cause}
    return [Act("supply.cut.cancelled", f"order {cut.id}", cut.connection, data)]


def restore(
    standing: Standing, fence: Fence, *, generation: int, cause: str, at: datetime, acts: list[Act]
) -> int | None:
    """The restore that money needs: one under way is used again, a new one leaves its sentence in `acts`."""
    under_way = standing.open_restore()
    if under_way is not None:
        hasten(under_way.id)
        return under_way.id
    dark = standing.dark()
    asked = standing.for_a_lineman()
    if asked is not None and dark is None and withdraw(order=asked.id, at=at):
        data = {"tasks": 1, "cause": cause}
        acts.append(Act("fieldwork.withdrawn", f"order {asked.id}", fence.connection, data))
    if dark is None and (fence.desired == "on" or standing.cut_for_other_ground()):
        return None
    meter = dark.meter if dark is not None else meters_on(connections=[fence.connection]).get(fence.connection)
    if meter is None:
        return None
    sent = dark is not None and dark.state in ("field_task", "confirmed")  # to cut, or for a second visit
    if dark is not None and sent and withdraw(order=dark.id, at=at):
        data = {"tasks": 1, "cause": cause}
        acts.append(Act("fieldwork.withdrawn", f"order {dark.id}", fence.connection, data))
    order = open_restore(
        meter=meter,
        connection=fence.connection,
        ground="nonpayment_s56",
        cause=cause,
        fence=generation,
        at=at,
    )
    data = {"order": order, "ground": "nonpayment_s56", "cause": cause}
    acts.append(Act("supply.restore.ordered", f"order {order}", fence.connection, data))
    return order


def _texts(asked: Asked) -> str:
    """The message in each language as JSON, its receipt still open.

    A number has at most 19 digits and an amount 21 letters: both are within what a template's variable may be, and
    neither has a letter that JSON would write otherwise.
    """
    return _open_texts().replace("{consumer}", str(asked.connection)).replace("{amount}", rupees(asked.paise))


@cache
def _open_texts() -> str:
    """The message in each language as JSON with all its variables open: the same for every payment."""
    words = {}
    for language in LANGUAGES:
        wanted = template("payment", language)
        text = wanted.filled(consumer="{consumer}", amount="{amount}", receipt="{receipt}")
        words[language] = {"template": wanted.id, "text": text}
    return json.dumps(words, ensure_ascii=False)
