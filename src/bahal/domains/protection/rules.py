"""What a pushed event status word means, judged over a few facts. A rule is a name; its words are below.

Bits are those of the event status word 0.0.94.91.18, bit 0 leftmost (IS 15959; working code, no capture).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bahal.shared.words import WORDS

LOAD_DISCONNECTED = 84
TAMPERS: Mapping[int, str] = {10: "current_bypass", 81: "magnet", 82: "neutral_disturbance", 83: "cover_open"}
BITS = 128

KINDS = WORDS["alerts"]
"""Every kind of alert in Hindi and English."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides. `supply_off`: the supply should be off and the cut was read back before this event arrived;
    `restore_ordered`: a restore for this meter is under way or was the last thing done."""

    esw: str
    previous_esw: str | None
    supply_off: bool
    restore_ordered: bool


def is_set(esw: str, bit: int) -> bool:
    """Whether a bit of an event status word holds.

    :raises ValueError: not 32 hexadecimal digits.
    """
    if len(esw) * 4 != BITS:
        raise ValueError(f"not an event status word: {esw!r}")
    return bool(int(esw, 16) >> (BITS - 1 - bit) & 1)


def judge_event(facts: Facts) -> list[str]:
    """The kinds of alert that an event raises: a tamper when its bit appears, a forced close whenever it is seen."""
    kinds = []
    if facts.supply_off and not facts.restore_ordered and not is_set(facts.esw, LOAD_DISCONNECTED):
        kinds.append("forced_close")
    for bit, kind in TAMPERS.items():
        before = facts.previous_esw is not None and is_set(facts.previous_esw, bit)
        if is_set(facts.esw, bit) and not before:
            kinds.append(kind)
    return kinds
