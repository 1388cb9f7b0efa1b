"""A cash counter's day: opened with a count, money taken between, closed with a count and its difference explained.

Only the cashier who opened a day takes money in it and closes it. What is missing or too much at the closing is posted
to `suspense`, so that the ledger's cash is the cash that is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.ledger.operations import Line, post
from bahal.domains.payments import counters
from bahal.domains.payments.counting import read_count, shown, total
from bahal.domains.payments.errors import VarianceUnexplained
from bahal.domains.payments.operations import Cheque
from bahal.domains.payments.queries import Taking, day_of_cashier, find_counter, latest_day_of, takings_of
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.take_payment import Taken, take_payment
from bahal.shared.clock import day_in_india


@dataclass(frozen=True, slots=True)
class Closed:
    """A day's sheet: what it took by instrument, what must be there in cash and what was counted, in paise."""

    day: int
    counter: str
    cashier: str
    business_on: date
    opening_paise: int
    takings: Sequence[Taking]
    expected_paise: int
    counted_paise: int
    variance_paise: int
    counted: str


def add_counter(*, code: str, office: int, actor: str, at: datetime, business_at: datetime) -> int:
    """Set up a counter in an office; its id.

    :raises CounterTaken: the code is used, or is not 1 to 8 capital letters and digits.
    """
    with transaction():
        counter = counters.add_counter(code=code, office=office)
        data = {"counter": code, "office": office}
        record(actor=actor, act="counter.added", subject=f"counter {code}", data=data, at=at, business_at=business_at)
    return counter


def open_day(*, counter: str, cashier: str, count: str, at: datetime, business_at: datetime) -> int:
    """Open a cashier's day with the cash counted in the drawer (`500x12,100x3`, or `0`); its id.

    :raises CounterUnknown: no such counter.
    :raises OfficerUnknown: no such cashier.
    :raises CountWrong: the count is malformed.
    :raises DayOpenAlready: a day is open there.
    """
    opening = total(read_count(count))
    with transaction():
        find_officer(login=cashier)
        found = find_counter(code=counter)
        day = counters.open_day(
            counter=found, cashier=cashier, opening_paise=opening, business_on=day_in_india(business_at), at=at
        )
        data = {"counter": counter, "opening_paise": opening}
        record(actor=cashier, act="counter.opened", subject=f"day {day}", data=data, at=at, business_at=business_at)
    return day


def take_at_counter(
    *,
    counter: str,
    cashier: str,
    key: str,
    connection: int,
    paise: int,
    instrument: str,
    cheque: Cheque | None,
    business_at: datetime,
) -> Taken:
    """Take a payment at a counter: cash, cheque, draft or card; its receipt is the next of the counter's series.

    :raises CounterUnknown: no such counter.
    :raises DayNotOpen: the cashier's day is not open there.
    And as `take_payment`.
    """
    day = day_of_cashier(counter=counter, cashier=cashier)
    return take_payment(
        key=key,
        connection=connection,
        paise=paise,
        channel="counter",
        instrument=instrument,
        cheque=cheque,
        day=day.id,
        actor=cashier,
        business_at=business_at,
    )


def take_at_open_day(
    *,
    cashier: str,
    key: str,
    connection: int,
    paise: int,
    instrument: str,
    cheque: Cheque | None,
    business_at: datetime,
) -> Taken:
    """Take a payment at the counter where the cashier's day is open.

    :raises DayNotOpen: he has none open anywhere.
    And as `take_payment`.
    """
    day = latest_day_of(cashier=cashier)
    return take_payment(
        key=key,
        connection=connection,
        paise=paise,
        channel="counter",
        instrument=instrument,
        cheque=cheque,
        day=day.id,
        actor=cashier,
        business_at=business_at,
    )


def close_day(*, counter: str, cashier: str, count: str, reason: str, at: datetime, business_at: datetime) -> Closed:
    """Close a cashier's day with the cash counted in the drawer; the day's sheet.

    :raises CounterUnknown: no such counter.
    :raises CountWrong: the count is malformed.
    :raises DayNotOpen: his day is not open there.
    :raises VarianceUnexplained: the count is not what must be there, and no reason is given.
    """
    counted = read_count(count)
    with transaction():
        day = counters.lock_day(counter=counter, cashier=cashier)
        takings = takings_of(day=day.id)
        expected = day.opening_paise + sum(taking.paise for taking in takings if taking.instrument == "cash")
        there = total(counted)
        variance = there - expected
        if variance and not reason.strip():
            raise VarianceUnexplained(counted_paise=there, expected_paise=expected, variance_paise=variance)
        counters.close_day(
            day,
            expected_paise=expected,
            counted_paise=there,
            denominations=counted,
            reason=reason if variance else "",
            at=at,
        )
        if variance:
            lines = [Line("cash", variance), Line("suspense", -variance)]
            post(kind="transfer", reference=f"day {day.id}", lines=lines, at=at, business_at=business_at)
        data = {
            "counter": counter,
            "expected_paise": expected,
            "counted_paise": there,
            "variance_paise": variance,
            "why": reason if variance else "",
        }
        record(actor=cashier, act="counter.closed", subject=f"day {day.id}", data=data, at=at, business_at=business_at)
    return Closed(
        day.id, counter, cashier, day.business_on, day.opening_paise, takings, expected, there, variance, shown(counted)
    )
