"""Do the three truths of a relay agree? Every pair that does not, over facts that a journey gathers.

What the meter said to an order, what its relay was read as, and whether energy is counted are kept apart: an
acknowledgement is no state, and an open relay is no dark house. A mismatch is for a person; it is never success.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

SETTLES = timedelta(minutes=5)
"""So long after a restore was acknowledged its relay may still be read open: a button is pressed."""

ACCUSES = frozenset({"on_without_order", "off_read_load_flows"})
"""What may be somebody's doing: told to the vigilance officer, after the meter was read again, authenticated."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one relay; None is not known. Times of `acknowledged` and `closed` are wall time.

    `cut`: the latest order that lives is a cut that went out, by relay or by hand, and no restore was ordered since.
    `confirmed`: it was found open after it, or a lineman's report says so. `by_hand`: a lineman cut. `load` is about
    energy counted after the cut. `lineman_comes`: a task to reconnect is open.
    """

    cut: bool
    confirmed: bool
    by_hand: bool
    acknowledged: bool | None
    acknowledged_at: datetime | None
    closed: bool | None
    seen_at: datetime | None
    load: bool | None
    lineman_comes: bool = False


def mismatches(facts: Facts) -> tuple[str, ...]:
    """Every mismatch that these facts show."""
    said_off = facts.acknowledged is False
    read_since = (
        facts.seen_at is not None and facts.acknowledged_at is not None and facts.seen_at >= facts.acknowledged_at
    )
    found = []
    if facts.cut and facts.confirmed and not facts.by_hand and facts.closed:
        found.append("on_without_order")  # it was open, nobody of ours closed it
    elif facts.cut and said_off and facts.closed and read_since:
        found.append("off_said_on_read")
    if facts.cut and facts.load:
        if facts.by_hand and facts.confirmed:
            found.append("on_without_order")  # joined again at the pole
        elif facts.closed is False:
            found.append("off_read_load_flows")
        elif facts.closed is None and said_off:
            found.append("off_said_load_flows")
    if (
        not facts.cut
        and facts.acknowledged
        and facts.closed is False
        and facts.seen_at is not None
        and facts.acknowledged_at is not None
        and facts.seen_at > facts.acknowledged_at + SETTLES
        and not facts.lineman_comes
    ):
        found.append("on_said_off_read")
    return tuple(dict.fromkeys(found))
