"""Who was not reached is told by the next channel of the policy: SMS, WhatsApp, a letter, a person at the door.

An attempt is passed on when its provider says that it failed, when no receipt came in time, or when it arrived by a
channel that does not serve a written notice. Who owes nothing any more is left alone; and a reminder of a day that is
over goes to no telephone: the next day has its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.notices.kinds import TO_A_PHONE
from bahal.domains.notices.operations import hold_chain
from bahal.domains.notices.passing import NextAttempt, Overdue, anything_overdue, pass_on, take_overdue
from bahal.domains.notices.wordings import book_on
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.whom_to_tell import notice_way, reminder_way
from bahal.shared.clock import day_in_india
from bahal.shared.money import rupees

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class _Facts:
    due_paise: int
    phone: str
    language: str


@dataclass(frozen=True, slots=True)
class _Notice:
    paise: int
    variables: Mapping[str, str]


def try_next_channel(*, actor: str, at: datetime, business_at: datetime, limit: int = BATCH) -> int:
    """Pass on up to `limit` attempts that were not received; how many were looked at.

    :raises NoPolicy: no recovery policy is in force.
    :raises WordingMissing: no text for the next channel is in force.
    """
    with transaction():
        if not anything_overdue(business_at=business_at):
            return 0
        hold_chain()
        overdue = take_overdue(business_at=business_at, limit=limit)
        if not overdue:
            return 0
        policy = policy_at(business_at=business_at)
        onward = _onward(overdue, policy, business_at)
        passed = pass_on(overdue, onward, policy=policy.version, actor=actor, at=at, business_at=business_at)
        data = {"attempts": len(overdue), "passed": passed}
        record(actor=actor, act="notice.passed_on", subject="notices", data=data, at=at, business_at=business_at)
        if passed:
            ring("bahal_messages")
    return len(overdue)


def _onward(overdue: Sequence[Overdue], policy: Policy, business_at: datetime) -> list[NextAttempt]:
    day = day_in_india(business_at)
    book = book_on(day)
    ways = {"statutory": notice_way(policy), "reminder": reminder_way(policy)}
    facts = _facts([each.connection for each in overdue])
    notices = _notices([each.notice for each in overdue if each.notice is not None])
    onward = []
    for each in overdue:
        person, channel, way = facts.get(each.connection), each.next_channel, ways[each.kind]
        if person is None or channel is None or person.due_paise <= 0:
            continue
        if channel in TO_A_PHONE and not person.phone:
            channel = way.after(channel, person.phone)
        if each.kind == "reminder":
            if person.due_paise <= policy.minimum_paise or (channel in TO_A_PHONE and each.day != day):
                continue
            variables: Mapping[str, str] = {"consumer": str(each.connection), "amount": rupees(person.due_paise)}
        else:
            told = notices[each.notice or 0]
            variables = {**told.variables, "amount": rupees(told.paise)}
        if channel is None:
            continue
        wording = book.of(each.kind, channel, person.language)
        text = wording.filled(**variables)
        following = way.after(channel, person.phone)
        onward.append(
            NextAttempt(
                each.id, each.connection, each.kind, each.notice, each.day, channel,
                person.phone if channel in TO_A_PHONE else "", person.language, wording.registered_as, text,
                [variables[name] for name in wording.names], wording.id, wording.version, channel in way.serves,
                following, way.waits_until(channel, business_at, last=following is None),
            )
        )  # fmt: skip
    return onward


def _facts(connections: Sequence[int]) -> Mapping[int, _Facts]:
    rows = many(
        "SELECT c.id, coalesce((SELECT b.due_paise FROM ledger_balance b WHERE b.connection = c.id), 0), c.phone,"
        " CASE c.language WHEN 'en' THEN 'en' ELSE 'hi' END FROM consumers_consumer c WHERE c.id = ANY(%s::bigint[])",
        list(connections),
    )
    return {row[0]: _Facts(*row[1:]) for row in rows}


def _notices(notices: Sequence[int]) -> Mapping[int, _Notice]:
    """What a notice tells, as its first attempt told it."""
    rows = many(
        "SELECT n.id, n.connection, n.paise, n.issued_on, p.notice_clear_days, p.permanent_clear_days, n.purpose,"
        " (SELECT array_agg(coalesce(b.number, nb.bill::text) ORDER BY nb.id) FROM notices_noticedbill nb"
        " LEFT JOIN billing_bill b ON b.id = nb.bill WHERE nb.notice = n.id)"
        " FROM notices_writtennotice n LEFT JOIN LATERAL (SELECT s.policy FROM notices_step s"
        " WHERE s.connection = n.connection AND s.machine = 'statutory' AND s.notice = n.id AND s.event = 'asked'"
        " ORDER BY s.position LIMIT 1) AS first ON true LEFT JOIN arrears_policy p ON p.version = first.policy"
        " WHERE n.id = ANY(%s::bigint[])",
        list(notices),
    )
    return {
        id_: _Notice(
            paise,
            {
                "consumer": str(connection), "bills": ", ".join(numbers or ()), "issued": f"{issued_on:%d-%m-%Y}",
                "days": str((clear if purpose == "disconnection" else permanent) or 15),
            },
        )
        for id_, connection, paise, issued_on, clear, permanent, purpose, numbers in rows
    }  # fmt: skip
