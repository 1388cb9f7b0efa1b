"""Letters: listed for the post office with their pages, posted with proof, answered by acknowledgement or return.

The list is written as a table and as a PDF, letters and list in one; what is kept is its hash. A letter counts from the
day on which it arrived, never from its posting.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.arrears.queries import policy_at
from bahal.domains.notices import paper
from bahal.domains.notices.errors import LetterAnswerWrong
from bahal.domains.notices.operations import hold_chain
from bahal.domains.notices.paper import Letter, PostAnswer
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.gateways.paper.letters import LetterPage, letters_pdf
from bahal.gateways.paper.sheets import Words
from bahal.journeys.print_bill import COMPANY
from bahal.shared.clock import day_in_india
from bahal.shared.words import word

HEADINGS = ("reference", "consumer", "name", "name_hi", "office", "office_hi", "kind", "notice", "day")
A_LIST = 1_000
"""So many letters are in one list: more are more lists."""

_FORMULA = "=+-@\t\r"


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of letters: its number, how many, and the two files."""

    list: int
    letters: int
    sha256: str
    csv: bytes
    pdf: bytes


def list_letters(*, actor: str, at: datetime, business_at: datetime) -> Listed | None:
    """List the oldest letters that are in no list yet; None: there is none.

    :raises PageFailed: the pages could not be set.
    """
    with transaction():
        waiting = paper.waiting_letters(limit=A_LIST)
        if not waiting:
            return None
        number = paper.new_list()
        letters = [each._replace(reference=f"L{number}-{nth:05d}") for nth, each in enumerate(waiting, 1)]
        people = _people(letters)
        table = _table(letters, people)
        digest = hashlib.sha256(table).hexdigest()
        pdf = letters_pdf(
            company=COMPANY, number=number, day=day_in_india(business_at), sha256=digest,
            pages=[_page(each, people) for each in letters],
        )  # fmt: skip
        paper.list_letters(number, letters, sha256=digest, by=actor, at=at)
        data = {"list": number, "letters": len(letters), "sha256": digest}
        subject = f"letters {number}"
        record(actor=actor, act="letters.listed", subject=subject, data=data, at=at, business_at=business_at)
    return Listed(number, len(letters), digest, table, pdf)


def note_posting(*, number: int, posted_on: date, proof: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Note that the letters of a list were posted, and the proof; how many.

    :raises LetterListUnknown: no such list.
    :raises LetterListPosted: it was posted before.
    :raises ProofMissing: no proof.
    :raises NoPolicy: no recovery policy is in force.
    """
    with transaction():
        hold_chain()
        policy = policy_at(business_at=business_at)
        posted = paper.note_posting(
            list_=number, posted_on=posted_on, proof=proof, letter_days=policy.letter_days, actor=actor, at=at,
            business_at=business_at,
        )  # fmt: skip
        data = {"list": number, "letters": posted, "posted_on": posted_on, "proof": proof.strip()}
        subject = f"letters {number}"
        record(actor=actor, act="letters.posted", subject=subject, data=data, at=at, business_at=business_at)
    return posted


def note_answers(*, text: str, file: str, actor: str, at: datetime, business_at: datetime) -> tuple[int, int]:
    """Note what the post office answered, a CSV with `reference,outcome,on,proof`: how many arrived and came back.

    `outcome` is `delivered` or `returned`. A letter that was answered before, or that is not ours, changes nothing.

    :raises LetterAnswerWrong: a line does not read; none is noted.
    """
    answers = _answers(text, file, day_in_india(business_at))
    digest = hashlib.sha256(text.encode()).hexdigest()
    with transaction():
        hold_chain()
        delivered, returned = paper.note_answers(
            answers, file_sha256=digest, actor=actor, at=at, business_at=business_at
        )
        data = {"delivered": delivered, "returned": returned, "file": file, "sha256": digest}
        record(actor=actor, act="letters.answered", subject="letters", data=data, at=at, business_at=business_at)
    return delivered, returned


def _answers(text: str, file: str, today: date) -> list[PostAnswer]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"reference", "outcome", "on", "proof"} <= set(rows.fieldnames or ()):
        raise LetterAnswerWrong(file=file, line=1, why="reference,outcome,on,proof")
    found = []
    for row in rows:
        told = {name: (row[name] or "").strip() for name in ("reference", "outcome", "on", "proof")}
        try:
            on = date.fromisoformat(told["on"])
        except ValueError:
            raise LetterAnswerWrong(file=file, line=rows.line_num, why=f"on: {told['on']!r}") from None
        if told["outcome"] not in ("delivered", "returned") or not told["proof"] or not told["reference"] or on > today:
            raise LetterAnswerWrong(file=file, line=rows.line_num, why=", ".join(told.values()))
        found.append(PostAnswer(told["reference"], told["outcome"] == "delivered", on, told["proof"]))
    return found


@dataclass(frozen=True, slots=True)
class _Person:
    name: Words
    office: Words


def _people(letters: Sequence[Letter]) -> dict[int, _Person]:
    rows = many(
        "SELECT p.id, p.name_hi, p.name, o.name_hi, o.name FROM consumers_consumer p"
        " JOIN network_connection c ON c.id = p.id JOIN offices_office o ON o.id = c.centre"
        " WHERE p.id = ANY(%s::bigint[])",
        [each.connection for each in letters],
    )
    return {row[0]: _Person(Words(row[1], row[2]), Words(row[3], row[4])) for row in rows}


def _page(letter: Letter, people: dict[int, _Person]) -> LetterPage:
    person = people[letter.connection]
    kind = Words(word("notice machines", letter.kind, "hi"), word("notice machines", letter.kind, "en"))
    return LetterPage(
        letter.reference, letter.connection, person.name, person.office, kind, letter.notice, letter.day, letter.text
    )


def _table(letters: Sequence[Letter], people: dict[int, _Person]) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(HEADINGS)
    for each in letters:
        person = people[each.connection]
        table.writerow(
            [
                each.reference, each.connection, *(_cell(name) for name in reversed(person.name)),
                *(_cell(name) for name in reversed(person.office)), each.kind, each.notice or "", each.day.isoformat(),
            ]
        )  # fmt: skip
    return out.getvalue().encode()


def _cell(text: str) -> str:
    """A cell that a spreadsheet takes for text, whatever it begins with."""
    return f"'{text}" if text[:1] in _FORMULA and text else text
