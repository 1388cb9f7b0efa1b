"""What may go wrong with a simulated meter: the kinds of fault, named profiles of how many have which, and the log.

Everything is drawn from a seed and a meter's serial: the same seed gives the same meters the same faults, and the nth
connection to a meter fails at the same frame in every run.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """A kind of fault, by its name in the log."""

    LATENCY = "latency"
    """Every meter of a cell answers late."""
    LOST_LINK = "lost_link"
    """The connection is gone at some frame of the session."""
    ACTION_DROPPED = "action_dropped"
    """The connection is gone in the middle of an ACTION, before the relay moves."""
    REPLY_LOST = "reply_lost"
    """The relay moves; nothing is heard any more."""
    OK_UNMOVED = "ok_unmoved"
    """An ACTION is answered with success; the relay does not move."""
    STUCK = "stuck"
    """The relay does not move, and the meter says that its hardware failed."""
    STUCK_OPEN = "stuck_open"
    """The relay opens and does not close again."""
    CONTROL_MODE_0 = "control_mode_0"
    """No relay in effect: a remote disconnect does nothing."""
    CONTROL_MODE_1 = "control_mode_1"
    """After a remote reconnect the consumer must press the button."""
    WRONG_KEY = "wrong_key"
    """The meter has other keys for its setting client than the roster says."""
    DUPLICATED_TITLE = "duplicated_title"
    """The meter gives its neighbour's system title as its own."""
    CLOCK_JUMP = "clock_jump"
    """The meter's clock stands days or months away."""
    COUNTER_ROLLED_BACK = "counter_rolled_back"
    """The meter's own invocation counter falls in the middle of a session."""
    COUNTER_LOST = "counter_lost"
    """After its relay moved the meter forgets its counter and ours, and starts again at nothing."""
    SLOW_LORIS = "slow_loris"
    """Replies come a byte at a time."""
    HALF_OPEN = "half_open"
    """The connection stands and nobody is there."""
    MALFORMED = "malformed"
    """A reply follows no encoding."""
    OVERSIZED = "oversized"
    """A reply claims to be longer than anybody may send."""
    RECONNECT_STORM = "reconnect_storm"
    """The meter dials the head-end over and over and says nothing."""
    EXCEPTION = "exception"
    """A request is answered by an ExceptionResponse, whatever became of it."""


STORM_CALLS: Final = 40
"""Calls of one meter in a storm of reconnects."""

STANDING: Final = frozenset(
    (Kind.CONTROL_MODE_0, Kind.CONTROL_MODE_1, Kind.WRONG_KEY, Kind.DUPLICATED_TITLE, Kind.CLOCK_JUMP)
)
"""Faults in what the meter is, not in what it does: they hold from the start and are logged when somebody calls."""

PASSING: Final = frozenset(
    (
        Kind.ACTION_DROPPED,
        Kind.REPLY_LOST,
        Kind.COUNTER_ROLLED_BACK,
        Kind.COUNTER_LOST,
        Kind.SLOW_LORIS,
        Kind.HALF_OPEN,
        Kind.MALFORMED,
        Kind.OVERSIZED,
        Kind.RECONNECT_STORM,
        Kind.EXCEPTION,
    )
)
"""Faults that happen some times and are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one meter. `times`: how often it happens; None: whenever it can."""

    kind: Kind
    times: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a meter behaves on its link.

    `reply_delay` seconds pass before each application reply; TCP is not delayed. `lost_links` is the share of its
    connections that are lost, `seed` what their frames are drawn from. `late`: its cell alone has that delay.
    """

    reply_delay: float = 0.0
    lost_links: float = 0.0
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    late: bool = False

    @property
    def troubled(self) -> bool:
        """Whether anything but a delay for everybody can go wrong."""
        return bool(self.faults) or self.lost_links > 0 or self.late


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How much goes wrong in a circle.

    `lost_links` is a share of all connections, `slow_cells` one of all cells, whose meters then answer up to
    `slowest_s` seconds later; `shares` are of all meters, of which each has one kind of fault at most. Each meter's own
    link takes from `link_from_s` to `link_to_s` seconds a reply.
    """

    lost_links: float = 0.0
    slow_cells: float = 0.0
    slowest_s: float = 0.0
    link_from_s: float = 0.0
    link_to_s: float = 0.0
    shares: Mapping[Kind, float] = field(default_factory=dict)


def _each(share: float, *, ok_unmoved: float | None = None) -> Mapping[Kind, float]:
    shares: dict[Kind, float] = {kind: share for kind in Kind if kind not in (Kind.LATENCY, Kind.LOST_LINK)}
    if ok_unmoved is not None:
        shares[Kind.OK_UNMOVED] = ok_unmoved
    return MappingProxyType(shares)


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "none": Profile(),
        # One link in twenty, and among eight hundred meters three or so of each kind; of those that say ok and do not
        # move only two, since the dead-man stops every cut at four wrong read-backs in two hundred.
        "field": Profile(lost_links=0.05, slow_cells=0.1, slowest_s=0.5, shares=_each(0.004, ok_unmoved=0.0025)),
        # A poor cellular net: each link has a delay of its own, and one in twenty is lost.
        "far": Profile(lost_links=0.05, link_from_s=0.5, link_to_s=7.0),
        # So much that a small circle meets every kind.
        "harsh": Profile(lost_links=0.2, slow_cells=0.5, slowest_s=0.3, shares=_each(0.04)),
    }
)

# How often a passing fault happens: one that happens six times outlasts the five tries of a cut.
_TIMES: Final = {Kind.ACTION_DROPPED: (1, 2), Kind.REPLY_LOST: (1,), Kind.COUNTER_ROLLED_BACK: (1,),
                 Kind.COUNTER_LOST: (1,), Kind.RECONNECT_STORM: (1,)}  # fmt: skip
_OUTAGES: Final = (1, 2, 6)


def chance(seed: int, *about: object) -> float:
    """A number in [0, 1) that only depends on the seed and on what it is about."""
    text = ":".join(map(str, (seed, *about)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def fault_of(profile: Profile, *, seed: int, serial: str) -> Fault | None:
    """The fault of one meter, or None for most."""
    drawn = chance(seed, serial, "fault")
    for kind, share in profile.shares.items():
        drawn -= share
        if drawn < 0:
            if kind not in PASSING:
                return Fault(kind=kind)
            times = _TIMES.get(kind, _OUTAGES)
            return Fault(kind=kind, times=times[int(chance(seed, serial, "times") * len(times))])
    return None


def link_delay(profile: Profile, *, seed: int, serial: str) -> float:
    """Seconds that each reply takes on the meter's own link."""
    if not profile.link_to_s:
        return 0.0
    return profile.link_from_s + (profile.link_to_s - profile.link_from_s) * chance(seed, serial, "link delay")


def behaviours(
    profile: Profile, meters: Iterable[tuple[str, str]], *, seed: int, reply_delay: float
) -> Mapping[int, Behaviour]:
    """The behaviour of each meter that differs from the circle's, by row; `meters` are serials with their cells."""
    cells: dict[str, Behaviour] = {}
    found = {}
    for row, (serial, cell) in enumerate(meters):
        place = cells.get(cell)
        if place is None:
            late = chance(seed, cell, "late") < profile.slow_cells
            delay = reply_delay + (profile.slowest_s * (0.2 + 0.8 * chance(seed, cell, "delay")) if late else 0.0)
            place = Behaviour(reply_delay=delay, lost_links=profile.lost_links, seed=seed, late=late)
            cells[cell] = place
        fault = fault_of(profile, seed=seed, serial=serial)
        own = link_delay(profile, seed=seed, serial=serial)
        if fault is not None or own:
            found[row] = Behaviour(
                reply_delay=place.reply_delay + own,
                lost_links=profile.lost_links,
                faults=() if fault is None else (fault,),
                seed=seed,
                late=place.late,
            )
        elif place.late:
            found[row] = place
    return found


class FaultLog:
    """The log of faults as they happen: one JSON line each, with `at` and `business_at` (UTC), meter, fault, detail."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only.

        :raises OSError: it cannot be opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, *, at: datetime, business_at: datetime, meter: str, kind: Kind, detail: str) -> None:
        """Write one fault.

        :raises OSError: it is not in the file.
        """
        entry = {
            "at": at.isoformat(timespec="microseconds"),
            "business_at": business_at.isoformat(timespec="microseconds"),
            "meter": meter,
            "fault": kind.value,
            "detail": detail,
        }
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
