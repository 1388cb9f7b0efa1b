"""Days are worked through by themselves: validated when enough is in, balanced after that, each week looked at for
falling consumption, and validated again where data came late or two officers put another value in.

One process at a time does it; what it was killed over is taken up by the next, under the same number, and done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from bahal.domains.protection.queries import document_in_force
from bahal.domains.protection.rulebook import read_numbers
from bahal.domains.readings.edits import edits_to_take
from bahal.domains.readings.work import (
    Readiness,
    Run,
    alone,
    begin,
    days_with_data,
    end,
    how_much,
    latest_runs,
    let_go,
)
from bahal.foundation.transactions import transaction
from bahal.journeys.balance_energy import balance_energy
from bahal.journeys.validate_day import parameters_in_force, validate_day
from bahal.journeys.warn_falling import Looked, caution_in_force, warn_falling
from bahal.lake.layout import Lake
from bahal.lake.vee.run import Ran
from bahal.shared.clock import day_in_india
from bahal.shared.text import INDIA

ACTOR = "worker"
_DAY = timedelta(days=1)
_WEEK = 7
Runs = Mapping[tuple[str, date], Run]


def readiness_in_force(on: date) -> Readiness:
    """When days are worked on: the product's own rule, or what two officers put in its place."""
    text = document_in_force(name="daily_work", on=on)
    return Readiness() if text is None else read_numbers(Readiness, text, name="daily_work")


def work_through_days(*, lake: Lake, at: datetime, business_at: datetime) -> int:
    """Do the next piece of work that is due, if any and if nobody else is at it; how many were done: 0 or 1.

    :raises ClusterSilent: `BAHAL_RAY` names a cluster that does not answer.
    :raises RulesWrong: the product cannot read the rules in force any more.
    """
    if not alone():
        return 0
    try:
        return int(_next(lake, at, business_at))
    finally:
        let_go()


def _next(lake: Lake, at: datetime, business_at: datetime) -> bool:
    today = day_in_india(business_at)
    ready = readiness_in_force(today)
    days = days_with_data(start=today - timedelta(days=ready.late_days), end=today)
    if not days:
        return False
    runs = latest_runs(start=days[0], end=today + _DAY)
    for day in days:  # the oldest first: each day's facts rest on those before it
        validated = runs.get(("validate", day))
        if validated is None or validated.done_at is None:
            why = "in" if validated else _why(day, ready, business_at)
            return why is not None and _validate(lake, day, why, at, business_at)
        balanced = runs.get(("balance", day))
        if balanced is None or balanced.done_at is None or balanced.nth < validated.nth:
            return _balance(lake, day, validated.why, at, business_at)
    for day, of_day in edits_to_take(start=days[0], end=today).items():
        if ("validate", day) in runs:
            buckets = sorted({int(lake.bucket_of([each.meter])[0]) for each in of_day})
            return _validate(lake, day, "edited", at, business_at, (runs["validate", day], buckets))
    if _fall(lake, days, runs, ready, at, business_at):
        return True
    return _late(lake, days, runs, ready, at, business_at)


def _why(day: date, ready: Readiness, business_at: datetime) -> str | None:
    """Why a day is validated now; None if it is not yet."""
    over = business_at - datetime.combine(day + _DAY, time(), INDIA)
    if over >= timedelta(hours=ready.latest_h):
        return "latest_hour"
    if over < timedelta(hours=ready.not_before_h):
        return None
    found = how_much(day=day)
    return "in" if found.permille >= ready.enough_permille and not found.waiting else None


def _validate(
    lake: Lake, day: date, why: str, at: datetime, business_at: datetime, again: tuple[Run, list[int]] | None = None
) -> bool:
    """Validate a day, or only some of its buckets `again` after an earlier run."""
    rows = lake.counts("interval", days=[day])[day]  # before the run: what comes meanwhile is late
    buckets = None
    if again is not None:
        before, buckets = again
        # What is late in a bucket that is left alone stays late.
        rows = [count if n in buckets else (before.rows[n] if before.rows else 0) for n, count in enumerate(rows)]
    with transaction():
        begun = begin(
            kind="validate", day=day, why=why, in_permille=how_much(day=day).permille,
            rules=parameters_in_force(day).version, rows=rows, at=at, business_at=business_at,
        )  # fmt: skip

    def done(ran: Ran) -> None:
        outcome = {"meters": ran.meters, "estimated": ran.estimated, "found": dict(ran.findings)}
        end(begun, outcome=outcome, business_at=business_at)

    validate_day(
        lake=lake, day=day, actor=ACTOR, at=at, business_at=business_at, run=begun.run, buckets=buckets, beside=done
    )
    return True


def _balance(lake: Lake, day: date, why: str, at: datetime, business_at: datetime) -> bool:
    with transaction():
        begun = begin(
            kind="balance", day=day, why=why, in_permille=None, rules="", rows=[], at=at, business_at=business_at
        )

    def done(places: int) -> None:
        end(begun, outcome={"places": places}, business_at=business_at)

    balance_energy(lake=lake, day=day, actor=ACTOR, at=at, business_at=business_at, beside=done)
    return True


def _fall(lake: Lake, days: list[date], runs: Runs, ready: Readiness, at: datetime, business_at: datetime) -> bool:
    """Look at the latest week that is over and validated to its last day, once."""
    today = day_in_india(business_at)
    week_end = today - timedelta(days=(today.isoweekday() - ready.week_begins) % _WEEK)
    before = runs.get(("falling", week_end))
    if days[-1] < week_end - _DAY or (before is not None and before.done_at is not None):
        return False
    last = runs.get(("validate", week_end - _DAY))
    if last is None:
        return False
    with transaction():
        begun = begin(
            kind="falling", day=week_end, why=last.why, in_permille=None, rules=caution_in_force(week_end).version,
            rows=[], at=at, business_at=business_at,
        )  # fmt: skip

    def done(looked: Looked) -> None:
        outcome = {"looked": looked.looked, "warnings": looked.warnings, "found": looked.found}
        end(begun, outcome=outcome, business_at=business_at)

    warn_falling(lake=lake, week_end=week_end, actor=ACTOR, at=at, business_at=business_at, beside=done)
    return True


def _late(lake: Lake, days: list[date], runs: Runs, ready: Readiness, at: datetime, business_at: datetime) -> bool:
    """Validate again what came after a day was validated, no more often than every few hours."""
    rested = business_at - timedelta(hours=ready.late_every_h)
    there = lake.counts("interval", days=days)
    for day in days:
        before = runs["validate", day]
        if before.began_at > rested:
            continue
        buckets = [n for n, rows in enumerate(there[day]) if rows > (before.rows[n] if before.rows else 0)]
        if buckets:
            return _validate(lake, day, "late", at, business_at, (before, buckets))
    return False
