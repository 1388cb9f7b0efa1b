"""Rules that the product brings and two officers may change: each a document of a day on, named, checked when proposed.

A rulebook's document is TOML. The product's own stands until an accepted version's day; every decision stores the
version that it used.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any, TypeVar

from bahal.domains.protection.errors import RulesWrong

Rules = TypeVar("Rules")

NAMES = ("kinds", "falling", "incidents", "validation", "daily_work", "delivery")
"""The rulebooks there are."""


def read_numbers(kind: type[Rules], text: str, *, name: str) -> Rules:
    """A document of numbers as the dataclass that its rules take; what it does not state is as the product has it.

    Beside the numbers it states `version`, `effective_from`, `source` and `verified`.

    :raises RulesWrong: not TOML, a number that the rules do not have, of another type, or not above zero.
    """
    table = _table(text, name)
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]  # a dataclass, by its callers
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("effective_from", "source", "verified"):
            continue
        if key not in known:
            raise RulesWrong(name=name, why=f"{key}?")
        wanted: type = type(known[key].default)
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not wanted or (isinstance(value, int | float) and value <= 0):
            raise RulesWrong(name=name, why=f"{key} = {value!r}")
        values[key] = value
    return kind(**values)


def head_of(text: str, *, name: str) -> tuple[str, date]:
    """The version and the first day of a document.

    :raises RulesWrong: not TOML, or one of what every document states is missing.
    """
    table = _table(text, name)
    version, since = table.get("version"), table.get("effective_from")
    if not isinstance(version, str) or not version or type(since) is not date:
        raise RulesWrong(name=name, why="version, effective_from")
    if not isinstance(table.get("source"), str) or not isinstance(table.get("verified"), bool):
        raise RulesWrong(name=name, why="source, verified")
    return version, since


def sha256_of(text: str) -> str:
    """How a document is named beyond doubt."""
    return hashlib.sha256(text.encode()).hexdigest()


def _table(text: str, name: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise RulesWrong(name=name, why=str(wrong)) from wrong
