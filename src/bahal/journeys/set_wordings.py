"""The texts of notices and reminders are changed by two officers: one proposes a version, another accepts it.

What was sent stays as it was sent: each step of a chain names the version from which it was made.
"""

from datetime import date, datetime

from bahal.domains.notices import wordings
from bahal.domains.notices.errors import (
    OfficerMayNotSetWording,
    ProofMissing,
    WordingAccepted,
    WordingBackdated,
    WordingBySame,
    WordingUnknown,
)
from bahal.domains.notices.wordings import Wording, checked
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.set_policy import POLICY_ROLES
from bahal.shared.clock import day_in_india


def propose(
    *, template: str, text: str, registered_as: str, verified: bool, effective_from: date, officer: str, at: datetime,
    business_at: datetime,
) -> int:  # fmt: skip
    """Propose a text, checked whole; the number of its version.

    :raises WordingWrong: it cannot be sent.
    :raises WordingBackdated: it would hold from a day that is past.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetWording: his role sets no texts.
    """
    parts = [*template.split("-"), "", "", ""]
    if effective_from < day_in_india(business_at):
        raise WordingBackdated(template=template, effective_from=effective_from)
    with transaction():
        _may_set(officer)
        proposed = checked(
            Wording(
                template, 0, parts[0], parts[1], parts[2], registered_as.strip(), text.strip("\n"), verified,
                effective_from, officer, None,
            )
        )  # fmt: skip
        version = wordings.propose_wording(proposed, at=at)
        data = {"template": template, "version": version, "effective_from": effective_from}
        subject = f"template {template}"
        record(actor=officer, act="wording.proposed", subject=subject, data=data, at=at, business_at=business_at)
    return version


def accept(*, template: str, version: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed version: from its day on it is sent.

    :raises WordingUnknown: no such version.
    :raises WordingAccepted: it was accepted before.
    :raises WordingBySame: he proposed it himself.
    :raises WordingBackdated: its day is past.
    :raises ProofMissing: no reason.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetWording: his role sets no texts.
    """
    if not reason.strip():
        raise ProofMissing(field="reason")
    with transaction():
        _may_set(officer)
        found = wordings.find_wording(template=template, version=version)
        if found is None:
            raise WordingUnknown(template=template, version=version)
        if found.accepted_by is not None:
            raise WordingAccepted(template=template, version=version, accepted_by=found.accepted_by)
        if found.proposed_by == officer:
            raise WordingBySame(officer=officer)
        if found.effective_from < day_in_india(business_at):
            raise WordingBackdated(template=template, effective_from=found.effective_from)
        wordings.accept_wording(template=template, version=version, officer=officer, reason=reason.strip(), at=at)
        data = {
            "template": template, "version": version, "effective_from": found.effective_from,
            "proposed_by": found.proposed_by, "reason": reason.strip(),
        }  # fmt: skip
        subject = f"template {template}"
        record(actor=officer, act="wording.accepted", subject=subject, data=data, at=at, business_at=business_at)


def _may_set(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in POLICY_ROLES:
        raise OfficerMayNotSetWording(login=login, role=officer.role)
