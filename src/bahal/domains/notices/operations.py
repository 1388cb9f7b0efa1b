"""Serving written notices, queueing messages, and noting what became of them."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bahal.domains.notices.errors import NoticeMalformed, NoticeUnknown
from bahal.foundation.rows import columns, copy, many, next_ids, one, run
from bahal.foundation.transactions import transaction_required

URGENCY = ("restored", "cut", "payment", "reminder")
"""Which messages go out first."""

MOST_TRIES = 5
"""A message that the SMS centre refused this often is given up, with the reason in its row's delivery."""


class NewNotice(NamedTuple):
    """A written notice under s.56(1): its bills, days in India, and how its service is known (None: not yet served)."""

    connection: int
    bills: tuple[int, ...]
    paise: int
    issued_on: date
    served_on: date | None
    service: str


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


class Report(NamedTuple):
    """What the SMS centre says became of a message. `reference` is our message id."""

    reference: int
    receipt: str
    delivered: bool
    at: datetime


@transaction_required
def serve_written_notices(notices: Sequence[NewNotice]) -> list[int]:
    """Write notices with the bills they name; their ids in order. The hash is over the notice's content.

    :raises NoticeMalformed: no bills, no amount, or served before it was issued.
    """
    for notice in notices:
        if not notice.bills or notice.paise <= 0:
            raise NoticeMalformed(connection=notice.connection, field="bills")
        if notice.served_on is not None and notice.served_on < notice.issued_on:
            raise NoticeMalformed(connection=notice.connection, field="served_on")
    ids = next_ids("notices_writtennotice", len(notices))
    copy(
        "notices_writtennotice",
        ("id", "connection", "paise", "issued_on", "served_on", "service", "sha256"),
        (
            (id_, each.connection, each.paise, each.issued_on, each.served_on, each.service, _sha256(each))
            for id_, each in zip(ids, notices, strict=True)
        ),
    )
    copy(
        "notices_noticedbill",
        ("notice", "bill"),
        ((id_, bill) for id_, each in zip(ids, notices, strict=True) for bill in each.bills),
    )
    return ids


class Served(NamedTuple):
    """A notice whose service was noted."""

    connection: int
    paise: int
    issued_on: date


@transaction_required
def note_service(*, notice: int, served_on: date, service: str) -> Served:
    """Note when a notice was served and how that is known.

    :raises NoticeUnknown: no such notice, or it was served already.
    :raises NoticeMalformed: served before it was issued, or nothing says how that is known.
    """
    row = one(
        "UPDATE notices_writtennotice SET served_on = %s, service = %s WHERE id = %s AND served_on IS NULL"
        " RETURNING connection, paise, issued_on",
        served_on,
        service,
        notice,
    )
    if row is None:
        raise NoticeUnknown(notice=notice)
    served = Served(*row)
    if served_on < served.issued_on:
        raise NoticeMalformed(connection=served.connection, field="served_on")
    if not service.strip():
        raise NoticeMalformed(connection=served.connection, field="service")
    return served


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
def claim_messages(*, limit: int, lease: timedelta) -> list[Claimed]:
    """Take up to `limit` queued messages for sending, the most urgent first; nobody else does during the lease."""
    rows = many(
        "WITH taken AS (SELECT q.id FROM unnest(%s::text[]) WITH ORDINALITY AS k (kind, urgency), LATERAL"
        " (SELECT m.id FROM notices_message m WHERE m.delivery = 'queued' AND m.kind = k.kind"
        " AND (m.taken_until IS NULL OR m.taken_until < clock_timestamp())"
        " ORDER BY m.id LIMIT %s FOR UPDATE SKIP LOCKED) AS q ORDER BY k.urgency, q.id LIMIT %s)"
        " UPDATE notices_message m SET taken_until = clock_timestamp() + %s FROM taken WHERE m.id = taken.id"
        " RETURNING m.id, m.kind, m.connection, m.phone, m.template, m.text",
        list(URGENCY),
        limit,
        limit,
        lease,
    )
    return sorted(Claimed(*row) for row in rows)


@transaction_required
def withdraw(*, messages: Sequence[int]) -> None:
    """Take back claimed messages that are no longer true: they will not be sent."""
    run(
        "UPDATE notices_message SET delivery = 'withdrawn', taken_until = NULL"
        " WHERE id = ANY(%s::bigint[]) AND delivery = 'queued'",
        list(messages),
    )


@transaction_required
def mark_sent(*, messages: Sequence[int], receipts: Sequence[str]) -> None:
    """Note that the SMS centre took these messages. One whose delivery was reported in the meantime stays delivered."""
    run(
        "UPDATE notices_message m SET sent_at = clock_timestamp(), receipt = g.receipt, taken_until = NULL,"
        " delivery = 'sent' FROM unnest(%s::bigint[], %s::text[]) AS g (id, receipt)"
        " WHERE m.id = g.id AND m.delivery = 'queued'",
        list(messages),
        list(receipts),
    )


@transaction_required
def mark_refused(*, messages: Sequence[int]) -> None:
    """Note that the SMS centre refused these: they are tried again, at most `MOST_TRIES` times."""
    run(
        "UPDATE notices_message SET tries = tries + 1, taken_until = clock_timestamp() + interval '2 seconds',"
        " delivery = CASE WHEN tries + 1 >= %s THEN 'failed' ELSE delivery END"
        " WHERE id = ANY(%s::bigint[]) AND delivery = 'queued'",
        MOST_TRIES,
        list(messages),
    )


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
def mark_delivered(reports: Sequence[Report]) -> int:
    """Note delivery reports; how many were news. A report may overtake the note that its message was sent."""
    if not reports:
        return 0
    return run(
        "UPDATE notices_message m SET delivery = CASE WHEN g.delivered THEN 'delivered' ELSE 'failed' END,"
        " delivered_at = CASE WHEN g.delivered THEN g.at END, receipt = g.receipt, taken_until = NULL,"
        " sent_at = coalesce(m.sent_at, clock_timestamp())"
        " FROM unnest(%s::bigint[], %s::text[], %s::boolean[], %s::timestamptz[]) AS g (id, receipt, delivered, at)"
        " WHERE m.id = g.id AND m.delivery IN ('queued', 'sent') AND (m.receipt IS NULL OR m.receipt = g.receipt)",
        *columns(reports),
    )


def _sha256(notice: NewNotice) -> str:
    content = (
        f"{notice.connection}|{','.join(map(str, notice.bills))}|{notice.paise}|{notice.issued_on}|{notice.service}"
    )
    return hashlib.sha256(content.encode()).hexdigest()
