"""What is made of a day's readings by itself: when it is done, what was promised, and the record of each run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction_required

Kind = Literal["validate", "balance", "falling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """When a day is worked on. Judgement, effective-dated like every rule; hours are counted from the day's end.

    A day is validated when `enough_permille` of its half hours are in, not before `not_before_h`, and at `latest_h`
    however few there are. What came later is looked for every `late_every_h` hours, `late_days` days back. The look at
    falling consumption takes the weeks that end where ISO weekday `week_begins` (1: Monday) begins.
    """

    version: str = "house-1"
    enough_permille: int = 980
    not_before_h: int = 1
    latest_h: int = 10
    late_every_h: int = 6
    late_days: int = 34
    week_begins: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What was promised of the delivery clock: thousandths of the values that are in 8 and 24 hours after midnight.
    Judgement of the house: no agreement was read."""

    version: str = "house-1"
    load_8h_permille: int = 950
    load_24h_permille: int = 990
    daily_8h_permille: int = 950
    daily_24h_permille: int = 990

    def of(self, kind: str, hours: Literal[8, 24]) -> int | None:
        """The target of a kind of reading, in thousandths; None for one of which nothing was promised."""
        found: int | None = getattr(self, f"{kind}_{hours}h_permille", None)
        return found


class Run(NamedTuple):
    """A run: `day` is the day, or the day after the week's last; `run` its number in the lake."""

    kind: Kind
    day: date
    nth: int
    run: int
    why: str
    in_permille: int | None
    rules: str
    rows: list[int]
    began_at: datetime
    done_at: datetime | None
    outcome: dict[str, Any] | None


_RUN = "kind, day, nth, run, why, in_permille, rules, rows, began_at, done_at, outcome::text"


def _run(row: tuple[Any, ...]) -> Run:
    return Run._make((*row[:-1], None if row[-1] is None else json.loads(row[-1])))


def latest_runs(*, start: date, end: date) -> dict[tuple[str, date], Run]:
    """The latest run of each kind and day in `[start, end)`, done or not."""
    rows = many(
        f"SELECT DISTINCT ON (kind, day) {_RUN} FROM readings_run WHERE day >= %s AND day < %s"  # noqa: S608
        " ORDER BY kind, day, nth DESC",
        start,
        end,
    )
    return {(each.kind, each.day): each for each in map(_run, rows)}


class In(NamedTuple):
    """How much of a day is in: half hours expected and come, and whether some wait for the lake."""

    expected: int
    came: int
    waiting: bool

    @property
    def permille(self) -> int:
        """The share that is in; all of it where nothing was expected."""
        return 1_000 * self.came // self.expected if self.expected else 1_000


def how_much(*, day: date) -> In:
    """How much of a day is in."""
    row = one("SELECT expected, came, waiting FROM readings_in(%s)", day)
    assert row is not None
    return In(*row)


def days_with_data(*, start: date, end: date) -> list[date]:
    """The days in `[start, end)` of which anything came, of those that PostgreSQL still holds."""
    return [row[0] for row in many("SELECT readings_days(%s, %s) ORDER BY 1", start, end)]


def anything_in_lake() -> bool:
    """Whether intervals were ever brought to the lake."""
    return bool(value("SELECT EXISTS (SELECT FROM ingest_batch WHERE days > 0 AND done_at IS NOT NULL)"))


def alone() -> bool:
    """Whether this process may work on days now: one at a time does, until it lets go or its connection ends."""
    return bool(value("SELECT pg_try_advisory_lock(hashtext('readings_run'))"))


def let_go() -> None:
    """Let another process work on days."""
    value("SELECT pg_advisory_unlock(hashtext('readings_run'))")


@transaction_required
def begin(
    *,
    kind: Kind,
    day: date,
    why: str,
    in_permille: int | None,
    rules: str,
    rows: Sequence[int],
    at: datetime,
    business_at: datetime,
) -> Run:
    """Begin the next run of a kind and day, or take up the one that somebody left, under its own number."""
    left = one(f"SELECT {_RUN} FROM readings_run WHERE kind = %s AND day = %s AND done_at IS NULL", kind, day)  # noqa: S608
    if left is not None:
        return _run(left)
    made = one(
        "INSERT INTO readings_run"  # noqa: S608
        " (kind, day, nth, run, why, in_permille, rules, rows, began_at)"
        " SELECT %s, %s, coalesce(max(r.nth), 0) + 1, greatest(%s, coalesce(max(r.run), 0) + 1), %s, %s, %s, %s, %s"
        f" FROM readings_run r WHERE r.kind = %s AND r.day = %s RETURNING {_RUN}",
        kind,
        day,
        int(at.timestamp() * 1_000),
        why,
        in_permille,
        rules,
        list(rows),
        business_at,
        kind,
        day,
    )
    assert made is not None
    return _run(made)


@transaction_required
def end(of: Run, *, outcome: Mapping[str, Any], business_at: datetime) -> None:
    """A run is done, with what came of it."""
    run(
        "UPDATE readings_run SET done_at = %s, outcome = %s::jsonb WHERE kind = %s AND day = %s AND nth = %s",
        business_at,
        json.dumps(outcome),
        of.kind,
        of.day,
        of.nth,
    )
