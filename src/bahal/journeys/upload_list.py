"""A list of consumers that somebody brings as a file: read row by row, each wrong row named.

A list only ever narrows a drive: who is on it is judged like everybody, and nobody is cut for being on it.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from bahal.foundation.rows import many
from bahal.shared.errors import USAGE, Refusal

LARGEST = 4 * 1024 * 1024
MOST_ROWS = 200_000
_HEADS = ("consumer", "consumer number", "bp", "bp number", "connection", "उपभोक्ता", "उपभोक्ता क्रमांक", "बीपी")
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that names nobody: its line in the file, what stood there, and why not: not_a_number, unknown,
    another_circle, twice."""

    line: int
    given: str
    why: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The consumers that a file names, and the rows that name nobody."""

    connections: frozenset[int]
    errors: Sequence[RowError]


class ListUnreadable(Refusal):
    """The file is no list of consumers."""

    code = "list_unreadable"
    exit_code = USAGE
    hi = "सूची पढ़ी नहीं जा सकी: {why}"
    en = "The list cannot be read: {why}"


class ListHasErrors(Refusal):
    """Rows of the list name nobody of the circle."""

    code = "list_has_errors"
    hi = "सूची की {count} पंक्तियाँ गलत: {rows}"
    en = "{count} rows of the list are wrong: {rows}"

    @classmethod
    def of(cls, errors: Sequence[RowError]) -> "ListHasErrors":
        """The refusal for these rows; the first of them in words, all of them as data."""
        rows = "; ".join(f"{each.line}: {each.given!r} {each.why}" for each in errors[:_SHOWN])
        every = [{"line": each.line, "given": each.given, "why": each.why} for each in errors]
        return cls(count=len(errors), rows=rows, errors=every)


def upload_list(content: bytes, *, circle: int) -> Uploaded:
    """Read a CSV file (UTF-8) whose first column, or the one headed `consumer`, holds consumer numbers of a circle.

    :raises ListUnreadable: no UTF-8, empty, or too large.
    """
    if len(content) > LARGEST:
        raise ListUnreadable(why=f"{len(content)} > {LARGEST} bytes")
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise ListUnreadable(why=str(wrong)) from wrong
    if len(rows) > MOST_ROWS:
        raise ListUnreadable(why=f"{len(rows)} > {MOST_ROWS} rows")
    column, first = _column(rows)
    named: dict[int, int] = {}
    errors = []
    for line, row in enumerate(rows[first:], start=first + 1):
        given = row[column].strip() if column < len(row) else ""
        if not any(cell.strip() for cell in row):
            continue
        if not (given.isascii() and given.isdigit() and len(given) == 10):
            errors.append(RowError(line, given[:40], "not_a_number"))
        elif int(given) in named:
            errors.append(RowError(line, given, "twice"))
        else:
            named[int(given)] = line
    if not named and not errors:
        raise ListUnreadable(why="no rows")
    circles: dict[int, int] = dict(many(_CIRCLES, list(named)))
    for number, line in named.items():
        if circles.get(number) != circle:
            errors.append(RowError(line, str(number), "another_circle" if number in circles else "unknown"))
    good = frozenset(number for number in named if circles.get(number) == circle)
    return Uploaded(good, sorted(errors, key=lambda each: each.line))


def _column(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """The column of the consumer numbers, and the first row under the heads."""
    heads = [cell.strip().lower() for cell in rows[0]] if rows else []
    for nth, head in enumerate(heads):
        if head in _HEADS:
            return nth, 1
    return 0, 0


_CIRCLES = """
SELECT c.id, division.parent_id FROM network_connection c
JOIN offices_office centre ON centre.id = c.centre
JOIN offices_office subdivision ON subdivision.id = centre.parent_id
JOIN offices_office division ON division.id = subdivision.parent_id
WHERE c.id = ANY (%s::bigint[])
"""
