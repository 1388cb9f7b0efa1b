"""Those who stay dark after a cut: each step on its day, by itself where nobody need decide, with its sentence.

A second visit becomes a lineman's task; the security deposit settles dues by rule, and where it settles all of them the
supply comes back; notice of permanent disconnection is written. What two people must decide is only listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection as database

from bahal.domains.arrears.operations import note_step
from bahal.domains.arrears.queries import Policy, outstanding, policy_at, steps_of
from bahal.domains.arrears.rules.dark import BY_AN_OFFICER, due_steps
from bahal.domains.fieldwork.operations import NewTask, open_tasks
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import dues, held
from bahal.domains.notices.issuing import NewNotice, issue_notices
from bahal.domains.notices.wordings import book_on
from bahal.domains.supply.operations import bump, open_restore
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.whom_to_tell import addressees, notice_way
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply


@dataclass(frozen=True, slots=True)
class Dark:
    """A connection that a confirmed cut left dark and that still owes."""

    order: int
    connection: int
    meter: str
    cut_on: date
    due_paise: int
    served_on: date | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that two people may take now."""

    connection: int
    order: int
    step: str
    from_on: date
    due_paise: int


@dataclass(frozen=True, slots=True)
class Followed:
    """How many are dark and owe, which steps were taken how often, and what waits for two people."""

    dark: int
    done: Mapping[str, int]
    waiting: Sequence[Waiting]


def who_stays_dark() -> list[Dark]:
    """Every connection that a cut for a debt left dark, that owes, and that nobody is restoring."""
    return [Dark(*row) for row in many(_DARK)]


def follow_dark(*, actor: str, at: datetime, business_at: datetime) -> Followed:
    """Take every step that is due, each in a transaction of its own; taking it again does nothing.

    :raises NoPolicy: no recovery policy is in force.
    :raises SupplyBusy: another act on a connection did not end in time; the steps before it are taken.
    """
    policy = policy_at(business_at=business_at)
    day = day_in_india(business_at)
    dark = who_stays_dark()
    done = steps_of(orders=[each.order for each in dark])
    taken: dict[str, int] = {}
    waiting = []
    for each in dark:
        due = due_steps(
            cut_on=each.cut_on,
            done=done.get(each.order, {}),
            served_on=each.served_on,
            day=day,
            timetable=policy.timetable,
        )
        for step in due:
            if step.step in BY_AN_OFFICER:
                waiting.append(Waiting(each.connection, each.order, step.step, step.from_on, each.due_paise))
            elif _take(each, step.step, day, policy, actor, at, business_at):
                taken[step.step] = taken.get(step.step, 0) + 1
    return Followed(len(dark), taken, waiting)


def _take(dark: Dark, step: str, day: date, policy: Policy, actor: str, at: datetime, business_at: datetime) -> bool:
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [dark.connection])
        owed = dues(connection=dark.connection)
        if not owed:
            return False  # paid meanwhile
        paise, notice = 0, None
        if step == "second_visit":
            open_tasks([NewTask(dark.connection, dark.meter, dark.order, "second_visit")], at=at)
        elif step == "deposit_adjusted":
            paise = _adjust(dark, owed, at, business_at)
        else:
            bills = tuple(each.bill for each in outstanding(connections=[dark.connection]))
            if not bills:
                return False
            due = sum(owed.values())
            told = NewNotice(dark.connection, bills, due, day, purpose="permanent_disconnection")
            (notice,) = issue_notices(
                [told], to=addressees([told]), way=notice_way(policy), book=book_on(day),
                clear_days=policy.permanent_clear_days, actor=actor, at=at, business_at=business_at,
            )  # fmt: skip
        if not note_step(
            connection=dark.connection,
            order=dark.order,
            step=step,
            done_on=day,
            actor=actor,
            notice=notice,
            paise=paise,
        ):
            return False
        data = {"step": step, "order": dark.order, "paise": paise, "due_paise": sum(owed.values())}
        acts = [Act("arrears.step", f"order {dark.order}", dark.connection, data)]
        if step == "deposit_adjusted" and paise:
            acts += _lit_if_settled(dark, at)
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return True


def _adjust(dark: Dark, owed: Mapping[str, int], at: datetime, business_at: datetime) -> int:
    """Settle dues from the security deposit, energy first; how much."""
    deposit = held(connection=dark.connection).get("deposit", 0)
    paise = min(deposit, sum(owed.values()))
    if paise <= 0:
        return 0
    lines, rest = [Line("deposit", paise, dark.connection)], paise
    for account, due in owed.items():
        lines.append(Line(account, -min(due, rest), dark.connection))
        rest -= min(due, rest)
    post(kind="transfer", reference=f"deposit {dark.order}", lines=lines, at=at, business_at=business_at)
    return paise


def _lit_if_settled(dark: Dark, at: datetime) -> list[Act]:
    if dues(connection=dark.connection):
        bump([dark.connection])
        return []
    generation = bump([dark.connection], desired="on")[dark.connection]
    cause = f"deposit of order {dark.order}"
    order = open_restore(
        meter=dark.meter,
        connection=dark.connection,
        ground="nonpayment_s56",
        cause=cause,
        fence=generation,
        at=at,
    )
    ring("bahal_orders")
    data = {"order": order, "ground": "nonpayment_s56", "cause": cause}
    return [Act("supply.restore.ordered", f"order {order}", dark.connection, data)]


_DARK = """
SELECT o.id, o.connection, o.meter, (coalesce(r.business_at, o.confirmed_at) AT TIME ZONE 'Asia/Kolkata')::date,
       b.due_paise, n.served_on
FROM supply_fence f
JOIN LATERAL (
    SELECT l.* FROM supply_order l WHERE l.connection = f.connection
        AND l.state NOT IN ('cancelled', 'refused', 'expired') ORDER BY l.id DESC LIMIT 1
) AS o ON o.kind = 'cut' AND o.state = 'confirmed' AND o.ground IN ('nonpayment_s56', 'prepaid')
JOIN ledger_balance b ON b.connection = f.connection AND b.due_paise > 0
LEFT JOIN LATERAL (
    SELECT s.business_at FROM supply_result s WHERE s."order" = o.id AND s.outcome = 'confirmed' ORDER BY s.id LIMIT 1
) AS r ON true
LEFT JOIN arrears_step notice ON notice."order" = o.id AND notice.step = 'permanent_notice'
LEFT JOIN LATERAL (
    SELECT min(s.effective_on) AS served_on FROM notices_step s
    WHERE s.connection = f.connection AND s.machine = 'statutory' AND s.event = 'delivered'
      AND s.notice = notice.notice AND s.channel IN ('letter', 'hand')
) AS n ON true
WHERE f.desired = 'off' ORDER BY o.connection
"""
