"""What the interlock found becomes known: the desired state, a message to the consumer, a task for a lineman.

The relay was read back before the result was written; this journey only draws the consequences, in batches that
several workers take side by side. A result is handled in the commit that draws its consequences, or not at all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears.queries import policy_at
from bahal.domains.consumers.queries import Contact, contacts
from bahal.domains.fieldwork.operations import NewTask, open_tasks
from bahal.domains.fieldwork.rules import kind_of
from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.domains.notices.operations import NewMessage, queue_messages
from bahal.domains.notices.templates import PRESS_BUTTON, template
from bahal.domains.supply.operations import Outcome, desire, mark_handled, take_outcomes
from bahal.domains.supply.queries import overtaken
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.crash import crash_point
from bahal.shared.locks import lock_supply
from bahal.shared.money import rupees
from bahal.shared.text import INDIA
from bahal.shared.words import WORDS

BATCH = 200
_IN_THE_METER = frozenset(WORDS["task causes"]) | {"no_relay"}


def confirm_relay(*, at: datetime, business_at: datetime, limit: int = BATCH) -> int:
    """Handle up to `limit` results; how many there were. A cut that a restore has overtaken is not announced.

    :raises SupplyBusy: another act on one of the connections did not end in time; nothing was handled.
    """
    with transaction():
        outcomes = take_outcomes(limit=limit)
        if not outcomes:
            return 0
        confirmed = [each for each in outcomes if each.outcome == "confirmed"]
        with database.cursor() as cursor:
            lock_supply(cursor, [each.connection for each in confirmed])
        undone = overtaken(orders=[each.order for each in confirmed])
        standing = [each for each in confirmed if each.order not in undone]
        drawn = draw_consequences(standing, at=at, business_at=business_at)
        left = [each for each in outcomes if each.outcome == "field_task" or each.reason == PRESS_BUTTON]
        tasks = open_tasks([_task(each) for each in left], at=at)
        acts = _acts(outcomes, tasks) + drawn
        record_many(acts, actor="interlock", at=at, business_at=business_at)
        mark_handled(outcomes)
        crash_point("worker.results_handled_before_commit")
    return len(outcomes)


def draw_consequences(standing: Sequence[Outcome], *, at: datetime, business_at: datetime) -> list[Act]:
    """What follows from orders that were carried out and stand: the desired state, a message to each consumer, the cost
    of cutting. Requires the connections' fences locked; the acts are the caller's to record."""
    desire([each.connection for each in standing if each.kind == "cut"], "off")
    desire([each.connection for each in standing if each.kind == "restore"], "on")
    told = contacts(connections=[each.connection for each in standing])
    # Cut for another ground than a due, nobody is told of dues: who asked, or was visited, knows why.
    spoken = [each for each in standing if each.kind == "restore" or each.due_paise > 0]
    messages = [_message(each, told[each.connection]) for each in spoken if each.connection in told]
    queue_messages(messages, business_on=day_in_india(business_at), at=at)
    return _charge_expenses(standing, at, business_at)


def _task(outcome: Outcome) -> NewTask:
    """A lineman's task: what he is asked to do depends on what could not be done, and why."""
    kind = kind_of(order=outcome.kind, reason=outcome.reason, by_hand=_IN_THE_METER)
    return NewTask(outcome.connection, outcome.meter, outcome.order, outcome.reason, kind)


def _message(outcome: Outcome, contact: Contact) -> NewMessage:
    kind = "cut" if outcome.kind == "cut" else "restored"
    # A relay that is released is not yet closed: who is only told that his supply is back sits in the dark.
    words = PRESS_BUTTON if outcome.reason == PRESS_BUTTON else kind
    wanted = template(words, contact.language)
    consumer = str(outcome.connection)
    if kind == "cut":
        text = wanted.filled(consumer=consumer, amount=rupees(outcome.due_paise))
    else:
        text = wanted.filled(consumer=consumer, time=f"{outcome.business_at.astimezone(INDIA):%H:%M}")
    return NewMessage(outcome.connection, kind, contact.phone, wanted.id, text, outcome.order)


def _charge_expenses(standing: Sequence[Outcome], at: datetime, business_at: datetime) -> list[Act]:
    """The cost of cutting and reconnecting is part of what must be paid (s.56(1)): once for each cut for a debt."""
    cuts = [each for each in standing if each.kind == "cut" and each.due_paise > 0]
    paise = policy_at(business_at=business_at).reconnection_paise if cuts else 0
    if not paise:
        return []
    entries = [
        Entry("expenses", str(each.order), (Line("expenses", paise, each.connection), Line("expenses_income", -paise)))
        for each in cuts
    ]
    post_many(entries, at=at, business_at=business_at)
    data = {"paise": paise}
    return [
        Act("expenses.charged", f"order {each.order}", each.connection, {"order": each.order, **data}) for each in cuts
    ]


def _acts(outcomes: Sequence[Outcome], tasks: Mapping[int, int]) -> list[Act]:
    acts = []
    for each in outcomes:
        data = {"order": each.order, "meter": each.meter, "reason": each.reason, "result": each.id}
        if each.frames_sha256 is not None:
            data["frames_sha256"] = each.frames_sha256
        if each.outcome == "confirmed":
            act = f"supply.{each.kind}.confirmed"
            if each.order in tasks:
                opened = {"task": tasks[each.order], "reason": each.reason}
                acts.append(Act("fieldwork.opened", f"task {tasks[each.order]}", each.connection, opened))
        elif each.outcome == "unknown":
            act = "supply.order.unknown"
        elif each.outcome == "field_task":
            act = "supply.order.field_task"
            data["task"] = tasks[each.order]
        else:
            act = "supply.order.ended"
            data["outcome"] = each.outcome
        acts.append(Act(act, f"order {each.order}", each.connection, data))
    return acts
