"""What a connection may be cut for: the part of its balance that law and notice allow, bill by bill, with reasons.

Electricity Act 2003 s.56(1): a served written notice of so many clear days; s.56(2): two years from the bill's issue.
Ajmer VVNL v Rahamatullah Khan (2020): a late supplementary demand is never enforced by a cut.

The interlock derives the same amount for itself in SQL (`authority_facts`); a test asks both about random histories.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from bahal.domains.arrears.rules.months import months_after

COUNTED = "counted"
WHY_NOT = ("stale", "not_due_yet", "estimated", "disputed", "supplementary", "not_noticed")
"""Why a bill does not count, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class BillFacts:
    """A bill as the rule sees it. `noticed_on`: the latest issue day of a notice over it that `clear` calls served."""

    id: int
    paise: int
    issued_on: date
    due_on: date
    noticed_on: date | None = None
    estimated: bool = False
    disputed: bool = False
    supplementary: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What of a bill is still owed, payments settling the oldest first, and whether a cut may rest on it."""

    bill: int
    owed_paise: int
    reason: str


@dataclass(frozen=True, slots=True)
class Enforceable:
    """The amount, and one part for each bill, the latest first. `noticed`: a served notice names a bill not stale."""

    paise: int
    parts: Sequence[Part]
    noticed: bool = False

    @property
    def causes(self) -> tuple[str, ...]:
        """Why bills that are still owed do not count, in the order in which it is asked."""
        found = {part.reason for part in self.parts if part.owed_paise > 0}
        return tuple(cause for cause in WHY_NOT if cause in found)


def clear(*, served_on: date, day: date, clear_days: int) -> bool:
    """Whether a notice served on one day is old enough on another: both end days are excluded (s.56(1))."""
    return (day - served_on).days - 1 >= clear_days


def enforceable(bills: Iterable[BillFacts], *, balance_paise: int, day: date, stale_after_months: int) -> Enforceable:
    """What may be cut for on a day, out of the connection's balance on energy bills.

    Payments settle the oldest bill first, so a bill is still owed as far as the balance exceeds the bills after it.
    What is owed on bills that do not count is taken off the balance, and never more remains than the bills that do
    count. A contested bill is taken off whole: the payment may have been meant for the others.
    """
    stale_on = months_after(day, -stale_after_months)
    counting = other = newer = 0
    noticed = False
    parts = []
    for bill in sorted(bills, key=lambda each: (each.issued_on, each.id), reverse=True):
        owed = max(0, min(bill.paise, balance_paise - newer))
        reason = _reason(bill, day, stale_on)
        parts.append(Part(bill.id, owed, reason))
        if reason == "stale":
            continue  # it neither counts nor takes anything off
        newer += bill.paise
        noticed = noticed or (bill.noticed_on is not None and bill.noticed_on > bill.due_on)
        if reason == COUNTED:
            counting += bill.paise
        else:
            other += bill.paise if bill.disputed or bill.supplementary else owed
    return Enforceable(max(0, min(counting, balance_paise - other)), tuple(parts), noticed)


def _reason(bill: BillFacts, day: date, stale_on: date) -> str:
    against = (
        bill.issued_on <= stale_on,
        bill.due_on >= day,
        bill.estimated,
        bill.disputed,
        bill.supplementary,
        bill.noticed_on is None or bill.noticed_on <= bill.due_on,
    )
    return next((why for why, holds in zip(WHY_NOT, against, strict=True) if holds), COUNTED)
