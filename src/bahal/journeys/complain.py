"""A consumer complains; the office answers; he alone says that it is settled. And what he could do besides about a
bill: deposit under protest, which stays a cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.arrears.errors import NothingOwed
from bahal.domains.arrears.rules.protest import Stay
from bahal.domains.complaints import operations as complaints
from bahal.domains.complaints.errors import ComplaintUnknown
from bahal.domains.complaints.queries import Complaint, Step, complaints_of, find_complaint, steps_of
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.journeys.deposit_under_protest import what_stays_the_cut


@dataclass(frozen=True, slots=True)
class Complaints:
    """A consumer's complaints, the latest first; `stay` is the deposit under protest, None where nothing is due."""

    complaints: Sequence[Complaint]
    stay: Stay | None


@dataclass(frozen=True, slots=True)
class Told:
    """One complaint with its steps."""

    complaint: Complaint
    steps: Sequence[Step]


def own_complaints(*, connection: int) -> Complaints:
    """The complaints of a connection, and what would stay a cut."""
    try:
        stay = what_stays_the_cut(connection=connection)
    except NothingOwed:
        stay = None
    return Complaints(complaints_of(connection=connection), stay)


def own_complaint(*, connection: int, complaint: int) -> Told:
    """One complaint of a connection.

    :raises ComplaintUnknown: there is none of this connection.
    """
    found = find_complaint(complaint=complaint)
    if found.connection != connection:
        raise ComplaintUnknown(complaint=complaint)
    return Told(found, steps_of(complaint=complaint))


def complain(*, connection: int, kind: str, text: str, at: datetime, business_at: datetime) -> int:
    """Raise a complaint; its number.

    :raises ComplaintEmpty: of no kind, without words, or with too many.
    :raises TooManyComplaints: so many of this connection are open.
    """
    with transaction():
        number = complaints.add_complaint(connection=connection, kind=kind, text=text, at=at, business_at=business_at)
        acts = [Act("complaint.raised", f"complaint {number}", connection, {"complaint": number, "kind": kind})]
        record_many(acts, actor="consumer", at=at, business_at=business_at)
    return number


def answer_back(
    *, connection: int, complaint: int, closes: bool, text: str, at: datetime, business_at: datetime
) -> None:
    """The consumer closes his complaint, or opens again what was answered.

    :raises ComplaintUnknown: there is none of this connection.
    :raises ComplaintNotSo: this does not follow upon its latest step.
    :raises ComplaintEmpty: opened again without a word, or with too many.
    """
    with transaction():
        if find_complaint(complaint=complaint).connection != connection:
            raise ComplaintUnknown(complaint=complaint)
        subject, data = f"complaint {complaint}", {"complaint": complaint}
        act = (
            Act("complaint.closed", subject, connection, data)
            if closes
            else Act("complaint.reopened", subject, connection, data)
        )
        _step(complaint, act, side="consumer", actor="consumer", text=text, at=at, business_at=business_at)


def answer_complaint(
    *, complaint: int, taken_up: bool, text: str, officer: str, at: datetime, business_at: datetime
) -> None:
    """The office takes a complaint up, or answers it. It cannot close it.

    :raises ComplaintUnknown: no such one.
    :raises ComplaintNotSo: this does not follow upon its latest step.
    :raises ComplaintEmpty: an answer without a word, or with too many.
    """
    with transaction():
        connection = find_complaint(complaint=complaint).connection
        subject, data = f"complaint {complaint}", {"complaint": complaint}
        act = (
            Act("complaint.taken_up", subject, connection, data)
            if taken_up
            else Act("complaint.answered", subject, connection, data)
        )
        _step(complaint, act, side="office", actor=officer, text=text, at=at, business_at=business_at)


def _step(complaint: int, act: Act, *, side: str, actor: str, text: str, at: datetime, business_at: datetime) -> None:
    """A step and its sentence; the act's name ends in the step's event."""
    event = act.act.rpartition(".")[2]
    complaints.add_step(
        complaint=complaint, event=event, side=side, actor=actor, text=text, at=at, business_at=business_at
    )
    record_many([act], actor=actor, at=at, business_at=business_at)
