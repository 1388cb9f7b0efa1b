"""A billing cycle: the connections of the centres whose day has come are rated and billed, batch by batch.

A batch is read and rated without locks; then, in one transaction, its fences are locked in one statement, what
somebody else has billed meanwhile is left out, and bills, lines and ledger are written: a payment that arrives
meanwhile waits for the batch, and sees its bill. Whatever is killed leaves whole batches: the same run again goes on
behind them, and no period is billed twice, by a unique key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection as database

from bahal.domains.billing.errors import CycleNotDue
from bahal.domains.billing.history import Limits, unusual
from bahal.domains.billing.operations import NewDraft, RatedBill, hold
from bahal.domains.billing.queries import USUAL_GROUP, Group, groups, untrued
from bahal.domains.offices.queries import centres as all_centres
from bahal.domains.tariffs.lines import Rating, Unverified
from bahal.domains.tariffs.queries import book, unaccepted
from bahal.domains.tariffs.rating import rate
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction, transaction_required
from bahal.journeys.determine import BILLED, Ready, gather, registers_of, with_advances
from bahal.journeys.issue_bills import ACCOUNTS, REVENUE, issue, number_of, packed
from bahal.journeys.revise_bill import true_up
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point
from bahal.shared.errors import Refusal
from bahal.shared.locks import SupplyBusy, lock_supply
from bahal.shared.periods import next_month

BATCH = 1_000
"""Connections a transaction: their fences are locked for as long as it takes to write their bills."""

UNUSUAL, RATE_UNVERIFIED = "unusual", "rate_unverified"
BUSY = "busy"
CREDIT_BALANCE = "credit_balance"
_NAMED = 20


@dataclass(slots=True)
class Cycle:
    """What came of a run. `not_billed` counts by reason, refusals of the tariff by their code; `named` are the first
    connections of those reasons."""

    bills: int = 0
    estimated: int = 0
    paise: int = 0
    held: Counter[str] = field(default_factory=Counter)
    not_billed: Counter[str] = field(default_factory=Counter)
    trued_up: int = 0
    named: dict[int, str] = field(default_factory=dict)

    def leave(self, connection: int, why: str) -> None:
        """Count a connection that got no bill."""
        self.not_billed[why] += 1
        if len(self.named) < _NAMED:
            self.named[connection] = why

    def add(self, other: Cycle) -> None:
        """Count what another run did too."""
        self.bills += other.bills
        self.estimated += other.estimated
        self.paise += other.paise
        self.held += other.held
        self.not_billed += other.not_billed
        self.trued_up += other.trued_up
        for connection, why in other.named.items():
            if len(self.named) < _NAMED:
                self.named[connection] = why

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "bills": self.bills,
            "estimated": self.estimated,
            "paise": self.paise,
            "held": dict(sorted(self.held.items())),
            "not_billed": dict(sorted(self.not_billed.items())),
            "trued_up": self.trued_up,
            "named": {str(connection): why for connection, why in self.named.items()},
        }


class Rates(NamedTuple):
    """How a run decides: `estimate_after` month-ends without a register, and what is unusual."""

    estimate_after: int = 1
    limits: Limits = Limits()


USUAL_RATES = Rates()


class _Made(NamedTuple):
    bill: RatedBill
    rating: Rating
    reasons: Sequence[str]
    basis: Mapping[str, Any]


def bill_cycle(
    *,
    month: date,
    actor: str,
    at: datetime,
    business_at: datetime,
    centres: Collection[int] | None = None,
    low: int = 0,
    high: int = 2**63 - 1,
    batch: int = BATCH,
    rates: Rates = USUAL_RATES,
    progress: Callable[[Cycle], None] = lambda cycle: None,
) -> Cycle:
    """Bill a month for the centres whose day of issue has come, or for `centres`; connections in `[low, high)` alone.

    :raises CycleNotDue: the month is not over.
    """
    until = next_month(month)
    today = day_in_india(business_at)
    if today < until:
        raise CycleNotDue(month=f"{month:%Y-%m}", day=until)
    own = groups()
    wanted = sorted(_due(own, until, today) if centres is None else centres)
    cycle = Cycle()
    after = low - 1
    while connections := _next(wanted, after, high, until, batch):
        after = connections[-1]
        while connections:
            made = _rate(connections, until, today, own, rates, cycle)
            _keep(made, cycle, actor=actor, at=at, business_at=business_at)
            # Who was billed for an earlier month only is not done yet; a held bill keeps the next one waiting.
            connections = [each.bill.connection for each in made if each.bill.period_to < until and not each.reasons]
        progress(cycle)
    cycle.trued_up += _true_up(low, high, actor=actor, at=at, business_at=business_at)
    return cycle


def shares(*, count: int) -> list[tuple[int, int]]:
    """The connections in `count` ranges `[low, high)` of about one size, for as many processes."""
    edges = [row[0] for row in many(
        "SELECT percentile_disc(s.share) WITHIN GROUP (ORDER BY c.id) FROM network_connection c,"
        " (SELECT generate_series(1, %s - 1)::float / %s AS share) s GROUP BY s.share ORDER BY s.share",
        count,
        count,
    )]  # fmt: skip
    return list(zip([0, *edges], [*edges, 2**63 - 1], strict=True))


def _due(own: Mapping[int, Group], until: date, today: date) -> list[int]:
    """The centres whose bills of the month before `until` may go out today."""
    return [c for c in all_centres() if until.replace(day=own.get(c, USUAL_GROUP).issue_day) <= today]


def _next(centres: Sequence[int], after: int, high: int, until: date, batch: int) -> list[int]:
    rows = many(
        "SELECT id FROM network_connection WHERE id > %s AND id < %s AND centre = ANY(%s::int[])"
        " AND connected_on < %s ORDER BY id LIMIT %s",
        after,
        high,
        list(centres),
        until,
        batch,
    )
    return [row[0] for row in rows]


def _rate(
    connections: Sequence[int], until: date, today: date, own: Mapping[int, Group], rates: Rates, cycle: Cycle
) -> list[_Made]:
    ready, why_not = gather(connections=connections, until=until, estimate_after=rates.estimate_after)
    for connection, why in why_not.items():
        if why != BILLED:  # by an earlier run, which this one goes on with
            cycle.leave(connection, why)
    in_force = book()
    determined = with_advances({each.connection: each.determinants for each in ready}, in_force)
    rated: list[tuple[Ready, Rating]] = []
    for each in ready:
        try:
            rated.append((each, rate(determined[each.connection], in_force)))
        except Refusal as refusal:
            cycle.leave(each.connection, refusal.code)
    doubts: dict[tuple[Unverified, ...], bool] = {}
    open_rates = set(unaccepted(doubt for _, rating in rated for doubt in rating.unverified))
    bases = [basis_of(each) for each, _ in rated]
    made = []
    for (each, rating), stored, basis in zip(rated, packed([r for _, r in rated], bases), bases, strict=True):
        paise = sum(stored.amounts)
        if paise < 0:
            cycle.leave(each.connection, CREDIT_BALANCE)
            continue
        blocked = doubts.get(rating.unverified)
        if blocked is None:
            blocked = doubts[rating.unverified] = not open_rates.isdisjoint(rating.unverified)
        reasons = [RATE_UNVERIFIED] if blocked else []
        if each.estimate is None and unusual(
            each.past, wh=each.wh, days=each.days, load_w=each.load_w, limits=rates.limits
        ):
            reasons.append(UNUSUAL)
        group = own.get(each.centre, USUAL_GROUP)
        start = each.determinants.start
        bill = RatedBill(
            each.connection,
            number_of(each.connection, each.determinants.end, 0),
            (each.determinants.end - timedelta(days=1)).replace(day=1),
            today,
            today + timedelta(days=group.days_to_pay),
            each.wh,
            paise,
            each.estimate is not None,
            False,
            "regular",
            start,
            each.determinants.end,
            0,
            stored.amounts,
            stored.body,
        )
        made.append(_Made(bill, rating, reasons, basis))
    return made


def basis_of(ready: Ready) -> dict[str, Any]:
    """What a reader of the bill must see beside its lines: the registers it rests on, or how it was estimated."""
    basis: dict[str, Any] = {}
    if ready.used:
        basis["registers"] = registers_of(ready.used)
    if ready.estimate is not None:
        basis["estimate"] = ready.estimate.as_json()
    return basis


def _keep(made: Sequence[_Made], cycle: Cycle, *, actor: str, at: datetime, business_at: datetime) -> None:
    """Write a batch; where a connection is busy, in ever smaller ones, and the busy one is left for the next run."""
    if not made:
        return
    try:
        with transaction():
            _write(made, cycle, actor=actor, at=at, business_at=business_at)
            crash_point("bill.batch_before_commit")
        crash_point("bill.batch_after_commit")
    except SupplyBusy:
        if len(made) == 1:
            cycle.leave(made[0].bill.connection, BUSY)
            return
        half = len(made) // 2
        _keep(made[:half], cycle, actor=actor, at=at, business_at=business_at)
        _keep(made[half:], cycle, actor=actor, at=at, business_at=business_at)


@transaction_required
def _write(made: Sequence[_Made], cycle: Cycle, *, actor: str, at: datetime, business_at: datetime) -> None:
    connections = [each.bill.connection for each in made]
    with database.cursor() as cursor:
        lock_supply(cursor, connections)
    there = _there(connections, [each.bill.period_from for each in made])
    new = [each for each in made if each.bill.connection not in there]
    drafts = [each for each in new if each.reasons]
    bills = [each for each in new if not each.reasons]
    if drafts:
        hold([_draft(each) for each in drafts], at=at)
        acts = [
            Act(
                "bill.held",
                f"connection {each.bill.connection}",
                each.bill.connection,
                {"month": f"{each.bill.month:%m-%Y}", "paise": each.bill.paise, "held_for": each.reasons[-1]},
            )
            for each in drafts
        ]
        record_many(acts, actor=actor, at=at, business_at=business_at)
    if bills:
        parts: dict[str, int] = {}
        for each in bills:
            for line in each.rating.lines:
                account = ACCOUNTS.get(line.component, REVENUE)
                parts[account] = parts.get(account, 0) + line.paise
        issue([each.bill for each in bills], parts, actor=actor, at=at, business_at=business_at)
    cycle.bills += len(bills)
    cycle.estimated += sum(each.bill.estimated for each in bills)
    cycle.paise += sum(each.bill.paise for each in bills)
    cycle.held.update(reason for each in drafts for reason in each.reasons)


def _there(connections: Sequence[int], periods: Sequence[date]) -> set[int]:
    """Those of the locked connections that somebody has billed, or held a bill of, since they were rated."""
    rows = many(
        "SELECT w.connection FROM unnest(%s::bigint[], %s::date[]) AS w (connection, period_from)"
        " WHERE EXISTS (SELECT FROM billing_bill b WHERE b.connection = w.connection"
        "   AND b.period_from >= w.period_from)"
        " OR EXISTS (SELECT FROM billing_draft d WHERE d.connection = w.connection AND d.state = 'held')",
        list(connections),
        list(periods),
    )
    return {row[0] for row in rows}


def _draft(made: _Made) -> NewDraft:
    bill = made.bill
    return NewDraft(
        bill.connection,
        bill.month,
        bill.period_from,
        bill.period_to,
        bill.kind,
        bill.consumption_wh,
        bill.paise,
        bill.estimated,
        made.reasons,
        made.basis,
        bill.amounts,
        bill.body,
    )


def _true_up(low: int, high: int, *, actor: str, at: datetime, business_at: datetime) -> int:
    """Replace estimates that a reading has overtaken; how many periods came to another amount."""
    count = 0
    after = low - 1
    while periods := [each for each in untrued(after=after, limit=BATCH) if each[0] < high]:
        after = periods[-1][0]
        for connection, period_from in periods:
            count += true_up(
                connection=connection, period_from=period_from, actor=actor, at=at, business_at=business_at
            )
    return count
