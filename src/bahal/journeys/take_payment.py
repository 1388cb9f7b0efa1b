"""Money comes in: it is acknowledged, booked, and if it clears the dues the supply comes back by itself.

One transaction. The connection's fence is locked first and raised, so that a cut that is being derived at this moment
either was marked sent before, and is followed by a restore, or finds the money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from bahal.domains.consumers.queries import contacts
from bahal.domains.fieldwork.operations import withdraw
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import Balance, balance
from bahal.domains.meters.queries import meters_on
from bahal.domains.notices.operations import NewMessage, queue_messages
from bahal.domains.notices.templates import template
from bahal.domains.payments.allocation import REST, Share, allocate
from bahal.domains.payments.models import HELD_IN
from bahal.domains.payments.operations import Asked, Drawn, check, draw_receipt, record
from bahal.domains.payments.queries import Payment, open_dues
from bahal.domains.supply.operations import bump, cancel, open_restore
from bahal.domains.supply.queries import Standing, standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import together, transaction
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point
from bahal.shared.locks import Fence, lock_supply
from bahal.shared.money import rupees


@dataclass(frozen=True, slots=True)
class Taken:
    """What the payer is told. `order`: the restore that his payment brought about or found under way, or None."""

    receipt: str
    acknowledged_at: datetime
    order: int | None


def take_payment(*, key: str, connection: int, paise: int, channel: str, actor: str, business_at: datetime) -> Taken:
    """Take a payment of `paise` for a connection, once per `key`: the same request again gets the same answer.

    It settles what is open in the order of `allocate`, and the rest is kept as an advance. When nothing is due any
    more, a cut that has not gone out is cancelled, and one that has, or may have, is undone by a restore. A payment
    never fails because an order stands in its way.

    :raises PaymentMalformed: no amount, no such channel, no key.
    :raises KeyReusedWithOtherBody: the key stands for another request.
    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time; nothing was taken.
    """
    asked = Asked(key, connection, paise, channel)
    check(asked)
    with transaction():
        with database.cursor() as cursor:
            fence = lock_supply(cursor, [connection])[connection]
        drawn = draw_receipt(asked, business_at=business_at)
        if isinstance(drawn, Payment):
            return Taken(drawn.receipt, drawn.acknowledged_at, drawn.order)
        owed = balance(connection=connection)
        shares = allocate(paise, open_dues(connection=connection))
        cleared = paise >= owed.due_paise
        acts = [_taken(asked, drawn, owed, shares)]
        order = None
        if cleared:
            standing = standing_locked(connection=connection)
            generation = bump([connection], desired="on")[connection]
            acts += _cancel_unsent(standing, drawn)
            order = _restore(standing, fence, generation, drawn, acts)
        else:
            bump([connection])
        with together():
            _tell(asked, drawn, business_at)
            record_many(acts, actor=actor, at=drawn.acknowledged_at, business_at=business_at)
            if order is not None:
                ring("bahal_orders")
            post(
                kind="payment",
                reference=drawn.receipt,
                lines=[
                    Line(HELD_IN[asked.instrument], paise),
                    *(Line(share.account, -share.paise, connection, share.bill) for share in shares),
                ],
                at=drawn.acknowledged_at,
                business_at=business_at,
            )
            record(asked, drawn=drawn, shares=shares, order=order, business_at=business_at)
        crash_point("payment.before_commit")
    crash_point("payment.after_commit")
    return Taken(drawn.receipt, drawn.acknowledged_at, order)


def _taken(asked: Asked, drawn: Drawn, owed: Balance, shares: Sequence[Share]) -> Act:
    kept = sum(share.paise for share in shares if share.account == REST)
    return Act(
        "payment.taken",
        f"payment {drawn.receipt}",
        asked.connection,
        {
            "paise": asked.paise,
            "channel": asked.channel,
            "receipt": drawn.receipt,
            "due_paise": owed.due_paise - asked.paise + kept,
            "advance_paise": owed.advance_paise + kept,
        },
    )


def _cancel_unsent(standing: Standing, drawn: Drawn) -> list[Act]:
    cut = standing.unsent_cut()
    if cut is None:
        return []
    cancel(cut.id, reason="paid")
    data = {"order": cut.id, "reason": "paid", "cause": f"payment {drawn.receipt}"}
    return [Act("supply.cut.cancelled", f"order {cut.id}", cut.connection, data)]


def _restore(standing: Standing, fence: Fence, generation: int, drawn: Drawn, acts: list[Act]) -> int | None:
    """The restore that this payment needs: one under way is used again, a new one leaves its sentence in `acts`."""
    under_way = standing.open_restore()
    if under_way is not None:
        return under_way.id
    dark = standing.dark()
    if dark is None and (fence.desired == "on" or standing.cut_for_other_ground()):
        return None
    meter = dark.meter if dark is not None else meters_on(connections=[fence.connection]).get(fence.connection)
    if meter is None:
        return None
    sent = dark is not None and dark.state in ("field_task", "confirmed")  # to cut, or for a second visit
    if dark is not None and sent and withdraw(order=dark.id, at=drawn.acknowledged_at):
        data = {"tasks": 1, "cause": f"payment {drawn.receipt}"}
        acts.append(Act("fieldwork.withdrawn", f"order {dark.id}", fence.connection, data))
    cause = f"payment {drawn.receipt}"
    order = open_restore(
        meter=meter,
        connection=fence.connection,
        ground="nonpayment_s56",
        cause=cause,
        fence=generation,
        at=drawn.acknowledged_at,
    )
    data = {"order": order, "ground": "nonpayment_s56", "cause": cause}
    acts.append(Act("supply.restore.ordered", f"order {order}", fence.connection, data))
    return order


def _tell(asked: Asked, drawn: Drawn, business_at: datetime) -> None:
    contact = contacts(connections=[asked.connection]).get(asked.connection)
    if contact is None:
        return
    wanted = template("payment", contact.language)
    text = wanted.filled(consumer=str(asked.connection), amount=rupees(asked.paise), receipt=drawn.receipt)
    queue_messages(
        [NewMessage(asked.connection, "payment", contact.phone, wanted.id, text, None)],
        business_on=day_in_india(business_at),
        at=drawn.acknowledged_at,
    )
