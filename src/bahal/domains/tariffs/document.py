"""A tariff document: one TOML file, one schedule (or one family of levies), every rate with its source.

    schedule = "FY2019-20"        # the document's name, for ever
    family = "tariff"             # within a family a later document ends the one before it
    from = 2019-04-01
    to = 2020-06-01               # optional: the last day known to be under it is the day before
    replaces = "FY2019-20 draft"  # optional: the document that this one takes the place of from its day on
    [sources]
    order = "CSERC, tariff schedule for FY 2019-20, LV-1, table"
    [[charge]]
    name = "energy"
    categories = ["LV-1"]
    rule = "telescopic"
    source = "order"
    verified = true
    ...                           # the rule's own keys

Numbers are read as decimals and become integers: rupees in ten-thousandths, percentages in hundredths, units in
thousandths. What is finer is refused.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from bahal.domains.tariffs.errors import (
    TariffFileUnreadable,
    TariffGap,
    TariffKeyMissing,
    TariffKeyUnknown,
    TariffOverlap,
    TariffRuleUnknown,
    TariffValueWrong,
)
from bahal.domains.tariffs.rules import RULES
from bahal.domains.tariffs.rules.contract import Charge, Closing, Rule
from bahal.domains.tariffs.table import Table

FAMILIES = ("tariff", "duty", "scheme", "fppas", "payment")

_KEYS = frozenset({"schedule", "family", "from", "to", "replaces", "sources", "charge"})
_LAST_OF_ALL = date.max


@dataclass(frozen=True, slots=True)
class Row:
    """A charge for some categories on the days `[start, end)`; `end` None: as long as its document."""

    rule: Rule | Closing
    charge: Charge
    categories: tuple[str, ...]
    start: date
    end: date | None
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """A tariff file as read. `end` None: until a later one of its family."""

    name: str
    family: str
    start: date
    end: date | None
    replaces: str | None
    rows: tuple[Row, ...]
    text: str
    sha256: str
    file: str

    @property
    def verified(self) -> bool:
        """Whether every rate in it was checked against its source."""
        return all(rate.verified for row in self.rows for rate in row.charge.rates)

    @property
    def sources(self) -> str:
        """Who says so, each once, in the order of the file."""
        return "; ".join(dict.fromkeys(rate.source for row in self.rows for rate in row.charge.rates))


def read_document(text: str, *, file: str) -> Document:
    """Read and check a tariff file; `file` is how refusals name it.

    :raises TariffFileUnreadable: no TOML.
    :raises TariffKeyUnknown: a key that nothing reads.
    :raises TariffKeyMissing: a key that must be there.
    :raises TariffValueWrong: a value of the wrong kind, or too fine.
    :raises TariffRuleUnknown: no such rule.
    :raises TariffSlabsWrong: slabs do not rise.
    :raises TariffSourceMissing: a rate without a source.
    :raises TariffGap: rows of one charge leave days out.
    :raises TariffOverlap: two rows of one charge on one day.
    """
    try:
        given = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as wrong:
        found = re.search(r"at line (\d+)", str(wrong))
        line = int(found[1]) if found else text.count("\n") + 1
        raise TariffFileUnreadable(file=file, line=line, why=str(wrong)) from wrong
    head = _Head(given, file=file, text=text)
    name, family = head.word("schedule"), head.word("family")
    if family not in FAMILIES:
        raise head.wrong("family", f"{family}: one of {', '.join(FAMILIES)}")
    start, end = head.day("from"), head.day("to", optional=True)
    if start is None:
        raise TariffKeyMissing(file=file, line=1, path=name, key="from")
    if end is not None and end <= start:
        raise head.wrong("to", "not after `from`")
    replaces = head.word("replaces") if "replaces" in given else None
    sources = given.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(each, str) and each for each in sources.values()):
        raise head.wrong("sources", "a table of texts expected")
    for key in given:
        if key not in _KEYS:
            raise TariffKeyUnknown(file=file, line=head.line(key), path=name, key=key)
    charges = given.get("charge")
    if not isinstance(charges, list) or not charges or not all(isinstance(each, dict) for each in charges):
        raise TariffKeyMissing(file=file, line=1, path=name, key="charge")
    rows = [
        _row(each, nth, name=name, start=start, end=end, file=file, text=text, sources=sources)
        for nth, each in enumerate(charges)
    ]
    _check_dates(rows, start=start, end=end, file=file)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(name, family, start, end, replaces, tuple(rows), text, digest, file)


def _row(
    given: dict[str, Any],
    nth: int,
    *,
    name: str,
    start: date,
    end: date | None,
    file: str,
    text: str,
    sources: dict[str, str],
) -> Row:
    stated = given.get("categories")
    named = "+".join(map(str, stated)) if isinstance(stated, list) else "?"
    label = given.get("name", f"charge {nth + 1}")
    dated = f"@{given['from']}" if "from" in given else ""
    path = f"{name}/{named}/{label}{dated}"
    table = Table(given, file=file, text=text, nth=nth, path=path, sources=sources)
    table.text("name")
    categories = table.texts("categories")
    word = table.text("rule")
    rule = RULES.get(word)
    if rule is None:
        raise TariffRuleUnknown(
            file=file, line=table.line("rule"), path=path, rule=word, rules=", ".join(sorted(RULES))
        )
    since, until = table.day("from") or start, table.day("to") or end
    if since < start or (end is not None and since >= end):
        raise table.wrong("from", "outside the document's days")
    if until is not None and (until <= since or until > (end or _LAST_OF_ALL)):
        raise table.wrong("to", "not after `from`, or outside the document's days")
    params = rule.read(table)
    table.close()
    return Row(rule, Charge(label, path, params, tuple(table.rates)), categories, since, until, table.line())


def _check_dates(rows: list[Row], *, start: date, end: date | None, file: str) -> None:
    """Rows of one name and category follow one another: no day twice, no day left out between."""
    chains: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        for category in row.categories:
            chains.setdefault((row.charge.name, category), []).append(row)
    for chain in chains.values():
        chain.sort(key=lambda row: row.start)
        for before, after in pairwise(chain):
            if before.end is None or before.end > after.start:
                raise TariffOverlap(
                    file=file, line=after.line, path=after.charge.path, other=before.charge.path, day=after.start
                )
            if before.end < after.start:
                raise TariffGap(
                    file=file, line=after.line, path=after.charge.path, gap_from=before.end, gap_to=after.start
                )


class _Head:
    """The keys above the first table."""

    def __init__(self, given: dict[str, Any], *, file: str, text: str) -> None:
        self._given, self._file, self._text = given, file, text

    def line(self, key: str) -> int:
        found = re.search(rf"^(?:\[+)?{re.escape(key)}\b", self._text, re.MULTILINE)
        return self._text.count("\n", 0, found.start()) + 1 if found else 1

    def wrong(self, key: str, why: str) -> TariffValueWrong:
        return TariffValueWrong(
            file=self._file, line=self.line(key), path=str(self._given.get("schedule")), key=key, why=why
        )

    def word(self, key: str) -> str:
        value = self._given.get(key)
        if value is None:
            raise TariffKeyMissing(file=self._file, line=1, path=str(self._given.get("schedule")), key=key)
        if not isinstance(value, str) or not value or "/" in value:
            raise self.wrong(key, "text without a slash expected")
        return value

    def day(self, key: str, *, optional: bool = False) -> date | None:
        value = self._given.get(key)
        if value is None:
            if optional:
                return None
            raise TariffKeyMissing(file=self._file, line=1, path=str(self._given.get("schedule")), key=key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(key, "a day such as 2019-04-01 expected")
        return value
