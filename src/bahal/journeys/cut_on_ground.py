"""A cut on a ground other than a due: what it rests on is noted, then two officers sign its list like any drive's.

Prepaid is derived here too, and never listed: its standing warrant is of another form.
"""

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection as database

from bahal.domains.meters.queries import meters_on
from bahal.domains.offices.queries import get_circle
from bahal.domains.staff.queries import find_officer, signing_officer
from bahal.domains.supply import grounds
from bahal.domains.supply.errors import (
    GroundRefused,
    GroundUnknown,
    ListChanged,
    ReasonMissing,
    SameOfficer,
    SignatureWrong,
    WarrantMalformed,
    WarrantUsed,
)
from bahal.domains.supply.operations import NewCut, NewDrive, OrderTaken, bump, propose_drive, propose_orders
from bahal.domains.supply.queries import drive_of_warrant, generations
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many, one, run, value
from bahal.foundation.transactions import transaction
from bahal.journeys.draft_drive import check_time
from bahal.journeys.eligibility import FactsDisagree
from bahal.shared.locks import lock_supply
from bahal.shared.warrant import Document, Line, list_sha256, verified

LISTED = ("own_request", "safety", "theft_s135")


@dataclass(frozen=True, slots=True)
class Judged:
    """A connection on a ground: what was found, and every reason against a cut."""

    facts: Mapping[str, Any]
    reasons: Sequence[str]


def judge_ground(*, ground: str, connections: Sequence[int], business_at: datetime) -> dict[int, Judged]:
    """Judge connections on a ground now.

    :raises GroundUnknown: it has no derivation.
    :raises FactsDisagree: the database and the rule say different things; nobody may be cut by either.
    """
    if ground not in grounds.GROUNDS:
        raise GroundUnknown(ground=ground)
    found = {}
    for connection, said, text in many(
        "SELECT connection, reasons, facts::text FROM authority_ground(%s, %s::bigint[], %s)",
        ground,
        list(connections),
        business_at,
    ):
        facts = json.loads(text)
        ours = grounds.reasons(grounds.GROUNDS[ground](**facts))
        if ours != tuple(said):
            raise FactsDisagree(f"connection {connection}, {ground}: {ours} and {tuple(said)}")
        found[connection] = Judged(facts, ours)
    return found


def take_request(
    *, connection: int, wished_on: date, evidence: str, actor: str, at: datetime, business_at: datetime
) -> int:
    """Note that a consumer asks for his supply to be cut, and that the actor saw that it is he; the request.

    :raises OfficerUnknown: no such officer.
    :raises ConnectionUnknown: no such connection.
    :raises ReasonMissing: no evidence.
    """
    return _note(
        "supply_request", connection,
        {"wished_on": wished_on, "evidence": _stated(evidence), "identified_by": actor, "taken_by": actor,
         "taken_at": at},
        "ground.requested", {"wished_on": wished_on.isoformat(), "evidence": evidence}, actor, at, business_at,
    )  # fmt: skip


def note_hazard(*, connection: int, kind: str, evidence: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Note a danger at a connection (fire, flood, electrocution, broken_line); its number.

    :raises OfficerUnknown: no such officer.
    :raises ConnectionUnknown: no such connection.
    :raises ReasonMissing: no evidence.
    """
    return _note(
        "supply_hazard", connection,
        {"kind": kind, "evidence": _stated(evidence), "reported_by": actor, "reported_at": business_at},
        "ground.hazard", {"kind": kind, "evidence": evidence}, actor, at, business_at,
    )  # fmt: skip


def note_finding(
    *, connection: int, evidence: str, alert: int | None, actor: str, at: datetime, business_at: datetime
) -> int:
    """Note that an inspection found theft, and the alert that it rests on, if it does; its number.

    :raises OfficerUnknown: no such officer.
    :raises ConnectionUnknown: no such connection.
    :raises ReasonMissing: no evidence.
    """
    return _note(
        "supply_finding", connection,
        {"inspected_at": business_at, "evidence": _stated(evidence), "inspected_by": actor, "alert": alert},
        "ground.finding", {"evidence": evidence, "alert": alert}, actor, at, business_at,
    )  # fmt: skip


def answer_for_finding(*, finding: int, officer: str, at: datetime, business_at: datetime) -> None:
    """A second officer answers for a finding.

    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSign: his role does not answer for it.
    :raises SameOfficer: he inspected himself.
    :raises GroundUnknown: no such finding waits.
    """
    with transaction():
        signing_officer(login=officer)
        row = one("SELECT connection, inspected_by FROM supply_finding WHERE id = %s AND answered_by IS NULL", finding)
        if row is None:
            raise GroundUnknown(ground=f"finding {finding}")
        if row[1] == officer:
            raise SameOfficer(officer=officer)
        run("UPDATE supply_finding SET answered_by = %s WHERE id = %s AND answered_by IS NULL", officer, finding)
        record(
            actor=officer, act="ground.answered", subject=f"finding {finding}", connection=row[0],
            data={"finding": finding}, at=at, business_at=business_at,
        )  # fmt: skip


_ENDS = {"own_request": ("supply_request", "withdrawn_at"), "safety": ("supply_hazard", "ended_at"),
         "theft_s135": ("supply_finding", "paid_at")}  # fmt: skip


def end_ground(*, ground: str, connection: int, actor: str, reason: str, at: datetime, business_at: datetime) -> int:
    """Withdraw a request, end a danger, note that an assessment was paid: from the commit on no cut rests on it.

    :raises GroundUnknown: no such ground.
    :raises OfficerUnknown: no such officer.
    :raises ConnectionUnknown: no such connection.
    :raises ReasonMissing: no reason is given.
    """
    if ground not in _ENDS:
        raise GroundUnknown(ground=ground)
    table, column = _ENDS[ground]
    with transaction():
        find_officer(login=actor)
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        ended = run(
            f"UPDATE {table} SET {column} = %s WHERE connection = %s AND {column} IS NULL",  # noqa: S608
            at,
            connection,
        )
        bump([connection])
        data = {"ground": ground, "reason": _stated(reason)}
        record(
            actor=actor, act="ground.ended", subject=f"connection {connection}", connection=connection, data=data,
            at=at, business_at=business_at,
        )  # fmt: skip
    return ended


def draft_on_ground(
    *,
    ground: str,
    office: int,
    connections: Sequence[int],
    maker: str,
    not_before: datetime,
    expires_at: datetime,
    business_at: datetime,
) -> str:
    """The document over these connections of a circle, for its maker to sign.

    :raises GroundUnknown: no list is signed on this ground.
    :raises GroundRefused: something stands against one of them.
    :raises OfficeUnknown: no such office; `NotACircle`: it is none.
    :raises OfficerUnknown: no such officer; `OfficerMayNotSign`: his role does not sign.
    :raises WarrantMalformed: its time is wrong.
    """
    circle = get_circle(office=office)
    signing_officer(login=maker)
    check_time(not_before=not_before, expires_at=expires_at, business_at=business_at)
    lines = _lines(ground, connections, business_at)
    return Document(
        warrant=str(uuid.uuid4()), circle=circle.id, ground=ground, orders=len(lines), sum_paise=0,
        list_sha256=list_sha256(lines), cap=len(lines), policy=ground, nonce=secrets.token_hex(16),
        not_before=not_before, expires_at=expires_at, maker=maker,
    ).canonical()  # fmt: skip


def propose_on_ground(
    *, document: str, signature: str, connections: Sequence[int], reason: str, at: datetime, business_at: datetime
) -> int:
    """Propose what its maker signed; the drive, which a second officer signs and runs like any.

    :raises WarrantMalformed: no warrant of such a ground.
    :raises SignatureWrong: not its maker's.
    :raises WarrantUsed: proposed before.
    :raises ListChanged: the list is another one now.
    :raises GroundRefused: something stands against one of them by now.
    :raises ReasonMissing: no reason is given.
    """
    try:
        signed = Document.parse(document)
        uuid.UUID(signed.warrant)
    except ValueError as wrong:
        raise WarrantMalformed(why=str(wrong)) from wrong
    if signed.ground not in LISTED or signed.cap != signed.orders:
        raise WarrantMalformed(why=f"ground {signed.ground}")
    check_time(not_before=signed.not_before, expires_at=signed.expires_at, business_at=business_at)
    name = _stated(reason)
    with transaction():
        maker = signing_officer(login=signed.maker)
        if not verified(maker.public_key, signature, document, "maker"):
            raise SignatureWrong(officer=signed.maker)
        used = drive_of_warrant(warrant=signed.warrant)
        if used is not None:
            raise WarrantUsed(drive=used)
        lines = _lines(signed.ground, connections, business_at)
        changed = ListChanged(drafted=signed.orders, found=len(lines))
        if (list_sha256(lines), len(lines), 0) != (signed.list_sha256, signed.orders, signed.sum_paise):
            raise changed
        drive = propose_drive(
            NewDrive(
                uuid.UUID(signed.warrant), signed.circle, name, signed.orders, 0, signed.list_sha256, document,
                signed.maker, signature, signed.policy, signed.not_before, signed.expires_at,
            ),
            at=at,
        )  # fmt: skip
        cuts = [NewCut(each.position, each.meter, each.connection, 0, "", "", each.fence) for each in lines]
        try:
            propose_orders(cuts, drive=drive, cause=name, ground=signed.ground, at=at)
        except OrderTaken as taken:
            raise changed from taken
        data = {"drive": drive, "orders": len(lines), "ground": signed.ground, "reason": name,
                "list_sha256": signed.list_sha256}  # fmt: skip
        record(
            actor=signed.maker, act="supply.drive.on_ground", subject=f"drive {drive}", data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return drive


def _lines(ground: str, connections: Sequence[int], business_at: datetime) -> list[Line]:
    if ground not in LISTED:
        raise GroundUnknown(ground=ground)
    wanted = sorted(set(connections))
    found = judge_ground(ground=ground, connections=wanted, business_at=business_at)
    against = {number: each.reasons for number, each in found.items() if each.reasons}
    if against or not wanted:
        first = min(against, default=0)
        raise GroundRefused(connection=first, reason=(against.get(first) or ("no_connection",))[0], against=against)
    meters, fences = meters_on(connections=wanted), generations(connections=wanted)
    return [Line(nth, meters[number], number, 0, "", "", fences[number][0]) for nth, number in enumerate(wanted)]


def _note(
    table: str, connection: int, columns: Mapping[str, object], act: str, data: Mapping[str, object], actor: str,
    at: datetime, business_at: datetime,
) -> int:  # fmt: skip
    with transaction():
        find_officer(login=actor)
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        names = ["connection", *columns]
        made = int(
            value(
                f"INSERT INTO {table} ({', '.join(names)})"  # noqa: S608
                f" VALUES ({', '.join(['%s'] * len(names))}) RETURNING id",
                connection,
                *columns.values(),
            )
        )
        record(
            actor=actor, act=act, subject=f"connection {connection}", connection=connection,
            data={"number": made, **data}, at=at, business_at=business_at,
        )  # fmt: skip
    return made


def _stated(text: str) -> str:
    if not text.strip():
        raise ReasonMissing()
    return text
