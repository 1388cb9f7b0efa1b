"""A drive is undone: it is stopped at once, and everyone it cut is ordered back, in order of need, as feeders bear it.

One officer asks; unless it is an emergency a second one seconds it. The orders are made by the worker, some hundreds a
transaction, so that a payment never waits for a whole drive's fences; whoever dies on the way, the next one goes on
with what is left. A recall restores and does nothing else: no due is settled and no hold placed by it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection as database

from bahal.domains.fieldwork.operations import withdraw
from bahal.domains.staff.queries import find_officer, signing_officer
from bahal.domains.supply import recalls
from bahal.domains.supply.errors import CauseUnknown, DriveNotInState, EvidenceMissing, ReasonMissing
from bahal.domains.supply.operations import bump, step_drive
from bahal.domains.supply.queries import drive_locked
from bahal.domains.supply.recalls import File
from bahal.foundation.audit.operations import Act, record, record_many
from bahal.foundation.bell import ring
from bahal.foundation.rows import one
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply

AT_ONCE = 300
"""Connections a transaction: their payers wait for it."""


def ask_recall(
    *, drive: int, officer: str, cause: str, reason: str, evidence: File | None, at: datetime, business_at: datetime
) -> int:
    """Ask that everyone a drive cut be restored; the recall's id. The drive is stopped by this, whatever comes of it.

    Any officer may ask. In an emergency he needs nobody else and no file.

    :raises DriveUnknown: no such drive.
    :raises DriveNotInState: it never ran.
    :raises CauseUnknown: no such cause.
    :raises ReasonMissing: no reason is given.
    :raises EvidenceMissing: the cause is no emergency, and nothing shows it.
    :raises EvidenceWrong: the file is empty or too large.
    :raises RecallOpen: a recall of this drive is under way.
    :raises OfficerUnknown: no such officer.
    """
    if cause not in recalls.CAUSES:
        raise CauseUnknown(cause=cause, causes=", ".join(recalls.CAUSES))
    if not reason.strip():
        raise ReasonMissing()
    if evidence is None and cause != "emergency":
        raise EvidenceMissing(cause=cause)
    with transaction():
        find_officer(login=officer)
        found = drive_locked(drive=drive)
        if found.started_at is None:
            raise DriveNotInState(drive=drive, state=found.state, wanted="running / paused / stopped / finished")
        acts = []
        if found.state in ("running", "paused"):
            step_drive(found, "stopped", reason=reason, at=at)
            acts.append(Act("supply.drive.stopped", f"drive {drive}", None, {"drive": drive, "reason": reason}))
        file = None if evidence is None else recalls.keep_file(evidence, by=officer, at=at)
        recall = recalls.ask(drive=drive, cause=cause, reason=reason.strip(), evidence=file, asked_by=officer, at=at)
        data = {"recall": recall, "drive": drive, "cause": cause, "reason": reason.strip(), "evidence": file}
        acts.append(Act("supply.recall.asked", f"drive {drive}", None, data))
        record_many(acts, actor=officer, at=at, business_at=business_at)
        ring("bahal_results")
    return recall


def second_recall(*, recall: int, officer: str, at: datetime, business_at: datetime) -> None:
    """Give the second word, as an officer who may sign a drive.

    :raises RecallUnknown: no such recall.
    :raises RecallOver: it has its second word, or needs none.
    :raises SameOfficer: he asked for it himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role signs nothing.
    """
    with transaction():
        signing_officer(login=officer)
        found = recalls.second(recall=recall, officer=officer, at=at)
        data = {"recall": recall, "drive": found.drive, "cause": found.cause}
        record(
            actor=officer, act="supply.recall.seconded", subject=f"drive {found.drive}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
        ring("bahal_results")


def work_recalls(*, at: datetime, business_at: datetime, limit: int = AT_ONCE) -> int:
    """Order back the next of a recall in force; how many connections were looked at. It ends when none is left.

    :raises SupplyBusy: another act on one of them did not end in time; nothing was done.
    """
    with transaction():
        recall = recalls.take_recall()
        if recall is None:
            return 0
        connections = recalls.left_of(drive=recall.drive, limit=limit)
        acts = []
        if connections:
            with database.cursor() as cursor:
                lock_supply(cursor, connections)
            cause = f"recall {recall.id}"
            cancelled = recalls.cancel_unsent_of(drive=recall.drive, connections=connections, reason="restore_ordered")
            for each in cancelled:
                data = {"order": each.order, "reason": "restore_ordered", "cause": cause}
                acts.append(Act("supply.cut.cancelled", f"order {each.order}", each.connection, data))
            dark = recalls.dark_of(drive=recall.drive, connections=connections)
            generations = bump([each.connection for each in dark], desired="on") if dark else {}
            made = recalls.order_back(dark, recall=recall, generations=dict(generations), at=at)
            for each in dark:
                if each.state == "field_task":
                    withdraw(order=each.order, at=at)  # nobody is sent to cut any more
            for connection, order in made:
                ordered = {"order": order, "ground": recall.cause, "cause": f"{cause}: {recall.reason}"}
                acts.append(Act("supply.restore.ordered", f"order {order}", connection, ordered))
            ring("bahal_orders")
        if not connections:
            recalls.end_recall(recall=recall.id, at=at)
            data = {"recall": recall.id, "drive": recall.drive}
            acts.append(Act("supply.recall.ended", f"drive {recall.drive}", None, data))
        record_many(acts, actor="worker", at=at, business_at=business_at)
    return max(1, len(connections))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recall is: `left` still to be ordered, `queued` wait for their feeder, `under_way` are being restored,
    `lit` are, `button` wait for the consumer's button, `field` for a lineman. `minutes`: what the slowest feeder's
    queue needs by the ramp, None where nothing waits."""

    recall: int
    drive: int
    cause: str
    in_force: bool
    left: int
    queued: int
    under_way: int
    lit: int
    button: int
    field: int
    minutes: float | None

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def recall_progress(*, recall: int, business_at: datetime) -> Progress:
    """How far a recall is.

    :raises RecallUnknown: no such recall.
    """
    found = recalls.recall_of(recall=recall)
    row = one(
        "SELECT count(*) FILTER (WHERE state = 'authorised' AND released_at IS NULL),"
        " count(*) FILTER (WHERE state IN ('claimed', 'sent', 'unknown')"
        "  OR (state = 'authorised' AND released_at IS NOT NULL)),"
        " count(*) FILTER (WHERE state = 'confirmed' AND reason <> 'press_button'),"
        " count(*) FILTER (WHERE state = 'confirmed' AND reason = 'press_button'),"
        " count(*) FILTER (WHERE state = 'field_task') FROM supply_order WHERE recall = %s",
        recall,
    )
    queue = one(
        "SELECT max(f.kw / f.a_minute)::float8 FROM (SELECT sum(o.load_w) / 1000.0 * (r.rules ->> 'cold_load_percent')"
        "::numeric / 100 AS kw, coalesce(r.rules #>> ARRAY['feeders', o.feeder::text, 'kw_per_minute'],"
        " r.rules ->> 'feeder_kw_per_minute')::numeric AS a_minute FROM supply_order o,"
        " restoring_rules((%s AT TIME ZONE 'Asia/Kolkata')::date) AS r (rules) WHERE o.kind = 'restore'"
        " AND o.state = 'authorised' AND o.released_at IS NULL GROUP BY o.feeder, r.rules) AS f",
        business_at,
    )
    assert row is not None
    left = 0 if found.ended_at is not None else len(recalls.left_of(drive=found.drive, limit=1_000_000))
    minutes = None if queue is None or queue[0] is None else round(queue[0], 1)
    queued, under_way, lit, button, field = row
    return Progress(
        recall, found.drive, found.cause, found.in_force, left, queued, under_way, lit, button, field, minutes
    )
