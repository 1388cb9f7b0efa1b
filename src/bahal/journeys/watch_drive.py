"""A drive as officers follow it: the funnel from the list to the last lamp, recovery by office, and every list behind a
number. A stage is one condition, asked in one place, so that a number and the list that it opens cannot differ.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bahal.domains.supply.queries import Drive, drive_of
from bahal.foundation.rows import many
from bahal.shared.errors import Refusal

STAGES: Mapping[str, str] = {
    "listed": "true",
    "notified": "EXISTS (SELECT FROM notices_message m WHERE m.connection = o.connection AND m.kind = 'reminder'"
    " AND m.delivery = 'delivered' AND m.business_on < (d.not_before AT TIME ZONE 'Asia/Kolkata')::date"
    " AND m.business_on >= (d.not_before AT TIME ZONE 'Asia/Kolkata')::date - 30)",
    "paid": "EXISTS (SELECT FROM payments_payment p"
    " WHERE p.connection = o.connection AND p.acknowledged_at >= d.proposed_at)",
    "excluded": "o.state IN ('refused', 'expired', 'quarantined') OR (o.state = 'cancelled' AND o.reason <> 'paid')",
    "waiting": "o.state IN ('proposed', 'authorised', 'claimed')",
    "sent": "o.sent_at IS NOT NULL",
    "confirmed": "o.state = 'confirmed'",
    "unknown": "o.state IN ('sent', 'unknown')",
    "field": "o.state = 'field_task'",
    "restored": "o.state = 'confirmed' AND EXISTS (SELECT FROM supply_order r WHERE r.connection = o.connection"
    " AND r.kind = 'restore' AND r.state = 'confirmed' AND r.id > o.id)",
    "dark": "o.state = 'confirmed' AND NOT EXISTS (SELECT FROM supply_order r WHERE r.connection = o.connection"
    " AND r.kind = 'restore' AND r.state = 'confirmed' AND r.id > o.id)",
}
"""What each stage of the funnel is, over a cut `o` of the drive `d`."""

PAGE = 100


class StageUnknown(Refusal):
    """A drive has no such stage."""

    code = "stage_unknown"
    hi = "`{stage}` नाम का कोई चरण नहीं है।"
    en = "There is no stage `{stage}`."


class Line(NamedTuple):
    """A drive in the list of drives."""

    id: int
    name: str
    state: str
    office: str
    office_hi: str
    orders: int
    sum_paise: int
    maker: str
    checker: str | None
    not_before: datetime
    confirmed: int


class Recovered(NamedTuple):
    """What came in from a division's connections of the list since the drive was proposed."""

    name: str
    name_hi: str
    listed: int
    confirmed: int
    restored: int
    paid: int
    paise: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A drive, how many are at each stage of it, and what each division has recovered."""

    drive: Drive
    funnel: Mapping[str, int]
    divisions: Sequence[Recovered]


class Listed(NamedTuple):
    """One connection behind a number. `due_paise` is what the list was signed for."""

    position: int
    connection: int
    name: str
    name_hi: str
    meter: str
    state: str
    reason: str
    due_paise: int
    order: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A page of those at one stage, in the list's order; `after` asks for the next page, None at the end."""

    drive: Drive
    stage: str
    rows: Sequence[Listed]
    after: int | None


def list_drives(*, circles: Collection[int]) -> list[Line]:
    """The latest hundred drives of these circles, the newest first."""
    rows = many(
        "SELECT d.id, d.name, d.state, o.name, o.name_hi, d.orders, d.sum_paise, d.maker, d.checker, d.not_before,"
        " (SELECT count(*) FROM supply_order c WHERE c.drive = d.id AND c.state = 'confirmed')"
        " FROM supply_drive d JOIN offices_office o ON o.id = d.office WHERE d.office = ANY(%s::integer[])"
        " ORDER BY d.id DESC LIMIT 100",
        list(circles),
    )
    return [Line(*row) for row in rows]


def watch_drive(*, drive: int) -> Watched:
    """How far a drive is.

    :raises DriveUnknown: no such drive.
    """
    found = drive_of(drive=drive)
    counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in STAGES.values())
    (row,) = many(
        f"SELECT {counts} FROM supply_order o JOIN supply_drive d ON d.id = o.drive WHERE o.drive = %s",  # noqa: S608
        drive,
    )
    return Watched(found, dict(zip(STAGES, row, strict=True)), [Recovered(*each) for each in many(_DIVISIONS, drive)])


def open_stage(*, drive: int, stage: str, after: int = -1, limit: int | None = PAGE) -> Stage:
    """Those at a stage, a page of them from behind a position of the list; all of them without a limit.

    :raises DriveUnknown: no such drive.
    :raises StageUnknown: no such stage.
    """
    if stage not in STAGES:
        raise StageUnknown(stage=stage[:40])
    found = drive_of(drive=drive)
    rows = [
        Listed(*row)
        for row in many(
            "SELECT o.position, o.connection, coalesce(u.name, ''), coalesce(u.name_hi, ''), o.meter, o.state,"  # noqa: S608
            " o.reason, o.due_paise, o.id FROM supply_order o JOIN supply_drive d ON d.id = o.drive"
            " LEFT JOIN consumers_consumer u ON u.id = o.connection"
            f" WHERE o.drive = %s AND o.position > %s AND ({STAGES[stage]}) ORDER BY o.position LIMIT %s",
            drive,
            after,
            None if limit is None else limit + 1,
        )
    ]
    more = limit is not None and len(rows) > limit
    shown = rows[:limit] if more else rows
    return Stage(found, stage, shown, shown[-1].position if more else None)


_DIVISIONS = """
SELECT division.name, division.name_hi, count(*), count(*) FILTER (WHERE o.state = 'confirmed'),
       count(*) FILTER (WHERE o.state = 'confirmed' AND EXISTS (SELECT FROM supply_order r
           WHERE r.connection = o.connection AND r.kind = 'restore' AND r.state = 'confirmed' AND r.id > o.id)),
       count(*) FILTER (WHERE p.paise > 0), coalesce(sum(p.paise), 0)::bigint
FROM supply_order o JOIN supply_drive d ON d.id = o.drive
JOIN network_connection c ON c.id = o.connection
JOIN offices_office centre ON centre.id = c.centre
JOIN offices_office subdivision ON subdivision.id = centre.parent_id
JOIN offices_office division ON division.id = subdivision.parent_id
LEFT JOIN LATERAL (SELECT sum(x.paise) AS paise FROM payments_payment x
                   WHERE x.connection = o.connection AND x.acknowledged_at >= d.proposed_at) AS p ON true
WHERE o.drive = %s GROUP BY division.id ORDER BY division.id
"""
