"""What a pushed event status word says, judged over a few facts.

Bits are those of the event status word 0.0.94.91.18, bit 0 leftmost (IS 15959; working code, no capture). What a word
says is how it differs from the word before it, by the frame's counter; so what is judged does not depend on the order
in which workers come to it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.shared.meter_events import STATUS_BITS, status_bit

LOAD_DISCONNECTED = 84
LAST_GASP = 85
FIRST_BREATH = 86

LATE_AT_MOST = timedelta(minutes=30)
AHEAD_AT_MOST = timedelta(minutes=2)
"""How far a meter's stamp may lie before and after the moment it was told, to be believed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides whether somebody closed a relay. `supply_off`: the supply should be off and the cut was read back
    before this event arrived; `previous_esw`: the word before it, if that too came after the cut; `restore_ordered`: a
    restore for this meter is under way or was the last thing done; `alerted`: an alert of it is open."""

    esw: str
    previous_esw: str | None
    supply_off: bool
    restore_ordered: bool
    alerted: bool


class Said(NamedTuple):
    """A condition, by its name in shared.meter_events, that began or ended."""

    name: str
    began: bool


def is_set(esw: str, bit: int) -> bool:
    """Whether a bit of an event status word holds.

    :raises ValueError: not 32 hexadecimal digits.
    """
    return bool(_word(esw) >> (STATUS_BITS - 1 - bit) & 1)


def what_changed(esw: str, previous: str | None) -> list[Said]:
    """What a word says that the word before it did not, lowest bit first. Without one before it, all that holds began.

    A last gasp and a first breath are moments: each is said whenever its bit is set, and is over at once.

    :raises ValueError: not event status words.
    """
    word = _word(esw)
    changed = word ^ (_word(previous) if previous is not None else 0)
    moments = 1 << (STATUS_BITS - 1 - LAST_GASP) | 1 << (STATUS_BITS - 1 - FIRST_BREATH)
    changed = changed & ~moments | word & moments
    said = []
    while changed:
        bit = STATUS_BITS - changed.bit_length()
        mask = 1 << (STATUS_BITS - 1 - bit)
        changed ^= mask
        said.append(Said(status_bit(bit).name, bool(word & mask)))
    return said


def forced_close(facts: Facts) -> bool | None:
    """Whether a forced close begins (True) or ends (False) with this word; None where it says nothing new of it.

    A word from before the cut was read back says nothing, nor does a relay that an order closes.
    """
    if facts.restore_ordered or not facts.supply_off:
        return False if facts.restore_ordered and facts.alerted else None
    closed = not is_set(facts.esw, LOAD_DISCONNECTED)
    before = facts.previous_esw is not None and not is_set(facts.previous_esw, LOAD_DISCONNECTED)
    return None if closed == before else closed


def moment(stated: datetime | None, told: datetime) -> tuple[datetime, bool]:
    """When something was: the meter's own stamp if its clock can be right, else when it was told; and whether it is in
    doubt. Both in business time."""
    if stated is not None and told - LATE_AT_MOST <= stated <= told + AHEAD_AT_MOST:
        return min(stated, told), False
    return told, True


def _word(esw: str) -> int:
    if len(esw) * 4 != STATUS_BITS:
        raise ValueError(f"not an event status word: {esw!r}")
    return int(esw, 16)
