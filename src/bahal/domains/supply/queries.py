"""Questions about supply: orders, drives, fences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from bahal.domains.supply.errors import ArmingUnknown, DriveUnknown, LettingUnknown, OrderUnknown
from bahal.domains.supply.life import UNSENT
from bahal.domains.supply.restoring import Restoring, read_restoring
from bahal.foundation.rows import many, one, value
from bahal.shared.clock import day_in_india


class Order(NamedTuple):
    """An order as it stands."""

    id: int
    meter: str
    connection: int
    kind: str
    ground: str
    state: str
    reason: str
    cause: str
    drive: int | None
    due_paise: int
    made_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None


class Drive(NamedTuple):
    """A drive as it stands. `not_before` and `expires_at` are business time."""

    id: int
    warrant: UUID
    office: int
    name: str
    state: str
    orders: int
    sum_paise: int
    list_sha256: str
    document: str
    maker: str
    maker_signature: str
    checker: str | None
    policy: str
    not_before: datetime
    expires_at: datetime
    proposed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


_ORDER = ", ".join(Order._fields)
_DRIVE = ", ".join(Drive._fields)

_UNDER_WAY = ("sent", "unknown", "confirmed", "field_task")
_DEBT = ("nonpayment_s56", "prepaid")


class Evidence(NamedTuple):
    """What one attempt at an order found. Relays are true when closed; `at` is wall time."""

    outcome: str
    reason: str
    relay_before: bool | None
    relay_after: bool | None
    control_mode: int | None
    counter: int | None
    at: datetime
    business_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A connection's living orders, the latest first: all but those that came to nothing."""

    orders: Sequence[Order]

    def unsent_cut(self) -> Order | None:
        """The cut that has not gone out, if there is one."""
        return next((order for order in self.orders if order.kind == "cut" and order.state in UNSENT), None)

    def open_restore(self) -> Order | None:
        """The restore that is under way, if there is one."""
        return next(
            (
                order
                for order in self.orders
                if order.kind == "restore" and order.state not in ("confirmed", "field_task")
            ),
            None,
        )

    def cut_for_other_ground(self) -> bool:
        """Whether the supply was taken for another ground than a debt: money does not bring it back."""
        latest = next((order for order in self.orders if order.state in _UNDER_WAY), None)
        return latest is not None and latest.kind == "cut" and latest.ground not in _DEBT

    def dark(self) -> Order | None:
        """The cut for a debt that has, or may have, taken the supply and that no restore has undone since."""
        for order in self.orders:
            if order.kind == "restore":
                return None
            if order.state in _UNDER_WAY and not _never_allowed(order):
                return order if order.ground in _DEBT else None
        return None

    def for_a_lineman(self) -> Order | None:
        """The latest order, if it is a cut that was given to a lineman."""
        latest = next(iter(self.orders), None)
        return latest if latest is not None and latest.kind == "cut" and latest.state == "field_task" else None


def _never_allowed(order: Order) -> bool:
    """Whether no lineman ever had leave for a cut that only a lineman can make."""
    return order.state == "field_task" and order.reason == "no_relay" and order.sent_at is None


def find_order(*, order: int) -> Order:
    """One order.

    :raises OrderUnknown: no such one.
    """
    row = one(f"SELECT {_ORDER} FROM supply_order WHERE id = %s", order)  # noqa: S608
    if row is None:
        raise OrderUnknown(order=order)
    return Order(*row)


def evidence_of(*, order: int) -> list[Evidence]:
    """The evidence of an order's attempts, oldest first."""
    columns = ", ".join(Evidence._fields)
    rows = many(f'SELECT {columns} FROM supply_result WHERE "order" = %s ORDER BY id', order)  # noqa: S608
    return [Evidence(*row) for row in rows]


def standing_locked(*, connection: int) -> Standing:
    """The living orders of a connection whose fence the caller has locked; the rows are locked too.

    The interlock steps an order without the fence once it is sent, so the rows themselves must stand still.
    """
    rows = many(
        f"SELECT {_ORDER} FROM supply_order WHERE connection = %s"  # noqa: S608
        " AND state NOT IN ('cancelled', 'refused', 'expired') ORDER BY id DESC LIMIT 20 FOR UPDATE",
        connection,
    )
    return Standing([Order(*row) for row in rows])


def drive_of(*, drive: int) -> Drive:
    """One drive.

    :raises DriveUnknown: no such one.
    """
    row = one(f"SELECT {_DRIVE} FROM supply_drive WHERE id = %s", drive)  # noqa: S608
    if row is None:
        raise DriveUnknown(drive=drive)
    return Drive(*row)


def drive_locked(*, drive: int) -> Drive:
    """One drive, its row locked until the transaction ends.

    :raises DriveUnknown: no such one.
    """
    row = one(f"SELECT {_DRIVE} FROM supply_drive WHERE id = %s FOR UPDATE", drive)  # noqa: S608
    if row is None:
        raise DriveUnknown(drive=drive)
    return Drive(*row)


class PageSignature(NamedTuple):
    """A passkey's signature over a drive, as the interlock's page took it. `authority`: his own login, or that of the
    officer he stands in for."""

    role: str
    officer: str
    authority: str
    credential: str
    signature: str


def signatures_waiting(*, drive: int | None = None) -> dict[int, list[PageSignature]]:
    """What the page took and the drive does not have yet, the maker's first, by drive."""
    found: dict[int, list[PageSignature]] = {}
    for number, *rest in many(
        "SELECT d.id, s.role, s.officer, s.authority, s.credential, s.signature FROM interlock_signature s"
        " JOIN supply_drive d ON d.warrant = s.warrant WHERE d.state = 'proposed' AND (%s::bigint IS NULL OR d.id = %s)"
        " AND CASE s.role WHEN 'maker' THEN d.maker_signature = '' ELSE d.checker IS NULL END"
        " ORDER BY d.id, s.role DESC",
        drive,
        drive,
    ):
        found.setdefault(number, []).append(PageSignature(*rest))
    return found


def latest_drive() -> int | None:
    """The id of the latest drive, or None."""
    found = value("SELECT max(id) FROM supply_drive")
    return None if found is None else int(found)


def unsent_connections(*, drive: int) -> list[int]:
    """The connections of a drive whose cut has not gone out."""
    rows = many("SELECT connection FROM supply_order WHERE drive = %s AND state = ANY(%s::text[])", drive, list(UNSENT))
    return [row[0] for row in rows]


def generations(*, connections: Iterable[int]) -> dict[int, tuple[int, str]]:
    """The generation and desired state of each connection."""
    rows = many(
        "SELECT connection, generation, desired FROM supply_fence WHERE connection = ANY(%s::bigint[])",
        list(connections),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def connections_with_open_orders(*, connections: Iterable[int]) -> set[int]:
    """Those of the connections that have an order under way."""
    rows = many(
        "SELECT DISTINCT connection FROM supply_order WHERE connection = ANY(%s::bigint[])"
        " AND state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined')",
        list(connections),
    )
    return {row[0] for row in rows}


def overtaken(*, orders: Iterable[int]) -> set[int]:
    """Those of the orders that a later order for the same connection has undone, or is undoing.

    A cut is overtaken by any later restore that lives; a restore only by a later cut that went out.
    """
    rows = many(
        "SELECT o.id FROM supply_order o WHERE o.id = ANY(%s::bigint[]) AND EXISTS (SELECT FROM supply_order l"
        " WHERE l.connection = o.connection AND l.id > o.id AND l.kind <> o.kind"
        " AND (l.state IN ('sent', 'unknown', 'confirmed', 'field_task')"
        " OR (l.kind = 'restore' AND l.state IN ('authorised', 'claimed', 'quarantined'))))",
        list(orders),
    )
    return {row[0] for row in rows}


def drive_of_warrant(*, warrant: str) -> int | None:
    """The drive that a warrant was proposed for, or None."""
    found = value("SELECT id FROM supply_drive WHERE warrant = %s", warrant)
    return None if found is None else int(found)


def drives_under_way() -> list[tuple[int, datetime, bool]]:
    """Every drive that is not over: its id, its expiry (business time), and whether a cut of it is still open."""
    rows = many(
        "SELECT d.id, d.expires_at, EXISTS (SELECT FROM supply_order o WHERE o.drive = d.id AND o.state IN"
        " ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined'))"
        " FROM supply_drive d WHERE d.state IN ('proposed', 'authorised', 'running', 'paused') ORDER BY d.id"
    )
    return [(row[0], row[1], row[2]) for row in rows]


class LastRun(NamedTuple):
    """A dry run, and whom it listed."""

    run: int
    listed: Sequence[int]


def latest_dry_run(*, office: int) -> LastRun | None:
    """The latest dry run of an office, or None."""
    row = one(
        "SELECT r.id, coalesce((SELECT g.connections FROM supply_dryrungroup g"
        " WHERE g.run = r.id AND g.reasons = '{}'), '{}')"
        " FROM supply_dryrun r WHERE r.office = %s ORDER BY r.id DESC LIMIT 1",
        office,
    )
    return None if row is None else LastRun(*row)


def latest_cut(*, connection: int) -> int | None:
    """The latest cut of a connection that reached its meter, or None."""
    found: int | None = value(
        "SELECT max(id) FROM supply_order WHERE connection = %s AND kind = 'cut' AND sent_at IS NOT NULL", connection
    )
    return found


class Switch(NamedTuple):
    """Whether all cuts are stopped, by whom and why, and how often they were. `stopped_at` is wall time."""

    stopped_at: datetime | None
    stopped_by: str | None
    stopped_why: str | None
    stops: int


class ArmingAsked(NamedTuple):
    """A request to let cuts go out again; `outcome` is the interlock's word, empty until it has judged."""

    id: int
    stop: int
    document: str
    first: str
    second: str | None
    outcome: str


def switch() -> Switch:
    """The interlock's switch."""
    row = one("SELECT stopped_at, stopped_by, stopped_why, stops FROM interlock_switch")
    assert row is not None
    return Switch(*row)


def arming_of(*, arming: int) -> ArmingAsked:
    """One request.

    :raises ArmingUnknown: no such one.
    """
    row = one("SELECT id, stop, document, first, second, outcome FROM interlock_arming WHERE id = %s", arming)
    if row is None:
        raise ArmingUnknown(arming=arming)
    return ArmingAsked(*row)


def restoring_at(*, day: date) -> Restoring | None:
    """The rules in force on a day; None where there are none."""
    row = one(
        "SELECT version, document, accepted_by IS NOT NULL FROM supply_restoring"
        " WHERE (shipped OR accepted_by IS NOT NULL) AND effective_from <= %s"
        " ORDER BY effective_from DESC, accepted_at DESC NULLS LAST LIMIT 1",
        day,
    )
    if row is None:
        return None
    return replace(read_restoring(row[1], file=row[0]), accepted=row[2])


def restoring_now(business_at: datetime) -> Restoring | None:
    """The rules in force on an instant's day in India."""
    return restoring_at(day=day_in_india(business_at))


def restorings() -> list[tuple[str, date, str, str | None]]:
    """Every version: its name, its first day, who proposed it (`product` for the shipped one), who accepted it."""
    return many("SELECT version, effective_from, proposed_by, accepted_by FROM supply_restoring ORDER BY 2, 1")


LEAVE_SKEW = timedelta(minutes=2)
"""A phone's clock may be off by so much when it says when the cut was made."""


def leave_at(*, task: int, lineman: str | None, at: datetime) -> int | None:
    """The fence's generation over which a lineman, or anybody, had leave to cut for a task at a business instant; None
    if nobody had."""
    found: int | None = value(
        "SELECT fence FROM field_leave WHERE task = %s AND verdict = 'cut' AND (%s::text IS NULL OR lineman = %s)"
        " AND business_at - %s <= %s AND %s < valid_until + %s ORDER BY id DESC LIMIT 1",
        task,
        lineman,
        lineman,
        LEAVE_SKEW,
        at,
        at,
        LEAVE_SKEW,
    )
    return found


class Quarantined(NamedTuple):
    """A cut that exceeded a cap and waits for two officers; `reason` is the cap."""

    order: int
    connection: int
    meter: str
    due_paise: int
    reason: str


class Cap(NamedTuple):
    """How full a cap is; `bucket` is a day or an hour in India, or empty."""

    scope: str
    bucket: str
    counted: int
    ceiling: int


class LettingAsked(NamedTuple):
    """A request over quarantined orders; `outcome` is the interlock's word, empty until it has judged."""

    id: int
    drive: int
    document: str
    first: str
    second: str | None
    outcome: str


def quarantined(*, drive: int) -> list[Quarantined]:
    """What waits of a drive, in the order of its list."""
    rows = many(
        "SELECT id, connection, meter, due_paise, reason FROM supply_order"
        " WHERE drive = %s AND state = 'quarantined' ORDER BY position",
        drive,
    )
    return [Quarantined(*row) for row in rows]


def caps_of(*, drive: int) -> list[Cap]:
    """The caps over a drive's lines: its own, of its circle, feeders and transformers, and of the state."""
    rows = many(
        "SELECT c.scope, c.bucket, c.counted, c.ceiling FROM interlock_cap c WHERE c.scope IN ("
        " SELECT 'state' UNION SELECT 'drive:' || %s UNION SELECT v.scope FROM interlock_line l, LATERAL (VALUES"
        " ('circle:' || l.circle), ('circle-day:' || l.circle), ('transformer:' || l.transformer),"
        " ('feeder:' || l.feeder)) AS v (scope) WHERE l.drive = %s) ORDER BY c.scope, c.bucket",
        drive,
        drive,
    )
    return [Cap(*row) for row in rows]


def letting_of(*, letting: int) -> LettingAsked:
    """One request.

    :raises LettingUnknown: no such one.
    """
    row = one("SELECT id, drive, document, first, second, outcome FROM interlock_letting WHERE id = %s", letting)
    if row is None:
        raise LettingUnknown(letting=letting)
    return LettingAsked(*row)


def standing_by_hand(*, connection: int) -> bool:
    """Whether a lineman had leave to cut here and nobody has joined it since."""
    return bool(value("SELECT by_hand FROM supply_fence WHERE connection = %s", connection))
