"""The consumer's day: what he used yesterday and this month, and what the month's bill comes to if he goes on so.

All from validated data. A day that is not known is not invented: the month so far is the sum of the days that are, and
says how many are missing; the projection fills those and the days to come with the mean of the same weekday in the last
four weeks. It is rated by the tariff in force, as a bill is, and issued to nobody.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import fmean, pstdev
from typing import Any

from bahal.domains.meters.queries import meter_of
from bahal.domains.network.queries import existing
from bahal.domains.tariffs.determinants import Determinants, Use
from bahal.domains.tariffs.queries import book
from bahal.domains.tariffs.rating import rate
from bahal.journeys.determine import facts_of, spans_of, terms_of
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import MeterDay, meter_days
from bahal.shared.clock import day_in_india
from bahal.shared.errors import Refusal
from bahal.shared.money import rupees
from bahal.shared.periods import next_month
from bahal.shared.text import Language
from bahal.shared.text import day as in_figures

PAST_DAYS = 28
LEAST_DAYS = 3
"""Days that must be known for a projection."""


class ConsumerUnknown(Refusal):
    """There is no such connection."""

    code = "consumer_day_unknown"
    hi = "उपभोक्ता {consumer} नहीं है: क्रमांक दस अंकों का होता है, जैसे 2200000001।"
    en = "There is no consumer {consumer}: a number has ten digits, such as 2200000001."


class TooFewDays(Refusal):
    """Too little is known to say what the month will come to."""

    code = "too_few_days"
    hi = "अनुमान के लिए आँकड़े कम: पिछले {past} दिनों में से {known} ज्ञात।"
    en = "Too little is known for a projection: {known} of the last {past} days."


@dataclass(frozen=True, slots=True)
class Projection:
    """What the month comes to: Wh and paise, and between which it will lie two times in three. `days` known days are
    its basis; `unverified` counts the rates in it that nobody has checked."""

    wh: int
    paise: int
    low_paise: int
    high_paise: int
    days: int
    unverified: int


@dataclass(frozen=True, slots=True)
class ConsumerDay:
    """A consumer's use. `wh` None: yesterday is not known (yet). `half_hours` are Wh by half hour of yesterday.

    `month_wh` is the sum of `month_known` of the `month_days` days of this month that are over. `projection` is None
    where there is none; `why_not` is the refusal that says why.
    """

    consumer: int
    meter: str
    yesterday: date
    wh: int | None
    estimated_half_hours: int
    half_hours: list[int]
    month: date
    month_wh: int
    month_known: int
    month_days: int
    projection: Projection | None
    why_not: Refusal | None

    def text(self, language: Language) -> str:
        """The day in sentences."""
        return "\n".join(_hindi(self) if language == "hi" else _english(self))

    def as_json(self) -> dict[str, Any]:
        """What the interface answers: figures, and the sentences in both languages."""
        projection = self.projection
        return {
            "consumer": self.consumer,
            "meter": self.meter,
            "yesterday": self.yesterday.isoformat(),
            "wh": self.wh,
            "estimated_half_hours": self.estimated_half_hours,
            "half_hours": self.half_hours,
            "month": self.month.isoformat(),
            "month_wh": self.month_wh,
            "month_known": self.month_known,
            "month_days": self.month_days,
            "projection": None
            if projection is None
            else {
                "wh": projection.wh,
                "paise": projection.paise,
                "low_paise": projection.low_paise,
                "high_paise": projection.high_paise,
                "days": projection.days,
                "unverified": projection.unverified,
            },
            "why_not": None if self.why_not is None else self.why_not.as_json(),
            "hi": self.text("hi"),
            "en": self.text("en"),
        }


def consumer_day(*, connection: int, lake: Lake, business_at: datetime) -> ConsumerDay:
    """What a consumer used yesterday and this month, and what the month may cost.

    :raises ConsumerUnknown: there is no such connection.
    :raises NoMeter: it has no meter.
    """
    if connection not in existing(connections=[connection]):
        raise ConsumerUnknown(consumer=connection)
    meter = meter_of(connection=connection)
    today = day_in_india(business_at)
    yesterday = today - timedelta(days=1)
    month = yesterday.replace(day=1)
    first = min(month, today - timedelta(days=PAST_DAYS))
    known = meter_days(lake, meter=meter, start=first, end=today)
    this_month = [each for day, each in known.items() if day >= month]
    projection, why_not = None, None
    try:
        projection = _projected(connection, meter, known, month, today)
    except Refusal as refusal:
        why_not = refusal
    last = known.get(yesterday)
    return ConsumerDay(
        consumer=connection,
        meter=meter,
        yesterday=yesterday,
        wh=None if last is None else last.total_wh,
        estimated_half_hours=0 if last is None else last.estimated,
        half_hours=[] if last is None else last.wh.tolist(),
        month=month,
        month_wh=sum(each.total_wh for each in this_month),
        month_known=len(this_month),
        month_days=(today - month).days,
        projection=projection,
        why_not=why_not,
    )


def _projected(connection: int, meter: str, known: dict[date, MeterDay], month: date, today: date) -> Projection:
    """:raises TooFewDays: fewer than three of the last four weeks' days are known."""
    past = {day: each.total_wh for day, each in known.items() if day >= today - timedelta(days=PAST_DAYS)}
    if len(past) < LEAST_DAYS:
        raise TooFewDays(known=len(past), past=PAST_DAYS)
    end = next_month(month)
    wh, guessed = 0, 0
    for nth in range((end - month).days):
        day = month + timedelta(days=nth)
        if day in known:
            wh += known[day].total_wh
        else:
            same = [value for other, value in past.items() if other.weekday() == day.weekday()]
            wh += round(fmean(same if len(same) > 1 else past.values()))
            guessed += 1
    spread = round(pstdev(past.values()) * sqrt(guessed))
    paise, unverified = _rated(connection, meter, month, end, wh)
    low, _ = _rated(connection, meter, month, end, max(0, wh - spread))
    high, _ = _rated(connection, meter, month, end, wh + spread)
    return Projection(wh, paise, low, high, len(past), unverified)


def _rated(connection: int, meter: str, start: date, end: date, wh: int) -> tuple[int, int]:
    """What the month's use costs by the tariff, in paise, and how many of its rates are not verified."""
    facts = facts_of(connections=[connection])[connection]
    spans = spans_of(facts, terms_of(connections=[connection]).get(connection, ()), start, end)
    rating = rate(Determinants(start=start, end=end, spans=spans, uses=(Use(start, end, wh, meter=meter),)), book())
    return rating.total_paise, len(rating.unverified)


def _kwh(wh: int) -> str:
    return f"{wh / 1_000:.1f}"


def _hindi(day: ConsumerDay) -> list[str]:
    lines = []
    if day.wh is None:
        lines.append(f"{in_figures(day.yesterday)} की खपत अभी ज्ञात नहीं।")
    else:
        guess = f" ({day.estimated_half_hours} आधे घंटे अनुमानित)" if day.estimated_half_hours else ""
        lines.append(f"{in_figures(day.yesterday)}: {_kwh(day.wh)} यूनिट{guess}।")
    lines.append(f"इस माह {day.month_days} में से {day.month_known} दिनों में {_kwh(day.month_wh)} यूनिट।")
    if day.projection is not None:
        cost = day.projection
        lines.append(
            f"ऐसे ही चले तो माह में {_kwh(cost.wh)} यूनिट, बिल लगभग {rupees(cost.paise)}"
            f" ({rupees(cost.low_paise)} से {rupees(cost.high_paise)}); यह बिल नहीं है।"
        )
        if cost.unverified:
            lines.append(f"इसमें {cost.unverified} दरें असत्यापित हैं।")
    elif day.why_not is not None:
        lines.append(day.why_not.text("hi"))
    return lines


def _english(day: ConsumerDay) -> list[str]:
    lines = []
    if day.wh is None:
        lines.append(f"What was used on {in_figures(day.yesterday)} is not known yet.")
    else:
        guess = f" ({day.estimated_half_hours} half hours estimated)" if day.estimated_half_hours else ""
        lines.append(f"{in_figures(day.yesterday)}: {_kwh(day.wh)} kWh{guess}.")
    lines.append(f"This month {_kwh(day.month_wh)} kWh on {day.month_known} of {day.month_days} days.")
    if day.projection is not None:
        cost = day.projection
        lines.append(
            f"Going on so the month comes to {_kwh(cost.wh)} kWh and a bill of about {rupees(cost.paise)}"
            f" ({rupees(cost.low_paise)} to {rupees(cost.high_paise)}); this is no bill."
        )
        if cost.unverified:
            lines.append(f"{cost.unverified} of its rates are not verified.")
    elif day.why_not is not None:
        lines.append(day.why_not.text("en"))
    return lines
