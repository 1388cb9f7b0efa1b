"""A lineman's round: what is open under his office, where it is, why, and in which order he walks it."""

from collections.abc import Sequence
from dataclasses import dataclass

from bahal.domains.fieldwork.queries import Report, Task, find_task, open_tasks, reports_of
from bahal.domains.fieldwork.rules import by_nearness
from bahal.domains.network.queries import Position, positions_of
from bahal.domains.offices.queries import offices_under
from bahal.shared.text import Language
from bahal.shared.words import CAUSES, word


@dataclass(frozen=True, slots=True)
class Stop:
    """A task and where it is; `leg_m` are the metres from the stop before, None where nobody said where he starts."""

    task: Task
    position: Position | None
    leg_m: float | None

    def sentence(self, language: Language) -> str:
        """What is to be done there and why, as a person reads it."""
        reason = CAUSES[self.task.reason][language != "hi"] if self.task.reason in CAUSES else self.task.reason
        return f"{word('task kinds', self.task.kind, language)}: {reason}"


@dataclass(frozen=True, slots=True)
class TaskStory:
    """A task, where it is, and what was reported of it."""

    stop: Stop
    reports: Sequence[Report]


def field_round(
    *, office: int | None = None, kind: str | None = None, start: tuple[float, float] | None = None
) -> list[Stop]:
    """The open tasks under an office, or all; from `start` (latitude, longitude) on always the nearest next, else the
    oldest first. Restores come before all else: somebody sits in the dark.
    """
    tasks = open_tasks(kind=kind)
    places = positions_of(connections=[each.connection for each in tasks])
    if office is not None:
        under = offices_under(office=office)
        tasks = [each for each in tasks if each.connection in places and places[each.connection].centre in under]
    stops = []
    here = start
    for urgent in (True, False):
        part = [each for each in tasks if (each.kind == "restore") is urgent]
        if here is None:
            stops += [Stop(each, places.get(each.connection), None) for each in part]
            continue
        by_id = {each.id: each for each in part}
        placed = [
            (each.id, places[each.connection].latitude, places[each.connection].longitude)
            for each in part
            if each.connection in places
        ]
        for id_, leg in by_nearness(placed, latitude=here[0], longitude=here[1]):
            place = places[by_id[id_].connection]
            stops.append(Stop(by_id[id_], place, leg))
            here = (place.latitude, place.longitude)
        stops += [Stop(each, None, None) for each in part if each.connection not in places]
    return stops


def field_task(*, task: int) -> TaskStory:
    """One task with its reports.

    :raises TaskUnknown: no such one.
    """
    found = find_task(task=task)
    place = positions_of(connections=[found.connection]).get(found.connection)
    return TaskStory(Stop(found, place, None), reports_of(task=task))
