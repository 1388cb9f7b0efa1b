"""What may be wanted of a meter, as bits: the profiles of IS 15959, each a kind of its own in schedules and requests.

The bit of a kind stands in rows for ever.
"""

from enum import IntFlag
from typing import Final


class Wanted(IntFlag):
    """Kinds of reading. `events_*` are the seven event logs in the order of their profiles."""

    NOW = 1 << 0
    LOAD = 1 << 1
    DAILY = 1 << 2
    BILLING = 1 << 3
    NAMEPLATE = 1 << 4
    EVENTS_VOLTAGE = 1 << 5
    EVENTS_CURRENT = 1 << 6
    EVENTS_POWER = 1 << 7
    EVENTS_TRANSACTION = 1 << 8
    EVENTS_OTHER = 1 << 9
    EVENTS_NON_ROLLOVER = 1 << 10
    EVENTS_CONTROL = 1 << 11


EVENT_LOGS: Final = tuple(kind for kind in Wanted if (kind.name or "").startswith("EVENTS_"))
EVENTS: Final = Wanted(sum(EVENT_LOGS))

FIRST: Final = Wanted.NOW | Wanted.LOAD | Wanted.DAILY | Wanted.BILLING | Wanted.NAMEPLATE
"""What a meter is asked when it is called for the first time; its clock and firmware are read with any call."""

_GROUPS: Final = {"events": EVENTS, "first": FIRST}


def wanted_of(name: str) -> Wanted:
    """The kind of this name (`daily`, `events_power`), or all event logs for `events`, all of a `first` call.

    :raises KeyError: there is none.
    """
    group = _GROUPS.get(name)
    return Wanted[name.upper()] if group is None else group


def names_of(wanted: int) -> list[str]:
    """The names of the kinds in a bit field, lowest bit first."""
    return [(kind.name or "").lower() for kind in Wanted if kind & wanted]
