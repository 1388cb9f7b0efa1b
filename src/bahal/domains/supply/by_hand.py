"""May a lineman cut here now, by hand and under the warrant? The first word against it, over facts of this instant.

The owner's function `field_may_cut` decides by the same rule (`authority_by_hand`); a test asks both the same
questions, and a journey that is told one thing by the database and another by this rule gives no leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

CUT = "cut"

WORDS_AGAINST = (
    "not_on_list", "paid", "fence_moved", "task_closed", "warrant_stopped", "drive_not_running", "canary_not_passed",
    "warrant_expired", "cut_within_24_hours", "nothing_due", "no_policy",
)  # fmt: skip
"""What may stand against it besides the reasons of `eligibility` and the caps, in order."""


@dataclass(frozen=True, slots=True)
class HandFacts:
    """What decides; None is not known, and counts against the cut.

    `listed`: the connection is on a list that the interlock verified, and its order went to a lineman. `signed_fence`
    is the generation that two officers signed over, `fence` the one now. `stopped`: the switch. `reasons` are those
    of `eligibility`, now.
    """

    listed: bool | None
    signed_fence: int | None
    fence: int | None
    balance_paise: int | None
    task_open: bool | None
    stopped: bool | None
    warrant_stopped: bool | None
    drive: str | None
    canary_passed: bool | None
    at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    cut_today: bool | None
    reasons: Sequence[str] | None


def word(facts: HandFacts) -> str:
    """`cut`, or the first word against it."""
    owes = (facts.balance_paise or 0) > 0
    in_time = (
        facts.not_before is not None
        and facts.expires_at is not None
        and facts.not_before <= facts.at < facts.expires_at
    )
    moved = facts.signed_fence is None or (facts.fence or 0) != facts.signed_fence
    asked = (
        (not facts.listed, "not_on_list"),
        (moved, "fence_moved" if owes else "paid"),
        (not facts.task_open, "task_closed"),
        (facts.warrant_stopped is not False, "warrant_stopped"),
        (facts.stopped is not False or facts.drive not in ("running", "finished"), "drive_not_running"),
        (not facts.canary_passed, "canary_not_passed"),
        (not in_time, "warrant_expired"),
        (facts.cut_today is not False, "cut_within_24_hours"),
        (not owes, "nothing_due"),
        (facts.reasons is None, "no_policy"),
    )
    first = next((code for holds, code in asked if holds), None)
    if first is not None:
        return first
    return next((code for code in facts.reasons or () if code != "no_relay"), CUT)
