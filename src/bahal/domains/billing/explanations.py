"""The kept form of a bill's lines: operands only, what many bills share kept once, sentences made when they are read.

A line is twelve values in the tariffs' order (rule, component, path, unit, quantity, rate, numerator, denominator,
above, upto, less, paise). Seven of them are the tariff's and few: they become a *fragment*, known by a number. A bill
keeps the number, its own four operands and, in a column that the database sums, its amount.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, NamedTuple, Protocol

from bahal.domains.billing.errors import ExplanationUnreadable

SCHEMA = 1

Fragment = tuple[str | int, ...]


class Piece(Protocol):
    """Days under one tariff with the lines of those days."""

    @property
    def start(self) -> date: ...
    @property
    def end(self) -> date: ...
    @property
    def category(self) -> str: ...
    @property
    def months(self) -> int: ...
    @property
    def wh(self) -> int: ...
    @property
    def lines(self) -> Sequence[tuple[Any, ...]]: ...


class Rated(Protocol):
    """As much of a rating as is kept."""

    @property
    def pieces(self) -> Sequence[Piece]: ...
    @property
    def closing(self) -> Sequence[tuple[Any, ...]]: ...
    @property
    def splits(self) -> Sequence[tuple[date, str, bool]]: ...
    @property
    def unverified(self) -> Sequence[tuple[str, ...]]: ...
    @property
    def versions(self) -> Sequence[tuple[str, str]]: ...
    @property
    def carried_wh(self) -> int: ...


class Packed(NamedTuple):
    """What is stored of one bill: `amounts` sum to it."""

    amounts: list[int]
    body: str


class Fragments:
    """The fragments that one process knows: by content for writing, by number for reading."""

    def __init__(self) -> None:
        self.known: dict[Fragment, int] = {}

    def learn(self, numbered: Iterable[tuple[int, str]]) -> None:
        """Take in rows of the fragments' table."""
        for number, body in numbered:
            self.known[tuple(json.loads(body))] = number

    def missing(self, ratings: Iterable[Rated]) -> list[str]:
        """Bodies that these ratings need and that are not known yet, each once, sorted."""
        known = self.known
        wanted: set[Fragment] = set()
        for rating in ratings:
            for piece in rating.pieces:
                for line in piece.lines:
                    head = ("line", *line[:4], line[5], line[8], line[9])
                    if head not in known:
                        wanted.add(head)
            wanted.update(
                head
                for head in (
                    *(("line", *line[:4], line[5], line[8], line[9]) for line in rating.closing),
                    *(("rate", *each) for each in rating.unverified),
                    *(("version", *each) for each in rating.versions),
                )
                if head not in known
            )
        return sorted(json.dumps(head, ensure_ascii=False, separators=(",", ":")) for head in wanted)


def pack(rating: Rated, *, fragments: Fragments, basis: Mapping[str, Any] | None = None) -> Packed:
    """A rating as it is stored; `basis` is what else a reader must see: readings, how an estimate was made.

    :raises KeyError: a fragment is not known; `Fragments.missing` tells which.
    """
    known = fragments.known
    amounts: list[int] = []
    rows: list[list[int]] = []
    pieces = []
    for piece in rating.pieces:
        for line in piece.lines:
            rows.append([known["line", *line[:4], line[5], line[8], line[9]], line[4], line[6], line[7], line[10]])
            amounts.append(line[11])
        pieces.append(
            f'["{piece.start}","{piece.end}",{_name(piece.category)},{piece.months},{piece.wh},{len(piece.lines)}]'
        )
    for line in rating.closing:
        rows.append([known["line", *line[:4], line[5], line[8], line[9]], line[4], line[6], line[7], line[10]])
        amounts.append(line[11])
    # Lists of integers are JSON as Python writes them, at a third of the encoder's cost: a state has millions of bills.
    parts = [
        f'"schema":{SCHEMA},"pieces":[{",".join(pieces)}],"lines":{rows},'
        f'"versions":{[known["version", *each] for each in rating.versions]}'
    ]
    if rating.splits:
        parts.append(f'"splits":{_encoded([[split[0].isoformat(), *split[1:]] for split in rating.splits])}')
    if rating.unverified:
        parts.append(f'"unverified":{[known["rate", *each] for each in rating.unverified]}')
    if rating.carried_wh:
        parts.append(f'"carried_wh":{rating.carried_wh}')
    if basis:
        parts.append(f'"basis":{_encoded(basis)}')
    return Packed(amounts, "{" + ",".join(parts) + "}")


def fragments_in(body: str) -> set[int]:
    """The numbers of the fragments that a stored body names."""
    kept = _read(body)
    return {*(row[0] for row in kept["lines"]), *kept["versions"], *kept.get("unverified", ())}


def unpack(body: str, amounts: Sequence[int], *, fragments: Mapping[int, str]) -> dict[str, Any]:
    """The tariffs' stored form again (`Rating.stored`), with `basis` beside it.

    :raises ExplanationUnreadable: another schema, or lines and amounts do not match.
    """
    kept = _read(body)
    if len(kept["lines"]) != len(amounts):
        raise ExplanationUnreadable(why=f"{len(kept['lines'])} lines, {len(amounts)} amounts")
    heads = {number: json.loads(text)[1:] for number, text in fragments.items()}
    lines = []
    for (head, quantity, numerator, denominator, less), paise in zip(kept["lines"], amounts, strict=True):
        rule, component, path, unit, rate, above, upto = heads[head]
        lines.append([rule, component, path, unit, quantity, rate, numerator, denominator, above, upto, less, paise])
    pieces = []
    at = 0
    for start, end, category, months, wh, count in kept["pieces"]:
        pieces.append([start, end, category, months, wh, lines[at : at + count]])
        at += count
    return {
        "schema": SCHEMA,
        "pieces": pieces,
        "closing": lines[at:],
        "splits": kept.get("splits", []),
        "unverified": [heads[number] for number in kept.get("unverified", ())],
        "versions": [heads[number] for number in kept["versions"]],
        "carried_wh": kept.get("carried_wh", 0),
        "basis": kept.get("basis", {}),
    }


_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@cache
def _name(code: str) -> str:
    return _encoded(code)


def _read(body: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(body)
    if kept.get("schema") != SCHEMA:
        raise ExplanationUnreadable(why=f"schema {kept.get('schema')}")
    return kept
