"""Letters in print: the list for the post office first, then a page for each letter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from bahal.gateways.paper.sheets import Words
from bahal.gateways.paper.typesetting import set_pages


class LetterPage(NamedTuple):
    """One letter: the reference on its envelope, to whom, by which office, and its text, paragraphs parted by lines."""

    reference: str
    consumer: int
    name: Words
    office: Words
    kind: Words
    notice: int | None
    day: date
    text: str


def letters_pdf(*, company: Words, number: int, day: date, sha256: str, pages: Sequence[LetterPage]) -> bytes:
    """The list of letters and the letters, as one PDF.

    :raises PageFailed: it could not be set.
    """
    return set_pages(
        "letters.typ",
        {
            "company": company._asdict(), "number": str(number), "day": f"{day:%d-%m-%Y}", "sha256": sha256,
            "letters": [
                {
                    "reference": each.reference, "consumer": str(each.consumer), "name": each.name._asdict(),
                    "office": each.office._asdict(), "kind": each.kind._asdict(),
                    "notice": "" if each.notice is None else str(each.notice), "day": f"{each.day:%d-%m-%Y}",
                    "paragraphs": [part for part in each.text.split("\n") if part.strip()],
                }
                for each in pages
            ],
        },
    )  # fmt: skip
