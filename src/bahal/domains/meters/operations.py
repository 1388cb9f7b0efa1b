"""Writing meters and what is known of their relays."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from bahal.domains.meters.errors import MismatchUnknown
from bahal.foundation.rows import columns, copy, many, one, run
from bahal.foundation.transactions import transaction_required


class NewMeter(NamedTuple):
    """A meter on its connection."""

    serial: str
    make: str
    phase: int
    connection: int
    installed_on: date


class NewSim(NamedTuple):
    """A SIM in a meter: its cell, the signal there in dBm, and when that was seen, if it is known."""

    iccid: str
    meter: str
    msisdn: str
    operator: str
    cell: str
    signal_dbm: int | None
    seen_at: datetime | None


class WakeUp(NamedTuple):
    """A meter to be asked to call, for the how manieth time."""

    id: int
    meter: str
    msisdn: str
    tries: int


class NewMismatch(NamedTuple):
    """Two truths that do not agree; `report` is the lineman's that is contradicted, or None; `facts` is JSON."""

    meter: str
    connection: int
    kind: str
    report: str | None
    facts: str


class RelaySeen(NamedTuple):
    """The relay of a meter as it was seen."""

    meter: str
    closed: bool
    seen_at: datetime


@transaction_required
def add_meters(meters: Iterable[NewMeter]) -> int:
    """Put meters on connections; how many.

    :raises django.db.IntegrityError: a serial or a connection is taken.
    """
    return copy("meters_meter", ("serial", "make", "phase", "connection", "installed_on"), meters)


@transaction_required
def keep_sims(sims: Sequence[NewSim]) -> int:
    """Put SIMs on the register, replacing what it says of them; how many are new or differ from before.

    An older word on cell and signal does not replace a newer one. The cell paces the meter from now on in both rooms.

    :raises django.db.IntegrityError: a meter or a number belongs to another SIM.
    """
    if not sims:
        return 0
    changed = run(
        "INSERT INTO meters_sim AS s (iccid, meter, msisdn, operator, cell, signal_dbm, seen_at)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[],"
        " %s::timestamptz[]) ON CONFLICT (iccid) DO UPDATE SET meter = EXCLUDED.meter, msisdn = EXCLUDED.msisdn,"
        " operator = EXCLUDED.operator, cell = EXCLUDED.cell, signal_dbm = EXCLUDED.signal_dbm,"
        " seen_at = EXCLUDED.seen_at"
        " WHERE (s.meter, s.msisdn, s.operator, s.cell, s.signal_dbm, s.seen_at) IS DISTINCT FROM (EXCLUDED.meter,"
        " EXCLUDED.msisdn, EXCLUDED.operator, EXCLUDED.cell, EXCLUDED.signal_dbm, EXCLUDED.seen_at)"
        " AND (s.seen_at IS NULL OR EXCLUDED.seen_at IS NULL OR EXCLUDED.seen_at >= s.seen_at)",
        *columns(sims),
    )
    for room in ("interlock", "headend"):
        run(
            f"UPDATE {room}_meter m SET cell = s.cell FROM meters_sim s"  # noqa: S608
            " WHERE s.meter = m.meter AND m.meter = ANY(%s::text[]) AND m.cell <> s.cell",
            sorted(each.meter for each in sims),
        )
    return changed


@transaction_required
def claim_wakeups(*, limit: int, a_cell: int, within: timedelta, most_tries: int) -> list[WakeUp]:
    """Take up to `limit` meters that are to be asked now, at most `a_cell` SMS in a cell within that time.

    Each is due again after 30 s, doubling up to half an hour; one that was asked `most_tries` times is given up.
    """
    run(
        "UPDATE meters_wakeup SET ended_at = clock_timestamp(), why = 'unanswered'"
        " WHERE ended_at IS NULL AND tries >= %s AND next_at <= clock_timestamp()",
        most_tries,
    )
    rows = many(
        "WITH due AS MATERIALIZED ("
        "  SELECT w.id, w.cell, w.next_at FROM meters_wakeup w WHERE w.ended_at IS NULL"
        "  AND w.next_at <= clock_timestamp() ORDER BY w.next_at LIMIT %s FOR UPDATE SKIP LOCKED"
        "), ranked AS ("
        "  SELECT d.id, row_number() OVER (PARTITION BY d.cell ORDER BY d.next_at, d.id) AS n,"
        "  (SELECT count(*) FROM meters_wakeup x WHERE x.cell = d.cell AND x.sent_at > clock_timestamp() - %s) AS sent"
        "  FROM due d"
        ") UPDATE meters_wakeup w SET tries = w.tries + 1, sent_at = clock_timestamp(),"
        "  next_at = clock_timestamp() + least(interval '30 minutes', interval '30 seconds' * 2 ^ w.tries)"
        " FROM ranked r WHERE w.id = r.id AND r.n + r.sent <= %s RETURNING w.id, w.meter, w.msisdn, w.tries",
        limit,
        within,
        a_cell,
    )
    return sorted(WakeUp(*row) for row in rows)


@transaction_required
def note_wakeups(*, wakeups: Sequence[int], receipts: Sequence[str]) -> None:
    """Note that the SMS centre took these."""
    run(
        "UPDATE meters_wakeup w SET receipt = g.receipt FROM unnest(%s::bigint[], %s::text[]) AS g (id, receipt)"
        " WHERE w.id = g.id",
        list(wakeups),
        list(receipts),
    )


@transaction_required
def put_off_wakeups(*, wakeups: Sequence[int], after: timedelta) -> None:
    """These were not taken, and are tried again after a pause; this was no try."""
    run(
        "UPDATE meters_wakeup SET tries = tries - 1, sent_at = NULL, next_at = clock_timestamp() + %s"
        " WHERE id = ANY(%s::bigint[]) AND ended_at IS NULL",
        after,
        list(wakeups),
    )


@transaction_required
def note_pushed_relays(seen: Sequence[RelaySeen]) -> None:
    """Note what meters said of their relays by themselves; an older word does not replace a newer one."""
    if not seen:
        return
    latest = {each.meter: each for each in sorted(seen, key=lambda each: each.seen_at)}
    rows = sorted(latest.values())
    run(
        "INSERT INTO meters_relay (meter, closed, source, seen_at)"
        " SELECT g.meter, g.closed, 'push', g.seen_at"
        " FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[]) AS g (meter, closed, seen_at)"
        " ON CONFLICT (meter) DO UPDATE SET closed = EXCLUDED.closed, control_state = NULL, source = 'push',"
        " seen_at = EXCLUDED.seen_at"
        " WHERE coalesce(meters_relay.seen_at, '-infinity') < EXCLUDED.seen_at",
        [each.meter for each in rows],
        [each.closed for each in rows],
        [each.seen_at for each in rows],
    )


@transaction_required
def open_mismatches(found: Sequence[NewMismatch], *, at: datetime) -> list[tuple[int, str, int, str]]:
    """Queue what does not agree, once while it is open; (id, meter, connection, kind) of what is new."""
    if not found:
        return []
    rows = many(
        "INSERT INTO meters_mismatch (meter, connection, kind, report, facts, opened_at)"
        " SELECT g.meter, g.connection, g.kind, g.report, g.facts, %s"
        " FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::uuid[], %s::jsonb[])"
        " AS g (meter, connection, kind, report, facts) ON CONFLICT DO NOTHING RETURNING id, meter, connection, kind",
        at,
        *columns(found),
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


@transaction_required
def note_look(looks: Sequence[tuple[int, int]]) -> None:
    """Note which authenticated read was asked for which mismatch: (mismatch, look)."""
    run(
        "UPDATE meters_mismatch m SET look = g.look FROM unnest(%s::bigint[], %s::bigint[]) AS g (id, look)"
        " WHERE m.id = g.id",
        *columns(looks),
    )


@transaction_required
def note_told(*, meters: Sequence[str], kinds: Sequence[str], at: datetime) -> dict[str, int]:
    """Note that the vigilance officer is told of these meters' open mismatches; the connections of those not told of
    before, by meter."""
    return dict(
        many(
            "UPDATE meters_mismatch SET told_at = %s WHERE closed_at IS NULL AND told_at IS NULL AND report IS NULL"
            " AND kind = ANY(%s::text[]) AND meter = ANY(%s::text[]) RETURNING meter, connection",
            at,
            list(kinds),
            list(meters),
        )
    )


@transaction_required
def note_reads(seen: Sequence[tuple[str, bool, datetime]]) -> None:
    """Note relays as they were read in an authenticated association (meter, closed, when); older words do not replace
    newer ones."""
    if seen:
        run(
            "UPDATE meters_relay r SET closed = g.closed, control_state = NULL, source = 'read', seen_at = g.seen_at"
            " FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[]) AS g (meter, closed, seen_at)"
            " WHERE r.meter = g.meter AND coalesce(r.seen_at, '-infinity') < g.seen_at",
            *columns(seen),
        )


@transaction_required
def note_load(loads: Sequence[tuple[str, bool, datetime]]) -> None:
    """Note whether meters counted energy since their cut, and up to when (business time) that is known."""
    if loads:
        run(
            "INSERT INTO meters_relay AS r (meter, load, load_at)"
            " SELECT * FROM unnest(%s::text[], %s::boolean[], %s::timestamptz[])"
            " ON CONFLICT (meter) DO UPDATE SET load = EXCLUDED.load, load_at = EXCLUDED.load_at"
            " WHERE (r.load, r.load_at) IS DISTINCT FROM (EXCLUDED.load, EXCLUDED.load_at)",
            *columns(loads),
        )


@transaction_required
def close_mismatch(*, mismatch: int, officer: str, outcome: str, at: datetime) -> tuple[str, int]:
    """An officer has done with a mismatch; its meter and connection.

    :raises MismatchUnknown: there is no such open one.
    """
    row = one(
        "UPDATE meters_mismatch SET closed_at = %s, closed_by = %s, outcome = %s WHERE id = %s AND closed_at IS NULL"
        " AND report IS NULL RETURNING meter, connection",
        at,
        officer,
        outcome,
        mismatch,
    )
    if row is None:
        raise MismatchUnknown(mismatch=mismatch)
    return str(row[0]), int(row[1])


@transaction_required
def close_mismatches(mismatches: Sequence[int], *, by: str, outcome: str, at: datetime) -> int:
    """Take open ones off the queue; how many."""
    return run(
        "UPDATE meters_mismatch SET closed_at = %s, closed_by = %s, outcome = %s"
        " WHERE id = ANY(%s::bigint[]) AND closed_at IS NULL",
        at,
        by,
        outcome,
        list(mismatches),
    )
