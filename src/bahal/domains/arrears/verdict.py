"""May this connection be cut for want of payment? One word over a few facts, or the first reason against it.

The database holds the same function as `authority_verdict`, by which the interlock judges at the moment of sending; a
test asks both the same questions. Facts come from `authority_facts`: ledger, bills, notices, messages, holds, policy.
"""

from dataclasses import dataclass

from bahal.shared.words import WORDS

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


VERDICTS = (
    CUT,
    "no_policy",
    "held",
    "notice_not_served",
    "due_below_minimum",
    "reminders_not_delivered",
)
"""Every word that `judge` may say."""

REASONS = WORDS["verdicts"]
"""Each verdict, and each further reason to leave a connection out of a drive, in Hindi and English."""


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
