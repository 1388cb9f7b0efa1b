"""The bank's settlement file: CSV, one line a payment, amounts in rupees as a statement has them.

Columns: `entity_id` (the gateway's payment), `amount`, `settlement_utr`, `settled_at` (ISO with zone). The head of the
file names them; other columns are passed over.
"""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from bahal.shared.errors import Refusal
from bahal.shared.money import PAISE_IN_RUPEE, read_rupees

COLUMNS = ("entity_id", "amount", "settlement_utr", "settled_at")
MOST_LINES = 1_000_000
MOST_BYTES = 256 * 1024 * 1024


class SettlementMalformed(Refusal):
    """A line that cannot be read: nothing of the file is loaded."""

    code = "settlement_malformed"
    hi = "निपटान फ़ाइल की पंक्ति {line} ठीक नहीं: {why}"
    en = "Line {line} of the settlement file is malformed: {why}"


class Line(NamedTuple):
    """What the bank settled for one payment; `line` is its place in the file, the head being 1."""

    line: int
    payment: str
    paise: int
    utr: str
    settled_at: datetime


def text_of(path: Path) -> str:
    """A file as text.

    :raises SettlementMalformed: too large, or not UTF-8.
    """
    if path.stat().st_size > MOST_BYTES:
        raise SettlementMalformed(line=1, why="too large")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise SettlementMalformed(line=1, why="not UTF-8") from wrong


def read_settlement(text: str) -> list[Line]:
    """Read a file whole.

    :raises SettlementMalformed: no head, or a line that is none; says which.
    """
    rows = csv.DictReader(io.StringIO(text), strict=True)
    lines: list[Line] = []
    try:
        missing = set(COLUMNS) - set(rows.fieldnames or ())
        if missing:
            raise SettlementMalformed(line=1, why=", ".join(sorted(missing)))
        for row in rows:
            lines.append(_read(rows.line_num, row))
            if len(lines) > MOST_LINES:
                raise SettlementMalformed(line=rows.line_num, why="too long")
    except csv.Error as wrong:
        raise SettlementMalformed(line=rows.line_num, why=str(wrong)) from wrong
    return lines


def write_settlement(lines: Iterable[Line]) -> str:
    """A file as the bank writes it."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for each in lines:
        whole, rest = divmod(each.paise, PAISE_IN_RUPEE)
        rows.writerow((each.payment, f"{whole}.{rest:02d}", each.utr, each.settled_at.isoformat()))
    return out.getvalue()


def _read(number: int, row: dict[str, str | None]) -> Line:
    given = {name: (row.get(name) or "").strip() for name in COLUMNS}
    empty = [name for name, value in given.items() if not value]
    if empty:
        raise SettlementMalformed(line=number, why=", ".join(empty))
    try:
        paise = read_rupees(given["amount"])
        settled_at = datetime.fromisoformat(given["settled_at"])
    except ValueError as wrong:
        raise SettlementMalformed(line=number, why=str(wrong)) from wrong
    if paise <= 0:
        raise SettlementMalformed(line=number, why=given["amount"])
    if settled_at.tzinfo is None:
        raise SettlementMalformed(line=number, why="settled_at")
    return Line(number, given["entity_id"], paise, given["settlement_utr"], settled_at)
