"""The day's reminders: each connection that still owes and was served its written notice gets one SMS.

What it owes is put into the text, and derived once more by the statement that queues the message: who has paid
meanwhile gets none, who has paid a part is told what is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.arrears.queries import policy_at
from bahal.domains.notices.templates import template
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.rows import columns, many
from bahal.foundation.transactions import transaction
from bahal.shared.money import rupees
from bahal.shared.text import Language


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
        messages = paise = 0
        while owing := _owing(business_day, policy.minimum_paise):
            queued = _queue(owing, business_day, at)
            messages += len(queued)
            paise += sum(queued)
            if len(queued) == len(owing):
                break  # nobody paid between the two statements
        if messages:
            data = {"day": business_day, "messages": messages, "paise": paise}
            subject = f"day {business_day}"
            record(actor=actor, act="reminder.queued", subject=subject, data=data, at=at, business_at=business_at)
            ring("bahal_messages")
    return Reminded(business_day, messages, paise)


def _owing(day: date, minimum_paise: int) -> list[_Owing]:
    """Who owes more than the minimum, has been served a written notice, can be reached and was not reminded today."""
    rows = many(
        "SELECT owed.connection, owed.due_paise, c.phone, CASE c.language WHEN 'en' THEN 'en' ELSE 'hi' END"
        " FROM ledger_balance owed JOIN consumers_consumer c ON c.id = owed.connection"
        " WHERE owed.due_paise > %s AND c.phone <> ''"
        " AND EXISTS (SELECT FROM notices_writtennotice n WHERE n.connection = owed.connection AND n.served_on <= %s)"
        " AND NOT EXISTS (SELECT FROM notices_message m WHERE m.connection = owed.connection AND m.kind = 'reminder'"
        " AND m.business_on = %s) ORDER BY owed.connection",
        minimum_paise,
        day,
        day,
    )
    return [_Owing(*row) for row in rows]


def _queue(owing: Sequence[_Owing], day: date, at: datetime) -> list[int]:
    """Queue a message for each whose due is still what its text says; the dues of those."""
    rows = []
    for each in owing:
        wanted = template("reminder", each.language)
        text = wanted.filled(consumer=str(each.connection), amount=rupees(each.due_paise))
        rows.append((each.connection, each.due_paise, each.phone, wanted.id, text))
    queued = many(
        "INSERT INTO notices_message (connection, kind, channel, phone, template, text, business_on, queued_at, tries,"
        " delivery)"
        " SELECT g.connection, 'reminder', 'sms', g.phone, g.template, g.text, %s, %s, 0, 'queued'"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])"
        " AS g (connection, due_paise, phone, template, text)"
        " WHERE g.due_paise = (SELECT b.due_paise FROM ledger_balance b WHERE b.connection = g.connection)"
        " ON CONFLICT DO NOTHING RETURNING connection",
        day,
        at,
        *columns(rows),
    )
    due = {each.connection: each.due_paise for each in owing}
    return [due[row[0]] for row in queued]
