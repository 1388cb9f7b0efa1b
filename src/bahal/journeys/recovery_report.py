"""The recovery report of a drive: from the funnel to the last lamp, every figure derived from stored facts.

`proposed = cut.sent + cancelled_paid` when nothing else befell an order; what else did is in `not_sent`.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bahal.domains.arrears.queries import policy_at
from bahal.domains.supply.clock import Stretch, lit_at, slowest_cause, stretches
from bahal.domains.supply.queries import Drive, drive_of
from bahal.foundation.rows import many, one, value
from bahal.journeys.clock_facts import Timed, timed
from bahal.shared.clock import day_in_india
from bahal.shared.money import PAISE_IN_RUPEE


def recovery_report(*, drive: int) -> dict[str, Any]:
    """The report of a drive as plain values: rupees integer, seconds of the wall's clock, counts.

    `paid` counts payments made for connections of the list since the drive began; `restored` measures from the payer's
    acknowledgement to the relay read back closed; `still_dark` are confirmed cuts that no restore has undone. `orders`
    counts every cut of the drive and every restore that followed by how it ended; `tasks` are those that ended with a
    lineman, each with its cause.

    :raises DriveUnknown: no such drive.
    :raises NoPolicy: no recovery policy was in force.
    """
    found = drive_of(drive=drive)
    cuts = _cuts(found)
    return {
        "drive": found.id,
        "list_sha256": found.list_sha256,
        "proposed": found.orders,
        "funnel": _funnel(found),
        "sms": _sms(found),
        "dropped_out": _dropped_out(found),
        "cancelled_paid": cuts.pop("cancelled_paid"),
        "not_sent": cuts.pop("not_sent"),
        "cut": cuts,
        "paid": _paid(found),
        "restored": _restored(found),
        "clock": _clock(found),
        "still_dark": _still_dark(found),
        "relay_off": value("SELECT count(*) FROM meters_relay WHERE NOT closed"),
        "alerts": _alerts(found),
        "orders": _orders(found),
        "tasks": _tasks(found),
    }


def _funnel(drive: Drive) -> Any:
    """As it was when the drive was proposed."""
    stored = value(
        "SELECT (data->'funnel')::text FROM audit_entry WHERE subject = %s AND act = 'supply.drive.proposed'",
        f"drive {drive.id}",
    )
    return None if stored is None else json.loads(stored)


def _since(drive: Drive) -> datetime:
    """When the reminders that this drive leans on began: business time."""
    return drive.not_before - timedelta(days=policy_at(business_at=drive.not_before).last_reminder_within_days)


def _sms(drive: Drive) -> dict[str, Any]:
    """Messages about this drive's people from its first reminder on: sent, delivered, by kind (sent)."""
    rows = many(
        "SELECT kind, count(*) FILTER (WHERE delivery IN ('sent', 'delivered')),"
        " count(*) FILTER (WHERE delivery = 'delivered') FROM notices_message"
        " WHERE business_on >= %s AND channel = 'sms'"
        " GROUP BY kind ORDER BY kind",
        day_in_india(_since(drive)),
    )
    return {
        "sent": sum(row[1] for row in rows),
        "delivered": sum(row[2] for row in rows),
        "by_kind": {row[0]: row[1] for row in rows},
    }


def _dropped_out(drive: Drive) -> int:
    """Who was reminded for this drive, paid before it was proposed, and is not on its list."""
    return int(
        value(
            "SELECT count(DISTINCT m.connection) FROM notices_message m"
            " WHERE m.kind = 'reminder' AND m.business_on >= %s"
            " AND EXISTS (SELECT FROM payments_payment p WHERE p.connection = m.connection"
            " AND p.acknowledged_at >= m.queued_at AND p.acknowledged_at < %s)"
            " AND NOT EXISTS (SELECT FROM supply_order o WHERE o.drive = %s AND o.connection = m.connection)",
            day_in_india(_since(drive)),
            drive.proposed_at,
            drive.id,
        )
    )


def _cuts(drive: Drive) -> dict[str, Any]:
    row = one(
        "SELECT count(*) FILTER (WHERE sent_at IS NOT NULL), count(*) FILTER (WHERE state = 'confirmed'),"
        " count(*) FILTER (WHERE state IN ('sent', 'unknown')), count(*) FILTER (WHERE state = 'field_task'),"
        " count(*) FILTER (WHERE state = 'cancelled' AND reason = 'paid' AND sent_at IS NULL), max(confirmed_at)"
        " FROM supply_order WHERE drive = %s",
        drive.id,
    )
    assert row is not None
    sent, confirmed, unknown, field_tasks, cancelled_paid, last = row
    seconds = None if last is None or drive.started_at is None else (last - drive.started_at).total_seconds()
    divisions = many(
        "SELECT division.name, count(*) FILTER (WHERE o.sent_at IS NOT NULL),"
        " count(*) FILTER (WHERE o.state = 'confirmed'), count(*) FILTER (WHERE o.state = 'confirmed' AND NOT EXISTS"
        " (SELECT FROM supply_order r WHERE r.connection = o.connection AND r.kind = 'restore'"
        " AND r.state = 'confirmed' AND r.id > o.id)) FROM supply_order o"
        " JOIN network_connection c ON c.id = o.connection JOIN offices_office centre ON centre.id = c.centre"
        " JOIN offices_office subdivision ON subdivision.id = centre.parent_id"
        " JOIN offices_office division ON division.id = subdivision.parent_id"
        " WHERE o.drive = %s GROUP BY division.id ORDER BY division.id",
        drive.id,
    )
    not_sent = many(
        "SELECT state, reason, count(*) FROM supply_order WHERE drive = %s AND sent_at IS NULL"
        " AND NOT (state = 'cancelled' AND reason = 'paid') GROUP BY state, reason ORDER BY state, reason",
        drive.id,
    )
    return {
        "sent": sent,
        "confirmed": confirmed,
        "unknown": unknown,
        "field_tasks": field_tasks,
        "seconds": _rounded(seconds),
        "by_division": {each[0]: {"sent": each[1], "confirmed": each[2], "dark": each[3]} for each in divisions},
        "cancelled_paid": cancelled_paid,
        "not_sent": [{"state": each[0], "reason": each[1], "count": each[2]} for each in not_sent],
    }


def _paid(drive: Drive) -> dict[str, Any]:
    """Payments since the drive began: `count` and `rupees` of connections whose cut was sent, `raced` of the others."""
    row = one(
        "SELECT count(*) FILTER (WHERE o.sent_at IS NOT NULL),"
        " coalesce(sum(p.paise) FILTER (WHERE o.sent_at IS NOT NULL), 0)::bigint,"
        " count(*) FILTER (WHERE o.sent_at IS NULL),"
        " coalesce(sum(p.paise) FILTER (WHERE o.sent_at IS NULL), 0)::bigint"
        " FROM payments_payment p JOIN supply_order o ON o.connection = p.connection AND o.drive = %s"
        " WHERE p.acknowledged_at >= %s",
        drive.id,
        drive.started_at or drive.proposed_at,
    )
    assert row is not None
    return {
        "count": row[0],
        "rupees": row[1] // PAISE_IN_RUPEE,
        "raced": {"count": row[2], "rupees": row[3] // PAISE_IN_RUPEE},
    }


def _restored(drive: Drive) -> dict[str, Any]:
    rows = many(
        "SELECT extract(epoch FROM r.confirmed_at - p.acknowledged_at)::float8 FROM supply_order o"
        " JOIN supply_order r ON r.connection = o.connection AND r.kind = 'restore' AND r.id > o.id"
        ' JOIN LATERAL (SELECT min(acknowledged_at) AS acknowledged_at FROM payments_payment WHERE "order" = r.id) p'
        " ON p.acknowledged_at IS NOT NULL WHERE o.drive = %s AND r.state = 'confirmed' ORDER BY 1",
        drive.id,
    )
    seconds = [row[0] for row in rows]
    return {
        "confirmed": len(seconds),
        "p50_s": _percentile(seconds, 50),
        "p95_s": _percentile(seconds, 95),
        "p99_s": _percentile(seconds, 99),
    }


def _clock(drive: Drive) -> dict[str, Any]:
    """Where the time of the slow ones went: the slowest twentieth of those who paid and are lit, by the cause that took
    most of each one's time, and `waiting`, those who paid and are not lit, by what they wait for."""
    orders = many(
        "SELECT DISTINCT r.id FROM supply_order o JOIN supply_order r ON r.connection = o.connection"
        " AND r.kind = 'restore' AND r.id > o.id AND r.state NOT IN ('cancelled', 'refused', 'expired')"
        ' WHERE o.drive = %s AND EXISTS (SELECT FROM payments_payment p WHERE p."order" = r.id)',
        drive.id,
    )
    now = value("SELECT clock_timestamp()")
    paid = timed(orders=[row[0] for row in orders])
    spans = [stretches(each.moments, now) for each in paid if _is_lit(each)]
    spans.sort(key=_total, reverse=True)
    slow = spans[: -(-len(spans) // 20)]
    waiting = [stretches(each.moments, now)[-1:] for each in paid if not _is_lit(each)]
    return {"slow": _by_cause(slow), "waiting": _by_cause(waiting)}


def _is_lit(each: Timed) -> bool:
    return lit_at(each.moments) is not None


def _total(span: Sequence[Stretch]) -> float:
    return sum(each.seconds for each in span)


def _by_cause(spans: Sequence[Sequence[Stretch]]) -> list[dict[str, Any]]:
    found: dict[str, list[float]] = {}
    for span in spans:
        cause = slowest_cause(span)
        if cause is not None:
            found.setdefault(cause, []).append(_total(span))
    return [
        {"cause": cause, "count": len(seconds), "worst_s": _rounded(max(seconds))}
        for cause, seconds in sorted(found.items(), key=lambda item: -len(item[1]))
    ]


def _still_dark(drive: Drive) -> int:
    return int(
        value(
            "SELECT count(*) FROM supply_order o WHERE o.drive = %s AND o.kind = 'cut' AND o.state = 'confirmed'"
            " AND NOT EXISTS (SELECT FROM supply_order r WHERE r.connection = o.connection AND r.kind = 'restore'"
            " AND r.state = 'confirmed' AND r.id > o.id)",
            drive.id,
        )
    )


def _alerts(drive: Drive) -> list[dict[str, Any]]:
    rows = many(
        "SELECT a.kind, a.meter, a.connection, a.raised_at, a.business_at FROM protection_alert a"
        " WHERE a.raised_at >= %s ORDER BY a.id",
        drive.proposed_at,
    )
    return [
        {
            "kind": kind,
            "meter": meter,
            "connection": connection,
            "raised_at": raised_at.isoformat(),
            "business_at": business_at.isoformat(),
        }
        for kind, meter, connection, raised_at, business_at in rows
    ]


def _orders(drive: Drive) -> dict[str, int]:
    """`verified` by a read of the relay, `press_button` those of them whose consumer must still press the meter's
    button, `field_tasks`, `cancelled` before they were sent, `refused` for good (or expired, or set apart), `open`."""
    row = one(
        "SELECT count(*) FILTER (WHERE o.state = 'confirmed'),"
        " count(*) FILTER (WHERE o.state = 'confirmed' AND o.reason = 'press_button'),"
        " count(*) FILTER (WHERE o.state = 'field_task'), count(*) FILTER (WHERE o.state = 'cancelled'),"
        " count(*) FILTER (WHERE o.state IN ('refused', 'expired', 'quarantined')),"
        " count(*) FILTER (WHERE o.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown'))"
        " FROM supply_order o WHERE (o.drive = %s OR (o.kind = 'restore' AND EXISTS (SELECT FROM supply_order c"
        " WHERE c.drive = %s AND c.connection = o.connection AND c.id < o.id)))",
        drive.id,
        drive.id,
    )
    assert row is not None
    names = ("verified", "press_button", "field_tasks", "cancelled", "refused", "open")
    return dict(zip(names, row, strict=True))


def _tasks(drive: Drive) -> list[dict[str, Any]]:
    """`open` is whether a person has not closed the task yet."""
    rows = many(
        "SELECT o.id, o.kind, o.meter, o.connection, o.reason, t.id IS NOT NULL AND t.closed_at IS NULL"
        ' FROM supply_order o LEFT JOIN fieldwork_task t ON t."order" = o.id'
        " WHERE o.state = 'field_task' AND (o.drive = %s OR (o.kind = 'restore' AND EXISTS (SELECT FROM supply_order c"
        " WHERE c.drive = %s AND c.connection = o.connection AND c.id < o.id))) ORDER BY o.id",
        drive.id,
        drive.id,
    )
    names = ("order", "kind", "meter", "connection", "cause", "open")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest rank: a figure that was measured, not one between two."""
    if not ordered:
        return None
    return _rounded(ordered[max(0, -(-len(ordered) * percent // 100) - 1)])


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
