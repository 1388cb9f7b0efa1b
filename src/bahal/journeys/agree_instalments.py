"""A due is agreed to be paid by instalments: a hold stands as long as they are kept; a missed one lifts it again.

As an option no surcharge runs while the plan is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.errors import NothingOwed, PlanMalformed
from bahal.domains.arrears.queries import Plan, open_plans, policy_at
from bahal.domains.arrears.rules.plan import Instalment, Standing, schedule, standing
from bahal.domains.ledger.queries import balance, received_since
from bahal.domains.supply.operations import bump, cancel
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply

MOST_PARTS = 24
_LONGEST_WAIT = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Agreed:
    """A plan and its days."""

    plan: int
    instalments: Sequence[Instalment]


def agree_instalments(
    *,
    connection: int,
    parts: int,
    first_on: date,
    surcharge_free: bool,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> Agreed:
    """Agree on so many monthly parts of all that is due now. A cut that has not gone out is cancelled.

    :raises ConnectionUnknown: no such connection.
    :raises NothingOwed: nothing is due.
    :raises PlanMalformed: fewer than two parts or more than `MOST_PARTS`, or a first day not within a month ahead.
    :raises PlanOpen: a plan is open already.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    today = day_in_india(business_at)
    if not 2 <= parts <= MOST_PARTS:
        raise PlanMalformed(why=f"parts: {parts} (2-{MOST_PARTS})")
    if not today <= first_on <= today + _LONGEST_WAIT:
        raise PlanMalformed(why=f"first_on: {first_on} ({today} - {today + _LONGEST_WAIT})")
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        due = balance(connection=connection).due_paise
        if due < parts:
            raise NothingOwed(connection=connection)
        instalments = schedule(paise=due, parts=parts, first_on=first_on)
        hold = arrears.place_hold(
            connection=connection,
            kind="instalment_plan",
            evidence=f"{parts} x {first_on}",
            owner=actor,
            business_at=business_at,
            expires_at=None,
        )
        plan = arrears.agree_plan(
            connection=connection,
            instalments=instalments,
            surcharge_free=surcharge_free,
            hold=hold,
            agreed_by=actor,
            business_at=business_at,
        )
        bump([connection])
        data = {"plan": plan, "paise": due, "parts": parts, "first_on": first_on}
        acts = [Act("plan.agreed", f"plan {plan}", connection, data)]
        cut = standing_locked(connection=connection).unsent_cut()
        if cut is not None:
            cancel(cut.id, reason="held")
            data = {"order": cut.id, "reason": "held", "cause": f"plan {plan}"}
            acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, data))
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return Agreed(plan, instalments)


def review_plans(*, actor: str, at: datetime, business_at: datetime) -> dict[Standing, int]:
    """Close every plan that is broken or fulfilled; how many stand how. Each is a transaction of its own.

    A broken plan lifts its hold; nothing is cut by that: a new drive judges anew.

    :raises SupplyBusy: another act on a connection did not end in time; the plans before it are closed.
    """
    counted: dict[Standing, int] = {"kept": 0, "broken": 0, "fulfilled": 0}
    for plan in open_plans():
        counted[_review(plan, actor, at, business_at)] += 1
    return counted


def _review(plan: Plan, actor: str, at: datetime, business_at: datetime) -> Standing:
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [plan.connection])
        paid = [
            (day_in_india(moment), paise)
            for moment, paise in received_since(connection=plan.connection, business_at=plan.agreed_at)
        ]
        stands, missed = standing(
            plan.instalments,
            paid,
            day=day_in_india(business_at),
            grace_days=policy_at(business_at=business_at).plan_grace_days,
        )
        if stands == "kept" or not arrears.close_plan(plan=plan.id, outcome=stands, business_at=business_at):
            return "kept"
        arrears.lift_hold(hold=plan.hold, lifted_by=actor, business_at=business_at)
        bump([plan.connection])
        if missed is None:
            act = Act("plan.fulfilled", f"plan {plan.id}", plan.connection, {"plan": plan.id})
        else:
            data = {"plan": plan.id, "due_on": missed.due_on, "paise": missed.paise}
            act = Act("plan.broken", f"plan {plan.id}", plan.connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
    return stands
