"""What the clock has against a cut: the window, the days without cuts, the quiet hours. All in Indian time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time

from bahal.shared.text import INDIA


@dataclass(frozen=True, slots=True)
class Hours:
    """The policy's hours. `weekdays` are ISO's, 7 is Sunday; a window is `[window_from, window_to)`."""

    window_from: time
    window_to: time
    quiet_from: time
    quiet_to: time
    weekdays: Collection[int]
    second_saturday_free: bool


def against(at: datetime, hours: Hours, *, no_cut_days: Collection[date]) -> tuple[str, ...]:
    """The reasons against a cut at an instant; none if it may go out. `authority_hours` says the same."""
    local = at.astimezone(INDIA)
    clock, day = local.time(), local.date()
    second_saturday = day.isoweekday() == 6 and 8 <= day.day <= 14
    quiet = (
        hours.quiet_from <= clock < hours.quiet_to
        if hours.quiet_from <= hours.quiet_to
        else clock >= hours.quiet_from or clock < hours.quiet_to
    )
    asked = (
        (
            "no_cut_day",
            day.isoweekday() in hours.weekdays
            or (hours.second_saturday_free and second_saturday)
            or day in no_cut_days,
        ),
        ("outside_window", not hours.window_from <= clock < hours.window_to),
        ("quiet_hours", quiet),
    )
    return tuple(code for code, holds in asked if holds)
