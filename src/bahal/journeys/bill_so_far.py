"""What a bill would be if it were made today, from the last one on: this month until now, line by line.

By the registers at both ends where they are known, else by the half hours that are; issued to nobody, and the month's
own register decides. Each line opens to the half hours behind it as a bill's does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from bahal.domains.billing.queries import latest_end
from bahal.domains.billing.registers import advance
from bahal.domains.meters.queries import meter_of
from bahal.domains.network.queries import existing
from bahal.domains.readings import queries as readings
from bahal.domains.tariffs.determinants import Determinants, Use
from bahal.domains.tariffs.lines import Rating
from bahal.domains.tariffs.opening import opening_of
from bahal.domains.tariffs.queries import book
from bahal.domains.tariffs.rating import rate
from bahal.domains.tariffs.telling import thousandths
from bahal.journeys.determine import facts_of, spans_of, stands_of, terms_of
from bahal.journeys.open_line import Opened, Stretch, opened
from bahal.journeys.show_bill import Told, told
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import meter_days
from bahal.shared.clock import day_in_india
from bahal.shared.errors import Refusal
from bahal.shared.locks import ConnectionUnknown
from bahal.shared.money import rupees
from bahal.shared.text import Language, day

_DIGITS = 9  # a register that is read counts on in Wh, whatever the display shows

_SAID: Mapping[str, Mapping[Language, str]] = {
    "register": {
        "hi": "{start} से {end} तक अब तक: {kwh} यूनिट, मीटर {meter} के रजिस्टर से।",
        "en": "So far, {start} to {end}: {kwh} units by the register of meter {meter}.",
    },
    "half_hours": {
        "hi": "{start} से {end} तक अब तक: {kwh} यूनिट, मीटर {meter} के {days} में से {known} दिनों के आधे घंटों से।",
        "en": "So far, {start} to {end}: {kwh} units by the half hours of {known} of {days} days of meter {meter}.",
    },
    "no_bill": {
        "hi": "यह बिल नहीं है: बिल माह के रजिस्टर से बनेगा।{unverified}",
        "en": "This is no bill: the month's register decides.{unverified}",
    },
    "unverified": {"hi": " इसमें {count} दरें असत्यापित हैं।", "en": " {count} of its rates are not verified."},
    "sum": {"hi": "आज बिल बने तो", "en": "if it were billed today"},
}


class NothingSoFar(Refusal):
    """Nothing is known of what was used since the last bill, or that bill reaches to today."""

    code = "nothing_so_far"
    hi = "उपभोक्ता {consumer}: {start} से अब तक की खपत ज्ञात नहीं।"
    en = "Consumer {consumer}: nothing is known of what was used since {start}."


@dataclass(frozen=True, slots=True)
class SoFar:
    """Days `[start, end)` that no bill has yet. `register`: the stands at both ends, where both are known; `known` days
    are those whose half hours are."""

    consumer: int
    meter: str
    start: date
    end: date
    wh: int
    known: int
    register: tuple[int, int] | None
    rating: Rating
    lines: Sequence[Told]

    @property
    def stretch(self) -> Stretch:
        """Its one meter's days."""
        low, high = self.register or (None, None)
        return Stretch(self.meter, self.start, self.end, low, high, self.wh if self.register else None)

    def as_json(self) -> dict[str, Any]:
        """For programs: paise, Wh, ISO days."""
        opening = opening_of(self.rating)
        return {
            "consumer": self.consumer,
            "meter": self.meter,
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "wh": self.wh,
            "by": "register" if self.register else "half_hours",
            "known_days": self.known,
            "days": (self.end - self.start).days,
            "paise": self.rating.total_paise,
            "unverified": len(self.rating.unverified),
            "lines": [
                {"number": nth, "opens": nth in opening, **each.line._asdict(), **each.words}
                for nth, each in enumerate(self.lines, 1)
            ],
            "hi": self.text("hi"),
            "en": self.text("en"),
        }

    def text(self, language: Language) -> str:
        """For a terminal."""
        said = {
            "start": day(self.start), "end": day(self.end), "kwh": thousandths(self.wh), "meter": self.meter,
            "known": self.known, "days": (self.end - self.start).days,
        }  # fmt: skip
        doubts = len(self.rating.unverified)
        unverified = _SAID["unverified"][language].format(count=doubts) if doubts else ""
        return "\n".join(
            [
                _SAID["register" if self.register else "half_hours"][language].format(**said),
                *(f"{nth:>3} {rupees(x.line.paise):>12}  {x.words[language]}" for nth, x in enumerate(self.lines, 1)),
                f"  {rupees(self.rating.total_paise):>14}  {_SAID['sum'][language]}",
                _SAID["no_bill"][language].format(unverified=unverified),
            ]
        )


def bill_so_far(*, connection: int, lake: Lake, business_at: datetime) -> SoFar:
    """What a bill from the last one's end to today's midnight would be.

    :raises ConnectionUnknown: there is no such connection.
    :raises NoMeter: it has no meter.
    :raises NothingSoFar: nothing is known since the last bill.
    """
    if connection not in existing(connections=[connection]):
        raise ConnectionUnknown(connection=connection)
    meter = meter_of(connection=connection)
    end = day_in_india(business_at)
    start = latest_end(connection=connection) or end.replace(day=1)
    if start >= end:
        raise NothingSoFar(consumer=connection, start=start)
    known = meter_days(lake, meter=meter, start=start, end=end)
    register = _register(connection, meter, start, end)
    if not known and register is None:
        raise NothingSoFar(consumer=connection, start=start)
    wh = sum(each.total_wh for each in known.values()) if register is None else advance(*register, digits=_DIGITS)
    spans = spans_of(
        facts_of(connections=[connection])[connection],
        terms_of(connections=[connection]).get(connection, ()),
        start,
        end,
    )
    rating = rate(Determinants(start=start, end=end, spans=spans, uses=(Use(start, end, wh, meter=meter),)), book())
    return SoFar(connection, meter, start, end, wh, len(known), register, rating, told(rating, {}))


def open_so_far(*, connection: int, line: int, lake: Lake, business_at: datetime) -> Opened:
    """A line of it, counted from 1, down to the half hours behind it.

    :raises ConnectionUnknown, NoMeter, NothingSoFar: as `bill_so_far` does.
    :raises LineUnknown, LineOfNoUse, ZoneHoursUnknown: as `open_line` does.
    """
    far = bill_so_far(connection=connection, lake=lake, business_at=business_at)
    return opened(
        number=str(connection), lines=far.lines, rating=far.rating, line=line, of=[far.stretch], lake=lake
    )  # fmt: skip


def _register(connection: int, meter: str, start: date, end: date) -> tuple[int, int] | None:
    """Where the meter stood at both ends: as billing knows it, or as the meter showed it at midnight."""
    stood = {
        each.read_on: each.wh
        for each in readings.stands(meter=meter, kind="daily", start=start, end=end + timedelta(days=1))
    }
    for each in stands_of(since={connection: start}, until=end).get(connection, ()):
        if each.meter == meter:
            stood[each.read_on] = each.wh
    return (stood[start], stood[end]) if start in stood and end in stood else None
