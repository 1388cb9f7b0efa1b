"""What follows from what a meter says, as data: which code begins and ends what, and whom it concerns.

The table is effective-dated and unverified where its file says so; another version takes its place when two officers
say so (`rulebook`). An alert keeps the version it was raised under.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from bahal.domains.protection.errors import RulesWrong
from bahal.shared.meter_events import STATUS_BITS

ALERT, INCIDENT = LEADS_TO = ("alert", "incident")
RELAY = "0.0.96.3.10.255"
LOOKED_AT = re.compile(r"0\.0\.96\.11\.[0-6]\.255|0\.0\.96\.3\.10\.255")
"""What the interlock looks at for us: the last event id of a family, and the relay."""
FORCED_CLOSE = "forced_close"
"""Made by the supply's state and the relay's bit together, not by a bit alone."""
SUPPLY_LOST = "supply_lost"
"""Begun by a last gasp, ended by a first breath, which are moments and no conditions."""


class Kind(NamedTuple):
    """One cause. `bit` is -1 where no bit stands for it; `register` holds the last event id of its family."""

    name: str
    bit: int
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    leads_to: str
    role: str
    accuses: bool
    register: str


@dataclass(frozen=True, slots=True)
class Kinds:
    """One version of the table, looked up by name, bit and event id."""

    version: str
    verified: bool
    by_name: Mapping[str, Kind]
    by_bit: Mapping[int, Kind]
    by_id: Mapping[int, tuple[Kind, bool]]
    """The kind of an event id, and whether it begins there or ends."""

    def alerts(self) -> list[str]:
        """The names of those that become alerts."""
        return [kind.name for kind in self.by_name.values() if kind.leads_to == ALERT]

    def incidents(self) -> list[str]:
        """The names of those that are gathered into incidents."""
        return [kind.name for kind in self.by_name.values() if kind.leads_to == INCIDENT]


@cache
def read_kinds(text: str) -> Kinds:
    """Read a version of the table.

    :raises RulesWrong: not TOML, or a row that is none, a bit or an id that stands for two.
    """
    try:
        table = tomllib.loads(text)
        kinds = [_kind(row) for row in table["kinds"]]
        version, verified, since = str(table["version"]), bool(table["verified"]), table["effective_from"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as wrong:
        raise RulesWrong(name="kinds", why=str(wrong)) from wrong
    bits = [kind.bit for kind in kinds if kind.bit >= 0]
    ids = [each for kind in kinds for each in (*kind.begins, *kind.ends)]
    names = [kind.name for kind in kinds]
    twice = [each for each, count in Counter([*names, *bits, *map(str, ids)]).items() if count > 1]
    if twice:
        raise RulesWrong(name="kinds", why=f"{twice[0]} twice")
    if not isinstance(since, date) or FORCED_CLOSE not in names or SUPPLY_LOST not in names:
        raise RulesWrong(name="kinds", why=f"effective_from, {FORCED_CLOSE}, {SUPPLY_LOST}")
    by_id = {each: (kind, True) for kind in kinds for each in kind.begins}
    by_id |= {each: (kind, False) for kind in kinds for each in kind.ends}
    return Kinds(
        version, verified, {k.name: k for k in kinds}, {k.bit: k for k in kinds if k.bit >= 0}, by_id
    )  # fmt: skip


def shipped_kinds() -> str:
    """The table as the product brings it."""
    return (files("bahal.domains.protection") / "kinds.toml").read_text(encoding="utf-8")


def _kind(row: list[Any]) -> Kind:
    name, bit, begins, ends, leads_to, role, accuses, register = row
    if leads_to not in LEADS_TO or not -1 <= bit < STATUS_BITS or (accuses and not LOOKED_AT.fullmatch(register)):
        raise ValueError(str(row))
    return Kind(name, bit, tuple(begins), tuple(ends), leads_to, role, accuses, register)
