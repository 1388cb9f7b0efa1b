"""A bill as it is told: each line with its sentence, what it rests on, what was owed before, and the months before.

Nothing here is stored twice: sentences are made from the kept operands, arrears from the ledger as it stood when the
bill was posted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from bahal.domains.billing.queries import CREDIT_NOTE, Bill, Month, explanations_of, history_of, shown_by_number
from bahal.domains.consumers.queries import both_names_of
from bahal.domains.ledger.queries import Before, before_bills
from bahal.domains.meters.queries import meters_on
from bahal.domains.tariffs.lines import Line, Rating, read_stored
from bahal.domains.tariffs.opening import Way, opening_of
from bahal.domains.tariffs.queries import Acceptance, acceptances
from bahal.domains.tariffs.telling import sentence, split_sentence, thousandths
from bahal.foundation.rows import many
from bahal.journeys.determine import facts_of, spans_of, terms_of
from bahal.journeys.revise_bill import BILLED
from bahal.shared.clock import day_in_india
from bahal.shared.money import rupees
from bahal.shared.text import LANGUAGES, Language, day
from bahal.shared.words import word

MONTHS_SHOWN = 13

_BILLED = {
    "hi": "इस अवधि का पहले का बिल {numbers}: {paise} घटाया",
    "en": "Billed for this period before, {numbers}: {paise} taken off",
}
_ESTIMATE = {
    "average": {
        "hi": "पठन नहीं मिला: खपत पिछले {count} वास्तविक पठनों के औसत से ({of}); अगले पठन पर अंतर समायोजित होगा।",
        "en": "No reading came: units are the average of the last {count} actual periods ({of}); the next reading "
        "settles the difference.",
    },
    "last_year": {
        "hi": "पठन नहीं मिला: खपत पिछले वर्ष के इसी माह से ({of}); अगले पठन पर अंतर समायोजित होगा।",
        "en": "No reading came: units are those of the same month last year ({of}); the next reading settles the "
        "difference.",
    },
}
_ACCEPTED = {
    "hi": "ये दरें स्रोत से मिलाई नहीं गईं; {officer} ने {day} को उत्तरदायित्व लिया ({reason}): {paths}",
    "en": "These rates were not checked against their source; {officer} answered for them on {day} ({reason}): {paths}",
}


_TITLES = {
    False: (("बिल", "इस अवधि का बिल"), ("Bill", "Bill of this period")),
    True: (("क्रेडिट नोट", "आपके खाते में जमा"), ("Credit note", "Credited to your account")),
}

DUES: Mapping[str, tuple[str, str]] = {
    "receivable": ("पिछले बिलों का बकाया", "dues of earlier bills"),
    "surcharge": ("विलंब भुगतान अधिभार", "delayed payment surcharge"),
    "expenses": ("विच्छेदन एवं पुनर्संयोजन व्यय", "expenses of cutting and reconnecting"),
}


class Standing(NamedTuple):
    """A connection as a bill names it: its centre in English and Hindi, its transformer, and what the tariff sees."""

    connection: int
    centre: str
    centre_hi: str
    transformer: str
    category: str
    phases: int
    load_w: int


@dataclass(frozen=True, slots=True)
class Told:
    """One line with its sentence in each language."""

    line: Line
    words: Mapping[Language, str]

    @property
    def title(self) -> tuple[str, str]:
        """What it is, in Hindi and English."""
        if self.line.rule == BILLED:
            return "पहले का बिल", "billed before"
        return word("charges", self.line.component, "hi"), word("charges", self.line.component, "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A bill with all that a reader asks of it."""

    bill: Bill
    name: str
    name_hi: str
    standing: Standing
    meter: str
    rating: Rating
    lines: Sequence[Told]
    notes: Sequence[Mapping[Language, str]]
    registers: Sequence[tuple[str, date, int, date, int, int]]
    before: Before
    months: Sequence[Month]

    @property
    def opening(self) -> Mapping[int, Way]:
        """The lines, counted from 1, that rest on what was used, and how each opens to the half hours behind it."""
        return {nth: way for nth, (way, _) in opening_of(self.rating).items()}

    def as_json(self) -> dict[str, Any]:
        """For programs: paise, Wh, ISO days. A line that `opens` has half hours behind it (`open_line`)."""
        bill = self.bill
        return {
            "number": bill.number,
            "meter": self.meter,
            "connection": bill.connection,
            "kind": bill.kind,
            "period_from": bill.period_from.isoformat() if bill.period_from else None,
            "period_to": bill.period_to.isoformat() if bill.period_to else None,
            "issued_on": bill.issued_on.isoformat(),
            "due_on": bill.due_on.isoformat(),
            "consumption_wh": bill.consumption_wh,
            "estimated": bill.estimated,
            "supplementary": bill.supplementary,
            "paise": bill.paise,
            "lines": [
                {"number": nth, "opens": nth in self.opening, **each.line._asdict(), **each.words}
                for nth, each in enumerate(self.lines, 1)
            ],
            "notes": [dict(each) for each in self.notes],
            "registers": [
                {
                    "meter": meter, "from": start.isoformat(), "from_wh": low, "to": end.isoformat(), "to_wh": high,
                    "wh": wh,
                }
                for meter, start, low, end, high, wh in self.registers
            ],
            "arrears_paise": dict(self.before.dues),
            "advance_paise": self.before.advance_paise,
            "months": [
                {"month": f"{each.month:%Y-%m}", "wh": each.wh, "estimated": each.estimated} for each in self.months
            ],
            "versions": [{"name": name, "sha256": sha256} for name, sha256 in self.rating.versions],
        }  # fmt: skip

    def text(self, language: Language) -> str:
        """For a terminal."""
        bill, hi = self.bill, language == "hi"
        assert bill.period_from is not None
        assert bill.period_to is not None
        period = (
            f"{day(bill.period_from)} से {day(bill.period_to)} तक"
            if hi
            else f"{day(bill.period_from)} to {day(bill.period_to)}"
        )
        credit = bill.kind == CREDIT_NOTE
        title, sums = _TITLES[credit][0 if hi else 1]
        rows = [
            f"{title} {bill.number}  {self.name_hi if hi else self.name}  {bill.connection}",
            f"{period}, {thousandths(bill.consumption_wh)} {'यूनिट' if hi else 'units'}",
            f"{'जारी' if hi else 'Issued'} {day(bill.issued_on)}"
            + ("" if credit else f", {'देय' if hi else 'due'} {day(bill.due_on)}"),
        ]
        rows += [
            f"{nth:>3} {rupees(each.line.paise):>12}  {each.words[language]}" for nth, each in enumerate(self.lines, 1)
        ]
        rows.append(f"  {rupees(bill.paise):>14}  {sums}")
        rows += [
            f"  {rupees(paise):>14}  {DUES[account][0 if hi else 1]}" for account, paise in self.before.dues.items()
        ]
        if self.before.advance_paise:
            rows.append(f"  {rupees(-self.before.advance_paise):>14}  {'अग्रिम' if hi else 'advance'}")
        return "\n".join([*rows, *(note[language] for note in self.notes)])


def show_bill(*, number: str) -> Shown:
    """A bill, or a credit note, by its printed number.

    :raises BillUnknown: there is none.
    :raises BillHasNoLines: it came in with the books.
    """
    return show_bills(numbers=[number])[0]


def show_bills(*, numbers: Sequence[str]) -> list[Shown]:
    """Bills by their printed numbers, in that order, with a few statements for all of them.

    :raises BillUnknown: one of them does not exist.
    :raises BillHasNoLines: one came in with the books.
    """
    bills = shown_by_number(numbers=numbers)
    kept = explanations_of(bills=bills)
    connections = sorted({bill.connection for bill in bills})
    names = both_names_of(connections=connections)
    places = _standing(connections)
    meters = meters_on(connections=connections)
    facts = facts_of(connections=connections)
    terms = terms_of(connections=connections)
    before = before_bills(bills={bill.id: bill.connection for bill in bills})
    months = history_of(connections=connections, until=max(bill.month for bill in bills), months=MONTHS_SHOWN + 12)
    answered = {(each.path, each.sha256): each for each in acceptances()}
    shown = []
    for bill in bills:
        stored = kept[bill.id]
        rating = read_stored(stored)
        basis = stored["basis"]
        notes = [*_split_notes(rating), *_estimate_notes(basis)]
        notes += _rate_notes(rating, answered)
        end = bill.period_to or bill.month + timedelta(days=1)
        spans = spans_of(facts[bill.connection], terms.get(bill.connection, ()), bill.period_from or bill.month, end)
        place = places[bill.connection]._replace(
            category=spans[-1].facts.category, phases=spans[-1].facts.phases, load_w=spans[-1].facts.load_w
        )
        called = names.get(bill.connection)
        shown.append(
            Shown(
                bill=bill,
                name="" if called is None else called[0],
                name_hi="" if called is None else called[1],
                standing=place,
                meter=basis["registers"][-1][0] if basis.get("registers") else meters.get(bill.connection, "—"),
                rating=rating,
                lines=told(rating, basis),
                notes=notes,
                registers=[
                    (row[0], date.fromisoformat(row[1]), row[2], date.fromisoformat(row[3]), row[4], row[5])
                    for row in basis.get("registers", ())
                ],
                before=before[bill.id],
                months=[m for m in months.get(bill.connection, ()) if m.month <= bill.month][-MONTHS_SHOWN:],
            )
        )
    return shown


def told(rating: Rating, basis: Mapping[str, Any]) -> list[Told]:
    """The lines of a rating with their sentences."""
    return [Told(line, _words(line, basis)) for line in rating.lines]


def _words(line: Line, basis: Mapping[str, Any]) -> Mapping[Language, str]:
    if line.rule == BILLED:
        said = {"numbers": ", ".join(basis.get("revises", ())), "paise": rupees(line.quantity)}
        return {language: _BILLED[language].format(**said) for language in LANGUAGES}
    return {language: sentence(line, language) for language in LANGUAGES}


def _split_notes(rating: Rating) -> list[Mapping[Language, str]]:
    return [{language: split_sentence(split, language) for language in LANGUAGES} for split in rating.splits]


def _rate_notes(rating: Rating, answered: Mapping[tuple[str, str], Acceptance]) -> list[Mapping[Language, str]]:
    """Who answers for the rates that nobody checked against their source; those of one answer together."""
    paths: dict[tuple[str, str, str], list[str]] = {}
    for rate in rating.unverified:
        found = answered.get((rate.path, rate.sha256))
        if found is not None:
            key = (found.accepted_by, day(day_in_india(found.accepted_at)), found.reason)
            paths.setdefault(key, []).append(rate.path)
    return [
        {
            language: _ACCEPTED[language].format(officer=officer, day=on, reason=reason, paths=", ".join(those))
            for language in LANGUAGES
        }
        for (officer, on, reason), those in paths.items()
    ]


def _estimate_notes(basis: Mapping[str, Any]) -> list[Mapping[Language, str]]:
    estimate = basis.get("estimate")
    if estimate is None:
        return []
    of = ", ".join(
        f"{day(date.fromisoformat(start))} – {day(date.fromisoformat(end))}: {thousandths(wh)} kWh"
        for start, end, wh in estimate["of"]
    )
    said = {"count": len(estimate["of"]), "of": of}
    return [{language: _ESTIMATE[estimate["how"]][language].format(**said) for language in LANGUAGES}]


def _standing(connections: Sequence[int]) -> Mapping[int, Standing]:
    rows = many(
        "SELECT c.id, o.name, o.name_hi, t.code, c.category, c.phase, c.sanctioned_load_w FROM network_connection c"
        " JOIN offices_office o ON o.id = c.centre JOIN network_transformer t ON t.id = c.transformer_id"
        " WHERE c.id = ANY(%s::bigint[])",
        list(connections),
    )
    return {row[0]: Standing(*row) for row in rows}
