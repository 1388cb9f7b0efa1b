"""The texts of notices and reminders: versioned data, each version proposed by one officer and accepted by another.

What a wording is for stands in its id, as `reminder-sms-hi`: machine, channel, language. An SMS must match what was
registered with the operators' DLT platform to the space, so its variables are at most thirty characters long.
"""

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from bahal.domains.notices.errors import WordingMissing, WordingWrong
from bahal.domains.notices.kinds import CHANNELS, MACHINES, TO_A_PHONE
from bahal.domains.notices.templates import LONGEST_VARIABLE
from bahal.foundation.rows import many, one, run
from bahal.foundation.transactions import transaction_required
from bahal.shared.text import LANGUAGES

VARIABLES: Mapping[str, Sequence[str]] = {
    "reminder": ("consumer", "amount"),
    "statutory": ("consumer", "amount", "bills", "issued", "days"),
}
"""What a text of each machine may name; `consumer` and `amount` it must."""

LONGEST_SMS = 1000
ROOM = 16_000
"""So long may a text on paper be."""


class Wording(NamedTuple):
    """One version of a text."""

    id: str
    version: int
    kind: str
    channel: str
    language: str
    registered_as: str
    text: str
    verified: bool
    effective_from: date
    proposed_by: str
    accepted_by: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """The variables in the order in which the text names them first."""
        return tuple(dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(self.text) if name))

    def filled(self, **variables: str) -> str:
        """The text.

        :raises KeyError: a variable is missing.
        :raises ValueError: one is longer than the platform lets through.
        """
        if self.channel == "sms":
            for name in self.names:
                if len(variables[name]) > LONGEST_VARIABLE:
                    raise ValueError(f"{self.id}: {name} is longer than {LONGEST_VARIABLE} characters")
        return self.text.format_map(variables)


@dataclass(frozen=True, slots=True)
class Book:
    """The wordings in force on a day."""

    day: date
    wordings: Mapping[tuple[str, str, str], Wording]

    def of(self, kind: str, channel: str, language: str) -> Wording:
        """One wording; in Hindi if there is none in that language.

        :raises WordingMissing: none is in force.
        """
        found = self.wordings.get((kind, channel, language)) or self.wordings.get((kind, channel, LANGUAGES[0]))
        if found is None:
            raise WordingMissing(kind=kind, channel=channel, language=language, day=self.day)
        return found


def book_on(day: date) -> Book:
    """The wordings in force on a day: of each the latest accepted version."""
    rows = many(
        f"SELECT DISTINCT ON (id) {', '.join(Wording._fields)} FROM notices_template"  # noqa: S608
        " WHERE accepted_at IS NOT NULL AND effective_from <= %s ORDER BY id, effective_from DESC, version DESC",
        day,
    )
    found = [Wording(*row) for row in rows]
    return Book(day, {(each.kind, each.channel, each.language): each for each in found})


def every_wording() -> list[Wording]:
    """Every version, those not accepted yet too."""
    rows = many(f"SELECT {', '.join(Wording._fields)} FROM notices_template ORDER BY id, version")  # noqa: S608
    return [Wording(*row) for row in rows]


def find_wording(*, template: str, version: int) -> Wording | None:
    """One version, locked for this transaction, or None."""
    rows = many(
        f"SELECT {', '.join(Wording._fields)} FROM notices_template WHERE id = %s AND version = %s FOR UPDATE",  # noqa: S608
        template,
        version,
    )
    return Wording(*rows[0]) if rows else None


@transaction_required
def propose_wording(wording: Wording, *, at: datetime) -> int:
    """Write the next version of a text, not in force before a second officer accepts it; its number."""
    run("SELECT pg_advisory_xact_lock(hashtext('bahal.wordings'))")
    row = one(
        "INSERT INTO notices_template (id, version, kind, channel, language, registered_as, text, verified,"
        " effective_from, proposed_by, proposed_at)"
        " SELECT %s, 1 + coalesce((SELECT max(version) FROM notices_template WHERE id = %s), 0), %s, %s, %s, %s, %s,"
        " %s, %s, %s, %s RETURNING version",
        wording.id, wording.id, wording.kind, wording.channel, wording.language, wording.registered_as, wording.text,
        wording.verified, wording.effective_from, wording.proposed_by, at,
    )  # fmt: skip
    assert row is not None
    return int(row[0])


@transaction_required
def accept_wording(*, template: str, version: int, officer: str, reason: str, at: datetime) -> None:
    """Put a version in force from its day on; the caller has locked and judged it."""
    run(
        "UPDATE notices_template SET accepted_by = %s, accepted_at = %s, reason = %s WHERE id = %s AND version = %s",
        officer, at, reason, template, version,
    )  # fmt: skip


def checked(wording: Wording) -> Wording:
    """The wording, if it is one.

    :raises WordingWrong: what its id says does not exist; a variable is unknown or missing; it is too long.
    """

    def wrong(why: str) -> WordingWrong:
        return WordingWrong(template=wording.id, why=why)

    if wording.id != f"{wording.kind}-{wording.channel}-{wording.language}":
        raise wrong("id")
    if wording.kind not in MACHINES or wording.channel not in CHANNELS or wording.language not in LANGUAGES:
        raise wrong("id")
    try:
        parts = list(string.Formatter().parse(wording.text))
    except ValueError as failure:
        raise wrong(str(failure)) from failure
    if any(name is not None and (name not in VARIABLES[wording.kind] or spec or conversion)
           for _, name, spec, conversion in parts):  # fmt: skip
        raise wrong("variables")
    if not {"consumer", "amount"} <= set(wording.names):
        raise wrong("consumer, amount")
    if wording.channel == "sms" and set(wording.names) - {"consumer", "amount", "issued", "days"}:
        raise wrong("variables")
    if len(wording.text) > (LONGEST_SMS if wording.channel in TO_A_PHONE else ROOM):
        raise wrong("length")
    if wording.channel in TO_A_PHONE and not wording.registered_as.strip():
        raise wrong("registered_as")
    return wording


@cache
def shipped_wordings() -> tuple[Wording, ...]:
    """The first version of each, which comes with the product."""
    told = tomllib.loads((files(__package__) / "texts" / "cg-2025-1.toml").read_text(encoding="utf-8"))
    since = told.pop("effective_from")
    found = []
    for id_, each in told.items():
        kind, channel, language = id_.split("-")
        text = each["text"].strip("\n")
        found.append(
            checked(
                Wording(
                    id_, 1, kind, channel, language, each["registered_as"], text, each["verified"], since, "shipped",
                    "accepted as shipped",
                )
            )
        )  # fmt: skip
    return tuple(found)
