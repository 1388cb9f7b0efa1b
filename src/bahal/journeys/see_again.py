"""A fact that a push told is read again, authenticated, before it can be held against anybody.

The interlock does it, in an association as client 48; here it is asked for, and its answer is set beside the alert:
confirmed where the meter says the same, not_seen where it says that nothing was, other where its log has gone on to
something else since, which proves nothing either way.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bahal.domains.protection.kinds import RELAY, Kind
from bahal.domains.protection.operations import ask_anew, note_looks, note_seen_again
from bahal.domains.protection.queries import kinds_in_force, unread
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india

AT_ONCE = 200
PATIENCE = timedelta(days=7)
"""How long after it was raised an alert is asked for anew, when its meter could not be looked at."""


def see_again(*, at: datetime, business_at: datetime) -> int:
    """Ask for looks, and take what they saw; how many of both."""
    with transaction():
        asked = _ask(business_at)
    with transaction():
        return asked + _take(at=at, business_at=business_at)


def _ask(business_at: datetime) -> int:
    waiting = unread(limit=AT_ONCE)
    if not waiting:
        return 0
    kinds = kinds_in_force(on=day_in_india(business_at)).by_name
    wanted = [each for each in waiting if each.kind in kinds and kinds[each.kind].accuses]
    looks = many(
        "INSERT INTO interlock_look (meter, register)"
        " SELECT w.meter, w.register FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w (meter, register, n)"
        " ORDER BY w.n RETURNING id",
        [each.meter for each in wanted],
        [kinds[each.kind].register for each in wanted],
    )
    note_looks([(each.alert, look) for each, (look,) in zip(wanted, looks, strict=True)])
    return len(wanted)


def _take(*, at: datetime, business_at: datetime) -> int:
    rows = many(
        "WITH done AS (SELECT id FROM interlock_look WHERE done_at IS NOT NULL AND taken_at IS NULL ORDER BY id"
        " LIMIT %s FOR UPDATE SKIP LOCKED), taken AS (UPDATE interlock_look l SET taken_at = %s FROM done d"
        " WHERE l.id = d.id RETURNING l.id, l.meter, l.value, l.done_at)"
        " SELECT a.id, a.kind, t.value, t.done_at FROM taken t"
        " JOIN protection_alert a ON a.look = t.id AND a.meter = t.meter AND a.seen_again_at IS NULL ORDER BY a.id",
        AT_ONCE,
        at,
    )
    if not rows:
        return 0
    kinds = kinds_in_force(on=day_in_india(business_at)).by_name
    seen = [
        (alert, judge(kinds[kind], value), done_at)
        for alert, kind, value, done_at in rows
        if value is not None and kind in kinds
    ]
    note_seen_again(seen)
    ask_anew(_young([alert for alert, _, value, _ in rows if value is None], at - PATIENCE))
    record_many(_acts(seen), actor="worker", at=at, business_at=business_at)
    return len(rows)


def judge(kind: Kind, value: int) -> str:
    """What an authenticated read says of an alert: `confirmed`, `not_seen` or `other`."""
    if kind.register == RELAY:
        return "confirmed" if value else "not_seen"
    if value in kind.begins or value in kind.ends:
        return "confirmed"  # an end that is logged had a beginning
    return "other" if value else "not_seen"


def _young(alerts: Sequence[int], since: datetime) -> list[int]:
    return [
        row[0]
        for row in many(
            "SELECT id FROM protection_alert WHERE id = ANY(%s::bigint[]) AND raised_at >= %s", list(alerts), since
        )
    ]


def _acts(seen: Sequence[tuple[int, str, datetime]]) -> list[Act]:
    said = {alert: word for alert, word, _ in seen}
    rows = many("SELECT id, meter, connection FROM protection_alert WHERE id = ANY(%s::bigint[])", list(said))
    return [
        Act("protection.seen_again", f"meter {meter}", connection, {"meter": meter, "alert": id_, "said": said[id_]})
        for id_, meter, connection in rows
    ]
