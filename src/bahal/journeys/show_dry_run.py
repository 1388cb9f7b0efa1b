"""A dry run that was kept: how many are in, how many each reason keeps out, and who they are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bahal.domains.supply.eligibility import REASONS
from bahal.foundation.rows import many, one
from bahal.shared.errors import Refusal

PAGE = 100
LISTED = "listed"


class DryRunUnknown(Refusal):
    """No such dry run, or no such reason in it."""

    code = "dry_run_unknown"
    hi = "{run} नाम का पूर्वाभ्यास या कारण नहीं मिला।"
    en = "There is no such dry run or reason: {run}."


class Run(NamedTuple):
    """A dry run's head."""

    id: int
    office: int
    office_name: str
    office_name_hi: str
    cut_at: datetime
    business_at: datetime
    maker: str
    policies: Sequence[str]
    connections: int
    listed: int
    sum_paise: int
    list_sha256: str


class Judged(NamedTuple):
    """One connection of a dry run, with all that stands against its cut."""

    connection: int
    name: str
    name_hi: str
    due_paise: int
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A dry run and how often each reason stands against somebody; one person may have many."""

    run: Run
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """A page of those of a reason, the largest due first; `more`: there is another page."""

    run: Run
    reason: str
    rows: Sequence[Judged]
    more: bool


_RUN = (
    "SELECT r.id, r.office, o.name, o.name_hi, r.cut_at, r.business_at, r.maker, r.policies, r.connections, r.listed,"
    " r.sum_paise, r.list_sha256 FROM supply_dryrun r JOIN offices_office o ON o.id = r.office"
)


def latest_runs(*, circles: Collection[int]) -> list[Run]:
    """The latest ten dry runs of these circles."""
    return [
        Run(*row)
        for row in many(f"{_RUN} WHERE r.office = ANY(%s::integer[]) ORDER BY r.id DESC LIMIT 10", list(circles))
    ]


def show_dry_run(*, run: int) -> Shown:
    """A dry run and its counts.

    :raises DryRunUnknown: no such one.
    """
    counted: Counter[str] = Counter()
    for reasons, people in many("SELECT reasons, cardinality(connections) FROM supply_dryrungroup WHERE run = %s", run):
        for code in reasons:
            counted[code] += people
    return Shown(_run(run), {code: counted[code] for code in REASONS if counted[code]})


def open_reason(*, run: int, reason: str, page: int = 0, limit: int | None = PAGE) -> Opened:
    """Those whom a reason keeps out, or with `listed` those who are in.

    :raises DryRunUnknown: no such run or reason.
    """
    if reason != LISTED and reason not in REASONS:
        raise DryRunUnknown(run=reason[:40])
    rows = many(
        "SELECT p.connection, coalesce(u.name, ''), coalesce(u.name_hi, ''), p.paise, g.reasons"
        " FROM supply_dryrungroup g CROSS JOIN unnest(g.connections, g.paise) AS p (connection, paise)"
        " LEFT JOIN consumers_consumer u ON u.id = p.connection"
        " WHERE g.run = %s AND CASE WHEN %s = 'listed' THEN g.reasons = '{}' ELSE %s = ANY(g.reasons) END"
        " ORDER BY p.paise DESC, p.connection OFFSET %s LIMIT %s",
        run,
        reason,
        reason,
        page * (limit or 0),
        None if limit is None else limit + 1,
    )
    found = [Judged(*row) for row in rows]
    more = limit is not None and len(found) > limit
    return Opened(_run(run), reason, found[:limit] if more else found, more)


def _run(run: int) -> Run:
    row = one(f"{_RUN} WHERE r.id = %s", run)
    if row is None:
        raise DryRunUnknown(run=run)
    return Run(*row)
