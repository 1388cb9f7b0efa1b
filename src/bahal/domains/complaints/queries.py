"""Questions about complaints."""

from datetime import datetime
from typing import NamedTuple

from bahal.domains.complaints.errors import ComplaintUnknown
from bahal.foundation.rows import many

LARGEST = 2**63 - 1
"""A number that somebody types into an address may be any."""


class Complaint(NamedTuple):
    """A complaint as it stands: `state` is its latest step's event."""

    id: int
    connection: int
    kind: str
    text: str
    raised_at: datetime
    business_at: datetime
    state: str


class Step(NamedTuple):
    """One step."""

    event: str
    side: str
    actor: str
    text: str
    business_at: datetime


_COMPLAINT = (
    "SELECT c.id, c.connection, c.kind, c.text, c.raised_at, c.business_at,"
    " (SELECT s.event FROM complaints_step s WHERE s.complaint = c.id ORDER BY s.id DESC LIMIT 1)"
    " FROM complaints_complaint c"
)


def find_complaint(*, complaint: int) -> Complaint:
    """One complaint.

    :raises ComplaintUnknown: no such one.
    """
    rows = many(f"{_COMPLAINT} WHERE c.id = %s", complaint) if complaint <= LARGEST else []
    if not rows:
        raise ComplaintUnknown(complaint=complaint)
    return Complaint(*rows[0])


def complaints_of(*, connection: int, limit: int = 50) -> list[Complaint]:
    """The complaints of a connection, the latest first."""
    return [Complaint(*row) for row in many(f"{_COMPLAINT} WHERE c.connection = %s ORDER BY c.id DESC LIMIT %s",
                                            connection, limit)]  # fmt: skip


def waiting(*, limit: int = 100) -> list[Complaint]:
    """Those that the office has to answer, oldest first."""
    rows = many(
        f"SELECT * FROM ({_COMPLAINT}) AS q (id, connection, kind, text, raised_at, business_at, state)"  # noqa: S608
        " WHERE state IN ('raised', 'taken_up', 'reopened') ORDER BY id LIMIT %s",
        limit,
    )
    return [Complaint(*row) for row in rows]


def steps_of(*, complaint: int) -> list[Step]:
    """The steps of a complaint, oldest first."""
    rows = many(
        "SELECT event, side, actor, text, business_at FROM complaints_step WHERE complaint = %s ORDER BY id", complaint
    )
    return [Step(*row) for row in rows]
