"""Delayed payment surcharge: so many hundredths of a per cent for each month or part, on energy arrears alone.

The k-th part of a bill begins on the day after its due date moved k-1 months on; it is charged once, on what was owed
of that bill when the part began. What was charged as surcharge is in another account and never a base for more. So a
run on every day and one run at the end charge the same.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from bahal.domains.arrears.rules.months import months_after
from bahal.shared.money import divided

WHOLE = 10_000
"""Rates are basis points: 150 is 1.5 per cent."""


@dataclass(frozen=True, slots=True)
class Billed:
    """A bill: paise of energy, when it was issued and due. `excused`: under dispute, no surcharge runs."""

    id: int
    paise: int
    issued_on: date
    due_on: date
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Credit:
    """Paise that lowered the energy arrears on a day: a payment's part, a credit note."""

    on: date
    paise: int


@dataclass(frozen=True, slots=True)
class Charge:
    """One part of one bill: surcharge of `paise` on `base_paise`, from a day on."""

    bill: int
    part: int
    from_on: date
    base_paise: int
    paise: int


def part_begins(due_on: date, part: int) -> date:
    """The first day of the part, counted from 1."""
    return months_after(due_on, part - 1) + timedelta(days=1)


def charges(
    bills: Iterable[Billed],
    credits_: Iterable[Credit],
    *,
    rate_bp: int,
    day: date,
    charged: Collection[tuple[int, int]] = (),
) -> Sequence[Charge]:
    """What is to be charged up to and including a day and is not `charged` (bill, part) yet.

    Credits settle the oldest bill first; those of the day on which a part begins come too late for it.
    """
    ordered = sorted(bills, key=lambda each: (each.issued_on, each.id))
    received = sorted(credits_, key=lambda each: each.on)
    days = [each.on for each in received]
    sums = [0, *accumulate(each.paise for each in received)]
    found = []
    before = 0
    for bill in ordered:
        part = 1
        while not bill.excused and (begins := part_begins(bill.due_on, part)) <= day:
            base = max(0, min(bill.paise, before + bill.paise - sums[bisect_left(days, begins)]))
            paise = divided(base * rate_bp, WHOLE)
            if paise and (bill.id, part) not in charged:
                found.append(Charge(bill.id, part, begins, base, paise))
            part += 1
        before += bill.paise
    return found
