"""A lineman asks, immediately before he cuts by hand, whether he may: the moment of sending of a cut without a relay.

The owner's function answers from ledger, notices, holds, policy, warrant and caps as they stand at this instant, under
the locks of a sending; what it answers is kept and told in the audit. A yes is good for a few minutes. A payment, a
hold or a stay that came first refuses.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.fieldwork.errors import LeaveRefused, WrongRole
from bahal.domains.fieldwork.operations import close
from bahal.domains.fieldwork.queries import find_task
from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.by_hand import CUT, HandFacts, word
from bahal.domains.supply.operations import may_cut_by_hand
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction
from bahal.journeys.eligibility import FactsDisagree
from bahal.journeys.report_task import ROLES

_OVER = frozenset({"not_on_list", "paid", "fence_moved", "warrant_stopped"})
"""Nobody will be allowed to cut for this task any more."""


@dataclass(frozen=True, slots=True)
class Leave:
    """A yes: until when (business time) the cut may be made."""

    task: int
    connection: int
    until: datetime


def ask_leave(*, task: int, lineman: str, at: datetime, business_at: datetime) -> Leave:
    """Ask whether the task's connection may be cut by hand now.

    :raises TaskUnknown: no such task.
    :raises OfficerUnknown: no such lineman.
    :raises WrongRole: field tasks are not his.
    :raises LeaveRefused: it may not; the answer is kept, and a task that can never be allowed again is withdrawn.
    :raises FactsDisagree: the database and the rule say different things; nobody may be cut by either.
    """
    with transaction():
        officer = find_officer(login=lineman)
        if officer.role not in ROLES:
            raise WrongRole(login=lineman, role=officer.role)
        found = find_task(task=task)
        said = may_cut_by_hand(task=task, lineman=lineman, business_at=business_at)
        facts = _facts(said.facts)
        ours = word(facts)
        if ours != said.verdict and not (ours == CUT and said.verdict.startswith("cap_")):
            raise FactsDisagree(f"task {task}: {ours} and {said.verdict}")
        data = {"task": task, "order": found.order, "fence": facts.fence, "until": said.until}
        subject = f"task {task}"
        times = {"at": at, "business_at": business_at}
        if said.until is not None:
            record(
                actor=lineman, act="fieldwork.cut.allowed", subject=subject, connection=found.connection,
                data=data | {"until": said.until.isoformat()}, **times,
            )  # fmt: skip
        else:
            if said.verdict in _OVER:
                close([task], how="withdrawn", at=at)
            record(
                actor=lineman, act="fieldwork.cut.refused", subject=subject, connection=found.connection,
                data=data | {"reason": said.verdict, "reasons": list(said.reasons)}, **times,
            )  # fmt: skip
    if said.until is None:
        raise LeaveRefused(task=task, reason=said.verdict, reasons=list(said.reasons))
    return Leave(task, found.connection, said.until)


def _facts(text: str) -> HandFacts:
    stated = json.loads(text)
    for name in ("at", "not_before", "expires_at"):
        if stated[name] is not None:
            stated[name] = datetime.fromisoformat(stated[name])
    return HandFacts(**stated)
