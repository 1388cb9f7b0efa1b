"""Proposing and accepting tariff versions, and answering for unverified rates."""

from datetime import datetime

from bahal.domains.tariffs.book import Book
from bahal.domains.tariffs.document import Document
from bahal.domains.tariffs.errors import (
    RateAccepted,
    RateUnknown,
    RateVerified,
    SameTariffOfficer,
    TariffReasonMissing,
    VersionAccepted,
    VersionTaken,
)
from bahal.domains.tariffs.queries import book, find_version
from bahal.foundation.rows import one, run, value
from bahal.foundation.transactions import transaction_required

_ACCEPTING = 0x0BA4B0


@transaction_required
def propose_version(document: Document, *, proposed_by: str, at: datetime) -> int:
    """Write a version that waits for a second officer; its id. Nothing is rated by it yet.

    :raises VersionTaken: a document of this name is there already, the product's own or a proposed one.
    :raises TariffOverlap: with what is in force it would hold on days of another of its family.
    :raises ScheduleUnknown: it takes the place of a document that is not there.
    """
    in_force = book()
    if any(each.name == document.name for each in in_force.documents):
        raise VersionTaken(name=document.name)
    Book((*in_force.documents, document))
    written = value(
        "INSERT INTO tariffs_version"
        " (name, effective_from, document, sha256, source, verified, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO NOTHING RETURNING id",
        document.name,
        document.start,
        document.text,
        document.sha256,
        document.sources,
        document.verified,
        proposed_by,
        at,
    )
    if written is None:
        raise VersionTaken(name=document.name)
    return int(written)


@transaction_required
def accept_version(document: Document, *, version: int, accepted_by: str, reason: str, at: datetime) -> None:
    """Put a version in force from its day on; `document` is its text as read again.

    :raises VersionUnknown: no such version.
    :raises VersionAccepted: it was accepted before.
    :raises SameTariffOfficer: he proposed it himself.
    :raises TariffReasonMissing: no reason.
    :raises TariffOverlap: what was accepted meanwhile holds on days of it.
    :raises ScheduleUnknown: it takes the place of a document that is not there any more.
    """
    if not reason.strip():
        raise TariffReasonMissing()
    value("SELECT pg_advisory_xact_lock(%s)", _ACCEPTING)  # one at a time: each is checked against the whole book
    found = find_version(version=version)
    if found.accepted_by is not None:
        raise VersionAccepted(version=version, accepted_by=found.accepted_by)
    if found.proposed_by == accepted_by:
        raise SameTariffOfficer(officer=accepted_by)
    Book((*book().documents, document))
    run(
        "UPDATE tariffs_version SET accepted_by = %s, accepted_at = %s, reason = %s WHERE id = %s",
        accepted_by,
        at,
        reason.strip(),
        version,
    )


@transaction_required
def accept_rate(*, path: str, accepted_by: str, reason: str, at: datetime) -> str:
    """Answer for an unverified rate of a document in force; the document's SHA-256.

    :raises RateUnknown: no document in force has it.
    :raises RateVerified: it needs nobody's acceptance.
    :raises RateAccepted: somebody answers for it already.
    :raises TariffReasonMissing: no reason.
    """
    if not reason.strip():
        raise TariffReasonMissing()
    found = book().rate_of(path)
    if found is None:
        raise RateUnknown(path=path)
    rate, document = found
    if rate.verified:
        raise RateVerified(path=path)
    written = run(
        "INSERT INTO tariffs_rateacceptance (path, sha256, accepted_by, accepted_at, reason)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (path, sha256) DO NOTHING",
        path,
        document.sha256,
        accepted_by,
        at,
        reason.strip(),
    )
    if not written:
        by = one(
            "SELECT accepted_by FROM tariffs_rateacceptance WHERE (path, sha256) = (%s, %s)", path, document.sha256
        )
        raise RateAccepted(path=path, accepted_by=by[0] if by else "?")
    return document.sha256
