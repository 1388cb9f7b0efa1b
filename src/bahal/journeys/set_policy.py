"""The recovery policy is changed by two officers: one proposes a document of a day on, another accepts it."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.errors import OfficerMayNotSetPolicy, PolicyBackdated
from bahal.domains.arrears.operations import NoCutDay
from bahal.domains.arrears.policy import read_policy
from bahal.domains.arrears.queries import policy_document, policy_in_force
from bahal.domains.offices.queries import get_office
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india

POLICY_ROLES = ("executive_engineer", "superintending_engineer", "revenue_officer")


def propose(*, text: str, file: str, officer: str, at: datetime, business_at: datetime) -> str:
    """Propose a document, read and checked whole; its version.

    :raises PolicyWrong: the document is bad.
    :raises PolicyUnlawful: it asks for less than the law.
    :raises PolicyVersionTaken: the version exists: a change is a new version.
    :raises OfficeUnknown: it is for an office that does not exist.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetPolicy: his role sets no policy.
    """
    document = read_policy(text, file=file)
    with transaction():
        _may_set_policy(officer)
        if document.office is not None:
            get_office(office=document.office)
        arrears.propose_policy(document, proposed_by=officer, at=at)
        data = {
            "version": document.version,
            "effective_from": document.effective_from,
            "office": document.office,
            "category": document.category,
            "unverified": len(document.unverified),
        }
        subject = f"policy {document.version}"
        record(actor=officer, act="policy.proposed", subject=subject, data=data, at=at, business_at=business_at)
    return document.version


def accept(*, version: str, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed version: from its day on it decides, and no cut is marked sent under another after this.

    :raises ReasonMissing: no reason.
    :raises PolicyUnknown: no such version.
    :raises PolicyAccepted: it was accepted before.
    :raises SameOfficer: he proposed it himself.
    :raises PolicyBackdated: its day is past, and a policy was in force on it.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetPolicy: his role sets no policy.
    """
    with transaction():
        _may_set_policy(officer)
        arrears.change_for_all()
        found = policy_document(version=version)
        if found.effective_from < day_in_india(business_at) and policy_in_force(
            day=found.effective_from, office=found.office, category=found.category
        ):
            raise PolicyBackdated(version=version, effective_from=found.effective_from)
        arrears.accept_policy(version=version, accepted_by=officer, reason=reason, at=at)
        data = {
            "version": version,
            "effective_from": found.effective_from,
            "minimum_paise": found.minimum_paise,
            "notice_clear_days": found.notice_clear_days,
            "proposed_by": found.proposed_by,
            "reason": reason.strip(),
        }
        record(actor=officer, act="policy.set", subject=f"policy {version}", data=data, at=at, business_at=business_at)


def declare_no_cut_days(days: Sequence[NoCutDay], *, actor: str, at: datetime, business_at: datetime) -> int:
    """Declare days free of cuts, at once; how many."""
    with transaction():
        arrears.change_for_all()
        declared = arrears.add_no_cut_days(days)
        data = {"days": declared}
        record(actor=actor, act="policy.no_cut_days", subject="policy", data=data, at=at, business_at=business_at)
    return declared


def _may_set_policy(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in POLICY_ROLES:
        raise OfficerMayNotSetPolicy(login=login, role=officer.role)
