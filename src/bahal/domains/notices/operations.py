"""The queue of messages: what goes out by which channel, and what became of it.

Whatever befalls a notice or a reminder is a step of its chain as well, in the same transaction; the chain is evidence,
the queue is not.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bahal.foundation.rows import columns, many, run
from bahal.foundation.transactions import transaction_required

URGENCY = ("sign_in", "restored", "cut", "payment", "reminder", "statutory")
"""Which messages go out first. A code is waited for on a screen, and few may be asked for."""

MOST_TRIES = 5
"""A message that its provider refused this often is given up."""

CHAINED = ("reminder", "statutory")
"""The kinds of message whose steps are kept in a chain."""


class NewMessage(NamedTuple):
    """A message to queue. `order` is what it tells of, if it tells of an order."""

    connection: int
    kind: str
    phone: str
    template: str
    text: str
    order: int | None


class Claimed(NamedTuple):
    """A message taken for sending."""

    id: int
    kind: str
    connection: int
    phone: str
    template: str
    text: str
    language: str
    variables: Sequence[str]


class Report(NamedTuple):
    """What a provider says became of a message. `reference` is our message id, `receipt` the provider's own.

    `at` is the wall's time, `business_at` the same instant of the business's calendar, the same unless given; `code` is
    the reason the provider gives. A message that `expired` was given up by the provider.
    """

    reference: int
    receipt: str
    delivered: bool
    at: datetime
    code: str = ""
    business_at: datetime | None = None
    expired: bool = False


class Heard(NamedTuple):
    """What happened to an attempt, for its chain. A time that is None is that of the call."""

    attempt: int
    event: str
    provider: str | None = None
    code: str | None = None
    evidence: str | None = None
    at: datetime | None = None
    business_at: datetime | None = None


@transaction_required
def queue_messages(messages: Sequence[NewMessage], *, business_on: date, at: datetime) -> int:
    """Queue messages; how many were new. One that tells of the same order in the same kind is queued once."""
    if not messages:
        return 0
    return run(
        'INSERT INTO notices_message (connection, kind, channel, phone, template, text, "order", business_on,'
        " queued_at, tries, delivery)"
        " SELECT m.connection, m.kind, 'sms', m.phone, m.template, m.text, m.order_id, %s, %s, 0, 'queued'"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])"
        " AS m (connection, kind, phone, template, text, order_id) ON CONFLICT DO NOTHING",
        business_on,
        at,
        *columns(messages),
    )


@transaction_required
def hold_chain() -> None:
    """Let nobody else append until this transaction ends: taken before the rows of attempts that have a chain.

    Whoever took the rows first and waited here could be waited for by who did it the other way round.
    """
    run("SELECT notices_hold()")


@transaction_required
def chain_asked(
    attempts: Sequence[int],
    *,
    policy: str,
    actor: str,
    at: datetime,
    business_at: datetime,
    evidence: Sequence[str | None] = (),
) -> None:
    """Append that these attempts were asked for, as they stand in the queue; `evidence` is one for each, or none."""
    run(
        "SELECT notices_asked(%s::bigint[], %s, %s::text[], %s, %s, %s)",
        list(attempts),
        policy,
        list(evidence) or [None] * len(attempts),
        actor,
        at,
        business_at,
    )


@transaction_required
def chain_heard(heard: Sequence[Heard], *, actor: str, at: datetime, business_at: datetime) -> None:
    """Append what was heard of attempts; of those that have no chain nothing is kept."""
    if heard:
        run(
            "SELECT notices_heard(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],"
            " %s::timestamptz[], %s, %s, %s)",
            *columns(heard),
            actor,
            at,
            business_at,
        )


@transaction_required
def claim_messages(*, limit: int, lease: timedelta, channel: str = "sms") -> list[Claimed]:
    """Take up to `limit` of a channel's queue for sending, the most urgent first; nobody else does during the lease."""
    rows = many(
        "WITH taken AS (SELECT q.id FROM unnest(%s::text[]) WITH ORDINALITY AS k (kind, urgency), LATERAL"
        " (SELECT m.id FROM notices_message m WHERE m.delivery = 'queued' AND m.channel = %s AND m.kind = k.kind"
        " AND (m.taken_until IS NULL OR m.taken_until < clock_timestamp())"
        " ORDER BY m.id LIMIT %s FOR UPDATE SKIP LOCKED) AS q ORDER BY k.urgency, q.id LIMIT %s)"
        " UPDATE notices_message m SET taken_until = clock_timestamp() + %s FROM taken WHERE m.id = taken.id"
        " RETURNING m.id, m.kind, m.connection, m.phone, m.template, m.text, m.language, m.variables",
        list(URGENCY),
        channel,
        limit,
        limit,
        lease,
    )
    return sorted(Claimed(*row) for row in rows)


@transaction_required
def withdraw(*, messages: Sequence[int], actor: str, at: datetime, business_at: datetime) -> None:
    """Take back messages that are no longer true: they will not be sent, nor tried by another channel."""
    rows = many(
        "UPDATE notices_message SET delivery = 'withdrawn', taken_until = NULL, next_at = NULL"
        " WHERE id = ANY(%s::bigint[]) AND delivery = 'queued' RETURNING id",
        list(messages),
    )
    heard = [Heard(row[0], "withdrawn", code="settled") for row in sorted(rows)]
    chain_heard(heard, actor=actor, at=at, business_at=business_at)


@transaction_required
def mark_sent(
    *, messages: Sequence[int], receipts: Sequence[str], actor: str, at: datetime, business_at: datetime
) -> None:
    """Note that the provider took these messages. One whose delivery was reported in the meantime stays delivered."""
    rows = many(
        "UPDATE notices_message m SET sent_at = clock_timestamp(), receipt = g.receipt, taken_until = NULL,"
        " delivery = 'sent' FROM unnest(%s::bigint[], %s::text[]) AS g (id, receipt)"
        " WHERE m.id = g.id AND m.delivery = 'queued' RETURNING m.id, m.kind, m.receipt",
        list(messages),
        list(receipts),
    )
    heard = [Heard(id_, "taken", receipt) for id_, kind, receipt in sorted(rows) if kind in CHAINED]
    chain_heard(heard, actor=actor, at=at, business_at=business_at)


@transaction_required
def mark_refused(
    *, messages: Sequence[int], codes: Sequence[str], actor: str, at: datetime, business_at: datetime
) -> None:
    """Note that the provider refused these: they are tried again, at most `MOST_TRIES` times, then passed on."""
    rows = many(
        "UPDATE notices_message m SET tries = tries + 1, taken_until = clock_timestamp() + interval '2 seconds',"
        " delivery = CASE WHEN tries + 1 >= %s THEN 'failed' ELSE delivery END,"
        " next_at = CASE WHEN tries + 1 >= %s AND next_at IS NOT NULL THEN %s ELSE next_at END"
        " FROM unnest(%s::bigint[], %s::text[]) AS g (id, code) WHERE m.id = g.id AND delivery = 'queued'"
        " RETURNING m.id, m.kind, m.delivery, g.code",
        MOST_TRIES,
        MOST_TRIES,
        business_at,
        list(messages),
        list(codes),
    )
    heard = [
        Heard(id_, "failed", code=code)
        for id_, kind, delivery, code in sorted(rows)
        if delivery == "failed" and kind in CHAINED
    ]
    chain_heard(heard, actor=actor, at=at, business_at=business_at)


@transaction_required
def give_back(*, messages: Sequence[int], after: timedelta) -> None:
    """Give claimed messages back unsent, to be taken again after a pause; this is no try."""
    run(
        "UPDATE notices_message SET taken_until = clock_timestamp() + %s"
        " WHERE id = ANY(%s::bigint[]) AND delivery = 'queued'",
        after,
        list(messages),
    )


@transaction_required
def mark_reported(
    reports: Sequence[Report], *, actor: str, at: datetime, business_at: datetime, evidence: Sequence[str | None] = ()
) -> int:
    """Note what providers report; how many were news. A report may overtake the note that its message was sent, and one
    that comes after the message was given up still counts: it arrived.

    What arrived by a channel that does not end the matter, and what failed, is passed on to the next channel.
    """
    if not reports:
        return 0
    rows = many(
        "UPDATE notices_message m SET delivery = g.state,"
        " delivered_at = CASE WHEN g.state = 'delivered' THEN g.at END, receipt = coalesce(g.receipt, m.receipt),"
        " taken_until = NULL, sent_at = coalesce(m.sent_at, clock_timestamp()),"
        " next_at = CASE WHEN g.state = 'delivered' AND m.serves OR m.next_channel IS NULL OR m.delivery = 'expired'"
        " THEN NULL ELSE %s END"
        " FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[])"
        " WITH ORDINALITY AS u (id, receipt, state, at, nth) ORDER BY u.id, u.state, u.nth) AS g"
        " WHERE m.id = g.id AND (m.receipt IS NULL OR g.receipt IS NULL OR m.receipt = g.receipt)"
        " AND (m.delivery IN ('queued', 'listed', 'sent') OR m.delivery = 'expired' AND g.state = 'delivered')"
        " RETURNING m.id, m.kind, m.delivery, g.nth",
        business_at,
        *columns([(each.reference, each.receipt or None, _state(each), each.at) for each in reports]),
    )
    heard = []
    for id_, kind, _, nth in sorted(rows, key=lambda row: row[3]):
        if kind in CHAINED:
            told = reports[nth - 1]
            heard.append(
                Heard(
                    id_, _state(told), told.receipt or None, told.code or None,
                    evidence[nth - 1] if evidence else None, told.at, told.business_at or told.at,
                )
            )  # fmt: skip
    chain_heard(heard, actor=actor, at=at, business_at=business_at)
    return len(rows)


def _state(report: Report) -> str:
    return "delivered" if report.delivered else "expired" if report.expired else "failed"
