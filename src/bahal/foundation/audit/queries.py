"""What happened to a connection, in sentences."""

import json
from dataclasses import dataclass
from datetime import datetime

from bahal.foundation.audit.sentences import sentence
from bahal.foundation.rows import many
from bahal.shared.text import Language


@dataclass(frozen=True, slots=True)
class Told:
    """One entry as a person reads it."""

    at: datetime
    business_at: datetime
    actor: str
    act: str
    sentence: str


def story_of(*, connection: int, language: Language, limit: int = 200) -> list[Told]:
    """The acts that touched a connection, oldest first."""
    rows = many(
        "SELECT at, business_at, actor, act, data::text FROM audit_entry WHERE connection = %s ORDER BY id LIMIT %s",
        connection,
        limit,
    )
    return [
        Told(at, business_at, actor, act, sentence(act, json.loads(data), language))
        for at, business_at, actor, act, data in rows
    ]
