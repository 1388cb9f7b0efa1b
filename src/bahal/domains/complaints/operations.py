"""Raising complaints and adding steps to them."""

from datetime import datetime

from bahal.domains.complaints.errors import ComplaintEmpty, ComplaintNotSo, TooManyComplaints
from bahal.domains.complaints.life import FOLLOWS
from bahal.domains.complaints.models import KINDS
from bahal.domains.complaints.queries import find_complaint
from bahal.foundation.rows import run, value
from bahal.foundation.transactions import transaction_required

LONGEST = 2_000
MOST_OPEN = 5
"""Of one connection: a form that anybody may send again fills no table."""


@transaction_required
def add_complaint(*, connection: int, kind: str, text: str, at: datetime, business_at: datetime) -> int:
    """A new complaint; its number.

    :raises ComplaintEmpty: of no kind, without words, or with too many.
    :raises TooManyComplaints: so many of this connection are open.
    """
    said = text.strip()
    if kind not in KINDS or not said or len(said) > LONGEST or "\0" in said:
        raise ComplaintEmpty(most=LONGEST)
    value("SELECT pg_advisory_xact_lock(hashtext('bahal.complaint'), hashint8(%s))", connection)
    if value(f"SELECT count(*) FROM complaints_complaint c WHERE connection = %s AND {_OPEN}", connection) >= MOST_OPEN:  # noqa: S608
        raise TooManyComplaints(most=MOST_OPEN)
    complaint = int(
        value(
            "INSERT INTO complaints_complaint (connection, kind, text, raised_at, business_at)"
            " VALUES (%s, %s, %s, %s, %s) RETURNING id",
            connection, kind, said, at, business_at,
        )
    )  # fmt: skip
    _add(complaint, "raised", "consumer", "consumer", "", at, business_at)
    return complaint


@transaction_required
def add_step(
    *, complaint: int, event: str, side: str, actor: str, text: str, at: datetime, business_at: datetime
) -> None:
    """One step of a complaint.

    :raises ComplaintUnknown: no such one.
    :raises ComplaintNotSo: this does not follow upon its latest step.
    :raises ComplaintEmpty: an answer, or a reopening, without words, or too many.
    """
    said = text.strip()
    if (event in ("answered", "reopened") and not said) or len(said) > LONGEST or "\0" in said:
        raise ComplaintEmpty(most=LONGEST)
    value("SELECT id FROM complaints_complaint WHERE id = %s FOR UPDATE", complaint)
    stands = find_complaint(complaint=complaint)
    if event not in FOLLOWS[stands.state]:
        raise ComplaintNotSo(complaint=complaint)
    _add(complaint, event, side, actor, said, at, business_at)


_OPEN = "NOT EXISTS (SELECT FROM complaints_step s WHERE s.complaint = c.id AND s.event = 'closed')"


def _add(complaint: int, event: str, side: str, actor: str, text: str, at: datetime, business_at: datetime) -> None:
    run(
        "INSERT INTO complaints_step (complaint, event, side, actor, text, at, business_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        complaint, event, side, actor, text, at, business_at,
    )  # fmt: skip
