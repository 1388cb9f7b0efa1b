"""What a task asks for, and what speaks against a report. Pure rules: who calls gathers the facts.

A report is a person's word and the meter's is another: where they differ, neither wins by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

_FIRST_LOOK = frozenset(
    {"already_off", "wrong_system_title", "second_visit", "seal_broken", "relay_contradicts_itself", "address_refused"}
)
"""Causes that ask who or what is there before anybody cuts."""

FAR_M = 500.0
"""So far from the connection a report was not made at it."""
AHEAD = timedelta(minutes=10)
"""A phone's clock may be ahead by so much."""
BY_EYE_WH = 1_000
"""A register is read off its display in whole kWh."""
SLACK_WH = 10_000
"""What a meter may have counted beyond twice its sanctioned load."""

CONTRADICTIONS = (
    "reading_below_last", "reading_beyond_load", "relay_open", "load_after_cut", "far_away", "seal_elsewhere",
    "photo_elsewhere", "cut_without_leave",
)  # fmt: skip


def kind_of(*, order: str, reason: str, by_hand: frozenset[str]) -> str:
    """What a lineman is asked to do for an order of this kind that could not be done from afar for this reason.

    `by_hand` are the causes that lie in the meter or on the way to it. A cut that ended for any other cause has lost
    its right, and somebody only looks.
    """
    if order == "restore":
        return "restore"
    return "cut" if reason in by_hand - _FIRST_LOOK else "visit"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the meter and the place. Wh, W, degrees; None where nothing is known.

    `load_after` is whether the meter counted energy after the report's instant; `leave` whether a leave to cut was in
    force then.
    """

    last_wh: int | None = None
    last_read_at: datetime | None = None
    load_w: int = 0
    relay_closed: bool | None = None
    relay_seen_at: datetime | None = None
    load_after: bool = False
    latitude: float | None = None
    longitude: float | None = None
    seal_elsewhere: bool = False
    photo_elsewhere: bool = False
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says that can be held against something."""

    kind: str
    outcome: str
    supply: str
    at: datetime
    wh: int | None
    latitude: float | None
    longitude: float | None


def against(said: Said, known: Known) -> tuple[str, ...]:
    """Everything that contradicts a report, in the order of `CONTRADICTIONS`; nothing means that it stands."""
    cut = said.kind == "cut" and said.outcome == "done"
    seen_since = known.relay_seen_at is not None and known.relay_seen_at >= said.at
    asked = (
        said.wh is not None and known.last_wh is not None and said.wh + BY_EYE_WH <= known.last_wh,
        said.wh is not None and most_wh(said.at, known) is not None and said.wh > (most_wh(said.at, known) or 0),
        said.supply == "on" and seen_since and known.relay_closed is False,
        said.supply == "off" and known.load_after,
        _far(said, known),
        known.seal_elsewhere,
        known.photo_elsewhere,
        cut and not known.leave,
    )
    return tuple(code for code, holds in zip(CONTRADICTIONS, asked, strict=True) if holds)


def most_wh(at: datetime, known: Known) -> int | None:
    """The most that the register can show by then: the last one, twice the sanctioned load since, and some slack."""
    if known.last_wh is None or known.last_read_at is None or known.load_w <= 0:
        return None
    hours = max(0.0, (at - known.last_read_at).total_seconds()) / 3600
    return known.last_wh + int(2 * known.load_w * hours) + SLACK_WH


def _far(said: Said, known: Known) -> bool:
    there = (said.latitude, said.longitude, known.latitude, known.longitude)
    return None not in there and metres(*there) > FAR_M  # type: ignore[arg-type]


def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """The distance between two positions in degrees (WGS 84), along the ground."""
    up, along = radians(other_latitude - latitude), radians(other_longitude - longitude)
    chord = sin(up / 2) ** 2 + cos(radians(latitude)) * cos(radians(other_latitude)) * sin(along / 2) ** 2
    return 2 * 6_371_000.0 * asin(sqrt(min(1.0, chord)))


def by_nearness(
    places: list[tuple[int, float, float]], *, latitude: float, longitude: float
) -> list[tuple[int, float]]:
    """Places (id, latitude, longitude) in the order of a walk that always goes to the nearest one next, with the metres
    of each leg."""
    left = {id_: (north, east) for id_, north, east in places}
    walk = []
    while left:
        legs = ((metres(latitude, longitude, *place), id_) for id_, place in left.items())
        leg, id_ = min(legs)
        latitude, longitude = left.pop(id_)
        walk.append((id_, leg))
    return walk
