"""The rehearsal's days: the policy in force, the days without cuts, the billing months, the days of the reminders.

Every value is data that an operator would keep; none was checked against the order it comes from, and each says so.
"""

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import NamedTuple

from bahal.shared.errors import USAGE, Refusal
from bahal.shared.periods import next_month

STORY_MONDAY = date(2025, 11, 24)
DAYS_TO_PAY = 15
_LATEST_ISSUE_DAY = 8
_NOTICE_NEEDS = 32
"""Days from the last due date to the Monday: some to write the notice, some to serve it, fifteen clear ones."""


class NoCutsThatDay(Refusal):
    """The rehearsal is asked to cut on a day on which nobody may be cut."""

    code = "no_cuts_that_day"
    exit_code = USAGE
    hi = "{day} को विच्छेदन नहीं हो सकता: {reason_hi}। कोई दूसरा दिन दें।"
    en = "Nobody may be cut on {day}: {reason}. Give another day."


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A row of the recovery policy. Amounts in paise; the window in Indian time."""

    version: str
    effective_from: date
    minimum_paise: int
    notice_clear_days: int
    reminders: int
    last_reminder_within_days: int
    window_from: time
    window_to: time
    stale_after_months: int
    reconnection_paise: int
    source: str
    verified: bool


POLICY = PolicyRow(
    version="cg-2025-1",
    effective_from=date(2025, 7, 1),
    minimum_paise=500_000,
    notice_clear_days=15,
    reminders=3,
    last_reminder_within_days=3,
    window_from=time(10),
    window_to=time(14),
    stale_after_months=24,
    reconnection_paise=0,
    source=(
        "Electricity Act 2003 s.56(1) and (2); window: CSPDCL managing director citing the regulator, 20-07-2024;"
        " minimum: press on Rajnandgaon; three days of reminders: press on Bilaspur; reconnection expenses not known"
    ),
    verified=False,
)


class NoCutDay(NamedTuple):
    """A day without cuts, with its reason in both languages."""

    day: date
    reason: str
    reason_hi: str


_HOLIDAYS = (
    NoCutDay(date(2025, 11, 1), "Chhattisgarh Foundation Day", "छत्तीसगढ़ राज्य स्थापना दिवस"),
    NoCutDay(date(2025, 11, 5), "Guru Nanak Jayanti", "गुरु नानक जयंती"),
    NoCutDay(date(2025, 12, 18), "Guru Ghasidas Jayanti", "गुरु घासीदास जयंती"),
    NoCutDay(date(2025, 12, 25), "Christmas", "क्रिसमस"),
)
_UNVERIFIED, _UNVERIFIED_HI = " (unverified)", " (असत्यापित)"


def no_cut_days(monday: date) -> tuple[NoCutDay, ...]:
    """Holidays and second Saturdays of November and December 2025, and the second Saturdays about another Monday."""
    months = {date(2025, 11, 1), date(2025, 12, 1), monday.replace(day=1), next_month(monday)}
    days = {day: NoCutDay(day, "Second Saturday", "दूसरा शनिवार") for day in map(second_saturday, months)}
    for each in _HOLIDAYS:
        days[each.day] = NoCutDay(each.day, each.reason + _UNVERIFIED, each.reason_hi + _UNVERIFIED_HI)
    return tuple(days[day] for day in sorted(days))


def second_saturday(month: date) -> date:
    """The second Saturday of the month that begins on this day."""
    return month + timedelta(days=(5 - month.weekday()) % 7 + 7)


def check_cut_day(day: date) -> None:
    """Refuse a day on which the seeded policy and calendar would let nobody be cut.

    :raises NoCutsThatDay: a Sunday, a day of the calendar, or before any policy is in force.
    """
    if day < POLICY.effective_from:
        raise NoCutsThatDay(day=day, reason="no policy is in force yet", reason_hi="तब कोई नीति लागू नहीं थी")
    if day.isoweekday() == 7:
        raise NoCutsThatDay(day=day, reason="it is a Sunday", reason_hi="रविवार है")
    for each in no_cut_days(day):
        if each.day == day:
            raise NoCutsThatDay(day=day, reason=each.reason, reason_hi=each.reason_hi)


def reminder_days(monday: date) -> tuple[date, ...]:
    """The consecutive days of the reminders, the last one the day before the cut."""
    return tuple(monday - timedelta(days=back) for back in range(POLICY.reminders, 0, -1))


def billing_months(monday: date, count: int) -> tuple[date, ...]:
    """The last `count` months, newest first, whose bills a notice could name and be served in time for the Monday."""
    month = monday.replace(day=1)
    while last_due(month) > monday - timedelta(days=_NOTICE_NEEDS):
        month = month_before(month)
    months = [month]
    while len(months) < count:
        months.append(month_before(months[-1]))
    return tuple(months)


def young_months(monday: date) -> tuple[date, ...]:
    """The months after those of `billing_months` that are billed before the reminders, oldest first: owed, but not yet
    a ground for a cut."""
    months = []
    month = next_month(billing_months(monday, 1)[0])
    while next_month(month) + timedelta(days=_LATEST_ISSUE_DAY - 1) < monday - timedelta(days=POLICY.reminders):
        months.append(month)
        month = next_month(month)
    return tuple(months)


def month_before(month: date) -> date:
    """The first day of the month before."""
    return (month - timedelta(days=1)).replace(day=1)


def issued_on(month: date, centre: int) -> date:
    """The day on which a centre issues the bills of a month: the 4th to the 8th of the next one."""
    return next_month(month) + timedelta(days=3 + centre % 5)


def last_due(month: date) -> date:
    """The latest day by which any centre's bill of this month is due."""
    return next_month(month) + timedelta(days=_LATEST_ISSUE_DAY - 1 + DAYS_TO_PAY)
