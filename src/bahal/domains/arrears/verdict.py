"""May this connection be cut for want of payment? One word over a few facts, or the first reason against it.

The database holds the same function as `authority_verdict`, by which the interlock judges at the moment of sending; a
test asks both the same questions. Facts come from `authority_facts`: ledger, bills, notices, messages, holds, policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CUT = "cut"


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides. `enforceable_paise` is the part of the due that a served notice names and the law lets enforce."""

    enforceable_paise: int | None
    minimum_paise: int | None
    noticed: bool | None
    reminded: bool | None
    held: str | None
    policy: str | None


REASONS: Mapping[str, tuple[str, str]] = {
    "cut": ("विच्छेदन योग्य", "may be cut"),
    "no_policy": ("कोई नीति लागू नहीं", "no policy in force"),
    "held": ("रोक लगी है", "a hold is in force"),
    "notice_not_served": ("15 स्पष्ट दिन की लिखित सूचना तामील नहीं", "no written notice of 15 clear days served"),
    "due_below_minimum": ("लागू बकाया न्यूनतम से अधिक नहीं", "the enforceable due is not over the minimum"),
    "reminders_not_delivered": ("एसएमएस स्मरण पूरे नहीं पहुँचे", "the reminders were not all delivered"),
    "no_meter": ("स्मार्ट मीटर नहीं", "no smart meter"),
    "no_relay": ("मीटर में रिले नहीं (CT/PT मीटर)", "the meter has no relay (a CT or PT meter)"),
    "order_open": ("पहले से एक आदेश खुला है", "an order is open already"),
    "off_already": ("बिजली पहले से विच्छेदित", "the supply is off already"),
}
"""Every verdict, and every further reason to leave a connection out of a drive, in Hindi and English."""


def judge(facts: Facts) -> str:
    """`cut`, or the first reason against it, in the order a person would ask. Every doubt falls towards supply."""
    if facts.policy is None:
        return "no_policy"
    if facts.held is not None:
        return "held"
    if not facts.noticed:
        return "notice_not_served"
    if facts.minimum_paise is None or (facts.enforceable_paise or 0) <= facts.minimum_paise:
        return "due_below_minimum"
    if not facts.reminded:
        return "reminders_not_delivered"
    return CUT
