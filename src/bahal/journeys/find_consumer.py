"""One search box: by consumer number, mobile, meter or name; what a cashier needs to know before he takes money."""

from collections.abc import Collection
from dataclasses import dataclass

from bahal.domains.payments.queries import consumer_number
from bahal.foundation.rows import many
from bahal.shared.locks import ConnectionUnknown

MOST = 20
"""Matches shown; who finds more types more."""


@dataclass(frozen=True, slots=True)
class Found:
    """A consumer: positive `due_paise` is owed; `pending_paise` are cheques that have not cleared."""

    connection: int
    name: str
    name_hi: str
    meter: str | None
    phone_ends: str
    due_paise: int
    advance_paise: int
    pending_paise: int


def find_consumer(text: str, *, circles: Collection[int] | None = None) -> list[Found]:
    """Everybody whom the text may mean, at most `MOST`: all of a number, a mobile, a meter's serial, or part of a name.

    Only the last four digits of a mobile are shown: a telephone is personal data. `circles`: nobody outside of them.

    :raises ConsumerNumberWrong: only digits, and neither a number of ours nor a mobile or meter: says what is expected.
    :raises ConnectionUnknown: a well-formed consumer number that nobody has, there.
    """
    wanted = " ".join(text.replace("\0", "").split())
    digits = wanted.removeprefix("+91").replace(" ", "")
    rows = many(
        _FOUND,
        int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None,
        digits if len(digits) == 10 else None,
        wanted.upper(),
        len(wanted) >= 3 and not digits.isdigit(),
        f"%{_literal(wanted)}%",
        f"%{_literal(wanted)}%",
        circles is None,
        list(circles or ()),
        MOST,
    )
    if not rows and digits.isdigit():
        raise ConnectionUnknown(connection=consumer_number(digits))
    return [Found(*row) for row in rows]


_FOUND = """
WITH found AS MATERIALIZED (
    SELECT c.id, c.name, c.name_hi, m.serial, right(c.phone, 4) AS ends FROM consumers_consumer c
    LEFT JOIN meters_meter m ON m.connection = c.id
    WHERE (c.id = %s OR right(c.phone, 10) = %s OR m.serial = %s OR (%s AND (c.name ILIKE %s OR c.name_hi ILIKE %s)))
      AND (%s OR EXISTS (
          SELECT FROM network_connection n JOIN offices_office centre ON centre.id = n.centre
          JOIN offices_office subdivision ON subdivision.id = centre.parent_id
          JOIN offices_office division ON division.id = subdivision.parent_id
          WHERE n.id = c.id AND division.parent_id = ANY(%s::integer[])))
    ORDER BY c.id LIMIT %s
)
SELECT f.id, f.name, f.name_hi, f.serial, f.ends,
       (SELECT coalesce(sum(p.paise), 0)::bigint FROM ledger_posting p
        WHERE p.connection = f.id AND p.account IN ('receivable', 'surcharge', 'expenses')),
       (SELECT -coalesce(sum(p.paise), 0)::bigint FROM ledger_posting p
        WHERE p.connection = f.id AND p.account = 'advance'),
       (SELECT coalesce(sum(q.paise), 0)::bigint FROM payments_cheque q
        WHERE q.connection = f.id AND q.cleared_at IS NULL AND q.bounced_at IS NULL)
FROM found f ORDER BY f.id
"""


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
