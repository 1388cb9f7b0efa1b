"""A receipt's money turns out not to be there: it is cancelled by two people, or its cheque comes back.

The postings of the payment are posted again with the other sign, so that what it had settled is due again. What it had
left in advance is taken from the advance as far as it is still there; what has settled a later bill since is due again
without naming a bill. Money that other payments left in advance then settles what it can.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection as database

from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import balance, lines_of
from bahal.domains.payments import counters
from bahal.domains.payments.allocation import allocate
from bahal.domains.payments.errors import (
    ChequeEnded,
    MayNotDecide,
    NotOfACounter,
    ReasonNotGiven,
    ReceiptCancelled,
)
from bahal.domains.payments.queries import (
    Proposal,
    Receipt,
    day_is_open,
    find_receipt,
    open_dues,
    outstanding_cheques,
    policy_at,
    receipt_by_id,
)
from bahal.domains.staff.queries import find_officer
from bahal.domains.supply.operations import bump
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction, transaction_required
from bahal.journeys.take_payment import restore
from bahal.shared.locks import lock_supply

DECIDING_ROLES = ("revenue_officer", "executive_engineer", "superintending_engineer")


def bounce_cheque(*, receipt: str, reason: str, actor: str, at: datetime, business_at: datetime) -> int:
    """The bank sent a cheque back: what it had settled is due again, with the charge for it; the charge in paise.

    The charge is data of the policy (unverified) and goes to `expenses`.

    :raises ReasonNotGiven: the bank's reason is missing.
    :raises ReceiptUnknown: no such receipt.
    :raises ReceiptCancelled: it was cancelled.
    :raises ChequeEnded: no cheque is outstanding behind it.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    if not reason.strip():
        raise ReasonNotGiven()
    found = find_receipt(receipt=receipt)
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [found.connection])
        found = _usable(receipt)
        if found.cheque is None:
            raise ChequeEnded(receipt=receipt)
        counters.end_cheque(found, cleared=False, by=actor, reason=reason, at=at)
        charge = policy_at(business_at=business_at).bounce_paise
        reverse(found, at=at, business_at=business_at)
        if charge:
            lines = [Line("expenses", charge, found.connection), Line("expenses_income", -charge)]
            post(kind="expenses", reference=f"bounce {receipt}", lines=lines, at=at, business_at=business_at)
        spend_advance(found.connection, reference=f"bounce {receipt}", at=at, business_at=business_at)
        data = {"receipt": receipt, "paise": found.paise, "charge_paise": charge, "why": reason}
        act = Act("payment.cheque.bounced", f"payment {receipt}", found.connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
    return charge


def clear_cheque(*, receipt: str, actor: str, at: datetime, business_at: datetime) -> int | None:
    """The bank cleared a cheque: its money counts for the supply too; the restore it brought about, or None.

    :raises ReceiptUnknown: no such receipt.
    :raises ReceiptCancelled: it was cancelled.
    :raises ChequeEnded: no cheque is outstanding behind it.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    found = find_receipt(receipt=receipt)
    with transaction():
        with database.cursor() as cursor:
            fence = lock_supply(cursor, [found.connection])[found.connection]
        found = _usable(receipt)
        counters.end_cheque(found, cleared=True, by=actor, reason="", at=at)
        lines = [Line("bank", found.paise), Line("cheque", -found.paise)]
        post(kind="settlement", reference=f"cheque {receipt}", lines=lines, at=at, business_at=business_at)
        data = {"receipt": receipt, "paise": found.paise}
        acts = [Act("payment.cheque.cleared", f"payment {receipt}", found.connection, data)]
        order = None
        if balance(connection=found.connection).due_paise <= 0 and not outstanding_cheques(connection=found.connection):
            standing = standing_locked(connection=found.connection)
            generation = bump([found.connection], desired="on")[found.connection]
            cause = f"payment {receipt}"
            order = restore(standing, fence, generation=generation, cause=cause, at=at, acts=acts)
        record_many(acts, actor=actor, at=at, business_at=business_at)
        if order is not None:
            ring("bahal_orders")
    return order


def propose_cancelling(*, receipt: str, reason: str, actor: str, at: datetime, business_at: datetime) -> int:
    """Propose to cancel a receipt of a counter's open day; the proposal's id. Another officer decides.

    :raises ReasonNotGiven: no reason is given.
    :raises ReceiptUnknown: no such receipt.
    :raises ReceiptCancelled: it was cancelled.
    :raises NotOfACounter: its day is closed, or it is of no counter.
    :raises ProposalDecided: one is open already.
    """
    if not reason.strip():
        raise ReasonNotGiven()
    with transaction():
        found = _cancellable(receipt)
        proposal = counters.propose(
            kind="cancel",
            payment=found.id,
            connection=found.connection,
            paise=found.paise,
            reason=reason,
            by=actor,
            at=at,
        )
        data = {"proposal": proposal, "receipt": receipt, "paise": found.paise, "why": reason}
        act = Act("payment.cancel.proposed", f"payment {receipt}", found.connection, data)
        record_many([act], actor=actor, at=at, business_at=business_at)
    return proposal


@transaction_required
def cancel_receipt(proposal: Proposal, *, actor: str, at: datetime, business_at: datetime) -> None:
    """Undo a receipt whose cancelling was accepted. The caller has locked the connection and decided.

    :raises NotOfACounter: its day was closed meanwhile.
    """
    assert proposal.payment is not None
    found = receipt_by_id(payment=proposal.payment)
    if not day_is_open(day=found.day):
        raise NotOfACounter(receipt=found.receipt)
    if found.cheque is not None and not found.bounced:
        counters.end_cheque(found, cleared=False, by=actor, reason="cancelled", at=at)
    reverse(found, at=at, business_at=business_at)
    spend_advance(found.connection, reference=f"cancel {found.receipt}", at=at, business_at=business_at)
    data = {"receipt": found.receipt, "paise": found.paise, "proposed_by": proposal.proposed_by}
    act = Act("payment.cancelled", f"payment {found.receipt}", found.connection, data)
    record_many([act], actor=actor, at=at, business_at=business_at)


def may_decide(*, login: str) -> None:
    """Whether an officer decides what others propose about money.

    :raises OfficerUnknown: no such officer.
    :raises MayNotDecide: not his role.
    """
    officer = find_officer(login=login)
    if officer.role not in DECIDING_ROLES:
        raise MayNotDecide(login=login, role=officer.role)


@transaction_required
def reverse(receipt: Receipt, *, at: datetime, business_at: datetime) -> None:
    """Post a receipt's postings with the other sign; the connection is locked."""
    held = balance(connection=receipt.connection).advance_paise
    lines: list[Line] = []
    for account, paise, connection, bill in lines_of(kind="payment", reference=receipt.receipt):
        back = -paise
        if account == "advance":
            # What settled a later bill is no longer in advance: it is due again.
            left = min(back, max(held, 0))
            lines += [Line("advance", left, connection), Line("receivable", back - left, connection)]
        else:
            lines.append(Line(account, back, connection, bill))
    post(kind="reversal", reference=receipt.receipt, lines=lines, at=at, business_at=business_at)


@transaction_required
def spend_advance(connection: int, *, reference: str, at: datetime, business_at: datetime) -> None:
    """Let what is held in advance settle what is due now, in the policy's order; the connection is locked."""
    stands = balance(connection=connection)
    spent = min(stands.advance_paise, stands.due_paise)
    if spent <= 0:
        return
    order = policy_at(business_at=business_at).allocation
    shares = allocate(spent, open_dues(connection=connection), order=order)
    lines: Sequence[Line] = [
        Line("advance", spent, connection),
        *(Line(share.account, -share.paise, connection, share.bill) for share in shares),
    ]
    post(kind="transfer", reference=reference, lines=lines, at=at, business_at=business_at)


def _usable(receipt: str) -> Receipt:
    found = find_receipt(receipt=receipt)
    if found.cancelled:
        raise ReceiptCancelled(receipt=receipt)
    return found


def _cancellable(receipt: str) -> Receipt:
    found = _usable(receipt)
    if found.bounced or not day_is_open(day=found.day):
        raise NotOfACounter(receipt=receipt)
    return found
