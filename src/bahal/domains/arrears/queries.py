"""Questions about policy and holds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from bahal.domains.arrears.errors import HoldUnknown, NoPolicy, PolicyUnknown
from bahal.domains.arrears.rules.dark import Timetable
from bahal.domains.arrears.rules.plan import Instalment
from bahal.foundation.rows import many, one
from bahal.shared.clock import day_in_india


class Policy(NamedTuple):
    """The policy in force at an instant."""

    version: str
    minimum_paise: int
    notice_clear_days: int
    reminders: int
    last_reminder_within_days: int
    verified: bool
    stale_after_months: int
    reconnection_paise: int
    surcharge_bp: int
    plan_grace_days: int
    second_visit_after: int
    deposit_after: int
    permanent_notice_after: int
    permanent_clear_days: int
    recovery_after: int
    notice_channels: Sequence[str]
    notice_serves: Sequence[str]
    reminder_channels: Sequence[str]
    receipt_hours: int
    letter_days: int

    @property
    def timetable(self) -> Timetable:
        """The days of what follows a cut."""
        return Timetable(
            second_visit=self.second_visit_after,
            deposit_adjusted=self.deposit_after,
            permanent_notice=self.permanent_notice_after,
            clear_days=self.permanent_clear_days,
            recovery_demand=self.recovery_after,
        )


class Hold(NamedTuple):
    """A hold on cuts."""

    id: int
    connection: int
    kind: str
    evidence: str
    owner: str
    placed_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None


def policy_at(*, business_at: datetime) -> Policy:
    """The recovery policy in force.

    :raises NoPolicy: none is.
    """
    row = one(
        f"SELECT {', '.join(Policy._fields)} FROM authority_policy(%s) WHERE version IS NOT NULL",  # noqa: S608
        business_at,
    )
    if row is None:
        raise NoPolicy(day=day_in_india(business_at))
    return Policy(*row)


def lowest_minimum(*, business_at: datetime) -> int:
    """The least minimum of all policies in force, in paise: who owes no more than that is cut by none of them."""
    day = day_in_india(business_at)
    row = one(
        "SELECT coalesce(min(minimum_paise), 0) FROM arrears_policy WHERE accepted_at IS NOT NULL"
        " AND effective_from <= %s AND (effective_until IS NULL OR effective_until > %s)",
        day,
        day,
    )
    return 0 if row is None else int(row[0])


def find_hold(*, hold: int) -> Hold:
    """One hold.

    :raises HoldUnknown: no such one.
    """
    row = one(f"SELECT {_HOLD} FROM arrears_hold WHERE id = %s", hold)  # noqa: S608
    if row is None:
        raise HoldUnknown(hold=hold)
    return Hold(*row)


def holds_of(*, connection: int) -> list[Hold]:
    """Every hold a connection ever had, those not lifted first."""
    rows = many(
        f"SELECT {_HOLD} FROM arrears_hold WHERE connection = %s ORDER BY lifted_at DESC NULLS FIRST, id",  # noqa: S608
        connection,
    )
    return [Hold(*row) for row in rows]


class Plan(NamedTuple):
    """An open instalment plan."""

    id: int
    connection: int
    instalments: Sequence[Instalment]
    hold: int
    agreed_at: datetime


class WriteOff(NamedTuple):
    """An open proposal to give up a due."""

    id: int
    connection: int
    paise: int
    reason: str
    proposed_by: str


class Owed(NamedTuple):
    """What is still owed of a bill."""

    connection: int
    bill: int
    issued_on: date
    due_on: date
    paise: int


def outstanding(*, connections: Iterable[int]) -> list[Owed]:
    """What is still owed of each energy bill of these connections, oldest first; payments settle the oldest first."""
    rows = many(
        "SELECT * FROM arrears_outstanding(%s::bigint[]) ORDER BY connection, issued_on, bill", list(connections)
    )
    return [Owed(*row) for row in rows]


def disputed_bills(*, connections: Iterable[int]) -> set[int]:
    """The bills under an open dispute."""
    rows = many(
        "SELECT bill FROM arrears_dispute WHERE connection = ANY(%s::bigint[]) AND closed_at IS NULL",
        list(connections),
    )
    return {row[0] for row in rows}


def open_plans(*, connections: Iterable[int] | None = None, surcharge_free: bool | None = None) -> list[Plan]:
    """The open plans, of all connections or of these, of either kind or of one."""
    rows = many(
        "SELECT id, connection, instalments, hold, agreed_at FROM arrears_plan WHERE closed_at IS NULL"
        " AND (%s::bigint[] IS NULL OR connection = ANY(%s::bigint[])) AND (%s::boolean IS NULL OR surcharge_free = %s)"
        " ORDER BY connection",
        *([None if connections is None else list(connections)] * 2),
        *([surcharge_free] * 2),
    )
    return [
        Plan(plan, connection, [Instalment(date.fromisoformat(on), paise) for on, paise in json.loads(agreed)], *rest)
        for plan, connection, agreed, *rest in rows
    ]


def open_write_off(*, write_off: int) -> WriteOff | None:
    """A proposal that nobody has decided yet."""
    row = one(
        "SELECT id, connection, paise, reason, proposed_by FROM arrears_writeoff WHERE id = %s AND decided_at IS NULL",
        write_off,
    )
    return None if row is None else WriteOff(*row)


def parts_charged(*, connections: Iterable[int]) -> set[tuple[int, int]]:
    """The parts of bills on which surcharge was charged: bill and part."""
    rows = many("SELECT bill, part FROM arrears_surcharge WHERE connection = ANY(%s::bigint[])", list(connections))
    return {(row[0], row[1]) for row in rows}


def steps_of(*, orders: Iterable[int]) -> Mapping[int, Mapping[str, date]]:
    """What was done after each of these cuts, and when."""
    found: dict[int, dict[str, date]] = {}
    for order, step, done_on in many(
        'SELECT "order", step, done_on FROM arrears_step WHERE "order" = ANY(%s::bigint[])', list(orders)
    ):
        found.setdefault(order, {})[step] = done_on
    return found


def notice_of_step(*, order: int, step: str) -> int | None:
    """The notice that a step served, or None."""
    row = one('SELECT notice FROM arrears_step WHERE "order" = %s AND step = %s', order, step)
    return None if row is None else row[0]


_HOLD = ", ".join(Hold._fields)


class StoredPolicy(NamedTuple):
    """A version of the policy as it was proposed, and who accepted it if somebody has."""

    version: str
    effective_from: date
    effective_until: date | None
    office: int | None
    category: str | None
    minimum_paise: int
    notice_clear_days: int
    proposed_by: str
    accepted_by: str | None
    document: str


def policy_document(*, version: str) -> StoredPolicy:
    """One version.

    :raises PolicyUnknown: no such version.
    """
    row = one(f"SELECT {_STORED} FROM arrears_policy WHERE version = %s", version)  # noqa: S608
    if row is None:
        raise PolicyUnknown(version=version)
    return StoredPolicy(*row)


def policies() -> list[StoredPolicy]:
    """Every version, the latest first."""
    rows = many(f"SELECT {_STORED} FROM arrears_policy ORDER BY effective_from DESC, version DESC")  # noqa: S608
    return [StoredPolicy(*row) for row in rows]


def policy_in_force(*, day: date, office: int | None, category: str | None) -> bool:
    """Whether a policy of exactly this office and category was in force on a day."""
    row = one(
        "SELECT true FROM arrears_policy WHERE accepted_at IS NOT NULL AND effective_from <= %s"
        " AND (effective_until IS NULL OR effective_until > %s)"
        " AND office IS NOT DISTINCT FROM %s AND category IS NOT DISTINCT FROM %s",
        day,
        day,
        office,
        category,
    )
    return row is not None


def policy_row(*, business_at: datetime) -> Mapping[str, Any]:
    """The whole company's policy in force, every column as JSON has it.

    :raises NoPolicy: none is.
    """
    row = one("SELECT to_jsonb(p)::text FROM authority_policy(%s) p WHERE p.version IS NOT NULL", business_at)
    if row is None:
        raise NoPolicy(day=day_in_india(business_at))
    found: dict[str, Any] = json.loads(row[0])
    return found


class AreaHold(NamedTuple):
    """A hold over an office and all under it, or over a feeder."""

    id: int
    office: int | None
    feeder: int | None
    kind: str
    evidence: str
    owner: str
    placed_at: datetime
    expires_at: datetime | None


def area_holds() -> list[AreaHold]:
    """The holds of areas that were not lifted."""
    rows = many(
        f"SELECT {', '.join(AreaHold._fields)} FROM arrears_areahold WHERE lifted_at IS NULL ORDER BY id"  # noqa: S608
    )
    return [AreaHold(*row) for row in rows]


class Overdue(NamedTuple):
    """Something that holds cuts back and that somebody must look at again."""

    what: str
    id: int
    connection: int | None
    kind: str
    owner: str
    evidence: str
    since: datetime
    review_on: date | None


def review_list(*, business_at: datetime, within_days: int) -> list[Overdue]:
    """Holds that expire or have expired, holds without an expiry after so many days, and register entries to review."""
    day = day_in_india(business_at)
    rows = many(
        "SELECT * FROM (SELECT 'hold', id, connection, kind, owner, evidence, placed_at,"
        " coalesce((expires_at AT TIME ZONE 'Asia/Kolkata')::date, (placed_at AT TIME ZONE 'Asia/Kolkata')::date + %s)"
        " FROM arrears_hold WHERE lifted_at IS NULL"
        " UNION ALL SELECT 'area_hold', id, NULL, kind, owner, evidence, placed_at,"
        " coalesce((expires_at AT TIME ZONE 'Asia/Kolkata')::date, (placed_at AT TIME ZONE 'Asia/Kolkata')::date + %s)"
        " FROM arrears_areahold WHERE lifted_at IS NULL"
        " UNION ALL SELECT 'vulnerable', id, connection, need, registered_by, evidence, registered_at, review_on"
        " FROM arrears_vulnerable WHERE ended_at IS NULL)"
        " AS open (what, id, connection, kind, owner, evidence, since, review_on)"
        " WHERE review_on <= %s::date + %s ORDER BY review_on, what, id",
        within_days,
        within_days,
        day,
        within_days,
    )
    return [Overdue(*row) for row in rows]


_STORED = ", ".join(StoredPolicy._fields)
