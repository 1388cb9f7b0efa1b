"""Letters that are listed, posted and answered, and papers handed over at the door."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from bahal.domains.notices.errors import LetterListPosted, LetterListUnknown, NothingToHand, ProofMissing
from bahal.domains.notices.issuing import QUEUED, noon_of
from bahal.domains.notices.operations import Heard, Report, chain_asked, chain_heard, mark_reported
from bahal.domains.notices.wordings import Wording
from bahal.foundation.rows import copy, many, next_ids, one, run, value
from bahal.foundation.transactions import transaction_required


class Letter(NamedTuple):
    """A letter of a list: its reference, which stands on the envelope, and what it says."""

    reference: str
    attempt: int
    connection: int
    kind: str
    notice: int | None
    day: date
    text: str


class PostAnswer(NamedTuple):
    """What the post office said of a letter: arrived or returned, on which day, and by which acknowledgement or why."""

    reference: str
    arrived: bool
    on: date
    proof: str


@transaction_required
def waiting_letters(*, limit: int) -> list[Letter]:
    """Up to `limit` letters that are in no list yet, the oldest first, for this transaction alone."""
    rows = many(
        "SELECT id, connection, kind, notice, business_on, text FROM notices_message WHERE channel = 'letter'"
        " AND delivery = 'queued' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        limit,
    )
    return [Letter("", *row) for row in rows]


@transaction_required
def new_list() -> int:
    """The number of the next list of letters."""
    return next_ids("notices_letterlist", 1)[0]


@transaction_required
def list_letters(list_: int, letters: Sequence[Letter], *, sha256: str, by: str, at: datetime) -> None:
    """Keep a list with its letters, as it was written."""
    copy(
        "notices_letterlist",
        ("id", "made_at", "made_by", "letters", "sha256"),
        [(list_, at, by, len(letters), sha256)],
    )
    run(
        "UPDATE notices_message m SET delivery = 'listed', receipt = g.reference"
        " FROM unnest(%s::bigint[], %s::text[]) AS g (id, reference) WHERE m.id = g.id",
        [each.attempt for each in letters],
        [each.reference for each in letters],
    )


@transaction_required
def note_posting(
    *, list_: int, posted_on: date, proof: str, letter_days: int, actor: str, at: datetime, business_at: datetime
) -> int:
    """Note that a list's letters were posted, and the proof of it; how many. Those given up meanwhile stay so.

    :raises LetterListUnknown: no such list.
    :raises LetterListPosted: none of its letters is left to be posted.
    :raises ProofMissing: no proof.
    """
    if not proof.strip():
        raise ProofMissing(field="proof")
    if value("SELECT true FROM notices_letterlist WHERE id = %s", list_) is None:
        raise LetterListUnknown(list=list_)
    rows = many(
        "UPDATE notices_message SET delivery = 'sent', sent_at = %s, next_at = CASE WHEN next_at IS NULL THEN NULL"
        " ELSE %s END WHERE channel = 'letter' AND delivery = 'listed' AND receipt LIKE %s RETURNING id, receipt",
        at,
        noon_of(posted_on) + timedelta(days=letter_days),
        f"L{list_}-%",
    )
    if not rows:
        raise LetterListPosted(list=list_)
    stated = json.dumps({"list": list_, "posted_on": posted_on.isoformat(), "proof": proof.strip()}, ensure_ascii=False)
    heard = [
        Heard(id_, "taken", receipt, evidence=stated, business_at=noon_of(posted_on)) for id_, receipt in sorted(rows)
    ]
    chain_heard(heard, actor=actor, at=at, business_at=business_at)
    return len(rows)


@transaction_required
def note_answers(
    answers: Sequence[PostAnswer], *, file_sha256: str, actor: str, at: datetime, business_at: datetime
) -> tuple[int, int]:
    """Note what the post office answered: how many letters arrived and how many came back, of those that were news."""
    if not answers:
        return 0, 0
    attempts: dict[str, int] = dict(
        many(
            "SELECT receipt, id FROM notices_message WHERE channel = 'letter' AND receipt = ANY(%s::text[])",
            [each.reference for each in answers],
        )
    )
    known = [each for each in answers if each.reference in attempts]
    counts = []
    for arrived in (True, False):
        part = [each for each in known if each.arrived is arrived]
        counts.append(
            mark_reported(
                [
                    Report(
                        attempts[each.reference], each.reference, arrived, at, "" if arrived else each.proof,
                        noon_of(each.on),
                    )
                    for each in part
                ],
                actor=actor, at=at, business_at=business_at,
                evidence=[
                    json.dumps({"acknowledgement": each.proof, "file_sha256": file_sha256}, ensure_ascii=False)
                    for each in part
                ],
            )
        )  # fmt: skip
    return counts[0], counts[1]


class ToHand(NamedTuple):
    """A paper that somebody must bring to the door. `attempt` is None for a notice that nobody was asked to bring."""

    attempt: int | None
    connection: int
    kind: str
    notice: int | None
    day: date
    text: str


def papers_to_hand(*, connection: int | None = None) -> list[ToHand]:
    """What waits to be handed over, of a connection or of all."""
    rows = many(
        "SELECT id, connection, kind, notice, business_on, text FROM notices_message WHERE channel = 'hand'"
        " AND delivery = 'queued' AND (%s::bigint IS NULL OR connection = %s) ORDER BY id",
        connection,
        connection,
    )
    return [ToHand(*row) for row in rows]


def notice_to_hand(*, connection: int) -> ToHand:
    """The latest notice of a connection that was not served on paper: it may be handed over at any time.

    :raises NothingToHand: there is none.
    """
    row = one(
        "SELECT NULL, n.connection, 'statutory', n.id, n.issued_on, '' FROM notices_writtennotice n"
        " WHERE n.connection = %s AND NOT EXISTS (SELECT FROM notices_step s WHERE s.connection = n.connection"
        " AND s.machine = 'statutory' AND s.notice = n.id AND s.event = 'delivered'"
        " AND s.channel IN ('letter', 'hand')) ORDER BY n.id DESC LIMIT 1",
        connection,
    )
    if row is None:
        raise NothingToHand(connection=connection)
    return ToHand(*row)


@transaction_required
def ask_to_hand(
    paper: ToHand, *, wording: Wording, variables: Mapping[str, str], policy: str, actor: str, at: datetime,
    business_at: datetime,
) -> int:  # fmt: skip
    """Enter that a notice is to be handed over, before it is; the attempt's number."""
    (attempt,) = next_ids("notices_message", 1)
    text = wording.filled(**variables)
    copy(
        "notices_message",
        QUEUED,
        [
            (
                attempt, paper.connection, paper.kind, "hand", "", "", text, paper.notice, paper.day, at, 0, "queued",
                wording.language, [variables[name] for name in wording.names], wording.id, wording.version, True, None,
                None,
            )
        ],
    )  # fmt: skip
    chain_asked([attempt], policy=policy, actor=actor, at=at, business_at=business_at)
    return attempt


@transaction_required
def note_hand(
    *, attempt: int, handed: bool, code: str, handed_at: datetime, evidence: Mapping[str, Any], actor: str,
    at: datetime, business_at: datetime,
) -> None:  # fmt: skip
    """Note what became of a visit: the paper was handed over, or why not. `handed_at` is of the business's calendar."""
    said = Report(attempt, "", handed, at, code, handed_at)
    stated = json.dumps(evidence, ensure_ascii=False, sort_keys=True)
    mark_reported([said], actor=actor, at=at, business_at=business_at, evidence=[stated])
