"""One record for one cause: what a condition's tellings come to, in whatever order they arrive.

A condition on a meter has episodes: it begins, is told any number of times, and ends. They are a function of the set of
tellings, so late ones, repeated ones and an end before its beginning change nothing. What is written down (an alert, a
trouble of the network) is then brought in line with them: a new episode is a new record, one that ended closes its
record, two that turn out to be one cause become one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

SLACK = timedelta(minutes=2)
"""A meter's clock and ours may differ by this (validation's `drift_s`)."""


class Told(NamedTuple):
    """A condition began or ended `at`; `ref` is the event that said so. `logged`: an event log said it, whose clock is
    the meter's alone."""

    at: datetime
    began: bool
    logged: bool = False
    ref: int | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """A condition from `began_at` until `ended_at`, half-open; `told` how often, `latest_at` for the last time."""

    began_at: datetime
    latest_at: datetime
    ended_at: datetime | None = None
    told: int = 1
    ref: int | None = None
    doubtful: bool = False

    def __contains__(self, at: datetime) -> bool:
        inside = self.ended_at is None or at < self.ended_at or at <= self.latest_at
        return self.began_at <= at and inside


class Known(NamedTuple):
    """A record that is written down, with the instant that it says its condition began."""

    id: int
    occurred_at: datetime
    ended_at: datetime | None
    closed: bool
    told: int


class Settled(NamedTuple):
    """What has to be written: episodes without a record, records whose episode is other than they say, and records that
    are the same cause as another."""

    new: list[Episode]
    changed: list[tuple[int, Episode]]
    same: list[int]


def episodes(told: Iterable[Told]) -> list[Episode]:
    """The episodes that tellings come to, oldest first.

    What a log tells again within `SLACK` after an end is the cause that ended: its clock is not ours.
    """
    found: list[Episode] = []
    for each in sorted(told, key=lambda each: (each.at, each.began, each.logged, each.ref or 0)):
        latest = found[-1] if found else None
        is_open = latest is not None and latest.ended_at is None
        if not each.began:
            if latest is not None and is_open:
                found[-1] = replace(latest, ended_at=each.at)
        elif latest is not None and (
            is_open or (each.logged and latest.ended_at is not None and each.at < latest.ended_at + SLACK)
        ):
            found[-1] = replace(latest, latest_at=each.at, told=latest.told + 1, ref=latest.ref or each.ref)
        else:
            found.append(Episode(each.at, each.at, None, 1, each.ref, each.doubtful))
    return found


def settle(known: Sequence[Known], found: Sequence[Episode]) -> Settled:
    """Bring records in line with episodes. One that an officer closed stays closed, and its episode stays its."""
    left = sorted(known, key=lambda each: (each.occurred_at, each.id))
    new, changed, same = [], [], []
    for episode in found:
        mine = [each for each in left if each.occurred_at in episode]
        left = [each for each in left if each not in mine]
        if not mine:
            new.append(episode)
            continue
        first = mine[0]
        if (first.occurred_at, first.ended_at, first.told) != (episode.began_at, episode.ended_at, episode.told):
            changed.append((first.id, episode))
        same += [each.id for each in mine[1:] if not each.closed]
    return Settled(new, changed, same)
