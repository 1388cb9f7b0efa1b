"""What the rehearsal's connections were billed, paid and owe, and the written notices about it.

The amounts come from invented use at a flat price near the domestic slabs; they are not a tariff's calculation.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple

from bahal.rehearsal import almanac
from bahal.rehearsal.layout import Connection
from bahal.shared.money import PAISE_IN_RUPEE, rupees
from bahal.shared.text import day

LEAST_DUE = almanac.POLICY.minimum_paise // PAISE_IN_RUPEE + 1
"""The smallest due, in whole rupees, for which a connection may be cut."""

MOST_BILLS = 8

HOSPITAL, LIFE_SUPPORT, DISPUTED, NOT_SERVED, SERVED_LATE, PART_3, ESTIMATED, STALE = PROTECTIONS = (
    "hospital",
    "life_support",
    "bill_disputed",
    "notice_not_served",
    "notice_served_late",
    "part_3_meter",
    "bill_estimated",
    "due_stale",
)
"""Why a connection that owes more than the minimum must not be cut all the same."""

_PRICE = {"LV-1": 5.4, "LV-2": 7.8}  # rupees a kWh, about
_SUMMER = {4: 1.3, 5: 1.5, 6: 1.4, 7: 1.15, 11: 0.9, 12: 0.85, 1: 0.85}
_ORDINARY_MOST = 4_900  # rupees: an ordinary connection stays well below the minimum
_HOLD_EVIDENCE = {
    HOSPITAL: "district hospital, letter of the superintendent",
    LIFE_SUPPORT: "oxygen at home, certificate",
}


class Bill(NamedTuple):
    """One month's bill. `number` is unique; `paise` is this bill alone; first due is the day of issue."""

    number: str
    connection: int
    month: date
    issued_on: date
    due_on: date
    consumption_wh: int
    paise: int
    estimated: bool = False
    disputed: bool = False


class Payment(NamedTuple):
    """A payment made before the story begins; `reference` is unique."""

    reference: str
    connection: int
    paise: int
    at: datetime


class Notice(NamedTuple):
    """A written notice under s.56(1): the bills it names by number, their sum, when it was served (None: not)."""

    connection: int
    bills: tuple[str, ...]
    paise: int
    issued_on: date
    served_on: date | None
    sha256: str


class Hold(NamedTuple):
    """A hold placed before the story begins."""

    connection: int
    kind: str
    evidence: str
    owner: str
    placed_at: datetime


class Account(NamedTuple):
    """One connection's money: bills oldest first, and whole what is still owed, in paise."""

    bills: tuple[Bill, ...]
    payments: tuple[Payment, ...]
    notice: Notice | None
    hold: Hold | None
    due_paise: int


def ordinary(connection: Connection, *, chance: Random, months: Sequence[date]) -> Account:
    """Two to four bills, mostly paid; a little may be owed, always well below the minimum."""
    household = 40 + 260 * chance.random() ** 2 if connection.category == "LV-1" else 120 + 800 * chance.random() ** 2
    bills = [
        _bill(connection, month, round(household * _SUMMER.get(month.month, 1.0) * (0.85 + 0.3 * chance.random())))
        for month in reversed(months[: 2 + int(chance.random() * 3)])
    ]
    habit = chance.random()
    unpaid = 0 if habit < 0.86 else 1 if habit < 0.94 else 2
    if sum(bill.paise for bill in bills[len(bills) - unpaid :]) >= _ORDINARY_MOST * PAISE_IN_RUPEE:
        unpaid = 0
    payments = [
        Payment(f"past-{bill.number}", connection.number, bill.paise, _paid_at(bill, chance))
        for bill in bills[: len(bills) - unpaid]
    ]
    due = sum(bill.paise for bill in bills) - sum(payment.paise for payment in payments)
    if unpaid and chance.random() < 0.3:
        part = int(due * (0.2 + 0.6 * chance.random()))
        payments.append(Payment(f"past-{bills[-1].number}-part", connection.number, part, _paid_at(bills[-1], chance)))
        due -= part
    return Account(tuple(bills), tuple(payments), None, None, due)


def defaulter(connection: Connection, *, due: int, chance: Random, months: Sequence[date], monday: date) -> Account:
    """Exactly `due` whole rupees unpaid, on two to eight ripe bills, all named in a notice served in time."""
    bills = _unpaid_bills(connection, due, chance, months)
    return Account(bills, (), _notice(bills, chance, monday), None, due * PAISE_IN_RUPEE)


def protected(connection: Connection, *, why: str, chance: Random, months: Sequence[date], monday: date) -> Account:
    """More than the minimum owed, and a reason against the cut."""
    due = LEAST_DUE + 900 + int(chance.random() * 12_000)
    if why in (DISPUTED, ESTIMATED, STALE):
        ripe = 900 + int(chance.random() * 600)
        small = _priced(connection, months[1], ripe)
        other = _priced(connection, months[0], due)
        if why == STALE:
            old = months[0]
            for _ in range(almanac.POLICY.stale_after_months + 3):
                old = almanac.month_before(old)
            other = _priced(connection, old, due)
        other = other._replace(disputed=why == DISPUTED, estimated=why == ESTIMATED)
        bills = tuple(sorted((small, other), key=lambda bill: bill.issued_on))
        return Account(bills, (), _notice((small,), chance, monday), None, (due + ripe) * PAISE_IN_RUPEE)
    bills = _unpaid_bills(connection, due, chance, months)
    notice = _notice(bills, chance, monday)
    if why == NOT_SERVED:
        notice = notice._replace(served_on=None)
    elif why == SERVED_LATE:
        notice = notice._replace(served_on=monday - timedelta(days=almanac.POLICY.notice_clear_days))
    hold = None
    if why in _HOLD_EVIDENCE:
        placed_at = datetime(monday.year, monday.month, monday.day, 6, tzinfo=UTC) - timedelta(days=40)
        hold = Hold(connection.number, why, _HOLD_EVIDENCE[why], "ee", placed_at)
    return Account(bills, (), notice, hold, due * PAISE_IN_RUPEE)


def shaped(total: int, count: int, chance: Random) -> list[int]:
    """`count` dues in whole rupees, each at least `LEAST_DUE`, together at most `total`.

    :raises ValueError: `total` is not enough for that.
    """
    spare = total - LEAST_DUE * count
    if spare < 0:
        raise ValueError(f"{total} rupees are not enough for {count} dues")
    spare -= min(2_000, int(spare * 0.01 * chance.random()))  # the last one pays a little in advance
    weights = [0.05 + chance.random() ** 2 for _ in range(count)]
    whole = sum(weights)
    most = max(100_000, 3 * total // count) if count else 0
    return [min(most, LEAST_DUE + int(spare * weight / whole)) for weight in weights]


def long_tail(chance: Random) -> int:
    """A due in whole rupees of somebody who does not pay: mostly some ten thousand, rarely up to ninety."""
    return LEAST_DUE + 49 + int(85_000 * chance.random() ** 3)


def notice_text(bills: Sequence[Bill], issued: date) -> str:
    """The written notice in Hindi; its SHA-256 is kept with the notice."""
    listed = "; ".join(f"बिल {bill.number}: {rupees(bill.paise)}, देय तिथि {day(bill.due_on)}" for bill in bills)
    return (
        f"सूचना, विद्युत अधिनियम 2003 धारा 56(1)\nउपभोक्ता क्रमांक {bills[0].connection}\nदिनांक {day(issued)}\n{listed}\n"
        f"कुल {rupees(sum(bill.paise for bill in bills))}। इस सूचना की तामीली से 15 पूर्ण दिनों में भुगतान न होने पर "
        "विद्युत आपूर्ति विच्छेदित की जाएगी।\n"
    )


def _unpaid_bills(connection: Connection, due: int, chance: Random, months: Sequence[date]) -> tuple[Bill, ...]:
    count = min(MOST_BILLS, max(2, due // 4_000))
    weights = [0.6 + chance.random() for _ in range(count)]
    whole = sum(weights)
    parts = [int(due * weight / whole) for weight in weights]
    parts[-1] += due - sum(parts)
    return tuple(_priced(connection, month, part) for month, part in zip(reversed(months[:count]), parts, strict=True))


def _notice(bills: Sequence[Bill], chance: Random, monday: date) -> Notice:
    issued = max(bill.due_on for bill in bills) + timedelta(days=1 + int(chance.random() * 5))
    served = issued + timedelta(days=2 + int(chance.random() * 6))
    latest = monday - timedelta(days=almanac.POLICY.notice_clear_days + 1)
    digest = hashlib.sha256(notice_text(bills, issued).encode()).hexdigest()
    return Notice(
        bills[0].connection,
        tuple(bill.number for bill in bills),
        sum(bill.paise for bill in bills),
        issued,
        min(served, latest),
        digest,
    )


def _bill(connection: Connection, month: date, kwh: int) -> Bill:
    return _dated(connection, month, kwh * 1000, max(60, round(kwh * _PRICE[connection.category])))


def _priced(connection: Connection, month: date, amount: int) -> Bill:
    return _dated(connection, month, int(amount / _PRICE[connection.category]) * 1000, amount)


def _dated(connection: Connection, month: date, consumption_wh: int, amount: int) -> Bill:
    issued = almanac.issued_on(month, connection.centre)
    return Bill(
        f"{month:%Y%m}-{connection.number}",
        connection.number,
        month,
        issued,
        issued + timedelta(days=almanac.DAYS_TO_PAY),
        consumption_wh,
        amount * PAISE_IN_RUPEE,
    )


def _paid_at(bill: Bill, chance: Random) -> datetime:
    """Between two days after issue and four after the due date, in the counter's hours."""
    paid_on = bill.issued_on + timedelta(days=2 + int(chance.random() * (almanac.DAYS_TO_PAY + 2)))
    opening = datetime(paid_on.year, paid_on.month, paid_on.day, 4, 30, tzinfo=UTC)
    return opening + timedelta(seconds=int(chance.random() * 7 * 3600))
