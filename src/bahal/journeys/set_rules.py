"""Rules of what the meters say are changed by two officers: one proposes a document of a day on, another accepts it."""

from datetime import datetime

from bahal.domains.incidents.grouping import Gathering
from bahal.domains.protection.errors import OfficerMayNotSetRules, RulebookUnknown
from bahal.domains.protection.kinds import read_kinds
from bahal.domains.protection.operations import accept_rules, propose_rules
from bahal.domains.protection.queries import document_of, find_rules
from bahal.domains.protection.rulebook import NAMES, head_of, read_numbers, sha256_of
from bahal.domains.readings.work import Readiness, Targets
from bahal.domains.staff.queries import find_officer
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.lake.vee.rules import Parameters

RULES_ROLES = ("executive_engineer", "superintending_engineer", "vigilance")


def propose(*, name: str, text: str, officer: str, at: datetime, business_at: datetime) -> int:
    """Propose a document of a rulebook, checked whole; the version's id.

    :raises RulebookUnknown: there is no such rulebook.
    :raises RulesWrong: the document is bad.
    :raises RulesTaken: the rulebook has a version of this name.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetRules: his role changes no rules.
    """
    check(name, text)
    version, effective_from = head_of(text, name=name)
    with transaction():
        _may_set_rules(officer)
        rules = propose_rules(
            name=name, version=version, effective_from=effective_from, document=text, proposed_by=officer, at=at
        )
        record(
            actor=officer,
            act="rules.proposed",
            subject=f"rules {name}",
            data={"name": name, "version": version, "effective_from": effective_from, "sha256": sha256_of(text)},
            at=at,
            business_at=business_at,
        )
    return rules


def accept(*, rules: int, officer: str, reason: str, at: datetime, business_at: datetime) -> None:
    """Accept a proposed version: from its day on it decides.

    :raises RulesUnknown: no such version.
    :raises RulesAccepted: it was accepted before.
    :raises SameRulesOfficer: he proposed it himself.
    :raises ReasonMissing: no reason.
    :raises RulesWrong: the product cannot read it any more.
    :raises OfficerUnknown: no such officer.
    :raises OfficerMayNotSetRules: his role changes no rules.
    """
    with transaction():
        _may_set_rules(officer)
        found = find_rules(rules=rules)
        check(found.name, document_of(rules=rules))
        accept_rules(rules=rules, accepted_by=officer, reason=reason, at=at)
        record(
            actor=officer,
            act="rules.accepted",
            subject=f"rules {found.name}",
            data={
                "name": found.name,
                "version": found.version,
                "effective_from": found.effective_from,
                "proposed_by": found.proposed_by,
                "reason": reason.strip(),
            },
            at=at,
            business_at=business_at,
        )


def check(name: str, text: str) -> None:
    """Whether a document is one of its rulebook.

    :raises RulebookUnknown: there is no such rulebook.
    :raises RulesWrong: it is not.
    """
    if name not in NAMES:
        raise RulebookUnknown(name=name, names=", ".join(NAMES))
    head_of(text, name=name)
    if name == "kinds":
        read_kinds(text)
    elif name == "incidents":
        read_numbers(Gathering, text, name=name)
    elif name == "validation":
        read_numbers(Parameters, text, name=name)
    elif name == "daily_work":
        read_numbers(Readiness, text, name=name)
    elif name == "delivery":
        read_numbers(Targets, text, name=name)
    else:
        from bahal.lake.signals.falling import Caution  # numpy: only where it is needed

        read_numbers(Caution, text, name=name)


def _may_set_rules(login: str) -> None:
    officer = find_officer(login=login)
    if officer.role not in RULES_ROLES:
        raise OfficerMayNotSetRules(login=login, role=officer.role)
