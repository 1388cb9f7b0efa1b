"""Periods are half-open, `[start, end)`: what ends at an instant and what begins there never overlap."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from bahal.shared.text import INDIA


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The instants from `start` up to but not including `end`, UTC.

    :raises ValueError: an instant without a zone, or an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"an instant without a zone: {self.start!r}, {self.end!r}")
        if self.end <= self.start:
            raise ValueError(f"an empty period: {self.start.isoformat()} to {self.end.isoformat()}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def length(self) -> timedelta:
        """How long it lasts."""
        return self.end - self.start

    def overlap(self, other: "Period") -> "Period | None":
        """What both share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None


def day_of(day: date) -> Period:
    """A calendar day in India."""
    return Period(_midnight(day), _midnight(day + timedelta(days=1)))


def month_of(day: date) -> Period:
    """The calendar month in India that holds this day."""
    first = day.replace(day=1)
    return Period(_midnight(first), _midnight(next_month(first)))


def next_month(day: date) -> date:
    """The first day of the month after this day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def window_on(day: date, *, start: time, end: time) -> Period:
    """The part of a day in India between two times of day, as a lawful window for cuts is stated."""
    return Period(datetime.combine(day, start, INDIA), datetime.combine(day, end, INDIA))


def clear_days(served_on: date, acted_on: date) -> int:
    """Whole days between two days, neither of them counted: served on the 1st, acted on the 17th are 15 clear days.

    Negative or zero when the act does not follow the service by at least two days.
    """
    return (acted_on - served_on).days - 1


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), INDIA)
