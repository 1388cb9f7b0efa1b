"""Three ways: our receipts, the gateway and the bank's settlement file. Every difference is queued with its reason.

What the bank settled is posted from `gateway` to `bank`, once for each payment and with the amount that came: what is
a paisa off stays on `gateway` and in the queue, and a line that comes again is no money. What only the bank knows is
asked about at the gateway, and goes to `suspense` if the gateway does not know it either.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.domains.ledger.queries import acts_of
from bahal.domains.payments import wire
from bahal.domains.payments.errors import ReasonNotGiven
from bahal.domains.payments.matching import Found, Stands, differences
from bahal.domains.payments.queries import policy_at
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction, transaction_required
from bahal.gateways.bank.interface import Gateway
from bahal.gateways.bank.settlement import read_settlement
from bahal.journeys.hear_gateway import book, suspend

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Loaded:
    """A settlement file as it was loaded: its lines, their sum, and what differs."""

    settlement: int
    lines: int
    paise: int
    found: Sequence[Found]


def load_settlement(
    text: str,
    *,
    name: str,
    since: datetime | None,
    until: datetime | None,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> Loaded:
    """Load a bank's settlement file for the gateway's payments made in `[since, until)`, and compare three ways.

    Without a time the file is taken to cover from its first payment to its last.

    :raises SettlementMalformed: a line that cannot be read; nothing is loaded.
    :raises SettlementLoaded: this content was loaded before.
    """
    read = read_settlement(text)
    lines = [wire.SettledLine(each.line, each.payment, each.paise, each.utr) for each in read]
    named = sorted({line.gateway_payment for line in lines})
    with transaction():
        settlement = wire.add_settlement(
            name=name,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            lines=lines,
            since=since,
            until=until,
            by=actor,
            at=at,
        )
        covered = _covered(named, since=since, until=until)
        standings = wire.standings(payments=named)
        found = differences(standings, settled=True)
        found += differences(wire.standings(payments=sorted(covered - set(named))), settled=True)
        known = [each for each in named if standings[each].ours is not None or standings[each].gateway is not None]
        _post_settled(known, standings, at=at, business_at=business_at)
        wire.queue_differences(found, at=at)
        data = {
            "name": name,
            "lines": len(lines),
            "paise": sum(line.paise for line in lines),
            "differences": len(found),
        }
        subject = f"settlement {settlement}"
        record(actor=actor, act="settlement.loaded", subject=subject, data=data, at=at, business_at=business_at)
    return Loaded(settlement, len(lines), sum(line.paise for line in lines), found)


def look_for_unsettled(*, at: datetime, business_at: datetime) -> int:
    """Queue payments that the bank should have settled by now, by the policy's days; how many."""
    before = at - timedelta(days=policy_at(business_at=business_at).settled_within_days)
    late = wire.unsettled_before(before=before, limit=MOST_AT_ONCE)
    if not late:
        return 0
    with transaction():
        found = differences(wire.standings(payments=sorted(late)), settled=True)
        return wire.queue_differences(found, at=at)


def ask_about_unknown(gateway: Gateway, *, at: datetime, business_at: datetime) -> int:
    """Ask the gateway about what only the bank knows: book what it knows, and put the rest to suspense; how many.

    :raises BankUnreachable: the gateway does not answer.
    """
    done = 0
    for each in wire.open_differences(limit=MOST_AT_ONCE):
        if each.kind != "unknown_settled" or each.bank_paise is None:
            continue
        found = gateway.payment(each.reference)
        if found is not None:
            done += book(found, at=at, business_at=business_at) in ("booked", "suspended")
            continue
        with transaction():
            note = "the gateway does not know it either"
            done += suspend(
                source=f"bank:{each.reference}",
                account="bank",
                paise=each.bank_paise,
                note=note,
                at=at,
                business_at=business_at,
            )
    return done


def close_what_agrees(*, at: datetime, business_at: datetime) -> int:
    """Close the differences that a later event, poll, file or decision has settled; how many."""
    waiting = wire.open_differences(limit=MOST_AT_ONCE)
    if not waiting:
        return 0
    references = sorted({each.reference for each in waiting})
    standings = wire.standings(payments=references)
    still = {(each.kind, each.reference) for each in differences(standings, settled=True)}
    found = wire.payers_found(payments=references)
    # Only the gateway, or only the bank, knew these: they end when two people have said whose the money is.
    still |= {
        (each.kind, each.reference) for each in waiting if each.kind == "payer_unknown" and each.reference not in found
    }
    closed = 0
    for each in waiting:
        if (each.kind, each.reference) in still and not (each.kind == "unknown_settled" and each.reference in found):
            continue
        if each.kind == "unknown_settled" and standings[each.reference].gateway is not None:
            with transaction():
                _post_settled([each.reference], standings, at=at, business_at=business_at)
        close_difference(difference=each.id, how="settled since", actor="worker", at=at, business_at=business_at)
        closed += 1
    return closed


def close_difference(*, difference: int, how: str, actor: str, at: datetime, business_at: datetime) -> None:
    """Close a difference that a person has cleared up, with how he did.

    :raises ReasonNotGiven: how is missing.
    :raises DifferenceUnknown: no such open difference.
    """
    if not how.strip():
        raise ReasonNotGiven()
    with transaction():
        closed = wire.close_difference(difference=difference, by=actor, how=how, at=at)
        data = {
            "difference": difference,
            "difference_kind": closed.kind,
            "reference": closed.reference,
            "how": how,
        }
        subject = f"difference {difference}"
        record(actor=actor, act="difference.closed", subject=subject, data=data, at=at, business_at=business_at)


def _covered(named: Sequence[str], *, since: datetime | None, until: datetime | None) -> set[str]:
    if since is None or until is None:
        made = wire.made_range(payments=named)
        if made is None:
            return set()
        since = made[0] if since is None else since
        until = made[1] + timedelta(seconds=1) if until is None else until
    return wire.wired_between(since=since, until=until)


@transaction_required
def _post_settled(
    payments: Sequence[str], standings: Mapping[str, Stands], *, at: datetime, business_at: datetime
) -> None:
    """The bank has the money of these payments: the first line of each, once for ever; a repeated line is no money."""
    posted = acts_of(kind="settlement", references=[f"gateway:{payment}" for payment in payments])
    entries = [
        Entry(
            "settlement",
            f"gateway:{payment}",
            [Line("bank", standings[payment].bank[0]), Line("gateway", -standings[payment].bank[0])],
        )
        for payment in payments
        if f"gateway:{payment}" not in posted and standings[payment].bank
    ]
    if entries:
        post_many(entries, at=at, business_at=business_at)
