"""What the rehearsal's connections used, were billed, paid and owe, and the written notices about it.

People are invented by what they owe; the registers of their meters are what the tariff bills exactly so. The past
itself is lived in `past`: there the product bills these registers, and must come to the same.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import NamedTuple

from bahal.domains.billing.history import Past, estimate
from bahal.domains.notices.wordings import Wording, shipped_wordings
from bahal.rehearsal import almanac
from bahal.rehearsal.layout import Connection
from bahal.rehearsal.pricing import parted, price, wh_for, with_load_for
from bahal.shared.money import PAISE_IN_RUPEE, rupees
from bahal.shared.periods import next_month

LEAST_DUE = almanac.POLICY.minimum_paise // PAISE_IN_RUPEE + 1
"""The smallest due, in whole rupees, for which a connection may be cut."""

ROOM_FOR_YOUNG = 450
"""Rupees that are left for each bill that is too young for the notice."""

MOST_BILLS = 8
_BEFORE_ESTIMATE = 3

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

_SUMMER = {4: 1.3, 5: 1.5, 6: 1.4, 7: 1.15, 11: 0.9, 12: 0.85, 1: 0.85}
_WH_A_KWH = 1000
_ORDINARY_MOST = 4_900  # rupees: an ordinary connection stays well below the minimum
_HOLD_EVIDENCE = {
    HOSPITAL: "district hospital, letter of the superintendent",
    LIFE_SUPPORT: "oxygen at home, certificate",
}


class Bill(NamedTuple):
    """One month's bill. `number` is unique; `paise` is this bill alone; first due is the day of issue. An `opening` one
    came in with the books, from before any tariff that is known here."""

    number: str
    connection: int
    month: date
    issued_on: date
    due_on: date
    consumption_wh: int
    paise: int
    estimated: bool = False
    disputed: bool = False
    opening: bool = False


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
    """One connection's money: bills oldest first, and whole what is still owed, in paise.

    `connection` is the one given, with a load that draws what was used; `registers` are its meter's, day and Wh.
    """

    connection: Connection
    registers: tuple[tuple[date, int], ...]
    bills: tuple[Bill, ...]
    payments: tuple[Payment, ...]
    notice: Notice | None
    hold: Hold | None
    due_paise: int

    @property
    def enforceable_paise(self) -> int:
        """What of the due its notice names."""
        named = set(self.notice.bills) if self.notice is not None else set()
        return sum(bill.paise for bill in self.bills if bill.number in named)


class Months(NamedTuple):
    """The billed months: those that a notice can name, newest first, and the younger ones, oldest first; and the day
    before which the past is over."""

    ripe: Sequence[date]
    young: Sequence[date]
    until: date


def ordinary(connection: Connection, *, chance: Random, months: Months) -> Account:
    """Two to four bills and the young ones, mostly paid; a little may be owed, always well below the minimum."""
    household = 40 + 260 * chance.random() ** 2 if connection.category == "LV-1" else 120 + 800 * chance.random() ** 2
    those = [*reversed(months.ripe[: 2 + int(chance.random() * 3)]), *months.young]
    used = [
        round(household * _SUMMER.get(month.month, 1.0) * (0.85 + 0.3 * chance.random())) * _WH_A_KWH for month in those
    ]
    connection = with_load_for(connection, wh=max(used))
    bills = [_bill(connection, month, wh) for month, wh in zip(those, used, strict=True)]
    habit = chance.random()
    unpaid = 0 if habit < 0.86 else 1 if habit < 0.94 else 2
    if sum(bill.paise for bill in bills[len(bills) - unpaid :]) >= _ORDINARY_MOST * PAISE_IN_RUPEE:
        unpaid = 0
    payments = [
        Payment(f"past-{bill.number}", connection.number, bill.paise, _paid_at(bill, chance, months))
        for bill in bills[: len(bills) - unpaid]
    ]
    due = sum(bill.paise for bill in bills) - sum(payment.paise for payment in payments)
    if unpaid and chance.random() < 0.3:
        part = int(due * (0.2 + 0.6 * chance.random()))
        payments.append(
            Payment(f"past-{bills[-1].number}-part", connection.number, part, _paid_at(bills[-1], chance, months))
        )
    return _account(connection, bills, chance, payments=payments)


def defaulter(connection: Connection, *, due: int, chance: Random, months: Months, monday: date) -> Account:
    """Exactly `due` whole rupees unpaid: on two to eight ripe bills, all named in a notice served in time, over
    `LEAST_DUE` together, and on the young ones after them."""
    connection, ripe, young = _unpaid_bills(connection, due, chance, months)
    return _account(connection, [*ripe, *young], chance, notice=_notice(ripe, chance, monday))


def protected(connection: Connection, *, why: str, chance: Random, months: Months, monday: date) -> Account:
    """More than the minimum owed, and a reason against the cut."""
    due = LEAST_DUE + 900 + int(chance.random() * 12_000)
    if why in (DISPUTED, ESTIMATED, STALE):
        ripe = 900 + int(chance.random() * 600)
        return _CONTESTED[why](connection, due, ripe, chance, months, monday)
    if why == PART_3:
        due += 3 * LEAST_DUE  # the charge for its load alone is more than half the minimum a month
    connection, noticed, young = _unpaid_bills(connection, due + ROOM_FOR_YOUNG * len(months.young), chance, months)
    notice = _notice(noticed, chance, monday)
    if why == NOT_SERVED:
        notice = notice._replace(served_on=None)
    elif why == SERVED_LATE:
        notice = notice._replace(served_on=monday - timedelta(days=almanac.POLICY.notice_clear_days))
    hold = None
    if why in _HOLD_EVIDENCE:
        placed_at = datetime(monday.year, monday.month, monday.day, 6, tzinfo=UTC) - timedelta(days=40)
        hold = Hold(connection.number, why, _HOLD_EVIDENCE[why], "ee", placed_at)
    return _account(connection, [*noticed, *young], chance, notice=notice, hold=hold)


def _disputed(connection: Connection, due: int, ripe: int, chance: Random, months: Months, monday: date) -> Account:
    """A small bill that the notice names, and a large one that is contested."""
    connection = with_load_for(connection, rupees=due)
    small = _priced(connection, months.ripe[1], ripe)
    large = _priced(connection, months.ripe[0], due)._replace(disputed=True)
    young = [_bill(connection, month, large.consumption_wh) for month in months.young]
    return _account(connection, [small, large, *young], chance, notice=_notice((small,), chance, monday))


def _estimated(connection: Connection, due: int, ripe: int, chance: Random, months: Months, monday: date) -> Account:
    """Large bills by reading, paid but for a little; then no reading came, and the large bills are estimates."""
    connection = with_load_for(connection, rupees=due)
    read = [_priced(connection, month, due) for month in reversed(months.ripe[1 : 1 + _BEFORE_ESTIMATE])]
    past = [Past(bill.month, next_month(bill.month), bill.consumption_wh, False) for bill in read]
    guessed = []
    for month in (months.ripe[0], *months.young):
        guess = estimate(past, start=month, end=next_month(month))
        assert guess is not None
        paise = price(connection, month, guess.wh, read=False)
        guessed.append(_dated(connection, month, guess.wh, paise)._replace(estimated=True))
    paid = [bill.paise for bill in read]
    paid[-1] -= ripe * PAISE_IN_RUPEE
    payments = [
        Payment(f"past-{bill.number}", connection.number, paise, _paid_at(bill, chance, months))
        for bill, paise in zip(read, paid, strict=True)
    ]
    notice = _notice((read[-1],), chance, monday)._replace(paise=ripe * PAISE_IN_RUPEE)
    return _account(connection, [*read, *guessed], chance, payments=payments, notice=notice)


def _stale(connection: Connection, due: int, ripe: int, chance: Random, months: Months, monday: date) -> Account:
    """A large bill of the old books, two years past, and small ones since that the notice names."""
    old = months.ripe[0]
    for _ in range(almanac.POLICY.stale_after_months + 3):
        old = almanac.month_before(old)
    large = _dated(connection, old, due * 150, due * PAISE_IN_RUPEE)._replace(opening=True)
    connection = with_load_for(connection, rupees=ripe)
    small = [_priced(connection, month, ripe) for month in (months.ripe[1], months.ripe[0])]
    young = [_priced(connection, month, ROOM_FOR_YOUNG) for month in months.young]
    return _account(connection, [large, *small, *young], chance, notice=_notice(small, chance, monday))


_CONTESTED = {DISPUTED: _disputed, ESTIMATED: _estimated, STALE: _stale}


def shaped(total: int, count: int, chance: Random, *, least: int = LEAST_DUE) -> list[int]:
    """`count` dues in whole rupees, each at least `least`, together at most `total`.

    :raises ValueError: `total` is not enough for that.
    """
    spare = total - least * count
    if spare < 0:
        raise ValueError(f"{total} rupees are not enough for {count} dues")
    spare -= min(2_000, int(spare * 0.01 * chance.random()))  # the last one pays a little in advance
    weights = [0.05 + chance.random() ** 2 for _ in range(count)]
    whole = sum(weights)
    most = max(100_000, 3 * total // count) if count else 0
    return [min(most, least + int(spare * weight / whole)) for weight in weights]


def long_tail(chance: Random, *, least: int = LEAST_DUE) -> int:
    """A due in whole rupees of somebody who does not pay: mostly some ten thousand, rarely up to ninety."""
    return least + 49 + int(85_000 * chance.random() ** 3)


def notice_text(bills: Sequence[Bill], issued: date) -> str:
    """The written notice in Hindi, as the shipped wording has it; its SHA-256 is kept with the notice."""
    return notice_wording().filled(
        consumer=str(bills[0].connection),
        amount=rupees(sum(bill.paise for bill in bills)),
        bills=", ".join(bill.number for bill in bills),
        issued=f"{issued:%d-%m-%Y}",
        days=str(almanac.POLICY.notice_clear_days),
    )


@cache
def notice_wording() -> Wording:
    """The wording from which the circle's notices were made."""
    return next(each for each in shipped_wordings() if each.id == "statutory-letter-hi")


def _unpaid_bills(
    connection: Connection, due: int, chance: Random, months: Months
) -> tuple[Connection, list[Bill], list[Bill]]:
    """The connection with its load, and bills of `due` rupees in all: ripe ones over the minimum, and young ones."""
    count = min(MOST_BILLS, max(2, due // 4_000))
    of = len(months.young)
    young = min(due // (count + of), (due - LEAST_DUE) // of) if of else 0
    weights = [0.8 + 0.5 * chance.random() for _ in range(count)]
    connection = with_load_for(connection, rupees=round(due / count * 1.5))
    late = [_priced(connection, month, young) for month in months.young]
    total = due - sum(bill.paise for bill in late) // PAISE_IN_RUPEE
    parts = parted(connection, list(reversed(months.ripe[:count])), total, weights)
    return connection, [_dated(connection, *part) for part in parts], late


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


def _bill(connection: Connection, month: date, wh: int) -> Bill:
    return _dated(connection, month, wh, price(connection, month, wh))


def _priced(connection: Connection, month: date, most: int) -> Bill:
    """A bill of at most so many rupees, as near as the tariff comes to it."""
    return _bill(connection, month, wh_for(connection, month, most))


def _dated(connection: Connection, month: date, consumption_wh: int, paise: int) -> Bill:
    issued = almanac.issued_on(month, connection.centre)
    return Bill(
        f"{month:%Y%m}-{connection.number}",
        connection.number,
        month,
        issued,
        issued + timedelta(days=almanac.DAYS_TO_PAY),
        consumption_wh,
        paise,
    )


def _account(
    connection: Connection,
    bills: Sequence[Bill],
    chance: Random,
    *,
    payments: Sequence[Payment] = (),
    notice: Notice | None = None,
    hold: Hold | None = None,
) -> Account:
    """The account of these bills: its registers begin before the first and end with the last that was read."""
    metered = [bill for bill in bills if not bill.opening]
    stands = [(metered[0].month, (1_000 + int(chance.random() * 8_000)) * _WH_A_KWH)]
    for bill in metered:
        if not bill.estimated:
            stands.append((next_month(bill.month), stands[-1][1] + bill.consumption_wh))
    connection = (
        connection
        if connection.category == "LV-2"
        else with_load_for(connection, wh=max(bill.consumption_wh for bill in metered))
    )
    due = sum(bill.paise for bill in bills) - sum(payment.paise for payment in payments)
    return Account(connection, tuple(stands), tuple(bills), tuple(payments), notice, hold, due)


def _paid_at(bill: Bill, chance: Random, months: Months) -> datetime:
    """Between two days after issue and four after the due date, in the counter's hours, before the past is over."""
    days = min(almanac.DAYS_TO_PAY + 4, (months.until - bill.issued_on).days)
    paid_on = bill.issued_on + timedelta(days=2 + int(chance.random() * (days - 2)))
    opening = datetime(paid_on.year, paid_on.month, paid_on.day, 4, 30, tzinfo=UTC)
    return opening + timedelta(seconds=int(chance.random() * 7 * 3600))
