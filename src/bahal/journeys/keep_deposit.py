"""Security deposits: taken at the counter, and credited once a year with the interest that the law gives (s.47(4))."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

from django.db import connection as database

from bahal.domains.billing.errors import DepositMalformed, DepositRateUnknown
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import acts_of, balance, deposits_through, dues
from bahal.domains.network.queries import category_of
from bahal.domains.supply.operations import bump
from bahal.domains.supply.queries import standing_locked
from bahal.domains.tariffs.lines import Unverified
from bahal.domains.tariffs.queries import book, unaccepted
from bahal.foundation.audit.operations import Act, record, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.journeys.take_payment import cancel_unsent, restore
from bahal.shared.locks import lock_supply
from bahal.shared.money import divided

DAYS_A_YEAR = 365
_WHOLE = 10_000


def take_deposit(
    *, connection: int, paise: int, reference: str, actor: str, at: datetime, business_at: datetime
) -> None:
    """Take a deposit in cash, once a reference.

    :raises DepositMalformed: no amount.
    :raises ReferencePosted: this deposit was taken already.
    :raises ConnectionUnknown: no such connection.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if paise <= 0:
        raise DepositMalformed(paise=paise)
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        lines = [Line("cash", paise), Line("deposit", -paise, connection)]
        post(kind="deposit", reference=reference, lines=lines, at=at, business_at=business_at)
        record(
            actor=actor,
            act="deposit.taken",
            subject=f"connection {connection}",
            connection=connection,
            data={"paise": paise, "reference": reference},
            at=at,
            business_at=business_at,
        )


def credit_interest(*, year_from: date, actor: str, at: datetime, business_at: datetime) -> tuple[int, int]:
    """Credit every deposit with a year's interest, day by day on what was held; how many, and the paise in all.

    It settles what is due and the rest is kept as an advance. Given again for the same year it does nothing more.

    :raises DepositRateUnknown: no rate is in force that is verified or that an officer answers for.
    """
    until = year_from.replace(year=year_from.year + 1)
    held = deposits_through(since=year_from, until=until)
    reference = {connection: f"{year_from:%Y%m}-{connection}" for connection in held}
    posted = acts_of(kind="interest", references=reference.values())
    count = total = 0
    for connection, steps in sorted(held.items()):
        if reference[connection] in posted:
            continue
        percent = _percent(category_of(connection=connection), year_from)
        days = [*steps, (until, 0)]
        paise = sum(
            divided(paise * percent * (after - day).days, _WHOLE * DAYS_A_YEAR)
            for (day, paise), (after, _) in pairwise(days)
        )
        if paise > 0:
            _credit(connection, paise, reference[connection], percent, actor=actor, at=at, business_at=business_at)
            count += 1
            total += paise
    return count, total


def _percent(category: str, day: date) -> int:
    """The rate in force on a day, in ten-thousandths a year."""
    in_force = book()
    row = in_force.closing("deposit_interest", category, day)
    if row is None:
        raise DepositRateUnknown(day=day)
    found = in_force.rate_of(row.charge.params.path)
    if found is None or (
        not found[0].verified and unaccepted([Unverified(found[0].path, found[0].source, found[1].sha256)])
    ):
        raise DepositRateUnknown(day=day)
    return -int(row.charge.params.percent)


def _credit(
    connection: int, paise: int, reference: str, percent: int, *, actor: str, at: datetime, business_at: datetime
) -> None:
    with transaction():
        with database.cursor() as cursor:
            fence = lock_supply(cursor, [connection])[connection]
        settled = min(dues(connection=connection).get("receivable", 0), paise)
        cleared = balance(connection=connection).due_paise <= settled
        generation = bump([connection], desired="on" if cleared else None)[connection]
        acts: list[Act] = []
        order = None
        if cleared:
            standing = standing_locked(connection=connection)
            cause = f"interest {reference}"
            acts = cancel_unsent(standing, cause=cause)
            order = restore(standing, fence, generation=generation, cause=cause, at=at, acts=acts)
        lines = [
            Line("interest", paise),
            Line("receivable", -settled, connection),
            Line("advance", settled - paise, connection),
        ]
        post(kind="interest", reference=reference, lines=lines, at=at, business_at=business_at)
        data = {"paise": paise, "percent": f"{percent / 100:g}", "settled_paise": settled}
        acts.append(Act("deposit.interest", f"connection {connection}", connection, data))
        record_many(acts, actor=actor, at=at, business_at=business_at)
        if order is not None:
            ring("bahal_orders")
