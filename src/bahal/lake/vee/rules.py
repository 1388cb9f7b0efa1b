"""The rules of validation as data: a bit, a code and a sentence in both languages for each, and their parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntFlag
from types import MappingProxyType
from typing import Final

MISSING_VALUE: Final = -(2**31)
"""Stands in an array for an interval that never came; no meter reports it (IS 15959 counts upwards from zero)."""


class Rule(IntFlag):
    """What was found in one meter's day. The bit is the rule's code in files for ever."""

    MISSING = 1 << 0
    DUPLICATE = 1 << 1
    OVERLAP = 1 << 2
    NEGATIVE = 1 << 3
    SPIKE_OWN = 1 << 4
    SPIKE_LOAD = 1 << 5
    ZERO_RUN = 1 << 6
    STUCK = 1 << 7
    REGISTER_SUM = 1 << 8
    REVERSE = 1 << 9
    NO_CURRENT = 1 << 10
    CLOCK_DRIFT = 1 << 11
    SEAM = 1 << 12
    FUTURE = 1 << 13
    STALE = 1 << 14
    UNIT_CHANGE = 1 << 15
    CLOCK_SET = 1 << 16
    EDITED = 1 << 17


NOTED_AT_INTAKE: Final = (
    Rule.DUPLICATE | Rule.OVERLAP | Rule.SEAM | Rule.FUTURE | Rule.STALE | Rule.UNIT_CHANGE | Rule.CLOCK_SET
)
"""Seen when the data came in, where time stamps and scalers were still at hand; validation carries them on."""

UNUSABLE: Final = Rule.NEGATIVE | Rule.SPIKE_LOAD | Rule.OVERLAP | Rule.UNIT_CHANGE
"""A day with one of these is not billed from its intervals before an estimate, or somebody, stands for them."""

SENTENCES: Final[Mapping[Rule, tuple[str, str]]] = MappingProxyType(
    {
        Rule.MISSING: ("कुछ अंतराल नहीं आए", "intervals are missing"),
        Rule.DUPLICATE: ("एक ही अंतराल दो बार आया", "an interval came twice with other values"),
        Rule.OVERLAP: ("अंतराल एक-दूसरे पर चढ़े हैं", "intervals overlap"),
        Rule.NEGATIVE: ("ऋणात्मक खपत", "consumption is negative"),
        Rule.SPIKE_OWN: ("अपने इतिहास से बहुत अधिक", "far above its own history"),
        Rule.SPIKE_LOAD: ("स्वीकृत भार से संभव नहीं", "more than the sanctioned load can draw"),
        Rule.ZERO_RUN: ("बहुत देर तक शून्य खपत", "zero for long, other than usual"),
        Rule.STUCK: ("मान अटका हुआ", "the same value again and again"),
        Rule.REGISTER_SUM: ("अंतरालों का योग रजिस्टर से अलग", "intervals do not sum to the register"),
        Rule.REVERSE: ("उलटी ऊर्जा", "energy flows back without an agreement"),
        Rule.NO_CURRENT: ("वोल्टेज है, धारा नहीं, पड़ोसी चला रहे हैं", "voltage without current while neighbours draw"),
        Rule.CLOCK_DRIFT: ("मीटर की घड़ी गलत", "the meter's clock is off"),
        Rule.SEAM: ("इस दिन मीटर बदला गया", "the meter was exchanged on this day"),
        Rule.FUTURE: ("भविष्य का समय", "stamped in the future"),
        Rule.STALE: ("बहुत पुराना समय", "stamped long ago"),
        Rule.CLOCK_SET: ("इस दिन मीटर की घड़ी बदली गई", "the meter's clock was moved on this day"),
        Rule.EDITED: ("दो अधिकारियों ने मान बदला", "two officers put another value in"),
        Rule.UNIT_CHANGE: ("इकाई या गुणक बदला", "the unit or scaler changed"),
    }
)
"""Hindi and English for each rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One effective-dated version of the rules' parameters. Judgement, not law: each is data to change.

    * `spike_own`: times the meter's own highest interval; `load_percent`: of what the sanctioned load draws in full;
    * `zero_slots`, `stuck_slots`: how many in a row; a meter whose own highest interval is nothing may rest at zero;
    * `register_wh`, `register_permille`: by how much sum and register may differ, the greater of both;
    * `voltage_dv`: tenths of a volt that count as present; `drift_s`: seconds that a clock may be off.
    """

    version: str = "house-1"
    effective_from: date = date(2018, 4, 1)
    spike_own: int = 4
    load_percent: int = 150
    zero_slots: int = 36
    stuck_slots: int = 8
    register_wh: int = 50
    register_permille: int = 10
    voltage_dv: int = 1_800
    drift_s: int = 120
    source: str = "judgement of the house; not checked against an order"
    verified: bool = False


def codes(flags: int) -> tuple[str, ...]:
    """The reason codes of a day's flags, lowest bit first."""
    return tuple(rule.name.lower() for rule in Rule if rule & flags and rule.name)
