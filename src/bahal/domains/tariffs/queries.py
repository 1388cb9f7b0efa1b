"""Questions about tariffs: the book in force, versions, and rates that nobody has answered for."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from bahal.domains.tariffs.book import Book, shipped, shipped_documents
from bahal.domains.tariffs.document import read_document
from bahal.domains.tariffs.errors import VersionUnknown
from bahal.domains.tariffs.lines import Unverified
from bahal.foundation.rows import many, one


class Version(NamedTuple):
    """A version as proposed; accepted once `accepted_by` is somebody."""

    id: int
    name: str
    effective_from: date
    sha256: str
    source: str
    verified: bool
    proposed_by: str
    proposed_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None
    reason: str | None


class Acceptance(NamedTuple):
    """Who answers for an unverified rate, and why."""

    path: str
    sha256: str
    accepted_by: str
    accepted_at: datetime
    reason: str


def book() -> Book:
    """The product's documents and every accepted version, compiled; the same object while nothing was accepted."""
    return _book(
        tuple(many("SELECT name, document FROM tariffs_version WHERE accepted_by IS NOT NULL ORDER BY accepted_at, id"))
    )


def versions() -> list[Version]:
    """Every version ever proposed, the latest first."""
    return [Version(*row) for row in many(f"SELECT {_VERSION} FROM tariffs_version ORDER BY id DESC")]  # noqa: S608


def find_version(*, version: int) -> Version:
    """One version.

    :raises VersionUnknown: no such one.
    """
    row = one(f"SELECT {_VERSION} FROM tariffs_version WHERE id = %s", version)  # noqa: S608
    if row is None:
        raise VersionUnknown(version=version)
    return Version(*row)


def document_of(*, version: int) -> str:
    """The text of a version, as proposed.

    :raises VersionUnknown: no such one.
    """
    row = one("SELECT document FROM tariffs_version WHERE id = %s", version)
    if row is None:
        raise VersionUnknown(version=version)
    return str(row[0])


def acceptances() -> list[Acceptance]:
    """Every rate that somebody answers for, in the order of acceptance."""
    return [Acceptance(*row) for row in many(f"SELECT {', '.join(Acceptance._fields)} FROM tariffs_rateacceptance")]  # noqa: S608


def unaccepted(rates: Iterable[Unverified]) -> list[Unverified]:
    """Those of a bill's (or many bills') unverified rates for which nobody answers yet: what keeps it from issue.

    The kept order is that of what is given, each rate once.
    """
    asked = list(dict.fromkeys(rates))
    if not asked:
        return []
    known = set(
        many(
            "SELECT path, sha256 FROM tariffs_rateacceptance WHERE path = ANY(%s::text[])",
            [rate.path for rate in asked],
        )
    )
    return [rate for rate in asked if (rate.path, rate.sha256) not in known]


@lru_cache(maxsize=4)
def _book(accepted: tuple[tuple[str, str], ...]) -> Book:
    if not accepted:
        return shipped()
    return Book((*shipped_documents(), *(read_document(text, file=name) for name, text in accepted)))


_VERSION = ", ".join(Version._fields)
