"""Cells for a spreadsheet, in which no name of a person is ever a formula.

OWASP, CSV injection: what begins with `= + - @`, a tab or a carriage return is read as a formula by office programs.
"""

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """A value as text that is only text. A number that we reckoned stays a number, even below zero."""
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\0", "")
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV (RFC 4180), with a byte order mark so that office programs read its Hindi."""
    written = io.StringIO()
    sheet = csv.writer(written)
    sheet.writerow(head)
    sheet.writerows([cell(each) for each in row] for row in rows)
    return "\ufeff" + written.getvalue()
