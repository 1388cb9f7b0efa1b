"""What a signer is shown of a warrant: derived here, from ledger, notices and holds, and not as its author tells it.

The list is rebuilt from the order rows and held against the signed root; its right to be cut is derived as it would be
at the sending; the names that stand as a sample are chosen by the warrant's nonce, so that nobody chooses them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import class_row

from bahal.headend.database import Database
from bahal.interlock.drives import read_list
from bahal.interlock.profile import Profile
from bahal.interlock.warrant import Drive, WarrantRefused, check_list
from bahal.shared.text import INDIA
from bahal.shared.warrant import Document, Line

SAMPLE: Final = 8
LARGEST: Final = 3
_SLICE: Final = 5_000
_DRIVE: Final = """
    SELECT d.id, d.warrant::text, d.office, d.orders, d.sum_paise, d.list_sha256, d.document, d.maker,
           d.maker_signature, d.checker, d.checker_signature, d.not_before, d.expires_at
    FROM supply_drive d WHERE d.warrant = %s::uuid
"""
_STANDS: Final = "SELECT d.state, d.name, d.proposed_at FROM supply_drive d WHERE d.warrant = %s::uuid"
_CAPS: Final = """
    SELECT scope, counted, ceiling FROM interlock_cap
    WHERE (scope = 'circle-day:' || %(circle)s AND bucket = %(day)s)
       OR (scope = 'circle:' || %(circle)s AND bucket = %(hour)s)
       OR (scope = 'state' AND bucket = %(hour)s)
"""


class Office(NamedTuple):
    """A division's part of the list."""

    name: str
    name_hi: str
    orders: int
    paise: int


class Person(NamedTuple):
    """One of those who would be cut."""

    connection: int
    name: str
    name_hi: str
    centre: str
    centre_hi: str
    paise: int


class DryRun(NamedTuple):
    """The circle's latest dry run, and what the list has more and less than it."""

    run: int
    made_at: datetime
    listed: int
    sum_paise: int
    came: Sequence[int]
    went: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A warrant as the interlock sees it now. `wrong` names why it may not be signed; empty if it may."""

    drive: Drive
    document: Document
    state: str
    circle: str
    circle_hi: str
    count: int
    sum_paise: int
    may: int
    may_paise: int
    against: Mapping[str, int]
    offices: Sequence[Office]
    sample: Sequence[Person]
    largest: Sequence[Person]
    before: DryRun | None
    caps: Mapping[str, tuple[int, int]]
    wrong: str


class WarrantUnknown(Exception):
    """No drive of this warrant, or one whose document is none."""


async def find(database: Database, warrant: str) -> tuple[Drive, Document, str]:
    """A warrant's drive as the business wrote it, its document and the drive's state.

    :raises WarrantUnknown: there is none, or its document is malformed or another's.
    """
    async with database.transaction() as connection:
        cursor = connection.cursor(row_factory=class_row(Drive))
        drive = await (await cursor.execute(_DRIVE, (warrant,))).fetchone()
        stands = await (await connection.execute(_STANDS, (warrant,))).fetchone()
    if drive is None or stands is None:
        raise WarrantUnknown
    try:
        document = Document.parse(drive.document)
    except ValueError as wrong:
        raise WarrantUnknown from wrong
    if (document.warrant, document.maker) != (drive.warrant, drive.maker):
        raise WarrantUnknown
    return drive, document, str(stands[0])


async def circle_of(database: Database, circle: int) -> tuple[str, str]:
    """A circle's name in English and Hindi."""
    rows = await database.rows("SELECT name, name_hi FROM interlock_circle(%s)", (circle,))
    return (str(rows[0][0]), str(rows[0][1])) if rows else (str(circle), str(circle))


async def look(database: Database, warrant: str, *, profile: Profile, at: datetime) -> Shown:
    """Everything that a signer must see, derived now.

    :raises WarrantUnknown: there is no such warrant.
    :raises psycopg.Error: the database failed.
    """
    drive, document, state = await find(database, warrant)
    _, lines, grounds = await read_list(database, drive.id)
    connections = [line.connection for line in lines]
    wrong = await asyncio.to_thread(_wrong, drive, document, lines, grounds, at)
    judged: dict[int, tuple[int, Sequence[str]]] = {}
    places: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(connections), _SLICE):
        part = connections[start : start + _SLICE]
        for number, paise, reasons in await database.rows(
            "SELECT connection, paise, reasons FROM interlock_judge(%s::bigint[], %s, %s)",
            (part, at, max(at, document.not_before)),
        ):
            judged[number] = (paise, reasons)
        for number, *place in await database.rows("SELECT * FROM interlock_places(%s::bigint[])", (part,)):
            places[number] = tuple(place)
    if not wrong and any(place[-1] != document.circle for place in places.values()):
        wrong = "warrant_other_circle"
    if not wrong and document.cap > profile.drive:
        wrong = "warrant_over_profile"
    before = await database.rows(
        "SELECT * FROM interlock_against_dry_run(%s, %s::bigint[])", (drive.office, connections)
    )
    name, name_hi = await circle_of(database, document.circle)
    may = [number for number in connections if number in judged and not judged[number][1]]
    return Shown(
        drive=drive,
        document=document,
        state=state,
        circle=name,
        circle_hi=name_hi,
        count=len(lines),
        sum_paise=sum(line.paise for line in lines),
        may=len(may),
        may_paise=sum(judged[number][0] for number in may),
        against=Counter(judged[number][1][0] for number in connections if number in judged and judged[number][1]),
        offices=_offices(lines, places),
        sample=[_person(line, places) for line in _sampled(lines, document.nonce)],
        largest=[_person(line, places) for line in sorted(lines, key=lambda line: -line.paise)[:LARGEST]],
        before=DryRun(*before[0]) if before else None,
        caps=await _caps_left(database, document.circle, profile, at),
        wrong=wrong,
    )


def _wrong(drive: Drive, document: Document, lines: Sequence[Line], grounds: set[str], at: datetime) -> str:
    try:
        check_list(drive, document, lines, grounds, at)
    except WarrantRefused as refused:
        return refused.name
    return ""


def _offices(lines: Sequence[Line], places: Mapping[int, tuple[Any, ...]]) -> list[Office]:
    orders: Counter[tuple[str, str]] = Counter()
    paise: Counter[tuple[str, str]] = Counter()
    for line in lines:
        place = places.get(line.connection)
        division = ("?", "?") if place is None else (place[4], place[5])
        orders[division] += 1
        paise[division] += line.paise
    return [Office(*division, count, paise[division]) for division, count in sorted(orders.items())]


def _sampled(lines: Sequence[Line], nonce: str) -> list[Line]:
    """Some lines, in an order that the nonce alone decides."""
    drawn = sorted(lines, key=lambda line: hashlib.sha256(f"{nonce}|{line.connection}".encode()).digest())
    return sorted(drawn[:SAMPLE], key=lambda line: line.position)


def _person(line: Line, places: Mapping[int, tuple[Any, ...]]) -> Person:
    name, name_hi, centre, centre_hi = places.get(line.connection, ("?", "?", "?", "?"))[:4]
    return Person(line.connection, name, name_hi, centre, centre_hi, line.paise)


async def _caps_left(database: Database, circle: int, profile: Profile, at: datetime) -> dict[str, tuple[int, int]]:
    """What is left of the caps that are counted already, and the whole of those that nobody has touched."""
    local = at.astimezone(INDIA)
    keys = {"circle": str(circle), "day": f"{local:%Y-%m-%d}", "hour": f"{local:%Y-%m-%d %H}"}
    rows = await database.rows(_CAPS, keys)
    counted = {str(scope).split(":")[0]: (ceiling - used, ceiling) for scope, used, ceiling in rows}
    left = {
        "drive": (profile.drive, profile.drive),
        "circle_hour": counted.get("circle", (profile.circle_hour, profile.circle_hour)),
        "state_hour": counted.get("state", (profile.state_hour, profile.state_hour)),
    }
    if "circle-day" in counted:
        left["day"] = counted["circle-day"]
    return left
