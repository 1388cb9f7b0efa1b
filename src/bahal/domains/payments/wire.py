"""Money that comes over the wire: attempts to pay online, the gateway's events and payments, BBPS, settlement files."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bahal.domains.payments.errors import DifferenceUnknown, FetchUnknown, SettlementLoaded
from bahal.domains.payments.matching import Found, Stands
from bahal.foundation.rows import columns, copy, many, one, run, value
from bahal.foundation.transactions import transaction_required

LEASE = timedelta(seconds=30)
"""How long a worker has an event before another may try."""

MOST_TRIES = 50


class Attempt(NamedTuple):
    """One try of a consumer to pay online."""

    tr: str
    connection: int
    paise: int
    gateway_order: str
    made_at: datetime
    expires_at: datetime


class Fetched(NamedTuple):
    """A bill fetched through BBPS."""

    ref: str
    connection: int
    paise: int
    fetched_at: datetime


class Seen(NamedTuple):
    """A payment as the gateway answered about it."""

    gateway_payment: str
    gateway_order: str
    reference: str
    paise: int
    status: str
    method: str
    made_at: datetime


class SettledLine(NamedTuple):
    """A line of a settlement file."""

    line: int
    gateway_payment: str
    paise: int
    utr: str


class OpenDifference(NamedTuple):
    """A difference that nobody has closed."""

    id: int
    kind: str
    reference: str
    ours_paise: int | None
    gateway_paise: int | None
    bank_paise: int | None
    found_at: datetime


@transaction_required
def add_attempt(attempt: Attempt) -> None:
    """Write an attempt."""
    run(
        "INSERT INTO payments_attempt (tr, connection, paise, gateway_order, made_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        *attempt,
    )


def attempts_since(*, connection: int, since: datetime) -> int:
    """How many attempts were begun for a connection since an instant."""
    return int(value("SELECT count(*) FROM payments_attempt WHERE connection = %s AND made_at > %s", connection, since))


def attempt_of(*, tr: str) -> Attempt | None:
    """An attempt by its `tr`, or None."""
    row = one(f"{_ATTEMPT} WHERE tr = %s", tr)
    return None if row is None else Attempt(*row)


def attempt_for(*, gateway_order: str, reference: str) -> Attempt | None:
    """The attempt behind a gateway's payment: by its order, else by our own reference that it carries."""
    row = one(f"{_ATTEMPT} WHERE (gateway_order = %s AND %s <> '') OR tr = %s", gateway_order, gateway_order, reference)
    return None if row is None else Attempt(*row)


def paid_by(*, tr: str) -> str | None:
    """The receipt that an attempt ended in, or None: the gateway has not said so, or it is not booked."""
    found: str | None = value(
        "SELECT p.receipt FROM payments_attempt a JOIN payments_gatewaypayment g"
        " ON g.gateway_order = a.gateway_order OR g.reference = a.tr"
        " JOIN payments_payment p ON p.idempotency_key = 'gateway:' || g.gateway_payment WHERE a.tr = %s LIMIT 1",
        tr,
    )
    return found


@transaction_required
def hear(
    *, event: str, kind: str, gateway_payment: str, gateway_order: str, body: str, late: bool, at: datetime
) -> bool:
    """Keep an event, once per event id; whether it was new."""
    return bool(
        run(
            "INSERT INTO payments_gatewayevent (event, kind, gateway_payment, gateway_order, body, late, received_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            event,
            kind,
            gateway_payment,
            gateway_order,
            body,
            late,
            at,
        )
    )


@transaction_required
def take_events(*, at: datetime, limit: int) -> Mapping[str, list[int]]:
    """Take events that nobody has handled, oldest first, under a lease: the payments they speak of, and their ids."""
    taken: dict[str, list[int]] = {}
    for payment, id_ in many(
        "UPDATE payments_gatewayevent e SET tries = e.tries + 1, not_before = %s FROM (SELECT id"
        " FROM payments_gatewayevent WHERE handled_at IS NULL AND (not_before IS NULL OR not_before <= %s)"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) AS t WHERE e.id = t.id RETURNING e.gateway_payment, e.id",
        at + LEASE,
        at,
        limit,
    ):
        taken.setdefault(payment, []).append(id_)
    return taken


@transaction_required
def handled(events: Sequence[int], *, outcome: str, at: datetime) -> None:
    """Note what became of events."""
    run(
        "UPDATE payments_gatewayevent SET handled_at = %s, outcome = %s WHERE id = ANY(%s::bigint[])",
        at,
        outcome,
        list(events),
    )


@transaction_required
def give_up(*, at: datetime) -> int:
    """End events that were tried too often, as dead letters with their reason; how many."""
    return run(
        "UPDATE payments_gatewayevent SET handled_at = %s, outcome = 'given_up'"
        " WHERE handled_at IS NULL AND tries >= %s AND not_before <= %s",
        at,
        MOST_TRIES,
        at,
    )


@transaction_required
def see(payment: Seen, *, at: datetime) -> str:
    """Keep what the gateway answered; the status that is believed now, which only goes forward.

    Should it ever say another amount than before, the last is kept: `differences` compares that with the receipt.
    """
    return str(
        value(
            "INSERT INTO payments_gatewaypayment AS g (gateway_payment, gateway_order, reference, paise, status,"
            " method, made_at, asked_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (gateway_payment)"
            " DO UPDATE SET status = excluded.status, paise = excluded.paise, asked_at = excluded.asked_at"
            " RETURNING status",
            *payment,
            at,
        )
    )


def booked_of(*, payments: Sequence[str]) -> set[str]:
    """Those of the gateway's captured payments that are booked, or stand in suspense."""
    rows = many(
        "SELECT g FROM unnest(%s::text[]) AS g"
        " WHERE EXISTS (SELECT FROM payments_payment p WHERE p.idempotency_key = 'gateway:' || g)"
        " OR EXISTS (SELECT FROM payments_suspense s WHERE s.source = 'gateway:' || g)",
        list(payments),
    )
    return {row[0] for row in rows}


def asked_until(*, name: str) -> datetime | None:
    """How far something was polled, or None."""
    found: datetime | None = value("SELECT asked_until FROM payments_poll WHERE name = %s", name)
    return found


@transaction_required
def polled(*, name: str, until: datetime) -> None:
    """Note how far something was polled."""
    run(
        "INSERT INTO payments_poll (name, asked_until) VALUES (%s, %s) ON CONFLICT (name)"
        " DO UPDATE SET asked_until = greatest(payments_poll.asked_until, excluded.asked_until)",
        name,
        until,
    )


@transaction_required
def suspend(*, source: str, paise: int, note: str, at: datetime) -> int | None:
    """Write money whose payer is not known; its number, or None if it is there already."""
    made: int | None = value(
        "INSERT INTO payments_suspense (source, paise, note, taken_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        source,
        paise,
        note,
        at,
    )
    return made


@transaction_required
def add_fetch(fetched: Fetched) -> Fetched:
    """Keep a fetched bill under its reference; what stands there, also when it was fetched before."""
    run(
        "INSERT INTO payments_bbpsfetch (ref, connection, paise, fetched_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        *fetched,
    )
    return fetch_of(ref=fetched.ref)


def fetch_of(*, ref: str) -> Fetched:
    """A fetched bill.

    :raises FetchUnknown: none was fetched under this reference.
    """
    row = one("SELECT ref, connection, paise, fetched_at FROM payments_bbpsfetch WHERE ref = %s", ref)
    if row is None:
        raise FetchUnknown(ref=ref[:40])
    return Fetched(*row)


@transaction_required
def add_settlement(
    *,
    name: str,
    sha256: str,
    lines: Sequence[SettledLine],
    since: datetime | None,
    until: datetime | None,
    by: str,
    at: datetime,
) -> int:
    """Write a settlement file, once per content; its id.

    :raises SettlementLoaded: this content was loaded before.
    """
    made = value(
        "INSERT INTO payments_settlement (name, sha256, lines, paise, covers_from, covers_until, loaded_by, loaded_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (sha256) DO NOTHING RETURNING id",
        name,
        sha256,
        len(lines),
        sum(line.paise for line in lines),
        since,
        until,
        by,
        at,
    )
    if made is None:
        row = one("SELECT name, loaded_at FROM payments_settlement WHERE sha256 = %s", sha256)
        assert row is not None
        raise SettlementLoaded(name=row[0], loaded_at=row[1])
    copy(
        "payments_settlementline",
        ("settlement", *SettledLine._fields),
        ((made, *line) for line in lines),
    )
    return int(made)


def standings(*, payments: Sequence[str]) -> Mapping[str, Stands]:
    """What each of the three says of these payments of the gateway."""
    rows = many(
        "SELECT g.id, coalesce(p.paise, s.paise), w.paise, w.status,"
        " (SELECT array_agg(l.paise ORDER BY l.id) FROM payments_settlementline l WHERE l.gateway_payment = g.id)"
        " FROM unnest(%s::text[]) AS g (id)"
        " LEFT JOIN payments_payment p ON p.idempotency_key = 'gateway:' || g.id"
        " LEFT JOIN payments_suspense s ON s.source = 'gateway:' || g.id"
        " LEFT JOIN payments_gatewaypayment w ON w.gateway_payment = g.id",
        list(payments),
    )
    return {
        row[0]: Stands(row[1], row[2] if row[3] in ("captured", "refunded") else None, tuple(row[4] or ()))
        for row in rows
    }


def wired_between(*, since: datetime, until: datetime) -> set[str]:
    """The gateway's captured payments made in `[since, until)`, as it or we know them."""
    rows = many(
        "SELECT gateway_payment FROM payments_gatewaypayment WHERE status IN ('captured', 'refunded')"
        " AND made_at >= %s AND made_at < %s"
        " UNION SELECT substr(p.idempotency_key, 9) FROM payments_payment p"
        " LEFT JOIN payments_gatewaypayment g ON 'gateway:' || g.gateway_payment = p.idempotency_key"
        " WHERE p.instrument IN ('card', 'upi', 'netbanking') AND p.idempotency_key LIKE 'gateway:%%'"
        " AND coalesce(g.made_at, p.acknowledged_at) >= %s AND coalesce(g.made_at, p.acknowledged_at) < %s",
        since,
        until,
        since,
        until,
    )
    return {row[0] for row in rows}


def made_range(*, payments: Sequence[str]) -> tuple[datetime, datetime] | None:
    """When the first and the last of these payments were made, or None if the gateway told us of none."""
    row = one(
        "SELECT min(made_at), max(made_at) FROM payments_gatewaypayment WHERE gateway_payment = ANY(%s::text[])",
        list(payments),
    )
    assert row is not None
    return None if row[0] is None else (row[0], row[1])


def unsettled_before(*, before: datetime, limit: int) -> set[str]:
    """The gateway's captured payments made before an instant that no settlement file has named."""
    rows = many(
        "SELECT g.gateway_payment FROM payments_gatewaypayment g WHERE g.status IN ('captured', 'refunded')"
        " AND g.made_at < %s AND NOT EXISTS (SELECT FROM payments_settlementline l"
        " WHERE l.gateway_payment = g.gateway_payment)"
        " AND NOT EXISTS (SELECT FROM payments_difference d WHERE d.kind = 'not_settled'"
        " AND d.reference = g.gateway_payment AND d.closed_at IS NULL) ORDER BY g.made_at LIMIT %s",
        before,
        limit,
    )
    return {row[0] for row in rows}


def payers_found(*, payments: Sequence[str]) -> set[str]:
    """Those payments of the gateway whose money stood in suspense and is booked to its payer now."""
    rows = many(
        "SELECT substr(s.source, position(':' IN s.source) + 1) FROM payments_suspense s"
        " JOIN payments_payment p ON p.idempotency_key = 'suspense:' || s.id"
        " WHERE s.source = ANY(%s::text[])",
        [f"{side}:{payment}" for payment in payments for side in ("gateway", "bank")],
    )
    return {row[0] for row in rows}


@transaction_required
def queue_differences(found: Sequence[Found], *, at: datetime) -> int:
    """Queue what differs; how many were new. One that is open already stays as it was found."""
    if not found:
        return 0
    return run(
        "INSERT INTO payments_difference (kind, reference, ours_paise, gateway_paise, bank_paise, found_at)"
        " SELECT f.kind, f.reference, f.ours, f.gateway, f.bank, %s"
        " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
        " AS f (kind, reference, ours, gateway, bank) ON CONFLICT DO NOTHING",
        at,
        *columns([tuple(each) for each in found]),
    )


def open_differences(*, limit: int = 1000) -> list[OpenDifference]:
    """The queue, oldest first."""
    names = ", ".join(OpenDifference._fields)
    rows = many(f"SELECT {names} FROM payments_difference WHERE closed_at IS NULL ORDER BY id LIMIT %s", limit)  # noqa: S608
    return [OpenDifference(*row) for row in rows]


@transaction_required
def close_difference(*, difference: int, by: str, how: str, at: datetime) -> OpenDifference:
    """Close a difference; what it was.

    :raises DifferenceUnknown: no such open one.
    """
    row = one(
        "UPDATE payments_difference SET closed_at = %s, closed_by = %s, how = %s"  # noqa: S608
        f" WHERE id = %s AND closed_at IS NULL RETURNING {', '.join(OpenDifference._fields)}",
        at,
        by,
        how,
        difference,
    )
    if row is None:
        raise DifferenceUnknown(difference=difference)
    return OpenDifference(*row)


_ATTEMPT = "SELECT tr, connection, paise, gateway_order, made_at, expires_at FROM payments_attempt"
