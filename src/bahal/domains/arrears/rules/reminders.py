"""Reminders count by the calendar day in India on which they were sent, if they were delivered."""

from collections.abc import Collection
from datetime import date, timedelta


def reminded(delivered_on: Collection[date], *, day: date, reminders: int, last_within_days: int) -> bool:
    """Whether so many days running had a delivered reminder, the last of them at most so many days before `day`."""
    days = set(delivered_on)
    return any(
        all(day - timedelta(days=back + nth) in days for nth in range(max(1, reminders)))
        for back in range(last_within_days + 1)
    )
