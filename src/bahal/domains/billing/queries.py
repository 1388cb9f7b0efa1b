"""Questions about bills."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from bahal.domains.billing.errors import BillHasNoLines, BillUnknown, RegisterUnknown
from bahal.domains.billing.explanations import fragments_in, unpack
from bahal.domains.billing.history import Past
from bahal.domains.billing.registers import Stand
from bahal.foundation.rows import many, one, value


class Bill(NamedTuple):
    """A bill as it stands; `paise` is this bill alone."""

    id: int
    connection: int
    number: str
    kind: str
    month: date
    period_from: date | None
    period_to: date | None
    sequence: int
    issued_on: date
    due_on: date
    consumption_wh: int
    paise: int
    estimated: bool
    disputed: bool
    supplementary: bool


class Month(NamedTuple):
    """What a connection used in a month that was billed."""

    month: date
    wh: int
    estimated: bool


def ids_by_number(*, numbers: Iterable[str]) -> Mapping[str, int]:
    """The ids of bills by their printed numbers; an unknown number is missing."""
    return dict(many("SELECT number, id FROM billing_bill WHERE number = ANY(%s::text[])", list(numbers)))


def numbers_of(*, bills: Iterable[int]) -> Mapping[int, str]:
    """The printed numbers of bills by their ids."""
    return dict(many("SELECT id, number FROM billing_bill WHERE id = ANY(%s::bigint[])", list(bills)))


def bill_by_number(*, number: str) -> Bill:
    """A bill by its printed number.

    :raises BillUnknown: there is none.
    """
    row = one(f"SELECT {', '.join(Bill._fields)} FROM billing_bill WHERE number = %s", number)  # noqa: S608
    if row is None:
        raise BillUnknown(number=number)
    return Bill(*row)


def bills_by_number(*, numbers: Sequence[str]) -> list[Bill]:
    """Bills by their printed numbers, in that order.

    :raises BillUnknown: one of them does not exist.
    """
    rows = many(
        f"SELECT {', '.join(Bill._fields)} FROM billing_bill WHERE number = ANY(%s::text[])",  # noqa: S608
        list(numbers),
    )
    found = {row[2]: Bill(*row) for row in rows}
    for number in numbers:
        if number not in found:
            raise BillUnknown(number=number)
    return [found[number] for number in numbers]


def numbers_issued(*, month: date, connections: Sequence[int] | None = None, limit: int = 1_000) -> list[str]:
    """The numbers of bills with lines of a month, by connection; of all connections unless some are given."""
    rows = many(
        "SELECT number FROM billing_bill WHERE month = %s AND kind <> 'opening'"
        " AND (%s::bigint[] IS NULL OR connection = ANY(%s::bigint[])) ORDER BY connection, sequence LIMIT %s",
        month,
        None if connections is None else list(connections),
        None if connections is None else list(connections),
        limit,
    )
    return [row[0] for row in rows]


CREDIT_NOTE = "credit_note"


def shown_by_number(*, numbers: Sequence[str]) -> list[Bill]:
    """Bills and credit notes by their printed numbers, in that order.

    A credit note stands as a bill of kind `credit_note`: its paise are negative, its id is that of its own table with
    the other sign, and its period is that of the bill that it corrects.

    :raises BillUnknown: one of them does not exist.
    """
    notes = {
        row[2]: Bill(*row)
        for row in many(
            "SELECT -n.id, n.connection, n.number, 'credit_note', b.month, n.period_from, b.period_to, n.sequence,"
            " n.issued_on, n.issued_on, n.consumption_wh, -n.paise, false, false, false"
            " FROM billing_creditnote n JOIN billing_bill b ON b.id = n.bill WHERE n.number = ANY(%s::text[])",
            list(numbers),
        )
    }
    bills = iter(bills_by_number(numbers=[number for number in numbers if number not in notes]))
    return [notes[number] if number in notes else next(bills) for number in numbers]


def explanations_of(*, bills: Sequence[Bill]) -> Mapping[int, dict[str, Any]]:
    """The kept ratings of bills and credit notes by their ids (`shown_by_number`), in the tariffs' stored form.

    :raises BillHasNoLines: one of them came in without lines.
    """
    kept = many(
        "SELECT bill, body, amounts FROM billing_explanation WHERE bill = ANY(%s::bigint[])"
        " UNION ALL SELECT -id, body, amounts FROM billing_creditnote WHERE -id = ANY(%s::bigint[])",
        [bill.id for bill in bills],
        [bill.id for bill in bills if bill.id < 0],
    )
    there = {row[0] for row in kept}
    for bill in bills:
        if bill.id not in there:
            raise BillHasNoLines(number=bill.number)
    return unpacked(kept)


def unpacked(kept: Sequence[tuple[int, str, list[int]]]) -> Mapping[int, dict[str, Any]]:
    """Stored bodies with their amounts, by id, in the tariffs' stored form."""
    wanted = {number for _, body, _ in kept for number in fragments_in(body)}
    fragments: dict[int, str] = dict(
        many("SELECT id, body FROM billing_fragment WHERE id = ANY(%s::int[])", list(wanted))
    )
    return {id_: unpack(body, amounts, fragments=fragments) for id_, body, amounts in kept}


def history_of(*, connections: Sequence[int], until: date, months: int = 13) -> Mapping[int, list[Month]]:
    """What these connections used in the months up to and including `until`, oldest first, as it was billed last."""
    rows = many(
        "SELECT DISTINCT ON (connection, month) connection, month, consumption_wh, estimated FROM ("
        "  SELECT connection, month, consumption_wh, estimated, sequence, id FROM billing_bill"
        "  WHERE connection = ANY(%s::bigint[])"
        "  UNION ALL SELECT n.connection, b.month, n.consumption_wh, false, n.sequence, n.id FROM billing_creditnote n"
        "  JOIN billing_bill b ON b.id = n.bill WHERE n.connection = ANY(%s::bigint[])"
        ") AS documents WHERE month <= %s AND month > %s::date - make_interval(months => %s)"
        " ORDER BY connection, month, sequence DESC, id DESC",
        list(connections),
        list(connections),
        until,
        until,
        months,
    )
    found: dict[int, list[Month]] = {}
    for connection, *month in rows:
        found.setdefault(connection, []).append(Month(*month))
    return found


class Billed(NamedTuple):
    """A period as it was billed last: `paise` of all its documents together, `sequence` the latest."""

    past: Past
    sequence: int


def billed(*, connections: Sequence[int], since: date) -> Mapping[int, list[Billed]]:
    """The periods billed to each connection that end after `since`, oldest first; months of opening bills count."""
    rows = many(
        "SELECT DISTINCT ON (connection, start) connection, start, until, wh, estimated, sequence FROM ("
        "  SELECT connection, coalesce(period_from, month) AS start,"
        "         coalesce(period_to, (month + interval '1 month')::date) AS until,"
        "         consumption_wh AS wh, estimated, sequence, id"
        "  FROM billing_bill WHERE connection = ANY(%s::bigint[])"
        "  UNION ALL SELECT n.connection, n.period_from, b.period_to, n.consumption_wh, false, n.sequence, n.id"
        "  FROM billing_creditnote n JOIN billing_bill b ON b.id = n.bill"
        "  WHERE n.connection = ANY(%s::bigint[])"
        ") AS documents WHERE until > %s ORDER BY connection, start, sequence DESC, id DESC",
        list(connections),
        list(connections),
        since,
    )
    found: dict[int, list[Billed]] = {}
    for connection, *past, sequence in rows:
        found.setdefault(connection, []).append(Billed(Past(*past), sequence))
    return found


class Document(NamedTuple):
    """A bill or a credit note of a period; `paise` is signed."""

    sequence: int
    id: int
    number: str
    paise: int
    month: date
    period_from: date
    period_to: date
    kept: tuple[int, str, list[int]]


def documents_of(*, connection: int, period_from: date) -> list[Document]:
    """The bills and credit notes with lines of the period that begins on a day, in the order they were made."""
    rows = many(
        "SELECT b.sequence, b.id, b.number, b.paise, b.month, b.period_from, b.period_to, e.body, e.amounts"
        " FROM billing_bill b JOIN billing_explanation e ON e.bill = b.id"
        " WHERE b.connection = %s AND b.period_from = %s"
        " UNION ALL SELECT n.sequence, n.id, n.number, -n.paise, b.month, b.period_from, b.period_to, n.body, n.amounts"
        " FROM billing_creditnote n JOIN billing_bill b ON b.id = n.bill"
        " WHERE n.connection = %s AND n.period_from = %s ORDER BY 1",
        connection,
        period_from,
        connection,
        period_from,
    )
    return [Document._make((*row[:7], (row[1], row[7], row[8]))) for row in rows]


def carried_before(*, connections: Sequence[int], day: date) -> Mapping[int, int]:
    """The export in Wh that the latest bill of each connection before a day left over; without any it is missing."""
    rows = many(
        "SELECT DISTINCT ON (b.connection) b.connection, coalesce((e.body::jsonb ->> 'carried_wh')::bigint, 0)"
        " FROM billing_bill b JOIN billing_explanation e ON e.bill = b.id"
        " WHERE b.connection = ANY(%s::bigint[]) AND b.period_to <= %s"
        " ORDER BY b.connection, b.period_to DESC, b.sequence DESC",
        list(connections),
        day,
    )
    return {row[0]: row[1] for row in rows if row[1]}


def held_drafts(*, connections: Sequence[int]) -> Mapping[int, int]:
    """The held draft of each connection that has one."""
    rows = many(
        "SELECT connection, id FROM billing_draft WHERE state = 'held' AND connection = ANY(%s::bigint[])",
        list(connections),
    )
    return dict(rows)


def connection_of_draft(*, draft: int) -> int | None:
    """The connection of a draft; None if there is no such draft."""
    found: int | None = value("SELECT connection FROM billing_draft WHERE id = %s", draft)
    return found


class Waiting(NamedTuple):
    """A held bill in the queue."""

    draft: int
    connection: int
    period_from: date
    period_to: date
    consumption_wh: int
    paise: int
    reasons: list[str]
    basis: Mapping[str, Any]


def review_queue(*, limit: int = 100) -> list[Waiting]:
    """The bills that are held, oldest first."""
    rows = many(
        "SELECT id, connection, period_from, period_to, consumption_wh, paise, reasons, basis FROM billing_draft"
        " WHERE state = 'held' ORDER BY id LIMIT %s",
        limit,
    )
    return [Waiting._make((*row[:-1], json.loads(row[-1]))) for row in rows]


class Doubt(NamedTuple):
    """A row that could not be taken as a register."""

    doubt: int
    connection: int | None
    meter: str
    read_on: date | None
    error: str
    data: Mapping[str, Any]


def open_doubts(*, limit: int = 100) -> list[Doubt]:
    """The rows in doubt, oldest first."""
    rows = many(
        "SELECT id, connection, meter, read_on, error, data FROM billing_doubt WHERE settled_at IS NULL"
        " ORDER BY id LIMIT %s",
        limit,
    )
    return [Doubt._make((*row[:-1], json.loads(row[-1]))) for row in rows]


class Group(NamedTuple):
    """When a centre's bills go out."""

    issue_day: int
    days_to_pay: int


USUAL_GROUP = Group(issue_day=5, days_to_pay=15)
"""Where a centre has no group of its own."""


def groups() -> Mapping[int, Group]:
    """The billing group of each centre that has one."""
    return {row[0]: Group(*row[1:]) for row in many("SELECT centre, issue_day, days_to_pay FROM billing_group")}


def untrued(*, after: int, limit: int) -> list[tuple[int, date]]:
    """Estimated periods, connection and first day, that a later bill by reading follows and nothing has revised; of
    connections above `after`."""
    rows = many(
        "SELECT b.connection, b.period_from FROM billing_bill b"
        " WHERE b.estimated AND b.kind <> 'opening' AND b.connection > %s"
        " AND NOT EXISTS (SELECT FROM billing_bill r WHERE r.connection = b.connection"
        "   AND r.period_from = b.period_from AND r.sequence > b.sequence)"
        " AND NOT EXISTS (SELECT FROM billing_creditnote n WHERE n.connection = b.connection"
        "   AND n.period_from = b.period_from AND n.sequence > b.sequence)"
        " AND EXISTS (SELECT FROM billing_bill a WHERE a.connection = b.connection AND a.period_from >= b.period_to"
        "   AND NOT a.estimated) ORDER BY b.connection, b.period_from LIMIT %s",
        after,
        limit,
    )
    return [(row[0], row[1]) for row in rows]


def latest_end(*, connection: int) -> date | None:
    """The day up to which a connection was billed; None if it never was."""
    found: date | None = value(
        "SELECT max(coalesce(period_to, (month + interval '1 month')::date)) FROM billing_bill WHERE connection = %s",
        connection,
    )
    return found


def stand_of(*, connection: int, read_on: date) -> Stand:
    """The register of a day, of the meter that stayed.

    :raises RegisterUnknown: there is none.
    """
    row = one(
        "SELECT read_on, meter, wh, export_wh, vah, demand_w, digits FROM billing_stand"
        " WHERE connection = %s AND read_on = %s ORDER BY meter DESC LIMIT 1",
        connection,
        read_on,
    )
    if row is None:
        raise RegisterUnknown(connection=connection, day=read_on)
    return Stand(*row[:-1])._replace(digits=row[-1])


def amounts_by_number() -> Mapping[str, int]:
    """What every bill comes to in paise, by its number."""
    return dict(many("SELECT number, paise FROM billing_bill"))


def latest_number(*, connection: int) -> str | None:
    """The number of the latest bill with lines of a connection; None if it has none."""
    found: str | None = value(
        "SELECT number FROM billing_bill WHERE connection = %s AND kind <> 'opening'"
        " ORDER BY period_to DESC, sequence DESC LIMIT 1",
        connection,
    )
    return found


class Own(NamedTuple):
    """A bill as its consumer finds it in a list; a bill of kind `opening` came in with the books and has no lines."""

    id: int
    number: str
    kind: str
    month: date
    issued_on: date
    due_on: date
    wh: int
    paise: int
    estimated: bool


def bills_of(*, connection: int, limit: int) -> list[Own]:
    """The bills of a connection, the latest first."""
    rows = many(
        "SELECT id, number, kind, month, issued_on, due_on, consumption_wh, paise, estimated FROM billing_bill"
        " WHERE connection = %s ORDER BY issued_on DESC, id DESC LIMIT %s",
        connection,
        limit,
    )
    return [Own(*row) for row in rows]
