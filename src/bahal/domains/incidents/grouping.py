"""One incident for a storm: troubles of one kind are gathered over transformers and feeders. Pure.

A transformer is hit when enough of its meters tell the same within the window; a feeder when enough of its transformers
are. What a wider incident explains joins it; incidents that turn out to be one are merged into the oldest. A trouble
that stays alone is an incident of its connection, once nobody has followed it for a while.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

CONNECTION, TRANSFORMER, FEEDER = SCOPES = ("connection", "transformer", "feeder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """When troubles are one incident. Judgement of the house, effective-dated as a rulebook.

    * `window_s`: troubles that began within this belong together; `alone_s`: after this one that is alone is its own;
    * `meters_least` and `meters_percent` of a transformer's meters make it hit, the greater of both, but never more
      than it has; `transformers_least` and `transformers_percent` of a feeder's likewise;
    * `ask_after_s`, `ask_most`: when and how many silent meters of a hit place are asked to speak;
    * `momentary_s`: interruptions no longer than this are not counted (the index's own rule is not verified).
    """

    version: str = "gathering-1"
    window_s: int = 300
    alone_s: int = 120
    meters_least: int = 3
    meters_percent: int = 20
    transformers_least: int = 2
    transformers_percent: int = 30
    ask_after_s: int = 60
    ask_most: int = 500
    momentary_s: int = 180


class Loose(NamedTuple):
    """A trouble of the kind and feeder that are looked at: loose, or in a transformer's or connection's incident."""

    id: int
    connection: int
    transformer: int
    began_at: datetime
    incident: int | None


class Open(NamedTuple):
    """An open incident of that kind on that feeder."""

    id: int
    scope: str
    place: int
    began_at: datetime


class Gathered(NamedTuple):
    """An incident as it should stand: `id` 0 for a new one, `troubles` those that join it, `merges` the incidents that
    end in it."""

    id: int
    scope: str
    place: int
    began_at: datetime
    troubles: list[int]
    merges: list[int]


def gather(
    troubles: Sequence[Loose],
    incidents: Sequence[Open],
    *,
    feeder: int,
    meters: Mapping[int, int],
    now: datetime,
    rules: Gathering,
) -> list[Gathered]:
    """What becomes of the troubles of one kind on one feeder.

    :param meters: how many meters each transformer of the feeder has.
    :param now: business time.
    """
    loose = [each for each in troubles if each.incident is None]
    if not loose:
        return []
    window = timedelta(seconds=rules.window_s)
    wide = next((each for each in incidents if each.scope == FEEDER), None)
    hit = {
        transformer: storm
        for transformer, theirs in _by_transformer(troubles).items()
        if (
            storm := _storm(
                theirs, window, _least(meters.get(transformer, 1), rules.meters_least, rules.meters_percent)
            )
        )
    }
    if wide is None and _feeder_hit(
        hit, window, _least(len(meters), rules.transformers_least, rules.transformers_percent)
    ):
        return [_whole(troubles, incidents, hit, feeder)]
    done, found = set(), []
    if wide is not None:
        joins = [each.id for each in loose if each.transformer in hit or each.began_at >= wide.began_at - window]
        if joins:
            began = min([wide.began_at, *(each.began_at for each in loose if each.id in set(joins))])
            found.append(Gathered(wide.id, FEEDER, feeder, began, joins, []))
            done.update(joins)
    narrow = {each.place: each for each in incidents if each.scope == TRANSFORMER}
    alone = {each.place: each for each in incidents if each.scope == CONNECTION}
    rest = [each for each in loose if each.id not in done]
    for transformer, theirs in _by_transformer(rest).items():
        there = narrow.get(transformer)
        if there is None and transformer not in hit:
            continue
        storm = hit.get(transformer, [])
        members = [*theirs, *(each for each in storm if each.incident is not None and there is None)]
        merges = sorted({alone[each.connection].id for each in members if each.connection in alone})
        began = min([*(each.began_at for each in members), *([there.began_at] if there else [])])
        ids = sorted({each.id for each in members})
        found.append(Gathered(there.id if there else 0, TRANSFORMER, transformer, began, ids, merges))
        done.update(ids)
    for each in rest:
        if each.id not in done and each.began_at + timedelta(seconds=rules.alone_s) <= now:
            same = alone.get(each.connection)
            began = min(each.began_at, same.began_at) if same else each.began_at
            found.append(Gathered(same.id if same else 0, CONNECTION, each.connection, began, [each.id], []))
    return found


def _by_transformer(troubles: Iterable[Loose]) -> dict[int, list[Loose]]:
    found: defaultdict[int, list[Loose]] = defaultdict(list)
    for each in sorted(troubles, key=lambda each: (each.began_at, each.id)):
        found[each.transformer].append(each)
    return dict(found)


def _storm(theirs: Sequence[Loose], window: timedelta, least: int) -> list[Loose]:
    """The troubles that began within one window, where enough connections tell of it; else none."""
    start = 0
    for end in range(len(theirs)):
        while theirs[end].began_at - theirs[start].began_at > window:
            start += 1
        if len({each.connection for each in theirs[start : end + 1]}) >= least:
            return [each for each in theirs[start:] if each.began_at - theirs[start].began_at <= window]
    return []


def _feeder_hit(hit: Mapping[int, Sequence[Loose]], window: timedelta, least: int) -> bool:
    firsts = sorted(storm[0].began_at for storm in hit.values())
    return any(
        firsts[nth + least - 1] - firsts[nth] <= window for nth in range(max(0, len(firsts) - least + 1))
    )  # fmt: skip


def _whole(
    troubles: Sequence[Loose], incidents: Sequence[Open], hit: Mapping[int, Sequence[Loose]], feeder: int
) -> Gathered:
    """The feeder's incident: the oldest open one that belongs to it grows, the others end in it."""
    stormy = {each.id for storm in hit.values() for each in storm}
    theirs = {each.connection for storm in hit.values() for each in storm}
    taken = [
        each
        for each in incidents
        if (each.scope == TRANSFORMER and each.place in hit) or (each.scope == CONNECTION and each.place in theirs)
    ]
    taken.sort(key=lambda each: (each.began_at, each.id))
    within = {each.id for each in taken}
    members = [each for each in troubles if each.id in stormy or each.incident in within]
    began = min([*(each.began_at for each in members), *(each.began_at for each in taken)])
    keeps = taken[0].id if taken else 0
    return Gathered(keeps, FEEDER, feeder, began, sorted(each.id for each in members), [each.id for each in taken[1:]])


def _least(there: int, least: int, percent: int) -> int:
    return max(1, min(there, max(least, ceil(there * percent / 100))))
