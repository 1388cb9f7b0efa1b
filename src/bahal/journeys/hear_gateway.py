"""What the gateway tells, and what we ask it: each captured payment is booked once, however and how often it is heard.

A webhook is kept and answered at once; the worker then asks the gateway for the payment itself and books what that
says, so that a forged, edited, stale or replayed webhook can at most make us ask once more. A poll finds what no
webhook told. The payment's id at the gateway is the key under which it is booked.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from bahal.domains.arrears.operations import see_channels
from bahal.domains.ledger.operations import Line, post
from bahal.domains.payments import wire
from bahal.domains.payments.errors import KeyReusedWithOtherBody
from bahal.domains.payments.matching import Found, differences
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction, transaction_required
from bahal.gateways.bank.interface import Gateway, GatewayPayment
from bahal.gateways.bank.webhooks import Event
from bahal.journeys.take_payment import take_payment
from bahal.shared.errors import Refusal
from bahal.shared.locks import SupplyBusy

BATCH = 50
POLL = "gateway"
OVERLAP = timedelta(hours=1)
"""How far back each poll looks again: a payment may be captured after it was made."""
FIRST_LOOK = timedelta(days=1)
MARGIN = timedelta(seconds=2)
"""The gateway reckons in whole seconds by its own clock."""

_BY_METHOD: Mapping[str, tuple[str, str]] = {"upi": ("upi", "upi"), "card": ("card", "card")}
"""Channel and instrument by the gateway's method; every other one is net banking or like it."""


def hear(event: Event, *, body: str, at: datetime) -> bool:
    """Keep a webhook's event, once; whether it was new. It is believed only as far as it makes us ask."""
    with transaction():
        return wire.hear(
            event=event.id,
            kind=event.kind,
            gateway_payment=event.payment,
            gateway_order=event.order,
            body=body,
            late=event.late,
            at=at,
        )


def handle_events(gateway: Gateway, *, at: datetime, business_at: datetime) -> int:
    """Ask about and book what events spoke of; how many events were handled.

    :raises BankUnreachable: the gateway does not answer; the events wait.
    """
    with transaction():
        done = wire.give_up(at=at)
        taken = wire.take_events(at=at, limit=BATCH)
    for payment, events in taken.items():
        found = gateway.payment(payment)
        try:
            outcome = "unknown_at_gateway" if found is None else book(found, at=at, business_at=business_at)
        except SupplyBusy:
            continue  # the lease ends, and it is tried again
        with transaction():
            wire.handled(events, outcome=outcome, at=at)
        done += len(events)
    return done


def poll_gateway(gateway: Gateway, *, at: datetime, business_at: datetime) -> int:
    """Ask for every payment since the last poll and an hour before it, and book what is not booked; how many.

    :raises BankUnreachable: the gateway does not answer; the next poll looks as far back.
    """
    last = wire.asked_until(name=POLL)
    since = at - FIRST_LOOK if last is None else last - OVERLAP
    found = gateway.payments(since=since, until=at + MARGIN)
    booked = wire.booked_of(payments=[each.id for each in found])
    new = 0
    for each in found:
        if each.id in booked:
            continue
        with contextlib.suppress(SupplyBusy):  # the next poll looks as far back as this payment
            new += book(each, at=at, business_at=business_at) in ("booked", "suspended")
    with transaction():
        wire.polled(name=POLL, until=at)
        see_channels(["gateway"])  # a policy may hold cuts while nobody can pay online
    return new


def book(payment: GatewayPayment, *, at: datetime, business_at: datetime) -> str:
    """Book a payment as the gateway itself told it: `booked`, or its status if it is not captured.

    Money that has come is always posted: `suspended` if nobody knows whose it is, or if it cannot be booked as his. If
    the gateway told another amount before, that one stands: `amount_gateway` is queued.

    :raises SupplyBusy: another act on the connection did not end in time; nothing was booked.
    """
    with transaction():
        seen = wire.Seen(
            payment.id, payment.order, payment.reference, payment.paise, payment.status, payment.method, payment.made_at
        )
        status = wire.see(seen, at=at)
    if status != "captured":
        return status
    attempt = wire.attempt_for(gateway_order=payment.order, reference=payment.reference)
    if attempt is None:
        return _suspend(payment, why="no order of ours", at=at, business_at=business_at)
    channel, instrument = _BY_METHOD.get(payment.method, ("bank", "netbanking"))
    try:
        take_payment(
            key=f"gateway:{payment.id}",
            connection=attempt.connection,
            paise=payment.paise,
            channel=channel,
            instrument=instrument,
            actor="gateway",
            business_at=business_at,
        )
    except SupplyBusy:
        raise
    except KeyReusedWithOtherBody:
        stands = wire.standings(payments=[payment.id])
        with transaction():
            wire.queue_differences(differences(stands, settled=False), at=at)
        return "amount_gateway"
    except Refusal as refusal:
        return _suspend(payment, why=refusal.code, at=at, business_at=business_at)
    return "booked"


def _suspend(payment: GatewayPayment, *, why: str, at: datetime, business_at: datetime) -> str:
    source = f"gateway:{payment.id}"
    with transaction():
        note = f"{why}: {payment.method} {payment.order or '-'} {payment.reference or '-'}"
        if suspend(source=source, account="gateway", paise=payment.paise, note=note, at=at, business_at=business_at):
            found = Found("payer_unknown", payment.id, payment.paise, payment.paise, None)
            wire.queue_differences([found], at=at)
    return "suspended"


@transaction_required
def suspend(*, source: str, account: str, paise: int, note: str, at: datetime, business_at: datetime) -> bool:
    """Post money whose payer nobody knows to `suspense`, once per source; whether it was new."""
    made = wire.suspend(source=source, paise=paise, note=note, at=at)
    if made is None:
        return False
    lines = [Line(account, paise), Line("suspense", -paise)]
    post(kind="transfer", reference=f"suspense {source}", lines=lines, at=at, business_at=business_at)
    data = {"suspense": made, "source": source, "paise": paise}
    record(
        actor="gateway", act="payment.suspended", subject=f"suspense {made}", data=data, at=at, business_at=business_at
    )
    return True
