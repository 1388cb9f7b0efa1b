"""A notice or a reminder is handed over at the door: by whom, to whom, where and when, with a photo's hash."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bahal.domains.arrears.queries import policy_at
from bahal.domains.notices import paper
from bahal.domains.notices.errors import HandMalformed, NothingToHand
from bahal.domains.notices.operations import hold_chain
from bahal.domains.notices.paper import ToHand
from bahal.domains.notices.wordings import book_on
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import one
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.money import rupees

OUTCOMES = ("handed", "refused", "locked", "not_found")
"""What became of a visit; only the first serves."""

_METRES_A_DEGREE = 111_195


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit: who came, who took the paper, where (WGS 84), when (business's calendar), and the photo's SHA-256."""

    by: str
    to: str
    latitude: float
    longitude: float
    at: datetime
    photo_sha256: str
    outcome: str = "handed"


@dataclass(frozen=True, slots=True)
class Handed:
    """What was noted: the attempt, what it was of, and how far from the connection's known place the visit was."""

    attempt: int
    kind: str
    notice: int | None
    outcome: str
    distance_m: int


def hand_over(
    *, connection: int, visit: Visit, actor: str, at: datetime, business_at: datetime, kind: str | None = None
) -> Handed:
    """Note a visit for the paper that waits longest to be handed to a connection, or for a notice not served yet.

    :raises NothingToHand: nothing waits, and no notice is unserved.
    :raises HandMalformed: nobody came or took it, no place, no photo, an instant to come or before the paper was asked
        for, or no such outcome.
    """
    _check(visit, business_at)
    with transaction():
        hold_chain()
        waiting = [each for each in paper.papers_to_hand(connection=connection) if kind in (None, each.kind)]
        if not waiting and kind == "reminder":
            raise NothingToHand(connection=connection)
        what = waiting[0] if waiting else paper.notice_to_hand(connection=connection)
        if day_in_india(visit.at) < what.day:
            raise HandMalformed(field="at")
        attempt = what.attempt or _ask(what, actor, at, business_at)
        distance = _distance(connection, visit)
        evidence: dict[str, Any] = {
            "by": visit.by.strip(), "to": visit.to.strip(), "latitude": f"{visit.latitude:.6f}",
            "longitude": f"{visit.longitude:.6f}", "distance_m": distance, "photo_sha256": visit.photo_sha256,
        }  # fmt: skip
        handed = visit.outcome == OUTCOMES[0]
        paper.note_hand(
            attempt=attempt, handed=handed, code="" if handed else visit.outcome, handed_at=visit.at,
            evidence=evidence, actor=actor, at=at, business_at=business_at,
        )  # fmt: skip
        data = {
            "kind": what.kind, "outcome": visit.outcome, "by": evidence["by"], "to": evidence["to"],
            "photo_sha256": visit.photo_sha256,
        }  # fmt: skip
        record(
            actor=actor, act="notice.handed", subject=f"attempt {attempt}", connection=connection, data=data, at=at,
            business_at=business_at,
        )  # fmt: skip
    return Handed(attempt, what.kind, what.notice, visit.outcome, distance)


def _check(visit: Visit, business_at: datetime) -> None:
    wrong = {
        "by": not visit.by.strip(),
        "to": not visit.to.strip() and visit.outcome == OUTCOMES[0],
        "place": not (-90 <= visit.latitude <= 90 and -180 <= visit.longitude <= 180),
        "at": visit.at > business_at,
        "photo": len(visit.photo_sha256) != 64,
        "outcome": visit.outcome not in OUTCOMES,
    }
    for field, is_wrong in wrong.items():
        if is_wrong:
            raise HandMalformed(field=field)


def _ask(what: ToHand, actor: str, at: datetime, business_at: datetime) -> int:
    """A notice that was to go by post is handed over instead: it is asked for first, with its text."""
    policy = policy_at(business_at=business_at)
    row = one(
        "SELECT n.paise, n.issued_on, coalesce(c.language, 'hi'), (SELECT string_agg(coalesce(b.number, nb.bill::text),"
        " ', ' ORDER BY nb.id) FROM notices_noticedbill nb LEFT JOIN billing_bill b ON b.id = nb.bill"
        " WHERE nb.notice = n.id), n.purpose"
        " FROM notices_writtennotice n LEFT JOIN consumers_consumer c ON c.id = n.connection WHERE n.id = %s",
        what.notice,
    )
    if row is None:
        raise NothingToHand(connection=what.connection)
    paise, issued_on, language, bills, purpose = row
    days = policy.notice_clear_days if purpose == "disconnection" else policy.permanent_clear_days
    variables = {
        "consumer": str(what.connection), "amount": rupees(paise), "bills": bills or "",
        "issued": f"{issued_on:%d-%m-%Y}", "days": str(days),
    }  # fmt: skip
    wording = book_on(day_in_india(business_at)).of("statutory", "hand", language)
    return paper.ask_to_hand(
        what, wording=wording, variables=variables, policy=policy.version, actor=actor, at=at, business_at=business_at
    )


def _distance(connection: int, visit: Visit) -> int:
    """Metres between the visit and where the connection is known to be; near enough for so short a way."""
    row = one("SELECT latitude, longitude FROM network_connection WHERE id = %s", connection)
    if row is None:
        raise NothingToHand(connection=connection)
    latitude, longitude = float(row[0]), float(row[1])
    north = (visit.latitude - latitude) * _METRES_A_DEGREE
    east = (visit.longitude - longitude) * _METRES_A_DEGREE * math.cos(math.radians(latitude))
    return round(math.hypot(north, east))
