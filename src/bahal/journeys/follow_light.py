"""A promise of light is kept or looked after: who stays dark too long becomes an officer's row and a lineman's task,
and the company owes him for it, period by period, as a credit on his account.

The promise runs from the payment's acknowledgement to the relay read back closed, or ready for the consumer's button.
It is the wall's clock, whatever the rehearsal's says: nobody sits in the dark in business time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection as database

from bahal.domains.fieldwork.operations import NewTask, open_tasks, withdraw
from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.domains.supply.clock import lit_at, slowest_cause, stretches
from bahal.domains.supply.late import Late, NewLate, count_on, late_locked, note_late, periods_begun, unsettled
from bahal.domains.supply.queries import restoring_now
from bahal.domains.supply.restoring import Restoring
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.clock_facts import Timed, timed
from bahal.shared.locks import lock_supply

LATE = "promise_passed"
"""Why a lineman is sent: not what the meter did, but that it takes too long."""

LOOKS_BACK = timedelta(days=40)
AT_ONCE = 200


def follow_light(*, at: datetime, business_at: datetime, limit: int = AT_ONCE) -> int:
    """Note promises that were broken, and go on with what is owed for them; how many of both.

    :raises SupplyBusy: another act on one of the connections did not end in time; what was noted stays.
    """
    rules = restoring_now(business_at)
    if rules is None:
        return 0
    with transaction():
        noted = _note(rules, at=at, business_at=business_at, limit=limit)
    candidates = unsettled()
    for start in range(0, len(candidates), limit):
        with transaction():
            noted += _go_on(rules, candidates[start : start + limit], at=at, business_at=business_at)
    return noted


def _note(rules: Restoring, *, at: datetime, business_at: datetime, limit: int) -> int:
    rows = many(
        'SELECT DISTINCT o.id FROM payments_payment p JOIN supply_order o ON o.id = p."order"'
        " LEFT JOIN network_feeder f ON f.id = o.feeder CROSS JOIN LATERAL (SELECT p.acknowledged_at"
        " + CASE f.setting WHEN 'rural' THEN %s ELSE %s END AS at) AS promised"
        ' WHERE p."order" IS NOT NULL AND p.acknowledged_at > %s AND promised.at < %s'
        " AND NOT EXISTS (SELECT FROM supply_late l WHERE l.order_id = o.id)"
        " AND o.state NOT IN ('cancelled', 'refused', 'expired') AND coalesce(supply_lit(o), %s) > promised.at"
        " ORDER BY o.id LIMIT %s",
        timedelta(minutes=rules.promise_minutes("rural")),
        timedelta(minutes=rules.promise_minutes("urban")),
        at - LOOKS_BACK,
        at,
        at,
        limit,
    )
    broken = [
        (each, each.moments.money_at + timedelta(minutes=rules.promise_minutes(each.setting)))
        for each in timed(orders=[row[0] for row in rows])
    ]
    if not broken:
        return 0
    dark = [each for each, _ in broken if lit_at(each.moments) is None]
    tasks = open_tasks([NewTask(each.connection, each.meter, each.order, LATE) for each in dark], at=at)
    new = note_late([_late(each, promised, rules, tasks.get(each.order), at) for each, promised in broken], at=at)
    acts = [
        Act(
            "supply.light.late",
            f"order {each.order}",
            each.connection,
            {
                "order": each.order,
                "receipt": each.receipt,
                "minutes": rules.promise_minutes(each.setting),
                "cause": slowest_cause(stretches(each.moments, at)) or "taken_up",
                "task": tasks.get(each.order),
                "rules": rules.version,
            },
        )
        for each, _ in broken
        if each.order in new
    ]
    record_many(acts, actor="worker", at=at, business_at=business_at)
    return len(new)


def _late(each: Timed, promised: datetime, rules: Restoring, task: int | None, at: datetime) -> NewLate:
    cause = slowest_cause(stretches(each.moments, at)) or "taken_up"
    return NewLate(
        each.order, each.connection, each.receipt or "", each.moments.money_at, promised, rules.version, cause, task
    )


def _go_on(rules: Restoring, candidates: Sequence[tuple[int, int]], *, at: datetime, business_at: datetime) -> int:
    """Post what is owed for periods that have begun. Two officers answer for the rate, or nothing is posted yet."""
    # Fences first, by the order of locks; a payment that clears this account waits for no more than this.
    with database.cursor() as cursor:
        lock_supply(cursor, [connection for _, connection in candidates])
    entries: list[Entry] = []
    acts: list[Act] = []
    touched = 0
    for late, lit in late_locked(orders=[order for order, _ in candidates]):
        due = periods_begun(
            promised_at=late.promised_at,
            until=lit or at,
            period_minutes=rules.rules["compensation_period_minutes"],
            at_most=rules.rules["compensation_periods_at_most"],
        )
        each_paise = rules.rules["compensation_paise"]
        posted = max(late.periods, due) if rules.accepted else late.periods
        owed = (posted - late.periods) * each_paise
        entries += _entries(late, posted, each_paise)
        settled = at if lit is not None and (rules.accepted or not each_paise) else None
        if owed:
            data = {
                "order": late.order, "paise": owed, "periods": posted - late.periods, "receipt": late.receipt,
                "rules": rules.version,
            }  # fmt: skip
            acts.append(Act("compensation.accrued", f"order {late.order}", late.connection, data))
        if lit is not None and late.lit_at is None:
            withdraw(order=late.order, at=at)
        if owed or settled or lit != late.lit_at:
            touched += 1
            count_on(late, lit_at=lit, periods=posted, paise=late.paise + owed, settled_at=settled)
    post_many(entries, at=at, business_at=business_at)
    record_many(acts, actor="worker", at=at, business_at=business_at)
    return touched


def _entries(late: Late, posted: int, paise: int) -> Sequence[Entry]:
    """One act of money for each period, under a reference of its own: the ledger itself takes each once."""
    if not paise:
        return []
    return [
        Entry(
            "compensation",
            f"light {late.order}:{period}",
            (Line("compensation", paise), Line("advance", -paise, late.connection)),
        )
        for period in range(late.periods + 1, posted + 1)
    ]
