"""The caps that every cut stands under: a named profile, signed by two different officers, verified at the start.

No switch turns caps off, and nothing loads a profile later: another one means two signatures and a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bahal.interlock.config import InterlockMisconfigured, Officer, read_file
from bahal.interlock.warrant import SIGNING_ROLES
from bahal.shared.warrant import profile_verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Cuts allowed per drive, per circle and hour, per state and hour; shares of connections per circle and day, per
    transformer and per feeder, each with a floor; how many orders go first as the canary, and which share of it may
    go wrong."""

    name: str
    canary: int
    drive: int
    circle_hour: int
    state_hour: int
    day_share: float
    day_floor: int
    transformer_share: float
    transformer_floor: int
    feeder_share: float
    feeder_floor: int
    canary_wrong_share: float

    def figures(self) -> dict[str, float]:
        """Every cap by its name, without the profile's own."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "name"}

    def as_json(self) -> str:
        """The form that the database's functions read."""
        return json.dumps({"name": self.name, **self.figures()})


def load_profile(folder: Path, officers: Mapping[str, Officer]) -> tuple[Profile, tuple[str, str]]:
    """The profile and the two officers who signed it.

    :raises InterlockMisconfigured: it is missing, malformed, or lacks two valid signatures of two officers.
    """
    stated = read_file(folder / "profile.json")
    document, signatures = stated.get("document"), stated.get("signatures")
    if not isinstance(document, str) or not isinstance(signatures, list):
        raise InterlockMisconfigured(file="profile.json", why="document and signatures are missing")
    signers = _signers(document, signatures, officers)
    return _parsed(document), signers


def _signers(document: str, signatures: list[Any], officers: Mapping[str, Officer]) -> tuple[str, str]:
    valid: list[str] = []
    for entry in signatures:
        if not isinstance(entry, dict):
            continue
        officer = officers.get(str(entry.get("login")))
        if officer is None or officer.role not in SIGNING_ROLES or officer.login in valid:
            continue
        if profile_verified(officer.public_key, str(entry.get("signature")), document):
            valid.append(officer.login)
    if len(valid) < 2:
        raise InterlockMisconfigured(file="profile.json", why="two different officers must sign the caps")
    return valid[0], valid[1]


def _parsed(document: str) -> Profile:
    try:
        stated = json.loads(document)
        values = {each.name: stated[each.name] for each in fields(Profile)}
    except (ValueError, KeyError, TypeError) as wrong:
        raise InterlockMisconfigured(file="profile.json", why=f"not a profile: {wrong}") from wrong
    for name, value in values.items():
        if name == "name":
            good = isinstance(value, str) and bool(value)
        elif name.endswith("_share"):
            good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        else:
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not good:
            raise InterlockMisconfigured(file="profile.json", why=f"{name} is {value!r}")
    return Profile(**values)
