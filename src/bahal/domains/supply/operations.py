"""Writing supply: fences, drives, orders. The database refuses every step that `life` does not list for this role."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from django.db import DatabaseError

from bahal.domains.supply.errors import DriveNotInState, ReasonMissing, RestoringTaken, RestoringUnknown, SameOfficer
from bahal.domains.supply.life import UNSENT
from bahal.domains.supply.queries import Drive
from bahal.domains.supply.restoring import Restoring
from bahal.foundation.rows import columns, copy, many, one, run, value
from bahal.foundation.transactions import transaction_required


class NewDrive(NamedTuple):
    """A drive to propose: what its maker signed."""

    warrant: UUID
    office: int
    name: str
    orders: int
    sum_paise: int
    list_sha256: str
    document: str
    maker: str
    maker_signature: str
    policy: str
    not_before: datetime
    expires_at: datetime


class NewCut(NamedTuple):
    """One line of a drive's list."""

    position: int
    meter: str
    connection: int
    due_paise: int
    bills: str
    notice_sha256: str
    fence: int


class Outcome(NamedTuple):
    """What the interlock found at the end of an attempt, with the order it was for. `at` is the wall's time.

    `frames_sha256` covers what went over the wire, as it was kept; None where nothing did.
    """

    id: int
    order: int
    outcome: str
    reason: str
    at: datetime
    business_at: datetime
    kind: str
    meter: str
    connection: int
    due_paise: int
    frames_sha256: str | None


class OrderTaken(Exception):
    """A cut of the list could not be proposed: its meter has an open order."""


@transaction_required
def open_fences(connections: Iterable[int]) -> int:
    """Give connections their fence, with supply desired; how many."""
    return copy("supply_fence", ("connection", "generation", "desired"), ((each, 1, "on") for each in connections))


@transaction_required
def bump(connections: Iterable[int], *, desired: Literal["on", "off"] | None = None) -> Mapping[int, int]:
    """Raise the generation of locked fences, and state what supply should be; the new generations.

    Whoever signed or derived anything over the old generation has lost it.
    """
    rows = many(
        "UPDATE supply_fence SET generation = generation + 1, desired = coalesce(%s, desired)"
        " WHERE connection = ANY(%s::bigint[]) RETURNING connection, generation",
        desired,
        list(connections),
    )
    return dict(rows)


@transaction_required
def desire(connections: Sequence[int], desired: Literal["on", "off"]) -> None:
    """State what the supply of locked connections should be, after an order was read back."""
    run(
        "UPDATE supply_fence SET desired = %s WHERE connection = ANY(%s::bigint[]) AND desired <> %s",
        desired,
        list(connections),
        desired,
    )


@transaction_required
def note_by_hand(connection: int, *, off: bool) -> None:
    """Note whether the supply of a locked connection may be off by a lineman's hand."""
    run("UPDATE supply_fence SET by_hand = %s WHERE connection = %s AND by_hand <> %s", off, connection, off)


class Leave(NamedTuple):
    """What a lineman is told who asks whether he may cut: `cut`, or the first word against it; every reason; until when
    (business time) a yes is good; the facts as JSON."""

    verdict: str
    reasons: Sequence[str]
    until: datetime | None
    facts: str


@transaction_required
def may_cut_by_hand(*, task: int, lineman: str, business_at: datetime) -> Leave:
    """Ask the database whether a lineman may cut now, under the switch's, the fence's and the task's locks. The answer
    is kept, a yes counts under the caps."""
    row = one("SELECT verdict, reasons, until, facts::text FROM field_may_cut(%s, %s, %s)", task, lineman, business_at)
    assert row is not None
    return Leave(*row)


@transaction_required
def propose_drive(drive: NewDrive, *, at: datetime) -> int:
    """Write a drive as proposed; its id."""
    return int(
        value(
            f"INSERT INTO supply_drive ({', '.join(NewDrive._fields)}, state, reason, proposed_at)"  # noqa: S608
            f" VALUES ({', '.join(['%s'] * len(drive))}, 'proposed', '', %s) RETURNING id",
            *drive,
            at,
        )
    )


class NewDryRun(NamedTuple):
    """A dry run to keep."""

    office: int
    cut_at: datetime
    made_at: datetime
    business_at: datetime
    maker: str
    policies: Sequence[str]
    connections: int
    listed: int
    sum_paise: int
    list_sha256: str


@transaction_required
def keep_dry_run(run: NewDryRun, everybody: Mapping[int, tuple[Sequence[str], int]]) -> int:
    """Keep a dry run with everybody's reasons and enforceable due; its id."""
    id_ = int(
        value(
            f"INSERT INTO supply_dryrun ({', '.join(NewDryRun._fields)})"  # noqa: S608
            f" VALUES ({', '.join(['%s'] * len(run))}) RETURNING id",
            *run,
        )
    )
    groups: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for connection, (reasons, paise) in everybody.items():
        groups.setdefault(tuple(reasons), []).append((connection, paise))
    copy(
        "supply_dryrungroup",
        ("run", "reasons", "connections", "paise"),
        (
            (id_, list(reasons), [number for number, _ in members], [paise for _, paise in members])
            for reasons, members in sorted(groups.items())
        ),
    )
    return id_


@transaction_required
def propose_orders(
    cuts: Sequence[NewCut], *, drive: int, cause: str, ground: str = "nonpayment_s56", at: datetime
) -> None:
    """Write a drive's cuts as proposed, in one statement.

    :raises OrderTaken: one of the meters has an open order; the caller's transaction must be undone.
    """
    try:
        written = run(
            "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, drive, position,"
            " due_paise, bills, notice_sha256, made_at, tries, sends)"
            " SELECT c.meter, c.connection, 'cut', %s, 'proposed', %s, '', c.fence, %s, c.position,"
            " c.paise, c.bills, c.notice, %s, 0, 0"
            " FROM unnest(%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])"
            " AS c (position, meter, connection, paise, bills, notice, fence) ORDER BY c.position"
            " ON CONFLICT DO NOTHING",
            ground,
            cause,
            drive,
            at,
            *columns(cuts),
        )
    except DatabaseError as failure:
        if getattr(failure.__cause__, "sqlstate", None) == "BH013":  # a restore is open for one of the meters
            raise OrderTaken from failure
        raise
    if written != len(cuts):
        raise OrderTaken


@transaction_required
def keep_maker_signature(drive: Drive, *, signature: str) -> None:
    """Add the maker's signature to a locked drive that was proposed without one."""
    run("UPDATE supply_drive SET maker_signature = %s WHERE id = %s AND maker_signature = ''", signature, drive.id)


@transaction_required
def authorise(drive: Drive, *, checker: str, signature: str, at: datetime) -> int:
    """Add the second signature to a locked drive and authorise its proposed cuts; how many."""
    run(
        "UPDATE supply_drive SET checker = %s, checker_signature = %s, signed_at = %s, state = 'authorised'"
        " WHERE id = %s",
        checker,
        signature,
        at,
        drive.id,
    )
    return run("UPDATE supply_order SET state = 'authorised' WHERE drive = %s AND state = 'proposed'", drive.id)


_STEPS: Mapping[str, tuple[str, ...]] = {
    "running": ("authorised", "paused"),
    "paused": ("running",),
    "stopped": ("proposed", "authorised", "running", "paused"),
    "finished": ("running", "paused"),
    "expired": ("proposed", "authorised"),
}


@transaction_required
def step_drive(drive: Drive, to: str, *, reason: str, at: datetime) -> None:
    """Take a locked drive one step along its life.

    :raises DriveNotInState: it stands elsewhere.
    """
    if drive.state not in _STEPS[to]:
        raise DriveNotInState(drive=drive.id, state=drive.state, wanted=" / ".join(_STEPS[to]))
    run(
        "UPDATE supply_drive SET state = %s, reason = %s,"
        " started_at = CASE WHEN %s = 'running' THEN coalesce(started_at, %s) ELSE started_at END,"
        " ended_at = CASE WHEN %s IN ('stopped', 'finished', 'expired') THEN %s ELSE ended_at END WHERE id = %s",
        to,
        reason,
        to,
        at,
        to,
        at,
        drive.id,
    )


@transaction_required
def cancel(order: int, *, reason: str) -> None:
    """Cancel a locked order that has not gone out; its cause stays.

    :raises django.db.DatabaseError: it has gone out (the database's own refusal).
    """
    run("UPDATE supply_order SET state = 'cancelled', reason = %s WHERE id = %s", reason, order)


@transaction_required
def cancel_unsent(*, drive: int, reason: str) -> int:
    """Cancel every cut of a drive that has not gone out; how many. The caller has locked their fences."""
    return run(
        "UPDATE supply_order SET state = 'cancelled', reason = %s WHERE drive = %s AND state = ANY(%s::text[])",
        reason,
        drive,
        list(UNSENT),
    )


@transaction_required
def expire_waiting(*, drive: int) -> int:
    """End the cuts of a drive that nobody has taken when its time is over; how many. Quarantined ones are cancelled."""
    return run(
        "UPDATE supply_order SET state = CASE state WHEN 'quarantined' THEN 'cancelled' ELSE 'expired' END,"
        " reason = 'warrant_expired' WHERE id IN (SELECT id FROM supply_order WHERE drive = %s"
        " AND state IN ('proposed', 'authorised', 'quarantined') ORDER BY id FOR UPDATE SKIP LOCKED)",
        drive,
    )


@transaction_required
def open_restore(*, meter: str, connection: int, ground: str, cause: str, fence: int, at: datetime) -> int:
    """Make a restore order, authorised at once, or return the one that is open for this meter already."""
    made = value(
        "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise,"
        " bills, notice_sha256, made_at, tries, sends)"
        " VALUES (%s, %s, 'restore', %s, 'authorised', %s, '', %s, 0, 0, '', '', %s, 0, 0)"
        " ON CONFLICT DO NOTHING RETURNING id",
        meter,
        connection,
        ground,
        cause,
        fence,
        at,
    )
    if made is None:
        made = value(
            "SELECT id FROM supply_order WHERE meter = %s AND kind = 'restore'"
            " AND state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined')",
            meter,
        )
    return int(made)


@transaction_required
def hasten(order: int) -> None:
    """Let a locked restore that waits among many go with those who pay; one that is further on is left as it is."""
    run("UPDATE supply_order SET need = 1 WHERE id = %s AND state = 'authorised' AND need > 1", order)


@transaction_required
def take_outcomes(*, limit: int) -> list[Outcome]:
    """Take up to `limit` results that nobody has handled, oldest first; another worker passes them by."""
    rows = many(
        'SELECT r.id, r."order", r.outcome, r.reason, r.at, r.business_at, o.kind, o.meter, o.connection, o.due_paise,'
        " encode(f.sha256, 'hex')"
        ' FROM supply_result r JOIN supply_order o ON o.id = r."order"'
        " LEFT JOIN interlock_frames f ON f.result = r.id WHERE r.handled_at IS NULL"
        " ORDER BY r.id LIMIT %s FOR UPDATE OF r SKIP LOCKED",
        limit,
    )
    return [Outcome(*row) for row in rows]


@transaction_required
def mark_handled(outcomes: Sequence[Outcome]) -> None:
    """Note that these results were acted upon."""
    run(
        "UPDATE supply_result SET handled_at = clock_timestamp() WHERE id = ANY(%s::bigint[])",
        [each.id for each in outcomes],
    )


@transaction_required
def halt(*, by: str, why: str) -> int | None:
    """Stop all cuts of every drive; the number of this stop, or None if they were stopped already. Restores go on."""
    stop = value("SELECT interlock_halt(%s, %s)", by, why)
    return None if stop is None else int(stop)


@transaction_required
def attend(*, officer: str) -> None:
    """Note that an operator is there: without a sign of him for a quarter of an hour all cuts stop."""
    run("SELECT interlock_attend(%s)", officer)


@transaction_required
def propose_arming(*, stop: int, document: str, first: str, signature: str) -> int:
    """Write the first officer's request to let cuts go out again; its id. The interlock alone grants it."""
    return int(
        value(
            "INSERT INTO interlock_arming (stop, document, first, first_signature)"
            " VALUES (%s, %s, %s, %s) RETURNING id",
            stop,
            document,
            first,
            signature,
        )
    )


@transaction_required
def second_arming(*, arming: int, second: str, signature: str) -> None:
    """Add the second officer's signature to a request."""
    run(
        "UPDATE interlock_arming SET second = %s, second_signature = %s WHERE id = %s AND second IS NULL",
        second,
        signature,
        arming,
    )


@transaction_required
def propose_restoring(document: Restoring, *, proposed_by: str, at: datetime) -> None:
    """Write a version of the rules of restoring, not in force before a second officer accepts it.

    :raises RestoringTaken: the version exists.
    """
    written = run(
        "INSERT INTO supply_restoring (version, effective_from, document, rules, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s::jsonb, %s, %s) ON CONFLICT DO NOTHING",
        document.version,
        document.effective_from,
        document.text,
        document.as_json(),
        proposed_by,
        at,
    )
    if not written:
        raise RestoringTaken(version=document.version)


@transaction_required
def accept_restoring(*, version: str, accepted_by: str, reason: str, at: datetime) -> None:
    """Accept a proposed version; from its day on it decides.

    :raises ReasonMissing: no reason.
    :raises RestoringUnknown: no such version waits.
    :raises SameOfficer: he proposed it himself.
    """
    if not reason.strip():
        raise ReasonMissing()
    row = one(
        "SELECT proposed_by FROM supply_restoring"
        " WHERE version = %s AND accepted_by IS NULL AND NOT shipped FOR UPDATE",
        version,
    )
    if row is None:
        raise RestoringUnknown(version=version)
    if row[0] == accepted_by:
        raise SameOfficer(officer=accepted_by)
    run(
        "UPDATE supply_restoring SET accepted_by = %s, accepted_at = %s, reason = %s WHERE version = %s",
        accepted_by,
        at,
        reason.strip(),
        version,
    )


@transaction_required
def propose_letting(*, drive: int, orders: Sequence[int], document: str, first: str, signature: str) -> int:
    """Write the first officer's request over quarantined orders; its id. The interlock alone grants it."""
    return int(
        value(
            "INSERT INTO interlock_letting (drive, order_ids, document, first, first_signature)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id",
            drive,
            list(orders),
            document,
            first,
            signature,
        )
    )


@transaction_required
def second_letting(*, letting: int, second: str, signature: str) -> None:
    """Add the second officer's signature to a request."""
    run(
        "UPDATE interlock_letting SET second = %s, second_signature = %s WHERE id = %s AND second IS NULL",
        second,
        signature,
        letting,
    )
