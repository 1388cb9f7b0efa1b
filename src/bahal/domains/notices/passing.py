"""From a channel that failed, or that nobody heard of in time, to the next: many at once, each a step of its chain."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from bahal.domains.notices.issuing import QUEUED
from bahal.domains.notices.operations import CHAINED, Heard, chain_asked, chain_heard
from bahal.foundation.rows import columns, many, next_ids, run
from bahal.foundation.transactions import transaction_required


class Overdue(NamedTuple):
    """An attempt whose time is over, or that failed, or that arrived by a channel that does not serve."""

    id: int
    connection: int
    kind: str
    notice: int | None
    day: date
    delivery: str
    next_channel: str | None


class NextAttempt(NamedTuple):
    """The same by the next channel. `told` are the variables of the text in its order."""

    after: int
    connection: int
    kind: str
    notice: int | None
    day: date
    channel: str
    phone: str
    language: str
    registered_as: str
    text: str
    told: Sequence[str]
    made_from: str
    made_version: int
    serves: bool
    next_channel: str | None
    next_at: datetime | None


def anything_overdue(*, business_at: datetime) -> bool:
    """Whether any attempt is to be passed on."""
    return bool(many("SELECT 1 FROM notices_message WHERE next_at <= %s LIMIT 1", business_at))


@transaction_required
def take_overdue(*, business_at: datetime, limit: int) -> list[Overdue]:
    """Up to `limit` attempts that are to be passed on, the longest overdue first; nobody else has them."""
    rows = many(
        "SELECT id, connection, kind, notice, business_on, delivery, next_channel FROM notices_message"
        " WHERE next_at <= %s AND kind = ANY(%s::text[]) ORDER BY next_at, id LIMIT %s FOR UPDATE SKIP LOCKED",
        business_at,
        list(CHAINED),
        limit,
    )
    return [Overdue(*row) for row in rows]


@transaction_required
def pass_on(
    overdue: Sequence[Overdue],
    onward: Sequence[NextAttempt],
    *,
    policy: str,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> int:
    """Give up what is still open of these, and ask for `onward`; how many were asked for.

    An attempt by the next channel of the same day that is there already is not asked for again.
    """
    run(
        "UPDATE notices_message SET next_at = NULL, delivery = CASE WHEN delivery IN ('queued', 'listed', 'sent')"
        " THEN 'expired' ELSE delivery END WHERE id = ANY(%s::bigint[])",
        [each.id for each in overdue],
    )
    by: dict[str, Any] = {"actor": actor, "at": at, "business_at": business_at}
    given_up = [Heard(each.id, "expired") for each in overdue if each.delivery in ("queued", "listed", "sent")]
    chain_heard(given_up, **by)
    if not onward:
        return 0
    ids = next_ids("notices_message", len(onward))
    rows = [
        (
            id_, each.connection, each.kind, each.channel, each.phone, each.registered_as, each.text, each.notice,
            each.day, at, 0, "queued", each.language, "\x1f".join(each.told), each.made_from, each.made_version,
            each.serves, each.next_channel, each.next_at,
        )
        for id_, each in zip(ids, onward, strict=True)
    ]  # fmt: skip
    made = many(
        f"INSERT INTO notices_message ({', '.join(QUEUED)})"  # noqa: S608
        " SELECT g.id, g.connection, g.kind, g.channel, g.phone, g.template, g.text, g.notice, g.business_on,"
        " g.queued_at, g.tries, g.delivery, g.language, string_to_array(g.told, E'\\x1f'), g.made_from, g.made_version,"
        " g.serves, g.next_channel, g.next_at FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[],"
        " %s::text[], %s::text[], %s::text[], %s::bigint[], %s::date[], %s::timestamptz[], %s::smallint[], %s::text[],"
        " %s::text[], %s::text[], %s::text[], %s::smallint[], %s::boolean[], %s::text[], %s::timestamptz[]) AS g (id,"
        " connection, kind, channel, phone, template, text, notice, business_on, queued_at, tries, delivery, language,"
        " told, made_from, made_version, serves, next_channel, next_at) ON CONFLICT DO NOTHING RETURNING id",
        *columns(rows),
    )
    asked = sorted(row[0] for row in made)
    chain_asked(asked, policy=policy, **by)
    return len(asked)
