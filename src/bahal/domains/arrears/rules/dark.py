"""After the cut: what is done, and when, about those who stay dark. Each step is dated, and each has its notice.

Second visit, security adjusted against the due, notice of permanent disconnection, permanent disconnection after its
clear days, final bill, demand as revenue. The days are policy data, unverified where nobody saw the order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

STEPS = ("second_visit", "deposit_adjusted", "permanent_notice", "permanent_disconnection", "recovery_demand")
BY_AN_OFFICER = ("permanent_disconnection", "recovery_demand")
"""Steps that two people take; the others take themselves on their day."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Days after the cut; `clear_days` between service of the permanent notice and the act; days after the act."""

    second_visit: int
    deposit_adjusted: int
    permanent_notice: int
    clear_days: int
    recovery_demand: int


@dataclass(frozen=True, slots=True)
class Due:
    """A step that may be taken from a day on."""

    step: str
    from_on: date


def due_steps(
    *, cut_on: date, done: Mapping[str, date], served_on: date | None, day: date, timetable: Timetable
) -> Sequence[Due]:
    """The steps that are due on a day and not done, in order. `served_on`: of the permanent notice, if it was."""
    begins: dict[str, date | None] = {
        "second_visit": cut_on + timedelta(days=timetable.second_visit),
        "deposit_adjusted": cut_on + timedelta(days=timetable.deposit_adjusted),
        "permanent_notice": cut_on + timedelta(days=timetable.permanent_notice),
        "permanent_disconnection": (
            None if served_on is None else served_on + timedelta(days=timetable.clear_days + 1)
        ),
        "recovery_demand": (
            done["permanent_disconnection"] + timedelta(days=timetable.recovery_demand)
            if "permanent_disconnection" in done
            else None
        ),
    }
    found = []
    for step in STEPS:
        begin = begins[step]
        if step not in done and begin is not None and begin <= day:
            found.append(Due(step, begin))
    return found
