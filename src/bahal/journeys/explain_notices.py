"""A connection's chain of notices, and what it comes to: served since when, reminded on which days, and why not.

Both are derived from the chain twice, here and in the database's derivation of the right to cut, and must agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.arrears.queries import policy_at
from bahal.domains.arrears.rules.enforceable import clear
from bahal.domains.arrears.rules.reminders import reminded
from bahal.domains.notices.chain import Served, Step, reminded_on, served
from bahal.domains.notices.queries import chain_of
from bahal.foundation.rows import many, value
from bahal.journeys.eligibility import FactsDisagree, judged
from bahal.shared.clock import day_in_india
from bahal.shared.locks import ConnectionUnknown


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """A written notice: its sum, and since when it is served; `clear_days` lie between that day and today."""

    notice: int
    purpose: str
    paise: int
    issued_on: date
    served_on: date | None
    clear_days: int | None
    enough: bool


@dataclass(frozen=True, slots=True)
class ChainExplained:
    """The chain, and what it comes to today under the policy in force."""

    connection: int
    policy: str
    clear_days_asked: int
    reminders_asked: int
    steps: Sequence[Step]
    notices: Sequence[NoticeStanding]
    reminded_on: Sequence[date]
    reminded: bool
    reasons: Sequence[str]


def explain_notices(*, connection: int, business_at: datetime) -> ChainExplained:
    """Explain a connection's notices and reminders. `reasons` are those of all against a cut that rest on them.

    :raises ConnectionUnknown: no such connection.
    :raises NoPolicy: no recovery policy is in force.
    :raises FactsDisagree: the database derives something else from the same chain.
    """
    if value("SELECT true FROM network_connection WHERE id = %s", connection) is None:
        raise ConnectionUnknown(connection=connection)
    policy, day = policy_at(business_at=business_at), day_in_india(business_at)
    steps = chain_of(connection=connection)
    arrived = served(steps, serves=policy.notice_serves)
    notices = _notices(connection, arrived, day, policy.notice_clear_days)
    days = sorted(reminded_on(steps))
    ours = reminded(days, day=day, reminders=policy.reminders, last_within_days=policy.last_reminder_within_days)
    found = judged([connection], business_at=business_at)[connection]
    if found.facts.policy == policy.version and bool(found.facts.reminded) != ours:
        raise FactsDisagree(f"connection {connection}: reminded {found.facts.reminded}, by its chain {ours}")
    reasons = [
        each for each in found.reasons if each in ("notice_not_served", "not_noticed", "reminders_not_delivered")
    ]
    return ChainExplained(
        connection, policy.version, policy.notice_clear_days, policy.reminders, steps, notices, days, ours, reasons
    )


def _notices(connection: int, arrived: Mapping[int, Served], day: date, clear_days: int) -> list[NoticeStanding]:
    found = []
    for notice, purpose, paise, issued_on in many(
        "SELECT id, purpose, paise, issued_on FROM notices_writtennotice WHERE connection = %s ORDER BY id", connection
    ):
        told = arrived.get(notice)
        if told is None:
            found.append(NoticeStanding(notice, purpose, paise, issued_on, None, None, False))
            continue
        between = (day - told.served_on).days - 1
        enough = clear(served_on=told.served_on, day=day, clear_days=clear_days)
        found.append(NoticeStanding(notice, purpose, paise, issued_on, told.served_on, between, enough))
    return found
