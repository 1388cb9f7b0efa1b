"""A line of a bill opens down to the half hours behind it, from validated readings in the lake.

The register is what is billed. The half hours tell when it was used, each with its status; their sum is set beside the
register's difference, and whatever lies between the two is said, as are half hours that are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from bahal.domains.readings.edits import edits_in_force
from bahal.domains.tariffs.lines import Rating
from bahal.domains.tariffs.opening import HALVES_AN_HOUR, Way, behind, opening_of, zone_hours, zone_of
from bahal.domains.tariffs.queries import book
from bahal.domains.tariffs.rules.demand import HALF_HOURS
from bahal.domains.tariffs.telling import thousandths
from bahal.journeys.show_bill import Shown, Told, show_bill
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import MeterDay, meter_days
from bahal.lake.vee.rules import Rule
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.money import rupees
from bahal.shared.text import Language, day, grouped
from bahal.shared.words import word

MEASURED, ESTIMATED, EDITED, UNKNOWN = STATUSES = ("m", "e", "x", "-")
"""What a half hour's value is, a letter each."""

NAMES: Mapping[str, str] = {MEASURED: "measured", ESTIMATED: "estimated", EDITED: "edited", UNKNOWN: "unknown"}
"""The letters' codes among the words."""

HIGHEST = 5
"""Highest half hours that a line of demand names."""

_BARS = " ▁▂▃▄▅▆▇█"


class LineUnknown(Refusal):
    """The bill has no such line."""

    code = "bill_line_unknown"
    exit_code = USAGE
    hi = "बिल {number} में पंक्ति {line} नहीं है: 1 से {lines} तक दें।"
    en = "Bill {number} has no line {line}: give 1 to {lines}."


class LineOfNoUse(Refusal):
    """The line rests on amounts or on the sanctioned load, not on what was used."""

    code = "bill_line_of_no_use"
    hi = "बिल {number} की पंक्ति {line} खपत पर नहीं बनती, इसलिए आधे घंटों में नहीं खुलती: खुलने वाली पंक्तियाँ: {opens}।"
    en = "Line {line} of bill {number} does not rest on what was used and has no half hours behind it; these open: "
    en += "{opens}."


class ZoneHoursUnknown(Refusal):
    """The schedule does not state which hours the zone has."""

    code = "zone_hours_unknown"
    hi = "बिल {number} की पंक्ति {line}: टैरिफ में इस समय-क्षेत्र के घंटे नहीं लिखे हैं।"
    en = "Line {line} of bill {number}: the tariff does not state the hours of this zone."


class Stretch(NamedTuple):
    """One meter's days `[start, end)` of the bill: what its register moved by, None where that was estimated, and what
    its half hours come to; how many of those are what."""

    meter: str
    start: date
    end: date
    from_wh: int | None = None
    to_wh: int | None = None
    register_wh: int | None = None
    half_hours_wh: int = 0
    measured: int = 0
    estimated: int = 0
    edited: int = 0
    unknown: int = 0

    @property
    def difference_wh(self) -> int | None:
        """What the register moved by beyond the sum of its half hours."""
        return None if self.register_wh is None else self.register_wh - self.half_hours_wh


class OpenedDay(NamedTuple):
    """A day of one meter by half hours from midnight in India on: Wh (None: not known), a letter of status each, and
    what of it is behind the line (Wh, or W above the sanctioned load)."""

    day: date
    meter: str
    wh: list[int | None]
    status: str
    behind: list[int | None]

    @property
    def total(self) -> int:
        """What of the day is behind the line."""
        return sum(each or 0 for each in self.behind)


class Moment(NamedTuple):
    """A half hour: its day, and which of the day's it is."""

    day: date
    nth: int

    @property
    def hours(self) -> str:
        """Such as 19:00-19:30."""
        return f"{_clock(self.nth)}-{_clock(self.nth + 1)}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A line opened. `number` is the bill's; `days` are those of the line's piece, `stretches` the whole bill's."""

    number: str
    nth: int
    told: Told
    way: Way
    start: date
    end: date
    zone: str
    stretches: Sequence[Stretch]
    days: Sequence[OpenedDay]

    @property
    def behind_total(self) -> int:
        """The sum of what is behind the line."""
        return sum(each.total for each in self.days)

    @property
    def span(self) -> tuple[Moment, Moment] | None:
        """The first and the last half hour that have a part in it."""
        found = [Moment(each.day, nth) for each in self.days for nth, part in enumerate(each.behind) if part]
        return (found[0], found[-1]) if found else None

    @property
    def highest(self) -> list[tuple[Moment, int]]:
        """The highest half hours as mean load in W, highest first."""
        every = (
            (Moment(each.day, nth), wh * HALVES_AN_HOUR)
            for each in self.days
            for nth, wh in enumerate(each.wh)
            if wh is not None
        )
        return sorted(every, key=lambda one: (-one[1], one[0]))[:HIGHEST]

    def as_json(self) -> dict[str, Any]:
        """For programs: Wh (`demand`: W above the sanctioned load), ISO days, half hours from midnight in India on."""
        return {
            "bill": self.number,
            "number": self.nth,
            "line": {**self.told.line._asdict(), **self.told.words},
            "opens_by": self.way,
            "zone": self.zone,
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "billed_by": "estimate" if any(each.register_wh is None for each in self.stretches) else "register",
            "behind_line": self.behind_total,
            "stretches": [
                {
                    **each._asdict(), "start": each.start.isoformat(), "end": each.end.isoformat(),
                    "difference_wh": each.difference_wh,
                }
                for each in self.stretches
            ],
            "highest": [
                {"day": at.day.isoformat(), "half_hour": at.nth, "hours": at.hours, "w": w} for at, w in self.highest
            ] if self.way == "demand" else [],
            "days": [{**each._asdict(), "day": each.day.isoformat()} for each in self.days],
            "statuses": {each: word("half hours", NAMES[each], "en") for each in STATUSES},
            "hi": self.said("hi"),
            "en": self.said("en"),
        }  # fmt: skip

    def said(self, language: Language) -> list[str]:
        """What is to be said of it, sentence by sentence."""
        return [*_of_line(self, language), *(_of_stretch(each, language) for each in self.stretches)]

    def text(self, language: Language) -> str:
        """For a terminal: the line, what is said of it, and each day with its half hours as bars."""
        hi = language == "hi"
        head = f"{'बिल' if hi else 'Bill'} {self.number}, {'पंक्ति' if hi else 'line'} {self.nth}"
        rows = [head, f"  {rupees(self.told.line.paise):>14}  {self.told.words[language]}", *self.said(language)]
        most = max((part or 0 for each in self.days for part in each.behind), default=0)
        unit = "W" if self.way == "demand" else "kWh"
        for whole, those in groupby(self.days, key=lambda one: one.status == UNKNOWN * HALF_HOURS):
            days = list(those)
            if whole and len(days) > 1:
                rows.append(f"{day(days[0].day)} – {day(days[-1].day)}: {word('half hours', NAMES[UNKNOWN], language)}")
                continue
            for each in days:
                if not any(each.behind) and UNKNOWN not in each.status:
                    continue
                amount = max((part or 0 for part in each.behind), default=0) if self.way == "demand" else each.total
                figure = grouped(amount) if self.way == "demand" else f"{amount / 1000:.2f}"
                rows.append(f"{day(each.day)} {figure:>7} {unit:<3} |{_bar(each, most)}|{_marks(each, language)}")
        return "\n".join([*rows, _SAID["legend"][language]])

    def day_text(self, of: date, language: Language) -> str:
        """One day, half hour by half hour.

        :raises LineDayUnknown: the line's piece has no such day.
        """
        found = [each for each in self.days if each.day == of]
        if not found:
            raise LineDayUnknown(day=of, start=self.start, end=self.end)
        unit = "W" if self.way == "demand" else "Wh"
        hi = language == "hi"
        rows = [f"{day(of)}: {'खपत | इस पंक्ति में | स्थिति' if hi else 'used | behind the line | status'}"]
        for each in found:
            for nth, (wh, status, part) in enumerate(zip(each.wh, each.status, each.behind, strict=True)):
                used = "-" if wh is None else f"{wh} Wh"
                rows.append(
                    f"{Moment(of, nth).hours}  {used:>9} | {'-' if part is None else f'{part} {unit}':>9} | "
                    + word("half hours", NAMES[status], language)
                )
        return "\n".join(rows)


class LineDayUnknown(Refusal):
    """The line does not reach to that day."""

    code = "bill_line_day_unknown"
    exit_code = USAGE
    hi = "{day} इस पंक्ति की अवधि में नहीं है: {start} से {end} के पहले तक।"
    en = "{day} is not in this line's period: from {start} to before {end}."


def open_line(*, number: str, line: int, lake: Lake) -> Opened:
    """A bill's line, counted from 1 as it is printed, down to the half hours behind it.

    :raises BillUnknown: there is no such bill.
    :raises BillHasNoLines: it came in with the books.
    :raises LineUnknown: it has no such line.
    :raises LineOfNoUse: the line does not rest on what was used.
    :raises ZoneHoursUnknown: the schedule does not say which hours its zone has.
    """
    shown = show_bill(number=number)
    return opened(number=number, lines=shown.lines, rating=shown.rating, line=line, of=_stretches(shown), lake=lake)


def opened(
    *, number: str, lines: Sequence[Told], rating: Rating, line: int, of: Iterable[Stretch], lake: Lake
) -> Opened:
    """The same of lines that are at hand; `of` are the meters' days, not yet counted.

    :raises LineUnknown, LineOfNoUse, ZoneHoursUnknown: as `open_line` does.
    """
    if not 1 <= line <= len(lines):
        raise LineUnknown(number=number, line=line, lines=len(lines))
    told = lines[line - 1]
    opening = opening_of(rating)
    if line not in opening:
        raise LineOfNoUse(number=number, line=line, opens=", ".join(map(str, opening)) or "—")
    way, piece = opening[line]
    hours = zone_hours(book(), told.line, piece) if way == "zone" else None
    if way == "zone" and hours is None:
        raise ZoneHoursUnknown(number=number, line=line)
    stretches, days = [], []
    for each in of:
        stretch, mine = _read(each, lake)
        stretches.append(stretch)
        days += [one for one in mine if piece.start <= one.day < piece.end]
    parts = behind(way, told.line, [wh for each in days for wh in each.wh], hours=hours or ())
    days = [
        each._replace(behind=parts[nth * HALF_HOURS : (nth + 1) * HALF_HOURS]) for nth, each in enumerate(days)
    ]  # fmt: skip
    zone = zone_of(told.line) if way == "zone" else ""
    return Opened(number, line, told, way, piece.start, piece.end, zone, stretches, days)


def _stretches(shown: Shown) -> Iterator[Stretch]:
    """The bill's days by meter: by its registers, and those between and behind them that were estimated."""
    bill = shown.bill
    start, end = bill.period_from or bill.month, bill.period_to or bill.month
    at = start
    meter = shown.meter
    for meter, low, from_wh, high, to_wh, wh in sorted(shown.registers, key=lambda each: (each[1], each[3])):
        if low > at:
            yield Stretch(meter, at, low)
        yield Stretch(meter, low, high, from_wh, to_wh, wh)
        at = max(at, high)
    if at < end:
        yield Stretch(meter, at, end)


def _read(stretch: Stretch, lake: Lake) -> tuple[Stretch, list[OpenedDay]]:
    """The stretch with its half hours counted, and its days; a day that was not validated is there, unknown."""
    meter, start, end = stretch.meter, stretch.start, stretch.end
    known = meter_days(lake, meter=meter, start=start, end=end)
    put_in = _put_in(meter, known) if any(each.flags & Rule.EDITED for each in known.values()) else {}
    days = []
    for back in range((end - start).days):
        at = start + timedelta(days=back)
        days.append(_day(at, meter, known.get(at), put_in.get(at, frozenset())))
    letters = "".join(each.status for each in days)
    counted = _counted(stretch, letters, sum(wh or 0 for each in days for wh in each.wh))
    return counted, days


def _counted(stretch: Stretch, letters: str, wh: int) -> Stretch:
    """The stretch with its half hours counted by their letters."""
    measured, estimated, edited, unknown = (letters.count(each) for each in STATUSES)
    return stretch._replace(
        half_hours_wh=wh, measured=measured, estimated=estimated, edited=edited, unknown=unknown
    )  # fmt: skip


def _day(at: date, meter: str, known: MeterDay | None, put_in: frozenset[int]) -> OpenedDay:
    if known is None:
        return OpenedDay(at, meter, [None] * HALF_HOURS, UNKNOWN * HALF_HOURS, [])
    wh: list[int | None] = list(known.wh.tolist())
    status = []
    for nth, (unmeasured, empty) in enumerate(zip(known.unmeasured.tolist(), known.empty.tolist(), strict=True)):
        if empty:
            wh[nth] = None
        status.append(UNKNOWN if empty else EDITED if nth in put_in else ESTIMATED if unmeasured else MEASURED)
    return OpenedDay(at, meter, wh, "".join(status), [])


def _put_in(meter: str, known: dict[date, MeterDay]) -> dict[date, frozenset[int]]:
    """Which half hours of each day hold what officers put in."""
    found: dict[date, set[int]] = {}
    for edit in edits_in_force(meter=meter, start=min(known), end=max(known) + timedelta(days=1)):
        there = known.get(edit.day)
        if there is not None and there.slots == edit.slots:
            low, high = edit.first * HALF_HOURS, (edit.first + len(edit.wh)) * HALF_HOURS
            found.setdefault(edit.day, set()).update(range(low // edit.slots, -(-high // edit.slots)))
    return {at: frozenset(those) for at, those in found.items()}


def _of_line(opened: Opened, language: Language) -> list[str]:
    line, span, highest = opened.told.line, opened.span, opened.highest
    if not highest:
        return [_SAID["unknown"][language]]
    said = {"shown": thousandths(opened.behind_total), "quantity": thousandths(line.quantity)}
    if opened.way == "demand":
        said |= {
            "count": str(sum(1 for each in opened.days for part in each.behind if part)),
            "load": thousandths(line.above),
            "demand": thousandths(line.above + line.quantity),
            "peaks": "; ".join(f"{day(at.day)} {at.hours} {thousandths(w)} kW" for at, w in highest),
        }
    elif opened.way == "zone":
        said |= {
            "zone": word("zones of the day", opened.zone, language),
            "counted": thousandths(line.numerator),
            "whole": thousandths(line.denominator),
        }
    elif span is None:
        return [_SAID["nothing"][language].format(**said)]
    else:
        said |= {name: f"{day(at.day)} {at.hours}" for name, at in zip(("first", "last"), span, strict=True)}
    whole = [_SAID[opened.way][language].format(**said)]
    if opened.way == "slab" and any(UNKNOWN in each.status for each in opened.days):
        whole.append(_SAID["earlier"][language])
    return whole


def _of_stretch(stretch: Stretch, language: Language) -> str:
    between = stretch.difference_wh
    differs = "" if between is None else "same" if not between else "less" if between > 0 else "more"
    said = {
        "meter": stretch.meter,
        "start": day(stretch.start),
        "end": day(stretch.end),
        "from_kwh": thousandths(stretch.from_wh or 0),
        "to_kwh": thousandths(stretch.to_wh or 0),
        "register": thousandths(stretch.register_wh or 0),
        "half": thousandths(stretch.half_hours_wh),
        "differs": "" if not differs else _SAID[differs][language].format(between=thousandths(abs(between or 0))),
        "of": grouped((stretch.end - stretch.start).days * HALF_HOURS),
        "measured": grouped(stretch.measured),
        "estimated": grouped(stretch.estimated),
        "edited": grouped(stretch.edited),
        "unknown": grouped(stretch.unknown),
    }
    shared = (stretch.to_wh or 0) >= (stretch.from_wh or 0) and (stretch.to_wh or 0) - (stretch.from_wh or 0) != (
        stretch.register_wh
    )
    whole = _SAID["no_register" if between is None else "shared" if shared else "register"][language]
    return f"{whole} {_SAID['counts'][language]}".format(**said)


_SAID: Mapping[str, Mapping[Language, str]] = {
    "slab": {
        "hi": "आधे घंटों में {shown} kWh, {first} से {last} तक; पंक्ति {quantity} kWh की है।",
        "en": "{shown} kWh by half hours, from {first} to {last}; the line is of {quantity} kWh.",
    },
    "all": {
        "hi": "आधे घंटों में {shown} kWh, {first} से {last} तक; पंक्ति {quantity} kWh की है।",
        "en": "{shown} kWh by half hours, from {first} to {last}; the line is of {quantity} kWh.",
    },
    "zone": {
        "hi": "टैरिफ के घंटों में {zone}: आधे घंटों से {shown} kWh। मीटर ने इस समय {whole} में से {counted} kWh गिने; बिल उसी का है।",
        "en": "By the tariff's {zone}: {shown} kWh by half hours. The meter counted {counted} of {whole} kWh in its "
        "own; that is billed.",
    },
    "demand": {
        "hi": "{count} आधे घंटे स्वीकृत {load} kW से ऊपर। मीटर की अधिकतम माँग {demand} kW है; बिल उसी का है। सबसे अधिक: {peaks}",
        "en": "{count} half hours were above the sanctioned {load} kW. The meter's highest demand is {demand} kW; that "
        "is billed. Highest: {peaks}",
    },
    "earlier": {
        "hi": "कुछ आधे घंटे ज्ञात नहीं: स्लैब यहाँ दिखाए समय से पहले शुरू हुआ हो सकता है।",
        "en": "Some half hours are not known: the slab may have begun earlier than shown here.",
    },
    "nothing": {
        "hi": "आधे घंटों का योग इस स्लैब तक नहीं पहुँचता; पंक्ति {quantity} kWh की है।",
        "en": "The half hours do not add up to this slab; the line is of {quantity} kWh.",
    },
    "unknown": {
        "hi": "इस पंक्ति का कोई आधा घंटा ज्ञात नहीं।",
        "en": "No half hour behind this line is known.",
    },
    "register": {
        "hi": "{meter}, {start} से {end}: बिल रजिस्टर का है, {from_kwh} → {to_kwh} = {register} kWh। आधे घंटों का योग "
        "{half} kWh, {differs}।",
        "en": "{meter}, {start} to {end}: the register is billed, {from_kwh} → {to_kwh} = {register} kWh. The half "
        "hours come to {half} kWh, {differs}.",
    },
    "shared": {
        "hi": "{meter}, {start} से {end}: पठन {from_kwh} → {to_kwh} kWh अधिक दिनों का है; इन दिनों के हिस्से में {register} "
        "kWh का बिल है। आधे घंटों का योग {half} kWh, {differs}।",
        "en": "{meter}, {start} to {end}: the register, {from_kwh} → {to_kwh} kWh, is of more days; {register} kWh are "
        "the share of these days and are billed. The half hours come to {half} kWh, {differs}.",
    },
    "no_register": {
        "hi": "{meter}, {start} से {end}: रजिस्टर नहीं था, बिल अनुमान से बना। आधे घंटों का योग {half} kWh।",
        "en": "{meter}, {start} to {end}: there was no register, this part was billed by an estimate. The half hours "
        "come to {half} kWh.",
    },
    "same": {"hi": "बिल जितना ही", "en": "the same as billed"},
    "less": {"hi": "बिल से {between} kWh कम", "en": "{between} kWh less than billed"},
    "more": {"hi": "बिल से {between} kWh अधिक", "en": "{between} kWh more than billed"},
    "counts": {
        "hi": "{of} में से {measured} आधे घंटे मापे, {estimated} अनुमानित, {edited} अधिकारियों के डाले, {unknown} ज्ञात नहीं।",
        "en": "Of {of} half hours {measured} were measured, {estimated} estimated, {edited} put in by officers, "
        "{unknown} are not known.",
    },
    "legend": {
        "hi": "एक अक्षर एक आधा घंटा, 0 बजे से; ऊँचाई इस पंक्ति में आया भाग; · ज्ञात नहीं; बाकी दिनों का भाग शून्य",
        "en": "a letter is half an hour, from 0:00 on; its height is what of it is behind the line; · not known; "
        "other days have no part",
    },
}


def _clock(nth: int) -> str:
    return f"{nth // 2:02d}:{nth % 2 * 30:02d}"


def _bar(opened: OpenedDay, most: int) -> str:
    """A letter a half hour, as high as its part; a part that is not nothing is never shown as nothing."""
    return "".join(
        "·" if part is None else _BARS[-(-part * (len(_BARS) - 1) // most)] if most else _BARS[0]
        for part in opened.behind
    )


def _marks(opened: OpenedDay, language: Language) -> str:
    """How many of a day's half hours were not measured, by what they are."""
    counts = [(each, opened.status.count(each)) for each in (ESTIMATED, EDITED, UNKNOWN)]
    found = ", ".join(f"{count} {word('half hours', NAMES[each], language)}" for each, count in counts if count)
    return f"  {found}" if found else ""
