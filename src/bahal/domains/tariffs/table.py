"""One table of a tariff file while a rule reads it: exact integers out of decimals, and errors that name the line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from bahal.domains.tariffs.errors import (
    TariffKeyMissing,
    TariffKeyUnknown,
    TariffSlabsWrong,
    TariffSourceMissing,
    TariffValueWrong,
)

RATE_SCALE = 10_000
PERCENT_SCALE = 100
QUANTITY_SCALE = 1_000


@dataclass(frozen=True, slots=True)
class RateRow:
    """One rate of a file: its path, the name of who says so, and whether somebody checked it there."""

    path: str
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Slab:
    """Above the slab before it and up to `upto` (thousandths of the unit; None: open). `value` is a rate or a
    percentage in ten-thousandths; `more` what else the slab states."""

    upto: int | None
    value: int
    path: str
    more: Mapping[str, int]


class Table:
    """The keys of one `[[charge]]`; whoever has read all that he knows calls `close`."""

    def __init__(
        self, given: Mapping[str, Any], *, file: str, text: str, nth: int, path: str, sources: Mapping[str, str]
    ) -> None:
        """`nth` counts the charges of the file from 0; `path` is the charge's own."""
        self.file = file
        self.path = path
        self.rates: list[RateRow] = []
        self._given = given
        self._text = text
        self._nth = nth
        self._sources = sources
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._given

    def line(self, key: str = "", nth: int | None = None) -> int:
        """The line of a key, or of the nth entry of its list; the table's own line where it cannot be told."""
        heads = [found.start() for found in re.finditer(r"^\[\[charge\]\]", self._text, re.MULTILINE)]
        if self._nth >= len(heads):
            return 1
        start, end = heads[self._nth], (*heads, len(self._text))[self._nth + 1]
        at = start
        if key:
            found = re.search(rf"^{re.escape(key)}\s*=", self._text[start:end], re.MULTILINE)
            if found is not None:
                at = start + found.start()
                for _ in range(0 if nth is None else nth + 1):
                    brace = self._text.find("{", at + 1, end)
                    at = brace if brace >= 0 else at
        return self._text.count("\n", 0, at) + 1

    def text(self, key: str, *, allowed: Collection[str] = (), default: str | None = None) -> str:
        """A word.

        :raises TariffKeyMissing: it is not there and has no default.
        :raises TariffValueWrong: it is no text, or not one of those allowed.
        """
        value = self._value(key, default)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "text expected")
        if allowed and value not in allowed:
            raise self.wrong(key, f"{value}: one of {', '.join(allowed)}")
        return value

    def texts(self, key: str, *, allowed: Collection[str] = ()) -> tuple[str, ...]:
        """A list of words.

        :raises TariffKeyMissing: it is not there.
        :raises TariffValueWrong: it is no list of texts, empty, or holds a word that is not allowed.
        """
        value = self._value(key)
        if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "a list of texts expected")
        for each in value:
            if allowed and each not in allowed:
                raise self.wrong(key, f"{each}: one of {', '.join(allowed)}")
        return tuple(value)

    def day(self, key: str) -> date | None:
        """A day, or None.

        :raises TariffValueWrong: it is no day.
        """
        if key not in self._given:
            return None
        value = self._value(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.wrong(key, "a day such as 2019-04-01 expected")
        return value

    def rate(self, key: str) -> int:
        """Rupees a unit, in ten-thousandths of a rupee; recorded as the rate `path/key`."""
        return self._number(key, self._value(key), RATE_SCALE)

    def percent(self, key: str) -> int:
        """A percentage, in ten-thousandths of the whole: 7 is 700."""
        return self._number(key, self._value(key), PERCENT_SCALE)

    def quantity(self, key: str) -> int:
        """Units, kW, HP or a power factor, in thousandths."""
        return self._number(key, self._value(key), QUANTITY_SCALE)

    def record(
        self, key: str = "", *, more: Mapping[str, Any] | None = None, nth: int | None = None, at: str = ""
    ) -> str:
        """The path of a rate just read, with its source and whether it was verified.

        :raises TariffSourceMissing: neither it nor its charge names a source.
        :raises TariffKeyMissing: neither says whether it was verified.
        :raises TariffValueWrong: the source is not one of the file's.
        """
        self._read |= {"source", "verified"}
        stated = {**{name: self._given[name] for name in ("source", "verified") if name in self._given}, **(more or {})}
        line = self.line(at or key, nth)
        if not stated.get("source"):
            raise TariffSourceMissing(file=self.file, line=line, path=self.path)
        if "verified" not in stated:
            raise TariffKeyMissing(file=self.file, line=line, path=self.path, key="verified")
        if not isinstance(stated["verified"], bool):
            raise self.wrong("verified", "true or false expected")
        if stated["source"] not in self._sources:
            raise self.wrong("source", f"{stated['source']}: one of {', '.join(self._sources)}")
        path = f"{self.path}/{key}" if key else self.path
        self.rates.append(RateRow(path, self._sources[stated["source"]], stated["verified"]))
        return path

    def slabs(self, key: str, value: str, *, percent: bool = False, more: Collection[str] = ()) -> tuple[Slab, ...]:
        """A list of slabs, each `{ upto, VALUE, ... }`; the last may be open. Every slab is a rate of its own.

        :raises TariffSlabsWrong: limits do not rise, or one before the last is open.
        """
        rows = self._value(key)
        if not isinstance(rows, list) or not rows or not all(isinstance(each, dict) for each in rows):
            raise self.wrong(key, "a list of slabs expected")
        slabs: list[Slab] = []
        for nth, row in enumerate(rows):
            line = self.line(key, nth)
            for name in row.keys() - {"upto", value, "source", "verified", *more}:
                raise TariffKeyUnknown(file=self.file, line=line, path=self.path, key=name)
            for name in (value, *more):
                if name not in row:
                    raise TariffKeyMissing(file=self.file, line=line, path=self.path, key=name)
            upto = self._number("upto", row["upto"], QUANTITY_SCALE, line) if "upto" in row else None
            before = slabs[-1].upto if slabs else 0
            if before is None or (upto is not None and upto <= before):
                raise TariffSlabsWrong(file=self.file, line=line, path=self.path)
            own = {name: row[name] for name in ("source", "verified") if name in row}
            path = self.record(str(nth + 1), more=own, nth=nth, at=key)
            scaled = self._number(value, row[value], PERCENT_SCALE if percent else RATE_SCALE, line)
            slabs.append(Slab(upto, scaled, path, {n: self._number(n, row[n], QUANTITY_SCALE, line) for n in more}))
        return tuple(slabs)

    def close(self) -> None:
        """Nothing is left over.

        :raises TariffKeyUnknown: a key that nobody read.
        """
        for key in self._given:
            if key not in self._read:
                raise TariffKeyUnknown(file=self.file, line=self.line(key), path=self.path, key=key)

    def wrong(self, key: str, why: str, line: int = 0) -> TariffValueWrong:
        """The refusal for a value, to be raised; at the key's own line unless another is given."""
        return TariffValueWrong(file=self.file, line=line or self.line(key), path=self.path, key=key, why=why)

    def _value(self, key: str, default: Any = None) -> Any:
        self._read.add(key)
        value = self._given.get(key, default)
        if value is None:
            raise TariffKeyMissing(file=self.file, line=self.line(), path=self.path, key=key)
        return value

    def _number(self, key: str, value: Any, scale: int, line: int = 0) -> int:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.wrong(key, "a number expected", line)
        if isinstance(value, Decimal) and not value.is_finite():
            raise self.wrong(key, "a number expected", line)
        scaled = Decimal(value) * scale
        if scaled != int(scaled):
            raise self.wrong(key, f"finer than one part in {scale}", line)
        if scaled < 0:
            raise self.wrong(key, "negative", line)
        return int(scaled)
