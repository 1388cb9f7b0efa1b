"""What stands on a bill and on a receipt. Amounts are integer paise, energy Wh, days days in India; words come in both
languages. A sheet decides nothing: whoever fills it has rated, summed and explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple


class Words(NamedTuple):
    """The same in Hindi and in English."""

    hi: str
    en: str


class Line(NamedTuple):
    """One line of a bill: what it is, its sentence, and its amount."""

    title: Words
    explained: Words
    paise: int


class Slab(NamedTuple):
    """A step of the tariff: from so many units to so many (None: without end), how many fell into it, paise for one."""

    above: int
    upto: int | None
    units: int
    paise_a_unit: int


class Month(NamedTuple):
    """A bar: the month, its units, and whether they were estimated."""

    month: date
    units: int
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BillSheet:
    """A bill of one page. `arrears` stand apart from `lines`, which sum to `paise`; `upi` is a `upi://pay` address.

    `notes` are what the consumer must know: an estimate and its basis, a rate that nobody checked, a changed tariff.
    """

    company: Words
    office: Words
    number: str
    consumer: int
    name: Words
    address: str
    category: Words
    load: str
    meter: str
    period_from: date
    period_to: date
    issued_on: date
    due_on: date
    reading_from: int | None
    reading_to: int | None
    units: int
    lines: Sequence[Line]
    paise: int
    arrears: Sequence[tuple[Words, int]]
    slabs: Sequence[Slab]
    months: Sequence[Month]
    notes: Sequence[Words]
    upi: str
    complaint: str

    @property
    def payable_paise(self) -> int:
        """The bill with what was owed before."""
        return self.paise + sum(paise for _, paise in self.arrears)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSheet:
    """A receipt: what was paid, how, when, and what it settled; `check` is an address that proves it."""

    company: Words
    office: Words
    receipt: str
    consumer: int
    name: Words
    paise: int
    channel: Words
    taken_at: datetime
    shares: Sequence[tuple[Words, int]]
    due_paise: int
    advance_paise: int
    order: Words | None
    check: str


class Part(NamedTuple):
    """A part of an evidence pack in print: its title, and each fact with its name. A value may have several lines."""

    title: Words
    rows: Sequence[tuple[Words, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSheet:
    """An evidence pack in print. `fingerprint` names the pack it belongs to, in 64 digits."""

    company: Words
    office: Words
    title: Words
    kind: Words
    consumer: int
    name: Words
    made_at: str
    fingerprint: str
    parts: Sequence[Part]
