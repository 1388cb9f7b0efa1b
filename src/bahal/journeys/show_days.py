"""A consumer's days, beside those of the month before, and the half hours of one of them; all from validated data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bahal.journeys.consumer_day import ConsumerDay, consumer_day
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import meter_days
from bahal.shared.clock import day_in_india
from bahal.shared.periods import next_month


@dataclass(frozen=True, slots=True)
class DayPair:
    """The nth day of both months: Wh, and None where nothing is known or there is no such day."""

    nth: int
    wh: int | None
    before_wh: int | None


@dataclass(frozen=True, slots=True)
class Days:
    """Two months beside one another. `half_hours` are Wh of `day`, empty where it is not known; `estimated` says how
    many of them nobody measured. `same_days_wh` is what the month before came to on as many days from its start."""

    today: ConsumerDay
    month: date
    before: date
    pairs: Sequence[DayPair]
    same_days_wh: int | None
    day: date
    half_hours: Sequence[int]
    estimated: int


def show_days(*, connection: int, lake: Lake, day: date | None, business_at: datetime) -> Days:
    """The days of a connection: this month beside the month before, and the half hours of a day, yesterday unless it
    is named; a day outside the two months is taken for yesterday.

    :raises ConsumerUnknown: there is no such connection.
    :raises NoMeter: it has no meter.
    """
    today = consumer_day(connection=connection, lake=lake, business_at=business_at)
    month = today.month
    before = (month - timedelta(days=1)).replace(day=1)
    now = day_in_india(business_at)
    known = meter_days(lake, meter=today.meter, start=before, end=now)
    totals = {each: found.total_wh for each, found in known.items()}
    wanted = day if day is not None and before <= day < now else today.yesterday
    shown = known.get(wanted)
    return Days(
        today=today,
        month=month,
        before=before,
        pairs=_pairs(totals, month, before, last=today.yesterday),
        same_days_wh=_same(totals, before, today.month_days),
        day=wanted,
        half_hours=[] if shown is None else [int(each) for each in shown.wh],
        estimated=0 if shown is None else shown.estimated,
    )


def _pairs(totals: Mapping[date, int], month: date, before: date, *, last: date) -> list[DayPair]:
    most = max((next_month(each) - each).days for each in (month, before))
    pairs = []
    for nth in range(most):
        mine, other = month + timedelta(days=nth), before + timedelta(days=nth)
        pairs.append(
            DayPair(
                nth + 1,
                totals.get(mine) if mine <= last else None,
                totals.get(other) if other < month else None,
            )
        )
    return pairs


def _same(totals: Mapping[date, int], before: date, days: int) -> int | None:
    """None unless all of those days are known: a sum with holes is no comparison."""
    end = min(before + timedelta(days=days), next_month(before))
    wanted = [before + timedelta(days=nth) for nth in range((end - before).days)]
    return sum(totals[each] for each in wanted) if all(each in totals for each in wanted) else None
