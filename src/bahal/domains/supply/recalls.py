"""Recalls: a drive undone. Who asked, who seconded, why and on what; and whose supply is still to be ordered back."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.supply.errors import EvidenceWrong, RecallOpen, RecallOver, RecallUnknown, SameOfficer
from bahal.domains.supply.life import UNSENT
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction_required

CAUSES = ("emergency", "court_order", "mistake", "safety")
"""Why a drive is undone. An emergency needs no second officer and no file."""

EVIDENCE_AT_MOST = 5 * 1024 * 1024


class File(NamedTuple):
    """A file that shows what somebody says."""

    name: str
    content: bytes


class Recall(NamedTuple):
    """A recall as it stands."""

    id: int
    drive: int
    cause: str
    reason: str
    evidence: int | None
    asked_by: str
    asked_at: datetime
    seconded_by: str | None
    ended_at: datetime | None

    @property
    def in_force(self) -> bool:
        """Whether restores are being ordered, or were."""
        return self.cause == "emergency" or self.seconded_by is not None


class Dark(NamedTuple):
    """A connection that a drive cut, or may have, and its order."""

    connection: int
    order: int
    meter: str
    state: str


_RECALL = ", ".join(Recall._fields)
# One that only a lineman could have made, and that none had leave for, took nothing; without the drive none gets leave.
_LATEST = (
    " AND NOT (o.state = 'field_task' AND o.reason = 'no_relay' AND o.sent_at IS NULL)"
    " AND NOT EXISTS (SELECT FROM supply_order l WHERE l.connection = o.connection AND l.id > o.id"
    " AND l.state NOT IN ('cancelled', 'refused', 'expired'))"
)
_TO_UNDO = ("sent", "unknown", "confirmed", "field_task")


@transaction_required
def keep_file(file: File, *, by: str, at: datetime) -> int:
    """Keep a file of evidence for ever; its id.

    :raises EvidenceWrong: it is empty or too large.
    """
    if not 0 < len(file.content) <= EVIDENCE_AT_MOST:
        raise EvidenceWrong(name=file.name, bytes=len(file.content), most=EVIDENCE_AT_MOST)
    return int(
        value(
            "INSERT INTO supply_evidencefile (name, content, kept_by, kept_at) VALUES (%s, %s, %s, %s) RETURNING id",
            file.name,
            file.content,
            by,
            at,
        )
    )


@transaction_required
def ask(*, drive: int, cause: str, reason: str, evidence: int | None, asked_by: str, at: datetime) -> int:
    """Write a recall; its id.

    :raises RecallOpen: another one of this drive is not over.
    """
    made = value(
        "INSERT INTO supply_recall (drive, cause, reason, evidence, asked_by, asked_at)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
        drive,
        cause,
        reason,
        evidence,
        asked_by,
        at,
    )
    if made is None:
        raise RecallOpen(drive=drive)
    return int(made)


@transaction_required
def second(*, recall: int, officer: str, at: datetime) -> Recall:
    """Add the second officer.

    :raises RecallUnknown: no such recall.
    :raises RecallOver: it has a second officer already, or needs none.
    :raises SameOfficer: he asked for it himself.
    """
    found = recall_of(recall=recall, lock=True)
    if found.in_force:
        raise RecallOver(recall=recall)
    if found.asked_by == officer:
        raise SameOfficer(officer=officer)
    run("UPDATE supply_recall SET seconded_by = %s, seconded_at = %s WHERE id = %s", officer, at, recall)
    return found._replace(seconded_by=officer)


@transaction_required
def keep_restoration(
    *, order: int, connection: int, ground: str, officer: str, reason: str, evidence: int | None, undoes: int | None,
    at: datetime, business_at: datetime,
) -> bool:  # fmt: skip
    """Keep why a single restore was ordered; False where a policy gave the same for this cut before."""
    return bool(
        run(
            "INSERT INTO supply_restoration (order_id, connection, ground, officer, reason, evidence, undoes, at,"
            " business_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            order,
            connection,
            ground,
            officer,
            reason,
            evidence,
            undoes,
            at,
            business_at,
        )
    )


def recall_of(*, recall: int, lock: bool = False) -> Recall:
    """One recall; `lock` until the transaction ends.

    :raises RecallUnknown: no such one.
    """
    row = one(f"SELECT {_RECALL} FROM supply_recall WHERE id = %s{' FOR UPDATE' if lock else ''}", recall)  # noqa: S608
    if row is None:
        raise RecallUnknown(recall=recall)
    return Recall(*row)


@transaction_required
def take_recall() -> Recall | None:
    """A recall with restores to order, locked; another worker passes it by."""
    row = one(
        f"SELECT {_RECALL} FROM supply_recall WHERE ended_at IS NULL"  # noqa: S608
        " AND (cause = 'emergency' OR seconded_by IS NOT NULL) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return None if row is None else Recall(*row)


@transaction_required
def end_recall(*, recall: int, at: datetime) -> None:
    """Nobody of it is left to order back."""
    run("UPDATE supply_recall SET ended_at = %s WHERE id = %s", at, recall)


def left_of(*, drive: int, limit: int) -> list[int]:
    """The next connections of a drive whose cut waits or stands, those in need first."""
    rows = many(
        "SELECT o.connection FROM supply_order o WHERE o.drive = %s AND o.kind = 'cut'"  # noqa: S608
        f" AND (o.state = ANY(%s::text[]) OR (o.state = ANY(%s::text[]){_LATEST}))"
        " ORDER BY (EXISTS (SELECT FROM arrears_vulnerable v WHERE v.connection = o.connection AND v.ended_at IS NULL)"
        " OR EXISTS (SELECT FROM arrears_hold h WHERE h.connection = o.connection AND h.lifted_at IS NULL)) DESC,"
        " o.position LIMIT %s",
        drive,
        list(UNSENT),
        list(_TO_UNDO),
        limit,
    )
    return [row[0] for row in rows]


@transaction_required
def cancel_unsent_of(*, drive: int, connections: Sequence[int], reason: str) -> list[Dark]:
    """Cancel what of a drive has not gone out to these locked connections; what was cancelled."""
    rows = many(
        "UPDATE supply_order SET state = 'cancelled', reason = %s WHERE drive = %s AND connection = ANY(%s::bigint[])"
        " AND kind = 'cut' AND state = ANY(%s::text[]) RETURNING connection, id, meter, state",
        reason,
        drive,
        list(connections),
        list(UNSENT),
    )
    return [Dark(*row) for row in rows]


@transaction_required
def dark_of(*, drive: int, connections: Sequence[int]) -> list[Dark]:
    """Those of these locked connections that the drive cut, or may have, and that nothing has undone since; their
    orders are locked too."""
    rows = many(
        "SELECT o.connection, o.id, o.meter, o.state FROM supply_order o WHERE o.drive = %s AND o.kind = 'cut'"  # noqa: S608
        f" AND o.connection = ANY(%s::bigint[]) AND o.state = ANY(%s::text[]){_LATEST} ORDER BY o.id FOR UPDATE OF o",
        drive,
        list(connections),
        list(_TO_UNDO),
    )
    return [Dark(*row) for row in rows]


@transaction_required
def order_back(
    dark: Sequence[Dark], *, recall: Recall, generations: dict[int, int], at: datetime
) -> list[tuple[int, int]]:
    """Order them back, paced among many: connection and order of each that was made."""
    return many(
        "INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise,"
        " bills, notice_sha256, made_at, tries, sends, recall)"
        " SELECT d.meter, d.connection, 'restore', %s, 'authorised', %s, '', d.fence, 0, 0, '', '', %s, 0, 0, %s"
        " FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS d (meter, connection, fence, n)"
        " ORDER BY d.n ON CONFLICT DO NOTHING RETURNING connection, id",
        recall.cause,
        f"recall {recall.id}: {recall.reason}",
        at,
        recall.id,
        [each.meter for each in dark],
        [each.connection for each in dark],
        [generations[each.connection] for each in dark],
    )
