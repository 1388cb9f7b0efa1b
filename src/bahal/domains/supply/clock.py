"""The clock from money to light: where the time of one restore went, each stretch with its cause.

From a payment's acknowledgement (or the order, where nobody paid) to the relay read back closed, without a gap: a
stretch ends at something that was written down when it happened, and its cause is what was waited for until then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

PROMPT = timedelta(seconds=2)
"""The interlock looks at least twice a second: an order that lay longer lay for a cause."""

CAUSES = (
    "booking", "taken_up", "ramp", "spread", "behind_cut", "worker_down", "not_reached", "sms_wake", "no_room",
    "database_away", "not_moved", "meter", "button", "field_needed", "quarantined", "ended",
)  # fmt: skip
"""Whatever a restore can have waited for."""

_OF_REASON = {
    "no_line": "sms_wake",
    "no_room": "no_room",
    "database_failed": "database_away",
    "not_moved": "not_moved",
}


class Delay(NamedTuple):
    """An attempt that was given back at an instant, why, and until when the order rested."""

    reason: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Moments:
    """What was written down of one restore. `ahead` are restores of its feeder that were let through while it waited;
    `cut_ended_at` is when a cut that it queued behind was over; `field_at` when a lineman, or the meter, said that the
    supply is back, `closed_at` when a relay that was only made ready was seen closed. Wall time."""

    money_at: datetime
    ordered_at: datetime
    released_at: datetime | None
    claimed_at: datetime | None
    sent_at: datetime | None
    acted_at: datetime | None
    confirmed_at: datetime | None
    state: str
    reason: str
    among_many: bool = False
    ahead: int = 0
    cut_ended_at: datetime | None = None
    field_at: datetime | None = None
    closed_at: datetime | None = None
    delays: Sequence[Delay] = ()


class Stretch(NamedTuple):
    """Time that went by, and what was waited for."""

    since: datetime
    until: datetime
    cause: str

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.until - self.since).total_seconds()


def lit_at(moments: Moments) -> datetime | None:
    """When supply was back, or the meter ready for its consumer's button; None while it is neither."""
    if moments.state == "confirmed":
        return moments.confirmed_at
    return moments.field_at if moments.state == "field_task" else None


def stretches(moments: Moments, now: datetime) -> list[Stretch]:
    """Where the time went, in order and without a gap, from the money to the light or to now.

    Whose consumer must press the meter's button waits for that too, though our part was done before.
    """
    marks = [(moments.ordered_at, "booking")]
    if moments.released_at is not None:
        marks.append((moments.released_at, _until_released(moments, moments.released_at)))
    if moments.claimed_at is not None:
        marks.append((moments.claimed_at, _until_claimed(moments, moments.claimed_at)))
    for delay in moments.delays:
        cause = _OF_REASON.get(delay.reason, "not_reached")
        marks.append((delay.at, cause))
        if delay.until is not None:
            marks.append((delay.until, cause))
    met = (moments.sent_at, moments.acted_at, moments.confirmed_at)
    marks.extend((instant, "meter") for instant in met if instant is not None)
    if moments.state == "field_task" and moments.field_at is not None:
        marks.append((moments.field_at, "field_needed"))
    button = moments.state == "confirmed" and moments.reason == "press_button"
    end = moments.closed_at if button else lit_at(moments)
    over = end is None
    if end is None:
        end = now
    found: list[Stretch] = []
    since = moments.money_at
    for instant, cause in sorted(marks, key=lambda mark: mark[0]):
        # Clocks of two processes: what is said to have been before the money was with it.
        until = min(max(instant, since), max(end, since))
        if until > since:
            found.append(Stretch(since, until, cause))
            since = until
    if (over or button) and end > since:
        found.append(Stretch(since, end, "button" if button else _waited_for(moments, now)))
    return found


def slowest_cause(found: Sequence[Stretch]) -> str | None:
    """What most of the time went into; None where none went by."""
    spent: dict[str, float] = {}
    for each in found:
        spent[each.cause] = spent.get(each.cause, 0.0) + each.seconds
    return max(spent, key=lambda cause: spent[cause], default=None)


def _until_released(moments: Moments, instant: datetime) -> str:
    if instant - moments.ordered_at <= PROMPT:
        return "taken_up"
    return "ramp" if moments.ahead else "worker_down"


def _until_claimed(moments: Moments, instant: datetime) -> str:
    since = moments.released_at or moments.ordered_at
    if moments.cut_ended_at is not None and moments.cut_ended_at > since:
        return "behind_cut"
    if instant - since <= PROMPT:
        return "taken_up"
    return "spread" if moments.among_many else "worker_down"


def _waited_for(moments: Moments, now: datetime) -> str:
    """What an order that is not over waits for now."""
    if moments.state == "field_task":
        return "field_needed"
    if moments.state == "quarantined":
        return "quarantined"
    if moments.state in ("cancelled", "refused", "expired"):
        return "ended"
    if moments.state in ("sent", "unknown"):
        return _OF_REASON.get(moments.reason, "meter")
    if moments.delays:
        return _OF_REASON.get(moments.delays[-1].reason, "not_reached")
    if moments.claimed_at is not None:
        return "meter"
    if moments.released_at is not None:
        return _until_claimed(moments, now)
    return _until_released(moments, now)
