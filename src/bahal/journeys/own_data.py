"""All that is kept of a consumer and his connection, for himself: as JSON, or as one table that no spreadsheet runs."""

import csv
import io
from datetime import datetime
from typing import Any

from bahal.domains.billing.queries import bills_of
from bahal.domains.complaints.queries import complaints_of, steps_of
from bahal.domains.consumers.operations import set_language
from bahal.domains.consumers.queries import both_names_of, contacts
from bahal.domains.ledger.queries import balance
from bahal.domains.meters.queries import meters_on
from bahal.domains.notices.queries import told
from bahal.domains.payments.queries import payments_of
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.audit.queries import story_of
from bahal.foundation.transactions import transaction
from bahal.shared.text import Language

MOST = 5_000
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def own_data(*, connection: int, language: Language, at: datetime, business_at: datetime) -> dict[str, Any]:
    """Everything of one connection, paise and Wh as integers, instants in UTC; that it was taken is recorded."""
    with transaction():
        name, name_hi = both_names_of(connections=[connection]).get(connection, ("", ""))
        contact = contacts(connections=[connection]).get(connection)
        stands = balance(connection=connection)
        found = {
            "schema": 1,
            "consumer": connection,
            "name": name,
            "name_hi": name_hi,
            "phone": "" if contact is None else contact.phone,
            "language": "hi" if contact is None else contact.language,
            "meter": meters_on(connections=[connection]).get(connection),
            "due_paise": stands.due_paise,
            "advance_paise": stands.advance_paise,
            "bills": [each._asdict() for each in bills_of(connection=connection, limit=MOST)],
            "payments": [each._asdict() for each in payments_of(connection=connection, limit=MOST)],
            "messages": [each._asdict() for each in told(connection=connection, limit=MOST)],
            "complaints": [
                {**each._asdict(), "steps": [step._asdict() for step in steps_of(complaint=each.id)]}
                for each in complaints_of(connection=connection, limit=MOST)
            ],
            "acts": [
                {"at": each.at, "act": each.act, "sentence": each.sentence}
                for each in story_of(connection=connection, language=language, limit=MOST)
            ],
        }
        acts = [Act("consumer.data_taken", f"consumer {connection}", connection)]
        record_many(acts, actor="consumer", at=at, business_at=business_at)
    return found


def as_table(found: dict[str, Any]) -> str:
    """The same as CSV: what, of which row, name, value. A value that a spreadsheet would run has a quote before it."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("part", "row", "name", "value"))
    for part, value in found.items():
        rows = value if isinstance(value, list) else [{part: value}]
        for nth, row in enumerate(rows, 1):
            for name, each in row.items():
                writer.writerow((part if isinstance(value, list) else "consumer", nth, name, harmless(each)))
    return file.getvalue()


def harmless(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula; integers stay numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip().startswith(FORMULA) or text.startswith(FORMULA) else text


def prefer(*, connection: int, language: Language, at: datetime, business_at: datetime) -> None:
    """In which language the consumer is told from now on."""
    with transaction():
        set_language(connection=connection, language=language)
        acts = [Act("consumer.language", f"consumer {connection}", connection, {"language": language})]
        record_many(acts, actor="consumer", at=at, business_at=business_at)
