"""The rehearsal's past, month by month: officers answer for the rates, centres are billed on their days, people pay.

All of it by the product's own journeys on Django's connection, but for the payments, which come in bulk. Whatever the
product billed is compared with what the circle says that people owe: the dues of the story come out of bills.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from itertools import groupby

from bahal.domains.billing.operations import NewBill
from bahal.domains.billing.queries import amounts_by_number
from bahal.domains.offices.queries import centres
from bahal.domains.tariffs import operations as tariffs
from bahal.domains.tariffs.book import shipped
from bahal.foundation.transactions import transaction
from bahal.journeys.accept_rate import accept_rate
from bahal.journeys.bill_cycle import bill_cycle
from bahal.journeys.post_bills import post_bills
from bahal.journeys.set_billing_group import set_billing_group
from bahal.rehearsal import almanac
from bahal.rehearsal.circle import Circle
from bahal.rehearsal.dues import Bill, Payment
from bahal.shared.errors import REFUSED, Refusal
from bahal.shared.periods import next_month

ANSWERS = "rehearsal: press and memory are good enough for invented people"
_ACTOR = "rehearsal"
_NOBODY = "rehearsal"


class PastDiffers(Refusal):
    """The product billed something else than the circle was invented by."""

    code = "rehearsal_past_differs"
    exit_code = REFUSED
    hi = "{bills} बिल वैसे नहीं बने जैसे सोचे गए थे, पहला {number}: {billed} के स्थान पर {planned}।"
    en = "{bills} bills are not as they were invented, the first {number}: {billed} in place of {planned}."


def live_past(
    circle: Circle,
    *,
    officer: str | None,
    pay: Callable[[Sequence[Payment]], None],
    progress: Callable[[int, int], None],
) -> None:
    """Bill the months of the circle and let people pay between; `officer` answers for unverified rates.

    :raises PastDiffers: a bill came to another amount, or is missing.
    """
    bills = circle.bills
    months = sorted({bill.month for bill in bills if not bill.opening})
    if not months:
        return
    begins = _noon(months[0])
    _answer_for_rates(officer, months[0], circle.monday, begins)
    _post_openings([bill for bill in bills if bill.opening], begins)
    days = {centre: almanac.issued_on(months[0], centre).day for centre in centres()}
    for centre, day in days.items():
        set_billing_group(
            centre=centre, issue_day=day, days_to_pay=almanac.DAYS_TO_PAY, actor=_ACTOR, at=begins, business_at=begins
        )
    payments = sorted(circle.payments, key=lambda payment: payment.at)
    for nth, month in enumerate(months, start=1):
        for day, those in groupby(sorted(days, key=lambda centre: (days[centre], centre)), key=days.__getitem__):
            at = _noon(next_month(month).replace(day=day))
            bill_cycle(month=month, actor=_ACTOR, at=at, business_at=at, centres=list(those))
        until = _noon(next_month(next_month(month)))
        now = [payment for payment in payments if payment.at < until]
        payments = payments[len(now) :]
        if now:
            pay(now)
        progress(nth, len(months))
    _compare(bills)


def _answer_for_rates(officer: str | None, first: date, last: date, at: datetime) -> None:
    for document in shipped().documents:
        if document.start > last or (document.end is not None and document.end <= first):
            continue
        for row in document.rows:
            for rate in row.charge.rates:
                if rate.verified:
                    continue
                if officer is None:
                    with transaction():
                        tariffs.accept_rate(path=rate.path, accepted_by=_NOBODY, reason=ANSWERS, at=at)
                else:
                    accept_rate(path=rate.path, officer=officer, reason=ANSWERS, at=at, business_at=at)


def _post_openings(bills: Sequence[Bill], at: datetime) -> None:
    post_bills(
        [
            NewBill(
                bill.connection, bill.number, bill.month, bill.issued_on, bill.due_on, bill.consumption_wh, bill.paise
            )
            for bill in bills
        ],
        actor=_ACTOR,
        at=at,
        business_at=at,
    )


def _compare(bills: Sequence[Bill]) -> None:
    billed = amounts_by_number()
    wrong = [bill for bill in bills if billed.get(bill.number) != bill.paise]
    if wrong or len(billed) != len(bills):
        first = wrong[0] if wrong else bills[0]
        raise PastDiffers(
            bills=len(wrong) or len(billed) - len(bills),
            number=first.number,
            billed=billed.get(first.number, "-"),
            planned=first.paise,
        )


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
