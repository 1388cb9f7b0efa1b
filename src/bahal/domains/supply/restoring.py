"""How supply comes back, as data: the ramp of feeders and transformers, the promise, and what a broken one costs.

A document of a day on (TOML); one officer proposes it, another accepts it. The product's own stands until then: it
paces and promises, but no money is posted under it, for two officers answer for what the company pays.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from bahal.domains.supply.errors import RestoringWrong

SETTINGS = ("urban", "rural")
"""Where a feeder runs: the promise is by that."""

BOUNDS: Mapping[str, tuple[int, int]] = {
    "cold_load_percent": (100, 1000),
    "feeder_kw_at_once": (10, 100_000),
    "feeder_kw_per_minute": (10, 100_000),
    "transformer_percent_at_once": (10, 1000),
    "transformer_percent_per_minute": (1, 1000),
    "reserve_percent": (0, 90),
    "jitter_s": (0, 300),
    "promise_minutes_urban": (1, 10_080),
    "promise_minutes_rural": (1, 10_080),
    "compensation_paise": (0, 10_000_00),
    "compensation_period_minutes": (1, 44_640),
    "compensation_periods_at_most": (1, 1000),
}
"""Every rule with the least and the most it may be. Nobody is paced into the dark: no rate may be nothing."""

_OF_FEEDER = ("kw_at_once", "kw_per_minute")
_HEAD = frozenset({"version", "effective_from", "feeders"})


@dataclass(frozen=True, slots=True)
class Restoring:
    """A document read whole. `rules` are plain numbers by name; `feeders` those of single feeders; `unverified` names
    the rules whose source nobody has checked; `accepted` is whether two officers answer for it."""

    version: str
    effective_from: date
    rules: Mapping[str, int]
    feeders: Mapping[int, Mapping[str, int]]
    sources: Mapping[str, str]
    unverified: tuple[str, ...]
    text: str
    accepted: bool = False

    def promise_minutes(self, setting: str) -> int:
        """By when light is promised after money, in a town or in the country."""
        return self.rules[f"promise_minutes_{setting}"]

    def as_json(self) -> str:
        """The form that the database's functions read."""
        feeders = {str(feeder): dict(numbers) for feeder, numbers in self.feeders.items()}
        return json.dumps({**self.rules, "feeders": feeders, "version": self.version})


def shipped_restoring() -> str:
    """The document that comes with the product."""
    return (files(__package__) / "rules" / "cg-restoring-2025-1.toml").read_text(encoding="utf-8")


def read_restoring(text: str, *, file: str) -> Restoring:
    """Read a document whole. `[feeders.12]` states `kw_at_once` and `kw_per_minute` of feeder 12.

    :raises RestoringWrong: not TOML, a rule missing or unknown, a number out of its bounds, or no source.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise RestoringWrong(file=file, what="TOML", why=str(wrong)) from wrong
    for name in told.keys() - BOUNDS.keys() - _HEAD:
        raise RestoringWrong(file=file, what=name, why="unknown")
    version, start = told.get("version"), told.get("effective_from")
    if not isinstance(version, str) or not version.strip():
        raise RestoringWrong(file=file, what="version", why=repr(version))
    if type(start) is not date:
        raise RestoringWrong(file=file, what="effective_from", why=repr(start))
    rules, sources, unverified = {}, {}, []
    for name, (least, most) in BOUNDS.items():
        stated = _stated(told.get(name), file, name)
        rules[name] = _number(stated.get("value"), least, most, file, name)
        sources[name] = stated["source"].strip()
        if not stated["verified"]:
            unverified.append(name)
    feeders = {}
    for key, stated in _table(told.get("feeders", {}), file, "feeders").items():
        name = f"feeders.{key}"
        if not key.isdecimal():
            raise RestoringWrong(file=file, what=name, why="?")
        stated = _stated(stated, file, name)
        feeders[int(key)] = {
            each: _number(stated.get(each), *BOUNDS[f"feeder_{each}"], file, f"{name}.{each}") for each in _OF_FEEDER
        }
        sources[name] = stated["source"].strip()
        if not stated["verified"]:
            unverified.append(name)
    return Restoring(version.strip(), start, rules, feeders, sources, tuple(unverified), text)


def _stated(given: Any, file: str, name: str) -> Mapping[str, Any]:
    stated = _table(given, file, name)
    if not isinstance(stated.get("source"), str) or not stated["source"].strip():
        raise RestoringWrong(file=file, what=name, why="source")
    if not isinstance(stated.get("verified"), bool):
        raise RestoringWrong(file=file, what=name, why="verified")
    if unknown := stated.keys() - {"value", "source", "verified", *_OF_FEEDER}:
        raise RestoringWrong(file=file, what=name, why=", ".join(sorted(unknown)))
    return stated


def _table(given: Any, file: str, name: str) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise RestoringWrong(file=file, what=name, why="missing" if given is None else repr(given))
    return given


def _number(given: Any, least: int, most: int, file: str, name: str) -> int:
    if type(given) is not int or not least <= given <= most:
        raise RestoringWrong(file=file, what=name, why=f"{given!r}, {least} - {most}")
    return given
