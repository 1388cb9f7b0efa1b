"""Written notices under s.56(1): issued with their text, queued for the first channel, and served."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from bahal.domains.notices.errors import NoticeMalformed, NoticeUnknown
from bahal.domains.notices.operations import Heard, Report, chain_asked, chain_heard, mark_reported
from bahal.domains.notices.ways import Way
from bahal.domains.notices.wordings import Book
from bahal.foundation.rows import copy, next_ids, one
from bahal.foundation.transactions import transaction_required
from bahal.shared.money import rupees
from bahal.shared.text import INDIA

PURPOSES = ("disconnection", "permanent_disconnection")


class NewNotice(NamedTuple):
    """A written notice under s.56(1): its bills, days in India, and how its service is known (None: not yet served)."""

    connection: int
    bills: tuple[int, ...]
    paise: int
    issued_on: date
    served_on: date | None = None
    service: str = ""
    purpose: str = "disconnection"


class Addressee(NamedTuple):
    """Whom a notice is for: telephone (may be none) and language, and the numbers of the bills it names."""

    phone: str
    language: str
    bills: Sequence[str]


class Served(NamedTuple):
    """A notice whose service was noted."""

    connection: int
    paise: int
    issued_on: date


@transaction_required
def issue_notices(
    notices: Sequence[NewNotice],
    *,
    to: Mapping[int, Addressee],
    way: Way,
    book: Book,
    clear_days: int,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> list[int]:
    """Write notices with the bills they name, each queued for the first channel of its way; their ids in order.

    One whose service is known already is not queued: it came by the first channel that serves. The hash is over the
    notice's content and its text.

    :raises NoticeMalformed: no bills, no amount, served before it was issued, or nobody knows to whom it goes.
    :raises WordingMissing: no text is in force.
    """
    for notice in notices:
        if not notice.bills or notice.paise <= 0 or notice.connection not in to:
            raise NoticeMalformed(connection=notice.connection, field="bills")
        if notice.served_on is not None and notice.served_on < notice.issued_on:
            raise NoticeMalformed(connection=notice.connection, field="served_on")
    if not notices:
        return []
    paper = next((each for each in way.order if each in way.serves), "letter")
    ids, attempts = next_ids("notices_writtennotice", len(notices)), next_ids("notices_message", len(notices))
    written, queued, evidence = [], [], []
    for id_, attempt, each in zip(ids, attempts, notices, strict=True):
        person = to[each.connection]
        channel = paper if each.served_on is not None else way.first(person.phone) or paper
        wording = book.of("statutory", channel, person.language)
        variables = {
            "consumer": str(each.connection), "amount": rupees(each.paise), "bills": ", ".join(person.bills),
            "issued": f"{each.issued_on:%d-%m-%Y}", "days": str(clear_days),
        }  # fmt: skip
        text = wording.filled(**variables)
        digest = notice_sha256(each, text)
        written.append((id_, each.connection, each.paise, each.issued_on, each.purpose, digest))
        following = way.after(channel, person.phone)
        waits = None if each.served_on is not None else way.waits_until(channel, business_at, last=following is None)
        queued.append(
            (
                attempt, each.connection, "statutory", channel, person.phone, wording.registered_as, text, id_,
                each.issued_on, at, 0, "queued" if each.served_on is None else "delivered", person.language,
                [variables[name] for name in wording.names], wording.id, wording.version, channel in way.serves,
                following, waits,
            )
        )  # fmt: skip
        evidence.append(json.dumps({"bills": list(each.bills), "paise": each.paise, "sha256": digest}))
    copy("notices_writtennotice", ("id", "connection", "paise", "issued_on", "purpose", "sha256"), written)
    bills = ((id_, bill) for id_, each in zip(ids, notices, strict=True) for bill in each.bills)
    copy("notices_noticedbill", ("notice", "bill"), bills)
    copy("notices_message", QUEUED, queued)
    times: dict[str, Any] = {"actor": actor, "at": at, "business_at": business_at}
    chain_asked(attempts, policy=way.policy, evidence=evidence, **times)
    known = [
        Heard(attempt, "delivered", evidence=json.dumps({"service": each.service}, ensure_ascii=False),
              at=at, business_at=noon_of(each.served_on))
        for attempt, each in zip(attempts, notices, strict=True)
        if each.served_on is not None
    ]  # fmt: skip
    chain_heard(known, **times)
    return ids


QUEUED = (
    "id", "connection", "kind", "channel", "phone", "template", "text", "notice", "business_on", "queued_at", "tries",
    "delivery", "language", "variables", "made_from", "made_version", "serves", "next_channel", "next_at",
)  # fmt: skip
"""The columns of a message of a notice or of a reminder."""


@transaction_required
def note_service(
    *, notice: int, served_on: date, service: str, actor: str, at: datetime, business_at: datetime
) -> Served:
    """Note the day on which a notice arrived on paper and how that is known, on the attempt that is open.

    :raises NoticeUnknown: no such notice, or it was served already, or no attempt on paper was made.
    :raises NoticeMalformed: served before it was issued or after today, or nothing says how that is known.
    """
    row = one(
        "SELECT n.connection, n.paise, n.issued_on, m.id, m.receipt FROM notices_writtennotice n"
        " JOIN notices_message m ON m.notice = n.id AND m.serves"
        " AND m.delivery IN ('queued', 'listed', 'sent', 'expired')"
        " WHERE n.id = %s AND NOT EXISTS (SELECT FROM notices_message d WHERE d.notice = n.id AND d.serves"
        " AND d.delivery = 'delivered') ORDER BY m.id DESC LIMIT 1 FOR UPDATE OF m",
        notice,
    )
    if row is None:
        raise NoticeUnknown(notice=notice)
    *found, attempt, receipt = row
    served = Served(*found)
    if not served.issued_on <= served_on <= business_at.astimezone(INDIA).date():
        raise NoticeMalformed(connection=served.connection, field="served_on")
    if not service.strip():
        raise NoticeMalformed(connection=served.connection, field="service")
    said = Report(attempt, receipt or "", True, at, business_at=noon_of(served_on))
    proof = json.dumps({"service": service.strip()}, ensure_ascii=False)
    mark_reported([said], actor=actor, at=at, business_at=business_at, evidence=[proof])
    return served


def notice_sha256(notice: NewNotice, text: str) -> str:
    """The hash by which a warrant names a notice."""
    bills = ",".join(map(str, notice.bills))
    content = f"{notice.connection}|{bills}|{notice.paise}|{notice.issued_on}|{notice.purpose}|{text}"
    return hashlib.sha256(content.encode()).hexdigest()


def noon_of(day: date) -> datetime:
    """Noon in India: the instant of what is known by its day only."""
    return datetime.combine(day, time(12), INDIA)
