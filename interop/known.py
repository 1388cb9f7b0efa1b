"""What a peer does not offer, and what it gets wrong: `known.toml`, read and matched with cells."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from interop.rows import Row

_FILE: Final = Path(__file__).parent / "known.toml"
_ATTRIBUTES: Final = frozenset(("at", "framing", "mechanism", "control", "form", "note"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One fact about a peer. `absent` is not tried; a `defect` is tried every time and must still be there.

    `where` narrows the rows by their attributes, `services` the columns; empty means all. `on_the_line`: octets, in
    hexadecimal, that bring the defect about in whatever cell the cipher or a checksum happens to put them.
    """

    id: str
    kind: Literal["absent", "defect"]
    peer: str
    role: str
    version: str
    where: Mapping[str, tuple[Any, ...]]
    services: tuple[str, ...]
    why: str
    evidence: str
    bytes: str = ""
    clause: str = ""
    on_the_line: str = ""

    def holds(self, row: Row, service: str) -> bool:
        """Whether it speaks of that cell."""
        return (
            (row.peer, row.role) == (self.peer, self.role)
            and (not self.services or service in self.services)
            and all(getattr(row, name) in values for name, values in self.where.items())
        )


@cache
def everything() -> tuple[Known, ...]:
    """All facts, in the order of the file.

    :raises ValueError: an entry says too little, or narrows by what no row has.
    """
    document = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(_facts("absent", document["absent"])) + tuple(_facts("defect", document["defect"]))


def _facts(kind: Literal["absent", "defect"], entries: Iterable[Mapping[str, Any]]) -> Iterable[Known]:
    for entry in entries:
        where = {name: tuple(values) for name, values in entry.get("where", {}).items()}
        if not _ATTRIBUTES.issuperset(where):
            raise ValueError(f"{entry['id']} narrows by {', '.join(where)}")
        if kind == "defect" and not (entry.get("bytes") and entry.get("clause")):
            raise ValueError(f"{entry['id']} is a defect without bytes or clause")
        yield Known(kind=kind, where=where, **_rest(entry))


def _rest(entry: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in entry.items() if name != "where"}
    return rest | {"services": tuple(rest.get("services", ()))}


def by_chance(row: Row, heard: Iterable[bytes]) -> Known | None:
    """The defect that octets on the line brought about, where a peer has one that does not belong to certain cells.

    :param heard: what our end said to it over the row's last connection.
    """
    said = list(heard)
    for fact in everything():
        of_row = (row.peer, row.role) == (fact.peer, fact.role) and row.framing in fact.where.get("framing", ())
        if fact.on_the_line and of_row and any(bytes.fromhex(fact.on_the_line) in each for each in said):
            return fact
    return None


def known(row: Row, service: str) -> Known | None:
    """The fact about a cell, what is absent first."""
    return next((fact for fact in everything() if fact.holds(row, service)), None)
