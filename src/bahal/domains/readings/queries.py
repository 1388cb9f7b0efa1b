"""Questions about readings."""

from datetime import datetime
from typing import NamedTuple

from bahal.foundation.rows import many


class Answer(NamedTuple):
    """What became of a request: `value` in the register's base unit, or `reason` when the head-end gave up."""

    request: int
    meter: str
    done_at: datetime | None
    reason: str
    at: datetime | None
    value: int | None


def answers(*, requests: list[int]) -> list[Answer]:
    """What became of each request, with the latest reading of its register since it was asked."""
    rows = many(
        "SELECT q.id, q.meter, q.done_at, q.reason, r.at, r.value FROM readings_request q LEFT JOIN LATERAL"
        " (SELECT r.at, r.value FROM readings_reading r WHERE r.meter = q.meter AND r.register = q.register"
        " AND r.received_at >= q.asked_at ORDER BY r.at DESC LIMIT 1) r ON true"
        " WHERE q.id = ANY(%s::bigint[]) ORDER BY q.id",
        requests,
    )
    return [Answer(*row) for row in rows]
