"""The rules of restoring are changed by two officers: one proposes a document of a day on, another accepts it."""

from datetime import datetime

from bahal.domains.staff.queries import SIGNING_ROLES, find_officer
from bahal.domains.supply import operations as supply
from bahal.domains.supply.errors import OfficerMayNotSetRestoring
from bahal.domains.supply.restoring import read_restoring
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def propose(*, text: str, file: str, officer: str, at: datetime, business_at: datetime) -> str:
    """Propose a document, read and checked whole; its version.

    :raises RestoringWrong: the document is bad.
    :raises RestoringTaken: the version exists: a change is a new version.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetRestoring: his role changes no such rules.
    """
    document = read_restoring(text, file=file)
    with transaction():
        _may_set(officer)
        supply.propose_restoring(document, proposed_by=officer, at=at)
        data = {
            "version": document.version,
            "effective_from": document.effective_from,
            "unverified": len(document.unverified),
        }
        subject = f"restoring {document.version}"
        record(actor=officer, act="restoring.proposed", subject=subject, data=data, at=at, business_at=business_at)
    return document.version


def accept(*, version: str, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed version: from its day on it paces, promises and compensates.

    :raises ReasonMissing: no reason.
    :raises RestoringUnknown: no such version waits.
    :raises SameOfficer: he proposed it himself.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetRestoring: his role changes no such rules.
    """
    with transaction():
        _may_set(officer)
        supply.accept_restoring(version=version, accepted_by=officer, reason=reason, at=at)
        data = {"version": version, "reason": reason.strip()}
        subject = f"restoring {version}"
        record(actor=officer, act="restoring.accepted", subject=subject, data=data, at=at, business_at=business_at)


def _may_set(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in SIGNING_ROLES:
        raise OfficerMayNotSetRestoring(login=login, role=officer.role)
