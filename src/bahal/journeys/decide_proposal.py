"""What one officer proposed about money, another decides: a receipt cancelled, an advance paid back, a payer found."""

from datetime import datetime

from django.db import connection as database

from bahal.domains.ledger.errors import ReferencePosted
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import balance
from bahal.domains.payments import counters
from bahal.domains.payments.errors import NothingToPayBack, NotToPayOut, PaymentMalformed, ReasonNotGiven
from bahal.domains.payments.queries import Proposal, assigned_unposted, find_suspense, proposal_of
from bahal.foundation.audit.operations import Act, record, record_many
from bahal.foundation.transactions import transaction, transaction_required
from bahal.journeys.take_payment import Taken, take_payment
from bahal.journeys.undo_receipt import cancel_receipt, may_decide
from bahal.shared.locks import lock_supply


def propose_refund(*, connection: int, paise: int, reason: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Propose to pay back money that a connection holds in advance; the proposal's id.

    :raises ReasonNotGiven: no reason is given.
    :raises PaymentMalformed: no positive amount.
    :raises ConnectionUnknown: no such connection.
    :raises NothingToPayBack: less is held.
    """
    if not reason.strip():
        raise ReasonNotGiven()
    if paise <= 0:
        raise PaymentMalformed(field="paise", given=str(paise))
    with transaction():
        _lock(connection)
        _held(connection, paise)
        proposal = counters.propose(kind="refund", connection=connection, paise=paise, reason=reason, by=actor, at=at)
        data = {"proposal": proposal, "paise": paise, "why": reason}
        act = Act("payment.refund.proposed", f"proposal {proposal}", connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
    return proposal


def propose_payer(
    *, suspense: int, connection: int, reason: str, actor: str, at: datetime, business_at: datetime
) -> int:
    """Propose whose money in suspense is; the proposal's id.

    :raises ReasonNotGiven: what shows it is missing.
    :raises SuspenseUnknown: no such money.
    :raises ConnectionUnknown: no such connection.
    :raises ProposalDecided: it is somebody's already, or a proposal is open.
    """
    if not reason.strip():
        raise ReasonNotGiven()
    with transaction():
        _lock(connection)
        held = find_suspense(suspense=suspense)
        proposal = counters.propose(
            kind="assign",
            suspense=suspense,
            connection=connection,
            paise=held.paise,
            reason=reason,
            by=actor,
            at=at,
        )
        data = {"proposal": proposal, "paise": held.paise, "source": held.source, "why": reason}
        act = Act("payment.payer.proposed", f"proposal {proposal}", connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
    return proposal


def decide_proposal(*, proposal: int, accept: bool, officer: str, at: datetime, business_at: datetime) -> Taken | None:
    """Decide what another officer proposed, and do it; for a payer that was found, the receipt.

    :raises OfficerUnknown: no such officer; `MayNotDecide`: not his role.
    :raises ProposalUnknown: no such proposal; `ProposalDecided`: decided before; `SamePerson`: his own.
    :raises NotOfACounter: the receipt's day was closed meanwhile.
    :raises NothingToPayBack: the money was spent meanwhile.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    may_decide(login=officer)
    found = proposal_of(proposal=proposal)
    with transaction():
        _lock(found.connection)
        found = counters.decide(proposal=proposal, by=officer, accepted=accept, at=at)
        subject = f"proposal {proposal}"
        data = {"proposal": proposal, "kind": found.kind, "paise": found.paise, "proposed_by": found.proposed_by}
        if not accept:
            record(
                actor=officer, act="payment.proposal.declined", subject=subject, connection=found.connection,
                data=data, at=at, business_at=business_at,
            )  # fmt: skip
        else:
            record(
                actor=officer, act="payment.proposal.accepted", subject=subject, connection=found.connection,
                data=data, at=at, business_at=business_at,
            )  # fmt: skip
            if found.kind == "cancel":
                cancel_receipt(found, actor=officer, at=at, business_at=business_at)
            elif found.kind == "refund":
                _set_aside(found, at=at, business_at=business_at)
    if accept and found.kind == "assign":
        return book_assigned(found, actor=officer, business_at=business_at)
    return None


def book_assigned(proposal: Proposal, *, actor: str, business_at: datetime) -> Taken:
    """Book money in suspense as the payment of the connection that was found; once, however often it is called."""
    return take_payment(
        key=f"suspense:{proposal.suspense}",
        connection=proposal.connection,
        paise=proposal.paise,
        channel="bank",
        instrument="suspense",
        actor=actor,
        business_at=business_at,
    )


def book_all_assigned(*, business_at: datetime) -> int:
    """Book what was decided and not booked, because a process died in between; how many."""
    waiting = assigned_unposted()
    for each in waiting:
        book_assigned(each, actor=each.decided_by or "worker", business_at=business_at)
    return len(waiting)


def pay_out(*, proposal: int, utr: str, actor: str, at: datetime, business_at: datetime) -> None:
    """Note that the bank has sent an accepted refund, with the bank's own reference of the transfer; once.

    :raises ReasonNotGiven: the bank's reference is missing.
    :raises ProposalUnknown: no such proposal.
    :raises NotToPayOut: not an accepted refund, or paid out already.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if not utr.strip():
        raise ReasonNotGiven()
    found = proposal_of(proposal=proposal)
    if found.kind != "refund" or not found.accepted:
        raise NotToPayOut(proposal=proposal)
    with transaction():
        _lock(found.connection)
        lines = [Line("refund", found.paise, found.connection), Line("bank", -found.paise)]
        try:
            post(kind="transfer", reference=f"refund {proposal}", lines=lines, at=at, business_at=business_at)
        except ReferencePosted as posted:
            raise NotToPayOut(proposal=proposal) from posted
        data = {"proposal": proposal, "paise": found.paise, "utr": utr}
        act = Act("payment.refund.paid", f"proposal {proposal}", found.connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)


@transaction_required
def _set_aside(proposal: Proposal, *, at: datetime, business_at: datetime) -> None:
    """From his advance to what is to be paid back."""
    _held(proposal.connection, proposal.paise)
    lines = [
        Line("advance", proposal.paise, proposal.connection),
        Line("refund", -proposal.paise, proposal.connection),
    ]
    post(kind="refund", reference=f"proposal {proposal.id}", lines=lines, at=at, business_at=business_at)


def _held(connection: int, paise: int) -> None:
    held = balance(connection=connection).advance_paise
    if paise > held:
        raise NothingToPayBack(connection=connection, advance_paise=held, paise=paise)


def _lock(connection: int) -> None:
    with database.cursor() as cursor:
        lock_supply(cursor, [connection])
