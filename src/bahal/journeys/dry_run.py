"""A dry run: everybody of a circle judged, in or out, with every reason; what changed since the last; and what if.

A dry run is kept, so that a court may see later who was left out and why. A what-if asks the same facts under another
policy and keeps nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bahal.domains.arrears.policy import read_what_if
from bahal.domains.arrears.queries import policy_row
from bahal.domains.offices.queries import get_circle
from bahal.domains.supply.eligibility import REASONS
from bahal.domains.supply.operations import NewDryRun, keep_dry_run
from bahal.domains.supply.queries import latest_dry_run
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.eligibility import Judged, connections_of, judged, who_may_be_cut


@dataclass(frozen=True, slots=True)
class DryRun:
    """Who may be cut and who may not, all of a circle. `came` and `went` are against the run before, None if none."""

    run: int
    everybody: Mapping[int, Judged]
    listed: Sequence[int]
    sum_paise: int
    list_sha256: str
    policies: Sequence[str]
    before: int | None
    came: Sequence[int]
    went: Mapping[int, Sequence[str]]

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each reason stands against somebody; one person may have many."""
        counted = Counter(code for each in self.everybody.values() for code in each.reasons)
        return {code: counted[code] for code in REASONS if counted[code]}


@dataclass(frozen=True, slots=True)
class WouldBe:
    """The same facts under another policy. `wrong` are those it would cut and the present policy would not, and why."""

    policy: str
    present: str
    cuts: int
    paise: int
    present_cuts: int
    present_paise: int
    wrong: Mapping[int, Sequence[str]]
    spared: Sequence[int]

    @property
    def wrong_by_reason(self) -> Mapping[str, int]:
        """How many of the wrong cuts each reason of the present policy forbids."""
        counted = Counter(code for against in self.wrong.values() for code in against)
        return {code: counted[code] for code in REASONS if counted[code]}

    def as_json(self) -> dict[str, Any]:
        """Plain values; rupees whole."""
        return {
            "policy": self.policy,
            "present": self.present,
            "would_cut": self.cuts,
            "would_recover_paise": self.paise,
            "present_cuts": self.present_cuts,
            "present_paise": self.present_paise,
            "wrong": len(self.wrong),
            "wrong_by_reason": dict(self.wrong_by_reason),
            "spared": len(self.spared),
        }


def dry_run(*, office: int, maker: str, cut_at: datetime, at: datetime, business_at: datetime) -> DryRun:
    """Judge everybody of a circle now for cuts at `cut_at`, keep it, and compare with the run before.

    :raises OfficeUnknown: no such office.
    :raises NotACircle: the office is no circle.
    :raises NoPolicy: no recovery policy is in force.
    """
    circle = get_circle(office=office)
    with transaction():
        eligible = who_may_be_cut(circle=circle.id, business_at=business_at, cut_at=cut_at)
        everybody = judged(connections_of(circle=circle.id), business_at=business_at, cut_at=cut_at)
        listed = [line.connection for line in eligible.lines]
        last = latest_dry_run(office=office)
        policies = sorted({each.facts.policy for each in everybody.values() if each.facts.policy})
        run = keep_dry_run(
            NewDryRun(office, cut_at, at, business_at, maker, policies, len(everybody), len(listed),
                      eligible.sum_paise, eligible.list_sha256),
            {number: (each.reasons, each.due_paise) for number, each in everybody.items()},
        )  # fmt: skip
        data = {
            "run": run,
            "listed": len(listed),
            "paise": eligible.sum_paise,
            "list_sha256": eligible.list_sha256,
        }
        record(actor=maker, act="drive.dry_run", subject=f"dry run {run}", data=data, at=at, business_at=business_at)
    earlier = set() if last is None else set(last.listed)
    now = set(listed)
    return DryRun(
        run=run,
        everybody=everybody,
        listed=listed,
        sum_paise=eligible.sum_paise,
        list_sha256=eligible.list_sha256,
        policies=policies,
        before=None if last is None else last.run,
        came=sorted(now - earlier) if last is not None else [],
        went={number: everybody[number].reasons for number in sorted(earlier - now) if number in everybody},
    )


def what_if(*, office: int, text: str, file: str, cut_at: datetime, business_at: datetime) -> WouldBe:
    """Ask the same facts under another policy. Nothing is kept, and nothing can be cut by it.

    :raises OfficeUnknown: no such office.
    :raises NotACircle: the office is no circle.
    :raises NoPolicy: no recovery policy is in force.
    :raises PolicyWrong: the document does not read.
    """
    circle = get_circle(office=office)
    other = read_what_if(text, file=file, reasons=REASONS)
    present = policy_row(business_at=business_at)
    numbers = connections_of(circle=circle.id)
    with transaction():
        now = judged(numbers, business_at=business_at, cut_at=cut_at)
        then = judged(numbers, business_at=business_at, cut_at=cut_at, policy=other.over(present))
    would = [number for number in numbers if not then[number].reasons]
    does = [number for number in numbers if not now[number].reasons]
    return WouldBe(
        policy=other.version,
        present=str(present["version"]),
        cuts=len(would),
        paise=sum(then[number].due_paise for number in would),
        present_cuts=len(does),
        present_paise=sum(now[number].due_paise for number in does),
        wrong={number: now[number].reasons for number in would if now[number].reasons},
        spared=[number for number in does if then[number].reasons],
    )
