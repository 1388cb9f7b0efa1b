"""Clocks that are off, and the orders that set them: what is asked here, and what is written.

An order goes from proposed over authorised to the interlock, which alone takes it further (`sql/67_clocks.sql`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bahal.domains.meters.errors import (
    ClockGoodEnough,
    ClockOrderOpen,
    ClockTooFar,
    ClockUnmeasured,
    NoClockLimits,
    NoClockOrder,
)
from bahal.foundation.rows import columns, many, one, run, value
from bahal.foundation.transactions import transaction_required

A_DAY = timedelta(days=1)
SWEEP = "sweep"
MOST_WALK = 200
"""Steps after which a clock that does not come home is left."""
_WORTH_A_LOOK_S = 30
"""The index over drifts begins here; no limits are lower."""


class ClockLimits(NamedTuple):
    """What proposals keep to; the interlock judges by its own signed file."""

    least_s: int
    farthest_s: int
    fresh_s: int
    few: int


class Drift(NamedTuple):
    """How far a meter's clock is ahead of ours, in seconds, and its open order if there is one: until when it waits."""

    meter: str
    office: int
    drift_s: int
    measured_at: datetime
    order: int | None
    state: str | None
    reason: str | None
    ordered_by: str | None
    not_until: datetime | None


class Proposal(NamedTuple):
    """An order that waits for an officer, or for the second one."""

    order: int
    meter: str
    connection: int | None
    ordered_by: str | None


class Ended(NamedTuple):
    """What became of an order; `after_s` is the drift that was read back."""

    order: int
    meter: str
    connection: int | None
    state: str
    reason: str
    drift_s: float | None
    step_s: int | None
    after_s: float | None
    ordered_by: str
    checked_by: str | None
    walk: int


def clock_limits() -> ClockLimits:
    """The limits that the interlock stated last.

    :raises NoClockLimits: it stated none, and sets no clock.
    """
    row = value("SELECT clock::text FROM interlock_profile ORDER BY id DESC LIMIT 1")
    if row is None:
        raise NoClockLimits
    stated: Mapping[str, Any] = json.loads(row)
    return ClockLimits(*(int(stated[name]) for name in ClockLimits._fields))


def drifting(*, at: datetime, limits: ClockLimits, office: int | None = None, most: int = 1000) -> list[Drift]:
    """Clocks measured lately that are off by as much as is worth an order, or more; the farthest first."""
    rows = many(
        "SELECT b.meter, b.office, b.drift_s, b.drift_at, c.id, c.state, c.reason, c.ordered_by,"
        " nullif(c.not_until, '-infinity')"
        " FROM readings_meter r JOIN interlock_clock_belief b ON b.meter = r.meter"
        " LEFT JOIN interlock_clock c ON c.meter = b.meter"
        "  AND c.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown')"
        " WHERE abs(r.drift_s) >= %s AND abs(b.drift_s) >= %s AND b.drift_at >= %s"
        " AND (%s::integer IS NULL OR b.office IN (SELECT readings_under(%s)))"
        " ORDER BY abs(b.drift_s) DESC, b.meter LIMIT %s",
        _WORTH_A_LOOK_S, limits.least_s, at - timedelta(seconds=limits.fresh_s), office, office, most,
    )  # fmt: skip
    return [Drift(*row) for row in rows]


def drift_of(*, meter: str) -> Drift | None:
    """What is believed of one clock, or None where nobody compared it."""
    row = one(
        "SELECT b.meter, b.office, b.drift_s, b.drift_at, c.id, c.state, c.reason, c.ordered_by,"
        " nullif(c.not_until, '-infinity')"
        " FROM interlock_clock_belief b LEFT JOIN interlock_clock c ON c.meter = b.meter"
        "  AND c.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown') WHERE b.meter = %s",
        meter,
    )
    return None if row is None else Drift(*row)


def clock_history(*, meter: str, most: int = 20) -> list[tuple[Any, ...]]:
    """The orders for a clock, latest first: id, state, reason, time, drift before, step, drift after, officers."""
    return many(
        "SELECT id, state, reason, coalesce(ordered_at, proposed_at), drift_s, step_s, after_s, ordered_by, checked_by"
        " FROM interlock_clock WHERE meter = %s ORDER BY id DESC LIMIT %s",
        meter,
        most,
    )


def ordered_alone(*, officer: str, since: datetime) -> int:
    """How many orders an officer has given alone since a moment, without the steps that followed from them."""
    return int(
        value(
            "SELECT count(*) FROM interlock_clock WHERE ordered_by = %s AND checked_by IS NULL AND walk = 0"
            " AND ordered_at > %s AND state NOT IN ('proposed', 'cancelled')",
            officer,
            since,
        )
    )


@transaction_required
def propose_drifting(*, limits: ClockLimits, at: datetime, most: int) -> list[str]:
    """Propose that clocks be set which are off and have no order; whose. At most `most` wait for an officer.

    A meter whose last order ended otherwise than verified within a day rests.
    """
    rows = many(
        "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at)"
        " SELECT b.meter, %s, %s, b.drift_s, b.drift_at"
        " FROM readings_meter r JOIN interlock_clock_belief b ON b.meter = r.meter"
        " JOIN interlock_meter m ON m.meter = b.meter"
        " WHERE abs(r.drift_s) >= %s AND abs(b.drift_s) BETWEEN %s AND %s AND b.drift_at >= %s"
        " AND NOT EXISTS (SELECT FROM interlock_clock c WHERE c.meter = b.meter AND ("
        "  c.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown')"
        "  OR (c.state <> 'verified' AND c.ended_at > %s)))"
        " ORDER BY abs(b.drift_s) DESC, b.meter"
        " LIMIT greatest(0, %s - (SELECT count(*) FROM interlock_clock WHERE state = 'proposed'))"
        " ON CONFLICT DO NOTHING RETURNING meter",
        SWEEP, at, _WORTH_A_LOOK_S, limits.least_s, limits.farthest_s, at - timedelta(seconds=limits.fresh_s),
        at - A_DAY, most,
    )  # fmt: skip
    return sorted(meter for (meter,) in rows)


@transaction_required
def withdraw_needless(*, limits: ClockLimits, at: datetime) -> int:
    """Withdraw proposals of clocks that have been found right, or were not compared for long; how many."""
    return run(
        "UPDATE interlock_clock c SET state = 'cancelled', ended_at = %s, taken_at = %s, reason = 'drift_small'"
        " WHERE c.state = 'proposed' AND NOT EXISTS (SELECT FROM interlock_clock_belief b WHERE b.meter = c.meter"
        "  AND abs(b.drift_s) >= %s AND b.drift_at >= %s)",
        at, at, limits.least_s, at - timedelta(seconds=limits.fresh_s),
    )  # fmt: skip


def too_far(*, limits: ClockLimits, at: datetime, most: int) -> list[tuple[int, str]]:
    """Connection and meter of clocks so far off that a person must look."""
    return many(
        "SELECT m.connection, b.meter FROM readings_meter r JOIN interlock_clock_belief b ON b.meter = r.meter"
        " JOIN meters_meter m ON m.serial = b.meter"
        " WHERE abs(r.drift_s) >= %s AND abs(b.drift_s) > %s AND b.drift_at >= %s ORDER BY b.meter LIMIT %s",
        _WORTH_A_LOOK_S, limits.farthest_s, at - timedelta(seconds=limits.fresh_s), most,
    )  # fmt: skip


@transaction_required
def propose_clock(*, meter: str, limits: ClockLimits, officer: str, at: datetime) -> None:
    """Propose that one clock be set, unless that is proposed already.

    :raises ClockUnmeasured: nobody compared it lately.
    :raises ClockGoodEnough: it is not off by as much as is worth it.
    :raises ClockTooFar: it is off by so much that a person must look.
    :raises ClockOrderOpen: an order for it is under way.
    """
    known = drift_of(meter=meter)
    if known is None or known.measured_at < at - timedelta(seconds=limits.fresh_s):
        raise ClockUnmeasured(meter=meter)
    if known.order is not None and known.state != "proposed":
        raise ClockOrderOpen(meter=meter, order=known.order)
    if abs(known.drift_s) < limits.least_s:
        raise ClockGoodEnough(meter=meter, drift_s=known.drift_s, least_s=limits.least_s)
    if abs(known.drift_s) > limits.farthest_s:
        raise ClockTooFar(meter=meter, drift_s=known.drift_s, farthest_s=limits.farthest_s)
    run(
        "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        meter, officer, at, known.drift_s, known.measured_at,
    )  # fmt: skip


@transaction_required
def lock_proposals(*, meters: Sequence[str] | None, office: int | None, most: int) -> list[Proposal]:
    """The proposals for these meters, or all of an office, locked until the commit."""
    rows = many(
        "SELECT c.id, c.meter, m.connection, c.ordered_by FROM interlock_clock c"
        " LEFT JOIN meters_meter m ON m.serial = c.meter WHERE c.state = 'proposed'"
        " AND (%s::text[] IS NULL OR c.meter = ANY(%s::text[]))"
        " AND (%s::integer IS NULL OR c.meter IN (SELECT r.meter FROM readings_meter r"
        "  WHERE r.office IN (SELECT readings_under(%s))))"
        " ORDER BY c.id LIMIT %s FOR UPDATE OF c",
        *[None if meters is None else list(meters)] * 2, office, office, most,
    )  # fmt: skip
    return [Proposal(*row) for row in rows]


@transaction_required
def answer_for(orders: Sequence[int], *, officer: str, at: datetime, alone: bool) -> None:
    """An officer answers for orders: alone, and they go to the interlock; else they wait for the second one."""
    run(
        "UPDATE interlock_clock SET ordered_by = %s, ordered_at = %s,"
        " state = CASE WHEN %s THEN 'authorised' ELSE state END WHERE id = ANY(%s::bigint[])",
        officer, at, alone, list(orders),
    )  # fmt: skip


@transaction_required
def check(orders: Sequence[int], *, officer: str, at: datetime) -> None:
    """The second officer agrees, and they go to the interlock."""
    run(
        "UPDATE interlock_clock SET checked_by = %s, ordered_at = %s, state = 'authorised'"
        " WHERE id = ANY(%s::bigint[])",
        officer, at, list(orders),
    )  # fmt: skip


@transaction_required
def withdraw(*, meter: str, at: datetime) -> int:
    """Withdraw the order for a clock before the interlock takes it in hand; which.

    :raises NoClockOrder: there is none, or it is in hand.
    """
    order = value(
        "UPDATE interlock_clock SET state = 'cancelled', ended_at = %s, taken_at = %s, reason = 'withdrawn'"
        " WHERE meter = %s AND state IN ('proposed', 'authorised') RETURNING id",
        at, at, meter,
    )  # fmt: skip
    if order is None:
        raise NoClockOrder(meter=meter)
    return int(order)


@transaction_required
def take_ended(*, at: datetime, most: int) -> list[Ended]:
    """Orders that came to an end, each once."""
    rows = many(
        "WITH ended AS (SELECT id FROM interlock_clock WHERE ended_at IS NOT NULL AND taken_at IS NULL"
        "  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
        "), taken AS (UPDATE interlock_clock c SET taken_at = %s FROM ended e WHERE c.id = e.id RETURNING c.*)"
        " SELECT t.id, t.meter, m.connection, t.state, t.reason, t.drift_s, t.step_s, t.after_s, t.ordered_by,"
        " t.checked_by, t.walk FROM taken t LEFT JOIN meters_meter m ON m.serial = t.meter ORDER BY t.id",
        most, at,
    )  # fmt: skip
    return [Ended(*row) for row in rows]


@transaction_required
def walk_on(ended: Sequence[Ended], *, at: datetime) -> int:
    """Order the next step of clocks that are on their way home, under the same authority; how many."""
    if not ended:
        return 0
    made = many(
        "INSERT INTO interlock_clock (meter, proposed_by, proposed_at, seen_s, seen_at, walk, follows)"
        " SELECT g.meter, g.officer, %s, g.seen, %s, g.walk + 1, g.id"
        " FROM unnest(%s::text[], %s::text[], %s::integer[], %s::smallint[], %s::bigint[])"
        "  AS g (meter, officer, seen, walk, id) ON CONFLICT DO NOTHING RETURNING id, follows",
        at, at,
        *columns([(e.meter, e.ordered_by, round(e.after_s or 0), e.walk, e.order) for e in ended]),
    )  # fmt: skip
    officers = {each.order: (each.ordered_by, each.checked_by) for each in ended}
    for order, before in made:
        maker, checker = officers[before]
        run(
            "UPDATE interlock_clock SET state = 'authorised', ordered_by = %s, checked_by = %s, ordered_at = %s"
            " WHERE id = %s",
            maker, checker, at, order,
        )  # fmt: skip
    return len(made)
