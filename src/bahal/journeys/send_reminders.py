"""The day's reminders: each that still owes and was served its written notice gets one, by its first channel.

What it owes is put into the text, and derived once more by the statement that queues the message: who has paid
meanwhile gets none, who has paid a part is told what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.notices.kinds import TO_A_PHONE
from bahal.domains.notices.operations import chain_asked
from bahal.domains.notices.ways import Way
from bahal.domains.notices.wordings import Book, book_on
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.rows import columns, many
from bahal.foundation.transactions import transaction
from bahal.journeys.whom_to_tell import reminder_way
from bahal.shared.money import rupees
from bahal.shared.text import Language

SLICE = 5_000
"""So many steps are chained by one statement."""


@dataclass(frozen=True, slots=True)
class Reminded:
    """How many were reminded of how much on a day."""

    day: date
    messages: int
    paise: int


class _Owing(NamedTuple):
    connection: int
    due_paise: int
    phone: str
    language: Language


def send_reminders(*, business_day: date, actor: str, at: datetime, business_at: datetime) -> Reminded:
    """Queue the reminders of a day in India. Repeated for the same day, it reminds only those not reminded yet.

    :raises NoPolicy: no recovery policy is in force.
    """
    with transaction():
        policy = policy_at(business_at=business_at)
        way, book = reminder_way(policy), book_on(business_day)
        messages = paise = 0
        while owing := _owing(business_day, policy):
            queued = _queue(owing, business_day, at, business_at, way, book)
            messages += len(queued)
            paise += sum(due for _, due in queued)
            attempts = [attempt for attempt, _ in queued]
            for start in range(0, len(attempts), SLICE):
                chain_asked(
                    attempts[start : start + SLICE], policy=way.policy, actor=actor, at=at, business_at=business_at
                )
            if len(queued) == len(owing):
                break  # nobody paid between the two statements
        if messages:
            data = {"day": business_day, "messages": messages, "paise": paise}
            subject = f"day {business_day}"
            record(actor=actor, act="reminder.queued", subject=subject, data=data, at=at, business_at=business_at)
            ring("bahal_messages")
    return Reminded(business_day, messages, paise)


def _owing(day: date, policy: Policy) -> list[_Owing]:
    """Who owes more than the minimum, was served a written notice, can be reached and was not reminded today."""
    on_paper = any(channel not in TO_A_PHONE for channel in policy.reminder_channels)
    rows = many(
        "SELECT owed.connection, owed.due_paise, c.phone, CASE c.language WHEN 'en' THEN 'en' ELSE 'hi' END"
        " FROM ledger_balance owed JOIN consumers_consumer c ON c.id = owed.connection"
        " WHERE owed.due_paise > %s AND (c.phone <> '' OR %s) AND EXISTS (SELECT FROM notices_step s"
        " WHERE s.connection = owed.connection AND s.machine = 'statutory' AND s.event = 'delivered'"
        " AND s.channel = ANY(%s::text[]) AND s.effective_on <= %s)"
        " AND NOT EXISTS (SELECT FROM notices_message m WHERE m.connection = owed.connection AND m.kind = 'reminder'"
        " AND m.business_on = %s) ORDER BY owed.connection",
        policy.minimum_paise,
        on_paper,
        list(policy.notice_serves),
        day,
        day,
    )
    return [_Owing(*row) for row in rows]


def _queue(
    owing: Sequence[_Owing], day: date, at: datetime, business_at: datetime, way: Way, book: Book
) -> list[tuple[int, int]]:
    """Queue a message for each whose due is still what its text says; each message's id and the due."""
    rows = []
    for each in owing:
        channel = way.first(each.phone) or way.order[0]
        wanted = book.of("reminder", channel, each.language)
        variables = {"consumer": str(each.connection), "amount": rupees(each.due_paise)}
        text = wanted.filled(**variables)
        following = way.after(channel, each.phone)
        waits = way.waits_until(channel, business_at, last=following is None)
        told = "\x1f".join(variables[name] for name in wanted.names)
        rows.append(
            (
                each.connection, each.due_paise, channel, each.phone, wanted.registered_as, text, each.language, told,
                wanted.id, wanted.version, following, waits,
            )
        )  # fmt: skip
    queued = many(
        "INSERT INTO notices_message (connection, kind, channel, phone, template, text, business_on, queued_at, tries,"
        " delivery, language, variables, made_from, made_version, serves, next_channel, next_at)"
        " SELECT g.connection, 'reminder', g.channel, g.phone, g.template, g.text, %s, %s, 0, 'queued', g.language,"
        " string_to_array(g.told, E'\\x1f'), g.made_from, g.made_version, true, g.next_channel, g.next_at"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::text[], %s::smallint[], %s::text[], %s::timestamptz[]) AS g (connection, due_paise, channel,"
        " phone, template, text, language, told, made_from, made_version, next_channel, next_at)"
        " WHERE g.due_paise = (SELECT b.due_paise FROM ledger_balance b WHERE b.connection = g.connection)"
        " ON CONFLICT DO NOTHING RETURNING id, connection",
        day,
        at,
        *columns(rows),
    )
    due = {each.connection: each.due_paise for each in owing}
    return [(id_, due[connection]) for id_, connection in queued]
