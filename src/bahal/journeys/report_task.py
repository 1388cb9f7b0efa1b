"""A lineman tells what he found and did: his report closes the task, or is queued beside what contradicts it.

An offline phone may send a report twice, or late, and gets the same answer. What the report changes is drawn in the
same transaction; where the meter, the place or an earlier report says otherwise, nothing is drawn, the task stays open
and an officer looks (`settle_report`). A cut for which no leave was in force is undone at once, whoever is right.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import connection as database

from bahal.domains.fieldwork.errors import (
    ReporterMaySettleNot,
    ReportMalformed,
    ReportReused,
    ReportStands,
    WrongRole,
)
from bahal.domains.fieldwork.models import OUTCOMES, SUPPLIES
from bahal.domains.fieldwork.operations import NewReport, close, keep_report
from bahal.domains.fieldwork.queries import (
    Report,
    Task,
    find_report,
    find_task,
    photo_elsewhere,
    report_if_taken,
    seal_elsewhere,
    task_locked,
)
from bahal.domains.fieldwork.rules import AHEAD, Known, Said, against
from bahal.domains.meters.operations import NewMismatch, close_mismatches, open_mismatches
from bahal.domains.meters.queries import mismatches_of_report, truths_of
from bahal.domains.network.queries import positions_of
from bahal.domains.staff.queries import find_officer, signing_officer
from bahal.domains.supply.errors import ReasonMissing
from bahal.domains.supply.operations import Outcome, bump, note_by_hand, open_restore
from bahal.domains.supply.queries import find_order, generations, leave_at, overtaken, standing_by_hand
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.rows import one
from bahal.foundation.transactions import transaction
from bahal.gateways.photos.store import Photos
from bahal.journeys.confirm_relay import draw_consequences
from bahal.shared.locks import lock_supply

ROLES = ("lineman", "executive_engineer", "superintending_engineer")
LONGEST_NOTE = 2000


@dataclass(frozen=True, slots=True)
class Told:
    """A report as a phone sends it. `id` is the phone's own (a UUID); `at` the business instant on the spot; `wh` what
    the display showed; `photo` the SHA-256 of a photo that is kept, or empty."""

    id: str
    task: int
    lineman: str
    at: datetime
    outcome: str
    supply: str
    seal: str = ""
    wh: int | None = None
    photo: str = ""
    latitude: float | None = None
    longitude: float | None = None
    note: str = ""

    def sha256(self) -> str:
        """The hash of all that it says: the same id with another hash is another report."""
        body = asdict(self) | {"at": self.at.timestamp()}
        return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()

    def check(self, *, business_at: datetime) -> None:
        """Refuse what cannot be a report.

        :raises ReportMalformed: it cannot.
        """
        wrong = None
        if not _is_uuid(self.id):
            wrong = f"id {self.id}"
        elif self.outcome not in OUTCOMES:
            wrong = f"outcome {self.outcome}"
        elif self.supply not in SUPPLIES:
            wrong = f"supply {self.supply}"
        elif self.at > business_at + AHEAD:
            wrong = f"{self.at.isoformat()} > {business_at.isoformat()}"
        elif self.wh is not None and not 0 <= self.wh < 10**13:
            wrong = f"{self.wh} Wh"
        elif len(self.note) > LONGEST_NOTE or len(self.seal) > 40 or not self.seal.isascii():
            wrong = "note or seal"
        elif not _on_earth(self.latitude, self.longitude):
            wrong = f"position {self.latitude}, {self.longitude}"
        if wrong is not None:
            raise ReportMalformed(why=wrong)


@dataclass(frozen=True, slots=True)
class Taken:
    """What the lineman is told: whether his report closed the task, and what contradicts it."""

    report: str
    task: int
    closed: bool
    against: Sequence[str]


def keep_photo(photo: bytes, *, photos: Photos) -> str:
    """Keep a photo before its report is taken; its SHA-256.

    :raises PhotoRefused: no JPEG or PNG, or too large.
    """
    return photos.keep(photo)


def report_task(told: Told, *, at: datetime, business_at: datetime) -> Taken:
    """Take a report, once for its id.

    :raises ReportMalformed: it cannot be a report.
    :raises ReportReused: its id stands for a report that said something else.
    :raises OfficerUnknown: no such lineman.
    :raises WrongRole: field tasks are not his.
    :raises TaskUnknown: no such task.
    :raises SupplyBusy: another act on this connection did not end in time; nothing was taken.
    """
    told.check(business_at=business_at)
    with transaction():
        officer = find_officer(login=told.lineman)
        if officer.role not in ROLES:
            raise WrongRole(login=officer.login, role=officer.role)
        before = report_if_taken(report=told.id)
        if before is not None:
            return _same(told, before)
        connection = find_task(task=told.task).connection
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        task = task_locked(task=told.task)
        known = _known(task, told, at=at, business_at=business_at)
        said = Said(task.kind, told.outcome, told.supply, told.at, told.wh, told.latitude, told.longitude)
        contradicted = against(said, known)
        closes = told.outcome != "not_done" and not contradicted and not _still_dark(task, told.supply)
        kept = keep_report(
            NewReport(
                told.id, told.sha256(), task.id, task.connection, task.meter, told.lineman, told.at, told.outcome,
                told.supply, told.seal, told.wh, told.photo, told.latitude, told.longitude, told.note, contradicted,
                closes, at, business_at,
            )
        )  # fmt: skip
        if kept is not None:  # the same phone on two lines: the other one was faster
            return _same(told, find_report(report=told.id))
        acts = [Act("fieldwork.reported", f"task {task.id}", task.connection, _data(task, told))]
        if task.kind == "cut":
            note_by_hand(task.connection, off=told.outcome == "done")
        if contradicted:
            acts += _queue(task, told, contradicted, known, at=at)
        elif told.outcome == "done" and told.supply == "off" and task.kind == "restore":
            acts += _relay_follows(task, at=at)
        if told.outcome == "done" and task.kind == "cut" and not known.leave:
            acts += _undo(task, "cut_without_leave", at=at)
        elif closes:
            acts += _settle(task, told.outcome, told.supply, told.at, at=at, business_at=business_at, how="report")
        record_many(acts, actor=told.lineman, at=at, business_at=business_at)
    return Taken(told.id, told.task, closes, contradicted)


def settle_report(
    *, report: str, officer: str, accepted: bool, reason: str, at: datetime, business_at: datetime
) -> Taken:
    """Decide over a report that something contradicts: accepted, it closes its task as it would have; declined, the
    task stays open. Either takes its contradictions off the queue.

    :raises ReportUnknown: no such report.
    :raises ReportStands: nothing open contradicts it.
    :raises ReporterMaySettleNot: the officer made the report himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not decide that.
    :raises ReasonMissing: no reason is given.
    """
    if not reason.strip():
        raise ReasonMissing()
    with transaction():
        signing_officer(login=officer)
        found = find_report(report=report)
        if found.lineman == officer:
            raise ReporterMaySettleNot(officer=officer)
        with database.cursor() as cursor:
            lock_supply(cursor, [found.connection])
        task = task_locked(task=found.task)
        open_ones = mismatches_of_report(report=report)
        if not open_ones:
            raise ReportStands(report=report)
        close_mismatches(open_ones, by=officer, outcome="accepted" if accepted else "declined", at=at)
        data = {"report": report, "task": task.id, "reason": reason}
        subject = f"task {task.id}"
        acts = [
            Act("fieldwork.report.accepted", subject, found.connection, data)
            if accepted
            else Act("fieldwork.report.declined", subject, found.connection, data)
        ]
        closes = accepted and task.closed_at is None and found.outcome != "not_done"
        closes = closes and not _still_dark(task, found.supply)
        if closes:
            acts += _settle(task, found.outcome, found.supply, found.at, at=at, business_at=business_at, how="officer")
        record_many(acts, actor=officer, at=at, business_at=business_at)
    return Taken(report, task.id, closes, found.against)


def _same(told: Told, before: Report) -> Taken:
    if before.body_sha256 != told.sha256():
        raise ReportReused(report=told.id)
    return Taken(before.id, before.task, before.closes, before.against)


def _known(task: Task, told: Told, *, at: datetime, business_at: datetime) -> Known:
    """What is known of the meter and the place, its instants in business time."""
    moved = business_at - at
    place = positions_of(connections=[task.connection]).get(task.connection)
    truths = truths_of(meter=task.meter)
    row = one(_LAST_REGISTER, *[task.meter, told.at] * 3, task.connection, task.meter, told.at)
    return Known(
        last_wh=row[0] if row else None,
        last_read_at=row[1] if row else None,
        load_w=0 if place is None else place.load_w,
        relay_closed=truths.closed,
        relay_seen_at=None if truths.seen_at is None else truths.seen_at + moved,
        load_after=bool(truths.load) and truths.load_at is not None and truths.load_at > told.at,
        latitude=None if place is None else place.latitude,
        longitude=None if place is None else place.longitude,
        seal_elsewhere=seal_elsewhere(seal=told.seal, connection=task.connection),
        photo_elsewhere=photo_elsewhere(photo=told.photo, connection=task.connection),
        leave=task.kind == "cut" and leave_at(task=task.id, lineman=told.lineman, at=told.at) is not None,
    )


def _settle(
    task: Task, outcome: str, supply: str, told_at: datetime, *, at: datetime, business_at: datetime, how: str
) -> list[Act]:
    """What follows from a report that stands: the task is closed, and the supply is what it says."""
    acts = []
    if close([task.id], how=how, at=at):
        data = {"task": task.id, "kind": task.kind, "outcome": outcome, "reason": task.reason}
        acts.append(Act("fieldwork.closed", f"task {task.id}", task.connection, data))
    done = outcome == "done" or (outcome == "not_needed" and task.kind == "restore")
    if not done or task.order is None:
        return acts
    if task.kind == "cut":
        leave = leave_at(task=task.id, lineman=None, at=told_at)
        (generation, _) = generations(connections=[task.connection])[task.connection]
        if leave != generation:
            # Somebody paid, or stayed the cut, between the leave and this report: as after a sending, light goes on.
            return acts + _undo(task, "fence_moved", at=at)
    elif task.kind == "restore" and supply == "on":
        note_by_hand(task.connection, off=False)
    else:
        return acts
    order = find_order(order=task.order)
    if overtaken(orders=[order.id]):
        return acts  # another order has the word by now
    carried = Outcome(0, order.id, "confirmed", "by_hand", at, business_at, order.kind, task.meter, task.connection,
                      order.due_paise, None)  # fmt: skip
    return acts + draw_consequences([carried], at=at, business_at=business_at)


def _still_dark(task: Task, supply: str) -> bool:
    """Whether somebody was to be lit, and nobody saw light: the task stays open."""
    return task.kind == "restore" and supply != "on"


def _relay_follows(task: Task, *, at: datetime) -> list[Act]:
    """A house is dark still after a hand joined what a hand had parted: the relay is asked next."""
    if not standing_by_hand(connection=task.connection):
        return []
    note_by_hand(task.connection, off=False)
    generation = bump([task.connection], desired="on")[task.connection]
    cause = f"task {task.id}: joined by hand, still dark"
    order = open_restore(
        meter=task.meter, connection=task.connection, ground="nonpayment_s56", cause=cause, fence=generation, at=at
    )
    ring("bahal_orders")
    data = {"order": order, "ground": "nonpayment_s56", "cause": cause}
    return [Act("supply.restore.ordered", f"order {order}", task.connection, data)]


def _undo(task: Task, why: str, *, at: datetime) -> list[Act]:
    """A cut by hand that must not stand is undone at once, without asking whose fault it is."""
    close([task.id], how="withdrawn", at=at)
    generation = bump([task.connection], desired="on")[task.connection]
    cause = f"task {task.id}: {why}"
    order = open_restore(
        meter=task.meter, connection=task.connection, ground="nonpayment_s56", cause=cause, fence=generation, at=at
    )
    ring("bahal_orders")
    data = {"task": task.id, "why": why, "order": order}
    return [Act("fieldwork.cut.undone", f"task {task.id}", task.connection, data)]


def _queue(task: Task, told: Told, contradicted: Sequence[str], known: Known, *, at: datetime) -> list[Act]:
    facts = {
        "task": task.id,
        "said_wh": told.wh,
        "last_wh": known.last_wh,
        "said_supply": told.supply,
        "relay_closed": known.relay_closed,
        "seal": told.seal,
        "lineman": told.lineman,
    }
    found = [NewMismatch(task.meter, task.connection, code, told.id, json.dumps(facts)) for code in contradicted]
    return [
        Act("relay.mismatch", f"meter {meter}", connection, {"mismatch": id_, "meter": meter, "kind": kind})
        for id_, meter, connection, kind in open_mismatches(found, at=at)
    ]


def _data(task: Task, told: Told) -> dict[str, object]:
    return {
        "task": task.id,
        "outcome": told.outcome,
        "supply": told.supply,
        "wh": told.wh,
        "seal": told.seal,
        "photo": told.photo,
        "report": told.id,
        "told_at": told.at.isoformat(),
    }


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _on_earth(latitude: float | None, longitude: float | None) -> bool:
    if latitude is None or longitude is None:
        return latitude is longitude
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


_LAST_REGISTER = """
SELECT wh, read_at FROM (
    (SELECT r.value AS wh, r.at AS read_at FROM readings_reading r
     WHERE r.meter = %s AND r.register = '1.0.1.8.0.255' AND r.at <= %s ORDER BY r.at DESC LIMIT 1)
    UNION ALL
    (SELECT g.wh, g.read_at FROM readings_register g WHERE g.meter = %s AND g.read_at <= %s
     ORDER BY g.read_on DESC LIMIT 1)
    UNION ALL
    (SELECT f.wh, f.at FROM fieldwork_report f WHERE f.meter = %s AND f.at <= %s AND f.wh IS NOT NULL
     AND f.against = '{}' ORDER BY f.at DESC LIMIT 1)
    UNION ALL
    (SELECT b.wh, b.read_on::timestamp AT TIME ZONE 'Asia/Kolkata' FROM billing_register b
     WHERE b.connection = %s AND b.meter = %s AND b.read_on::timestamp AT TIME ZONE 'Asia/Kolkata' <= %s
     ORDER BY b.read_on DESC, b.revision DESC LIMIT 1)
) AS known ORDER BY read_at DESC LIMIT 1
"""
