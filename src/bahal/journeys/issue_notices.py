"""Written notices under s.56(1) are issued: to each who owes more than the minimum on bills whose due day is past.

A notice names every such bill of the connection that is still owed; who has one over all of them that is not withdrawn
gets no other. It is a letter to be posted, or handed over, as the policy says: from its service its clear days count.
"""

from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.notices.issuing import NewNotice, issue_notices
from bahal.domains.notices.operations import hold_chain
from bahal.domains.notices.wordings import book_on
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.journeys.whom_to_tell import addressees, notice_way
from bahal.shared.clock import day_in_india

SLICE = 5_000
"""So many notices are written in one transaction, and by one statement each."""


@dataclass(frozen=True, slots=True)
class Issued:
    """How many notices were issued, over how much."""

    notices: int
    paise: int


def issue(*, actor: str, at: datetime, business_at: datetime, office: int | None = None) -> Issued:
    """Issue the notices that are due, of an office and all under it or of the company. Repeated, it issues none twice.

    Each slice commits by itself: whoever is interrupted has issued some, and goes on where he was.

    :raises NoPolicy: no recovery policy is in force.
    :raises WordingMissing: no text is in force.
    """
    day = day_in_india(business_at)
    due = [each.connection for each in _due(day, policy_at(business_at=business_at), office=office)]
    notices = paise = 0
    # A slice is a transaction: while steps are appended, what providers report waits.
    for start in range(0, len(due), SLICE):
        part = _issue_some(due[start : start + SLICE], day, actor, at, business_at)
        notices += len(part)
        paise += sum(each.paise for each in part)
    return Issued(notices, paise)


def _issue_some(connections: list[int], day: date, actor: str, at: datetime, business_at: datetime) -> list[NewNotice]:
    """Issue to those of these connections to whom it is still due; nobody else issues meanwhile."""
    with transaction():
        hold_chain()
        policy = policy_at(business_at=business_at)
        way = notice_way(policy)
        part = _due(day, policy, connections=connections)
        if not part:
            return []
        issue_notices(
            part, to=addressees(part), way=way, book=book_on(day), clear_days=policy.notice_clear_days, actor=actor,
            at=at, business_at=business_at,
        )  # fmt: skip
        paise = sum(each.paise for each in part)
        data = {"notices": len(part), "paise": paise, "day": day, "channel": way.order[0]}
        record(actor=actor, act="notice.issued", subject=f"day {day}", data=data, at=at, business_at=business_at)
        ring("bahal_messages")
    return part


def _due(
    day: date, policy: Policy, *, office: int | None = None, connections: list[int] | None = None
) -> list[NewNotice]:
    rows = many(_DUE, office, office, connections, connections, day, policy.minimum_paise, policy.stale_after_months)
    return [NewNotice(connection, tuple(bills), paise, day) for connection, bills, paise in rows]


_DUE = """
WITH RECURSIVE under AS (
    SELECT o.id FROM offices_office o WHERE o.id = %s
    UNION ALL SELECT o.id FROM under JOIN offices_office o ON o.parent_id = under.id
), asked AS (
    SELECT c.id FROM network_connection c
    WHERE (%s::integer IS NULL OR c.centre IN (SELECT id FROM under)) AND c.id IN (SELECT id FROM consumers_consumer)
      AND (%s::bigint[] IS NULL OR c.id = ANY (%s::bigint[]))
), clock AS (
    SELECT %s::date AS day, %s::bigint AS minimum, %s::integer AS months
), owed AS (
    SELECT o.connection, o.bill, o.owed_paise
    FROM clock, arrears_outstanding(ARRAY(
        SELECT b.connection FROM ledger_balance b JOIN asked a ON a.id = b.connection, clock
        WHERE b.due_paise > clock.minimum
    )) AS o
    WHERE o.due_on < clock.day AND o.issued_on > (clock.day - make_interval(months => clock.months))::date
)
SELECT o.connection, array_agg(o.bill ORDER BY o.bill), sum(o.owed_paise)::bigint
FROM owed o, clock
GROUP BY o.connection, clock.minimum
HAVING sum(o.owed_paise) > clock.minimum
   AND count(*) FILTER (WHERE NOT EXISTS (
       SELECT FROM notices_noticedbill nb JOIN notices_writtennotice n ON n.id = nb.notice
       JOIN billing_bill b ON b.id = nb.bill WHERE nb.bill = o.bill AND n.issued_on > b.due_on)) > 0
ORDER BY o.connection
"""
