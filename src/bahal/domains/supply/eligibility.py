"""May this connection be cut for want of payment? Every reason against it, over facts that a journey has gathered.

The database holds the same function as `authority_against`, by which the interlock judges at the moment of sending; a
test asks both the same questions. Facts come from `authority_facts`: ledger, bills, notices, messages, payments under
way, holds, registers and policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from bahal.shared.text import Language
from bahal.shared.words import WORDS, word

CUT = "cut"

CAUSES = ("stale", "not_due_yet", "estimated", "disputed", "supplementary", "not_noticed")
"""Why a bill that is owed does not count: told where all that is owed would be above the minimum."""

LEGAL = (
    "no_policy", "held", "area_held", "vulnerable", "payment_pending", "plan_open", "conversion_unreconciled",
    "notice_not_served", "reminders_not_delivered", "due_not_visible", *CAUSES,
)  # fmt: skip
"""What a what-if counts as wrong by law or by the house's own promise when it would cut all the same."""

REASONS = (
    "no_policy", "no_cut_day", "outside_window", "quiet_hours", "held", "area_held", "vulnerable", "payment_pending",
    "plan_open", "conversion_unreconciled", "conversion_grace", "review_open", "due_not_visible", "notice_not_served",
    "due_below_minimum", *CAUSES, "reminders_not_delivered", "no_meter", "no_relay", "order_open", "off_already",
    "cut_within_24_hours",
)  # fmt: skip
"""Every reason, in the order in which a person would ask."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides, at one instant. Sums in paise.

    `enforceable_paise` is the part of the due that a served notice names and the law lets enforce, `balance_paise` all
    that is owed for energy. `pending`, `held`, `area_held`, `stale_channels` name what is found; `waived` is empty but
    in a what-if.
    """

    policy: str | None
    hours: Sequence[str] | None
    held: Sequence[str]
    area_held: Sequence[str]
    vulnerable: str | None
    pending: Sequence[str]
    plan_open: bool | None
    conversion: Sequence[str]
    review_open: bool | None
    stale_channels: Sequence[str]
    noticed: bool | None
    enforceable_paise: int | None
    minimum_paise: int | None
    balance_paise: int
    causes: Sequence[str]
    reminded: bool | None
    meter: str | None
    standing: Sequence[str]
    waived: Sequence[str] = ()


COLUMNS = tuple(field.name for field in fields(Facts))


def reasons(facts: Facts) -> tuple[str, ...]:
    """Every reason against a cut, in the order of `REASONS`; none means that it may be made.

    Every doubt falls towards supply: what is not known counts against the cut.
    """
    due = facts.enforceable_paise or 0
    below = facts.minimum_paise is None or due <= facts.minimum_paise
    causes: Sequence[str] = ()
    if facts.minimum_paise is not None and due <= facts.minimum_paise < facts.balance_paise:
        causes = [cause for cause in facts.causes if facts.noticed or cause != "not_noticed"]
    asked: tuple[tuple[bool, Sequence[str]], ...] = (
        (facts.policy is None, ("no_policy",)),
        (True, ("outside_window",) if facts.hours is None else facts.hours),
        (bool(facts.held), ("held",)),
        (bool(facts.area_held), ("area_held",)),
        (facts.vulnerable is not None, ("vulnerable",)),
        (bool(facts.pending), ("payment_pending",)),
        (bool(facts.plan_open), ("plan_open",)),
        (True, facts.conversion),
        (bool(facts.review_open), ("review_open",)),
        (bool(facts.stale_channels), ("due_not_visible",)),
        (not facts.noticed, ("notice_not_served",)),
        (below, ("due_below_minimum",)),
        (True, causes),
        (not facts.reminded, ("reminders_not_delivered",)),
        (facts.meter is not None, (facts.meter or "",)),
        (True, facts.standing),
    )
    return tuple(code for holds, codes in asked if holds for code in codes if code not in facts.waived)


def judge(facts: Facts) -> str:
    """`cut`, or the first reason against it."""
    return next(iter(reasons(facts)), CUT)


def told(code: str, facts: Facts, language: Language) -> str:
    """A reason as a person reads it, with what was found."""
    found: Sequence[str] = {
        "held": [word("holds", kind, language) for kind in facts.held],
        "area_held": [word("area holds", kind, language) for kind in facts.area_held],
        "vulnerable": [word("needs", facts.vulnerable, language)] if facts.vulnerable else [],
        "payment_pending": [word("payments under way", kind, language) for kind in facts.pending],
        "due_not_visible": [
            word("channels of the due", name, language) if name in WORDS["channels of the due"] else name
            for name in facts.stale_channels
        ],
    }.get(code, [])
    text = word("verdicts", code, language)
    return f"{text} ({', '.join(found)})" if found else text
