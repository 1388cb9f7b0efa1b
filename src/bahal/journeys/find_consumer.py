"""One search box: by consumer number, mobile, meter or name; what a cashier needs to know before he takes money."""

from dataclasses import dataclass

from bahal.domains.ledger.queries import balance
from bahal.domains.payments.queries import consumer_number, outstanding_cheques
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


def find_consumer(text: str) -> list[Found]:
    """Everybody whom the text may mean, at most `MOST`: all of a number, a mobile, a meter's serial, or part of a name.

    Only the last four digits of a mobile are shown: a telephone is personal data.

    :raises ConsumerNumberWrong: only digits, and neither a number of ours nor a mobile or meter: says what is expected.
    :raises ConnectionUnknown: a well-formed consumer number that nobody has.
    """
    wanted = " ".join(text.split())
    digits = wanted.removeprefix("+91").replace(" ", "")
    rows = many(
        "SELECT c.id, c.name, c.name_hi, m.serial, right(c.phone, 4) FROM consumers_consumer c"
        " LEFT JOIN meters_meter m ON m.connection = c.id"
        " WHERE c.id = %s OR right(c.phone, 10) = %s OR m.serial = %s"
        " OR (%s AND (c.name ILIKE %s OR c.name_hi ILIKE %s)) ORDER BY c.id LIMIT %s",
        int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None,
        digits if len(digits) == 10 else None,
        wanted.upper(),
        len(wanted) >= 3 and not digits.isdigit(),
        f"%{_literal(wanted)}%",
        f"%{_literal(wanted)}%",
        MOST,
    )
    if not rows and digits.isdigit():
        raise ConnectionUnknown(connection=consumer_number(digits))
    found = []
    for connection, name, name_hi, meter, ends in rows:
        stands = balance(connection=connection)
        pending = outstanding_cheques(connection=connection)
        found.append(Found(connection, name, name_hi, meter, ends, stands.due_paise, stands.advance_paise, pending))
    return found


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
