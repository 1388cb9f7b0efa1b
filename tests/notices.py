"""Notices and reminders laid into a database as steps of their chains, for tests that need no queue."""

import json
from datetime import UTC, date, datetime, time
from typing import Any


def step(connection: int, machine: str, event: str, day: date, **more: Any) -> dict[str, Any]:
    """A step as `notices_append` takes it: of an attempt on paper or by SMS, at six o'clock UTC of its day."""
    at = datetime.combine(day, time(6), UTC).isoformat()
    found = {
        "connection": connection, "machine": machine, "attempt": 1, "event": event, "day": day.isoformat(),
        "channel": "letter" if machine == "statutory" else "sms", "at": at, "business_at": at, **more,
    }  # fmt: skip
    if event == "asked":
        found = {"template": "t", "template_version": 1, "text": "...", **found}
    return {name: datum.isoformat() if isinstance(datum, date) else datum for name, datum in found.items()}


def append(session: Any, steps: list[dict[str, Any]]) -> None:
    """Append steps, in a session of `owner` or `app`."""
    session.execute("SELECT notices_append(%s::jsonb, 'test', now(), now())", [json.dumps(steps)])


def serve(
    session: Any, connection: int, *, bills: list[int], issued_on: date, served_on: date | None, channel: str = "letter"
) -> int:
    """A written notice over bills, issued and, if so, served; its number."""
    (notice,) = session.execute(
        "INSERT INTO notices_writtennotice (connection, paise, issued_on, sha256) VALUES (%s, 1, %s, '') RETURNING id",
        [connection, issued_on],
    ).fetchone()
    for bill in bills:
        session.execute("INSERT INTO notices_noticedbill (notice, bill) VALUES (%s, %s)", [notice, bill])
    of = {"notice": notice, "channel": channel}
    steps = [step(connection, "statutory", "asked", issued_on, **of)]
    if served_on is not None:
        steps.append(step(connection, "statutory", "delivered", issued_on, effective_on=served_on, **of))
    append(session, steps)
    return int(notice)


def remind(session: Any, connection: int, *days: date) -> None:
    """Reminders by SMS that arrived on these days."""
    append(
        session,
        [
            made
            for day in days
            for made in (
                step(connection, "reminder", "asked", day),
                step(connection, "reminder", "delivered", day, effective_on=day),
            )
        ],
    )
