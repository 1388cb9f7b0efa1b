"""The caps that every cut stands under: a named profile, signed by two different officers, verified at the start.

No switch turns caps off. Another profile is an act of the charter (`bahal.interlock.charter`): two sign it, what it
raises waits a day; what only lowers needs one and holds at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from bahal.dlms.clock import LONGEST_SHIFT_S
from bahal.interlock.config import InterlockMisconfigured, read_file
from bahal.interlock.officers import ALWAYS, Officer
from bahal.shared.warrant import profile_verified

_NO_FIGURES: Final = ("name", "clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLimits:
    """Within which limits a meter's clock may be set; `_s` are seconds.

    * `least_s`: the smallest drift worth correcting; `farthest_s`: a clock further off is for a person to look at;
    * `most_s`, `back_s`: by how much one order moves a clock forward, and back, at most;
    * `round_trip_s`: the longest round trip under which a clock counts as read;
    * `margin_s`: how far from the ends of its interval a clock must stand before and after;
    * `midnight_s`, `month_end_s`: no clock is moved so close to either;
    * `fresh_s`: how old the head-end's measurement may be;
    * `few`: meters that one officer may order alone in a day;
    * `meter_day`, `hour`: orders sent for one meter in a day, and for all in an hour.
    """

    least_s: int
    most_s: int
    back_s: int
    farthest_s: int
    round_trip_s: int
    margin_s: int
    midnight_s: int
    month_end_s: int
    fresh_s: int
    few: int
    meter_day: int
    hour: int

    def as_json(self) -> str:
        """The form that the database's functions read."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Cuts allowed per drive, per circle and hour, per state and hour; shares of connections per circle and day, per
    transformer and per feeder, each with a floor; how many orders go first as the canary, and which share of it may
    go wrong. `clock`: the limits of setting clocks; None: no clock is set."""

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
    clock: ClockLimits | None = None

    def figures(self) -> dict[str, float]:
        """Every cap of cuts by its name, without the profile's own."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _NO_FIGURES}

    def over(self, other: Profile) -> list[str]:
        """Which caps are higher than the other's: more cuts, a canary that is smaller or may go wrong more often, or
        other limits of clocks."""
        mine, theirs = self.figures(), other.figures()
        higher = [name for name, figure in mine.items() if name != "canary" and figure > theirs[name]]
        if self.canary < other.canary:
            higher.append("canary")
        return higher + (["clock"] if self.clock not in (None, other.clock) else [])

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
    return profile_of(document), signers


def _signers(document: str, signatures: list[Any], officers: Mapping[str, Officer]) -> tuple[str, str]:
    valid: list[str] = []
    for entry in signatures:
        if not isinstance(entry, dict):
            continue
        officer = officers.get(str(entry.get("login")))
        if officer is None or not officer.signs(ALWAYS) or officer.login in valid:
            continue
        if profile_verified(officer.key_file(ALWAYS), str(entry.get("signature")), document):
            valid.append(officer.login)
    if len(valid) < 2:
        raise InterlockMisconfigured(file="profile.json", why="two different officers must sign the caps")
    return valid[0], valid[1]


def profile_of(document: str) -> Profile:
    """A profile from its document.

    :raises InterlockMisconfigured: it is none, or a figure is senseless.
    """
    try:
        stated = json.loads(document)
        values = {each.name: stated[each.name] for each in fields(Profile) if each.name != "clock"}
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
    return Profile(**values, clock=_clock_limits(stated.get("clock")))


def _clock_limits(stated: Any) -> ClockLimits | None:
    """The limits of setting clocks; a profile that says nothing of them sets none."""
    if stated is None:
        return None
    names = {each.name for each in fields(ClockLimits)}
    if not isinstance(stated, dict) or set(stated) != names:
        raise InterlockMisconfigured(file="profile.json", why=f"clock must state {', '.join(sorted(names))}")
    for name, value in stated.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InterlockMisconfigured(file="profile.json", why=f"clock's {name} is {value!r}")
    limits = ClockLimits(**stated)
    # A clock must be known better than what is corrected, or every reading would find something to correct.
    if limits.least_s <= 2 * (limits.round_trip_s + 2):
        raise InterlockMisconfigured(file="profile.json", why="clock's least_s must be over twice round_trip_s and 4 s")
    if max(limits.most_s, limits.back_s) > LONGEST_SHIFT_S:
        raise InterlockMisconfigured(file="profile.json", why=f"clock's most_s and back_s end at {LONGEST_SHIFT_S}")
    if min(limits.most_s, limits.back_s, limits.farthest_s) < limits.least_s:
        raise InterlockMisconfigured(file="profile.json", why="clock's most_s, back_s or farthest_s is under least_s")
    return limits
