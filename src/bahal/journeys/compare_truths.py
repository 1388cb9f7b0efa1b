"""The three truths of each relay are compared: what does not agree is queued, and leaves the queue when it agrees.

Looked at are the relays that an order, a read or a lineman has left off, and those on the queue already. Whether energy
is counted since the cut comes from the load profile and the registers that were collected. Each new mismatch asks the
interlock for a read of the relay in an authenticated association. What may be somebody's doing, and rests on more than
a push, becomes an alert of the vigilance officer, and is read again likewise before it is held against anybody.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from bahal.domains.fieldwork.operations import close
from bahal.domains.meters.operations import (
    NewMismatch,
    close_mismatches,
    note_load,
    note_look,
    note_reads,
    note_told,
    open_mismatches,
)
from bahal.domains.meters.truths import ACCUSES, Facts, mismatches
from bahal.domains.protection.kinds import FORCED_CLOSE, RELAY
from bahal.domains.protection.operations import Happening, lock_meters, settle_alerts, write_happenings
from bahal.domains.protection.queries import kinds_in_force
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.rows import many, value
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india

AT_ONCE = 50_000
LEAST_WH = 20
"""Energy that a dark house may be counted by a meter that rounds."""
_COMPARING = 0x0BA4B9


@dataclass(frozen=True, slots=True)
class _Relay:
    """A relay that is looked at: its facts but for the load, and since when (business time) it should count nothing."""

    meter: str
    connection: int
    off_since: datetime | None
    cut: bool
    confirmed: bool
    by_hand: bool
    acknowledged: bool | None
    acknowledged_at: datetime | None
    closed: bool | None
    seen_at: datetime | None
    source: str | None
    lineman_comes: bool

    def proof(self, load: bool | None) -> bool:
        """Whether there is more than a push: an answer of the meter to us, or energy that it counted."""
        return bool(load) or (bool(self.closed) and self.source != "push")

    def facts(self, load: bool | None) -> Facts:
        """With what was counted."""
        known = {each.name: getattr(self, each.name) for each in fields(Facts) if each.name != "load"}
        return Facts(**known, load=load)


def compare_truths(*, at: datetime, business_at: datetime) -> int:
    """Compare once; how many mismatches were opened or closed. One worker does it at a time."""
    with transaction():
        if not value("SELECT pg_try_advisory_xact_lock(%s)", _COMPARING):
            return 0
        note_reads(_read_again())
        relays = [_Relay(*row) for row in many(_WATCHED, AT_ONCE)]
        loads = _loads(relays)
        note_load([(meter, load, upto) for meter, (load, upto) in loads.items()])
        found = {
            (each.meter, kind): each
            for each in relays
            for kind in mismatches(each.facts(loads[each.meter][0] if each.meter in loads else None))
        }
        still = {(meter, kind): id_ for id_, meter, kind in many(_OPEN)}
        new = open_mismatches(
            [
                NewMismatch(meter, each.connection, kind, None, _told(each, loads))
                for (meter, kind), each in found.items()
                if (meter, kind) not in still
            ],
            at=at,
        )
        _ask_looks(new)
        gone = [id_ for key, id_ in still.items() if key not in found]
        close_mismatches(gone, by="worker", outcome="agreed", at=at)
        acts = [
            Act("relay.mismatch", f"meter {meter}", connection, {"mismatch": id_, "meter": meter, "kind": kind})
            for id_, meter, connection, kind in new
        ]
        acts += [
            Act("relay.mismatch.agreed", f"meter {meter}", connection, {"mismatch": id_, "meter": meter})
            for id_, meter, connection in many(
                "SELECT id, meter, connection FROM meters_mismatch WHERE id = ANY(%s::bigint[])", gone
            )
        ]
        acts += _tidy_tasks(at=at, business_at=business_at)
        record_many(acts, actor="worker", at=at, business_at=business_at)
        proved = [
            meter
            for (meter, kind), each in found.items()
            if kind in ACCUSES and each.proof(loads[meter][0] if meter in loads else None)
        ]
        accused = note_told(meters=proved, kinds=sorted(ACCUSES), at=at)
        _tell_vigilance(accused, loads, at=at, business_at=business_at)
    return len(new) + len(gone)


def _told(relay: _Relay, loads: Mapping[str, tuple[bool, datetime]]) -> str:
    """The facts as the queue shows them."""
    load = loads.get(relay.meter)
    return json.dumps(
        {
            "acknowledged": relay.acknowledged,
            "acknowledged_at": relay.acknowledged_at,
            "closed": relay.closed,
            "seen_at": relay.seen_at,
            "load": None if load is None else load[0],
            "load_at": None if load is None else load[1],
            "off_since": relay.off_since,
            "by_hand": relay.by_hand,
        },
        default=str,
    )


def _loads(relays: Sequence[_Relay]) -> dict[str, tuple[bool, datetime]]:
    """Whether each relay's meter counted energy since it should not, and up to when that is known."""
    asked = [(each.meter, each.off_since) for each in relays if each.cut and each.off_since is not None]
    if not asked:
        return {}
    rows = many(
        _ENERGY, [meter for meter, _ in asked], [since for _, since in asked], [day_in_india(s) for _, s in asked if s]
    )
    return {meter: (wh > LEAST_WH, upto) for meter, wh, upto in rows if upto is not None}


def _read_again() -> list[tuple[str, bool, datetime]]:
    """What the interlock read, authenticated, of relays that are on the queue."""
    return [
        (row[0], bool(row[1]), row[2])
        for row in many(
            "SELECT m.meter, l.value, l.done_at FROM meters_mismatch m JOIN interlock_look l ON l.id = m.look"
            " WHERE m.closed_at IS NULL AND l.value IS NOT NULL"
        )
    ]


def _ask_looks(new: Sequence[tuple[int, str, int, str]]) -> None:
    """Ask for one authenticated read of each relay that the interlock can reach."""
    rows = many(
        "SELECT m.id, m.meter FROM meters_mismatch m WHERE m.id = ANY(%s::bigint[])"
        " AND EXISTS (SELECT FROM interlock_meter i WHERE i.meter = m.meter) ORDER BY m.id",
        [id_ for id_, *_ in new],
    )
    if rows:
        looks = many(
            "INSERT INTO interlock_look (meter, register) SELECT w.meter, %s FROM unnest(%s::text[]) WITH ORDINALITY"
            " AS w (meter, n) ORDER BY w.n RETURNING id",
            RELAY,
            [meter for _, meter in rows],
        )
        note_look([(id_, look) for (id_, _), (look,) in zip(rows, looks, strict=True)])


def _tidy_tasks(*, at: datetime, business_at: datetime) -> list[Act]:
    """Close tasks that the meter or the clock has overtaken: a relay that is read closed again needs nobody to press
    its button, and under a warrant that is over nobody cuts what has no relay."""
    closed = many(_LIT_AGAIN)
    close([task for task, _ in closed], how="agreed", at=at)
    over = many(_WARRANT_OVER, business_at)
    close([task for task, _ in over], how="withdrawn", at=at)
    return [
        Act("fieldwork.overtaken", f"task {task}", connection, {"task": task, "why": why})
        for rows, why in ((closed, "agreed"), (over, "warrant_expired"))
        for task, connection in rows
    ]


def _tell_vigilance(
    accused: Mapping[str, int], loads: Mapping[str, tuple[bool, datetime]], *, at: datetime, business_at: datetime
) -> None:
    if not accused:
        return
    lock_meters(accused)
    happenings = [
        Happening(meter, FORCED_CLOSE, True, loads[meter][1] if meter in loads else business_at, "load", None, None,
                  False, at)
        for meter in sorted(accused)
    ]  # fmt: skip
    write_happenings(happenings)
    kinds = kinds_in_force(on=day_in_india(business_at))
    raised = settle_alerts(happenings, connections=accused, kinds=kinds, at=at, business_at=business_at)
    record_many(
        [
            Act("protection.alert", f"meter {each.meter}", each.connection, {"meter": each.meter, "kind": each.kind})
            for each in raised
        ],
        actor="worker",
        at=at,
        business_at=business_at,
    )


_WATCHED = """
WITH watched AS MATERIALIZED (
    SELECT r.meter FROM meters_relay r WHERE NOT r.acknowledged OR NOT r.closed
    UNION SELECT m.serial FROM supply_fence f JOIN meters_meter m ON m.connection = f.connection
          WHERE f.desired = 'off' OR f.by_hand
    UNION SELECT x.meter FROM meters_mismatch x WHERE x.closed_at IS NULL AND x.report IS NULL
    ORDER BY 1 LIMIT %s
)
SELECT w.meter, m.connection, coalesce(hand.at, done.business_at, o.sent_at),
       coalesce(o.kind = 'cut', false),
       coalesce(o.state = 'confirmed', false) OR hand.at IS NOT NULL,
       hand.at IS NOT NULL,
       r.acknowledged, r.acknowledged_at, r.closed, r.seen_at, r.source,
       EXISTS (SELECT FROM fieldwork_task t WHERE t.connection = m.connection AND t.kind = 'restore'
               AND t.closed_at IS NULL)
FROM watched w
JOIN meters_meter m ON m.serial = w.meter
LEFT JOIN meters_relay r ON r.meter = w.meter
LEFT JOIN LATERAL (
    SELECT l.id, l.kind, l.state, l.sent_at FROM supply_order l WHERE l.connection = m.connection
        AND (l.kind = 'restore' AND l.state NOT IN ('cancelled', 'refused', 'expired')
             OR l.kind = 'cut' AND (l.state IN ('sent', 'unknown', 'confirmed')
                                    OR l.state = 'field_task' AND l.sent_at IS NOT NULL))
    ORDER BY l.id DESC LIMIT 1
) AS o ON true
LEFT JOIN LATERAL (
    SELECT s.business_at FROM supply_result s WHERE s."order" = o.id AND s.outcome = 'confirmed' ORDER BY s.id LIMIT 1
) AS done ON true
LEFT JOIN LATERAL (
    SELECT max(p.at) AS at FROM fieldwork_task t JOIN fieldwork_report p ON p.task = t.id
    WHERE t."order" = o.id AND t.kind = 'cut' AND p.outcome = 'done' AND p.closes
) AS hand ON o.kind = 'cut'
ORDER BY w.meter
"""

# Energy counted since an instant, in intervals that began after it and between registers read after it.
_ENERGY = """
SELECT g.meter, greatest(coalesce(slots.wh, 0), coalesce(registers.wh, 0), coalesce(daily.wh, 0)),
       greatest(slots.upto, registers.upto, daily.upto)
FROM unnest(%s::text[], %s::timestamptz[], %s::date[]) AS g (meter, since, day)
LEFT JOIN LATERAL (
    SELECT sum(s.wh) AS wh, max(s.ends) AS upto FROM (
        SELECT u.wh, ((l.day + make_interval(secs => 86400.0 / l.slots * (u.n - 1))) AT TIME ZONE 'Asia/Kolkata')
                   AS begins,
               ((l.day + make_interval(secs => 86400.0 / l.slots * u.n)) AT TIME ZONE 'Asia/Kolkata') AS ends
        FROM readings_load l CROSS JOIN LATERAL unnest(l.wh) WITH ORDINALITY AS u (wh, n)
        WHERE l.meter = g.meter AND l.day >= g.day AND u.wh IS NOT NULL
    ) AS s WHERE s.begins >= g.since
) AS slots ON true
LEFT JOIN LATERAL (
    SELECT max(r.value) - min(r.value) AS wh, CASE WHEN count(*) > 1 THEN max(r.at) END AS upto
    FROM readings_reading r WHERE r.meter = g.meter AND r.register = '1.0.1.8.0.255' AND r.at >= g.since
) AS registers ON true
LEFT JOIN LATERAL (
    SELECT max(r.wh) - min(r.wh) AS wh, CASE WHEN count(*) > 1 THEN max(r.read_at) END AS upto
    FROM readings_register r WHERE r.meter = g.meter AND r.kind = 'd' AND r.read_on >= g.day AND r.read_at >= g.since
) AS daily ON true
"""

_OPEN = "SELECT id, meter, kind FROM meters_mismatch WHERE closed_at IS NULL AND report IS NULL"

_LIT_AGAIN = """
SELECT t.id, t.connection FROM fieldwork_task t
JOIN meters_relay r ON r.meter = t.meter AND r.closed AND r.seen_at > t.opened_at
JOIN supply_fence f ON f.connection = t.connection AND f.desired = 'on' AND NOT f.by_hand
WHERE t.closed_at IS NULL AND t.kind = 'restore' ORDER BY t.id LIMIT 1000
"""

_WARRANT_OVER = """
SELECT t.id, t.connection FROM fieldwork_task t JOIN interlock_line l ON l.order_id = t."order"
JOIN interlock_warrant w ON w.warrant = l.warrant
JOIN supply_fence f ON f.connection = t.connection AND NOT f.by_hand
WHERE t.closed_at IS NULL AND t.kind = 'cut' AND t.reason = 'no_relay' AND w.expires_at <= %s ORDER BY t.id LIMIT 1000
"""
