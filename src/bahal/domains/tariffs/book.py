"""The book of tariffs: all documents in force, and for a category and a day the card of charges that hold then.

A book is made once and asked often; cards and compiled raters are kept. It never changes: a new document makes a new
book.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files

from bahal.domains.tariffs.document import Document, Row, read_document
from bahal.domains.tariffs.errors import CategoryUnknown, ScheduleUnknown, TariffOverlap
from bahal.domains.tariffs.lines import Unverified
from bahal.domains.tariffs.rules.contract import Closing, Rule
from bahal.domains.tariffs.table import RateRow

TARIFF = "tariff"
_TAKEN_KEPT = 4096

Taken = tuple[tuple[Unverified, ...], tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """What holds for a category on some days: rows with their rules, in the order they act, and whether a tariff is in
    force at all. Cards are compared by identity: the same days, the same card."""

    start: date
    rows: tuple[tuple[Rule, Row], ...]
    covered: bool


class Book:
    """Documents of all families, each until the next of its family.

    :raises TariffOverlap: two documents of a family begin on one day, or one states an end after the next one's begin.
    :raises ScheduleUnknown: a document takes the place of one that is not there, or is of another family.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        every = tuple(documents)
        self.documents = _ended(_replaced(every))
        self._by_name = {each.name: each for each in self.documents}
        self._rates = {
            rate.path: (rate, each) for each in self.documents for row in each.rows for rate in row.charge.rates
        }
        self._origins = {
            path: (each.name, each.sha256, None if rate.verified else Unverified(path, rate.source, each.sha256))
            for path, (rate, each) in self._rates.items()
        }
        self._cards: dict[tuple[str, bool], tuple[list[date], list[Card]]] = {}
        self._taken: dict[tuple[str, ...], Taken] = {}
        self.raters: dict[object, object] = {}
        self.plans: dict[object, object] = {}

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category that some tariff has."""
        return tuple(
            sorted({c for each in self.documents if each.family == TARIFF for row in each.rows for c in row.categories})
        )

    @property
    def schedules(self) -> tuple[str, ...]:
        """The names of the tariff documents, oldest first."""
        return tuple(each.name for each in self.documents if each.family == TARIFF)

    def pinned(self, schedule: str) -> Book:
        """A book in which this tariff alone holds on all days; levies and schemes stay by their dates.

        :raises ScheduleUnknown: no tariff has this name.
        """
        found = self._by_name.get(schedule)
        if found is None or found.family != TARIFF:
            raise ScheduleUnknown(schedule=schedule, schedules=", ".join(self.schedules))
        rows = tuple(replace(row, start=date.min, end=None) for row in found.rows)
        others = [each for each in self.documents if each.family != TARIFF]
        return Book([*others, replace(found, start=date.min, end=None, rows=rows)])

    def rate_of(self, path: str) -> tuple[RateRow, Document] | None:
        """A rate and its document, by the path that a line names."""
        return self._rates.get(path)

    def taken(self, paths: tuple[str, ...]) -> Taken:
        """What a bill rests on that took these rates, in the order of its lines: those that nobody verified, and the
        documents by name and SHA-256. Bills of one shape share the answer.

        :raises KeyError: no document in force has one of them.
        """
        kept = self._taken.get(paths)
        if kept is None:
            unverified: dict[str, Unverified] = {}
            versions: dict[str, str] = {}
            for path in paths:
                name, sha256, doubt = self._origins[path]
                versions[name] = sha256
                if doubt is not None:
                    unverified[path] = doubt
            if len(self._taken) >= _TAKEN_KEPT:
                self._taken.clear()
            kept = self._taken[paths] = tuple(unverified.values()), tuple(versions.items())
        return kept

    def card(self, category: str, day: date, *, by_bill: bool = False) -> Card:
        """What holds on a day, or for a bill that begins on it.

        :raises CategoryUnknown: no tariff has this category.
        """
        starts, cards = self._timeline(category, by_bill)
        nth = bisect_right(starts, day) - 1
        return cards[max(nth, 0)]

    def changes(self, category: str, start: date, end: date) -> list[date]:
        """The days after `start` and before `end` on which another card begins.

        :raises CategoryUnknown: no tariff has this category.
        """
        starts, _ = self._timeline(category, False)
        return starts[bisect_right(starts, start) : bisect_left(starts, end)]

    def closing(self, rule: str, category: str, day: date) -> Row | None:
        """The row of a closing rule on a day."""
        for document in self.documents:
            for row in document.rows:
                if (
                    row.rule.name == rule
                    and category in row.categories
                    and row.start <= day
                    and (row.end is None or day < row.end)
                ):
                    return row
        return None

    def _timeline(self, category: str, by_bill: bool) -> tuple[list[date], list[Card]]:
        kept = self._cards.get((category, by_bill))
        if kept is None:
            if category not in self.categories:
                raise CategoryUnknown(category=category, categories=", ".join(self.categories))
            kept = self._cards[category, by_bill] = self._laid(category, by_bill)
        return kept

    def _laid(self, category: str, by_bill: bool) -> tuple[list[date], list[Card]]:
        rows: list[tuple[Rule, Row, bool]] = []
        for document in self.documents:
            for row in document.rows:
                rule = row.rule
                if category in row.categories and not isinstance(rule, Closing) and rule.by_bill == by_bill:
                    rows.append((rule, row, document.family == TARIFF))
        rows.sort(key=lambda each: each[0].stage)
        days = {date.min, *(row.start for _, row, _ in rows), *(row.end for _, row, _ in rows if row.end)}
        starts: list[date] = []
        cards: list[Card] = []
        for day in sorted(days):
            holding = [(r, row, t) for r, row, t in rows if row.start <= day and (row.end is None or day < row.end)]
            card = Card(day, tuple((r, row) for r, row, _ in holding), any(tariff for *_, tariff in holding))
            if not cards or cards[-1].rows != card.rows or cards[-1].covered != card.covered:
                starts.append(day)
                cards.append(card)
        return starts, cards


@cache
def shipped() -> Book:
    """The book of the files that come with the product."""
    return Book(shipped_documents())


@cache
def shipped_documents() -> tuple[Document, ...]:
    """The documents that come with the product."""
    folder = files("bahal.domains.tariffs") / "schedules"
    return tuple(
        read_document(file.read_text(encoding="utf-8"), file=file.name)
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    )


def _replaced(every: tuple[Document, ...]) -> list[Document]:
    """What stays when each document has taken the place, from its first day on, of the one that it names."""
    kept = {each.name: each for each in every}
    for each in every:
        if each.replaces is None:
            continue
        other = kept.get(each.replaces)
        if other is None or other.family != each.family:
            raise ScheduleUnknown(schedule=each.replaces, schedules=", ".join(sorted(kept)))
        if each.start <= other.start:
            del kept[other.name]
        elif other.end is None or other.end > each.start:
            kept[other.name] = replace(other, end=each.start)
    return list(kept.values())


def _ended(documents: list[Document]) -> tuple[Document, ...]:
    """Each document until the next of its family, its rows likewise."""
    ended: list[Document] = []
    families: dict[str, list[Document]] = {}
    for each in documents:
        families.setdefault(each.family, []).append(each)
    for family in families.values():
        family.sort(key=lambda each: each.start)
        for nth, each in enumerate(family):
            end = each.end
            if nth + 1 < len(family):
                after = family[nth + 1]
                if after.start == each.start or (end is not None and end > after.start):
                    raise TariffOverlap(file=after.file, line=1, path=after.name, other=each.name, day=after.start)
                end = end or after.start
            rows = tuple(
                replace(row, end=end) if end is not None and (row.end is None or row.end > end) else row
                for row in each.rows
                if end is None or row.start < end
            )
            ended.append(replace(each, end=end, rows=rows))
    return tuple(ended)
