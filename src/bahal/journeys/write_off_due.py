"""A due is given up by two people: one proposes with a reason, another decides; what is accepted leaves the books."""

from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.errors import NothingOwed, WriteOffTooLarge
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import dues
from bahal.domains.supply.operations import bump
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import value
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply


def propose_write_off(
    *, connection: int, paise: int, reason: str, actor: str, at: datetime, business_at: datetime
) -> int:
    """Propose to give up `paise` of what a connection owes; the proposal's id.

    :raises ConnectionUnknown: no such connection.
    :raises NothingOwed: nothing is due, or nothing was named.
    :raises WriteOffTooLarge: more than is due.
    :raises ReasonMissing: no reason.
    :raises WriteOffOpen: a proposal is open already.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        _within(connection, paise)
        write_off = arrears.propose_write_off(
            connection=connection, paise=paise, reason=reason, proposed_by=actor, business_at=business_at
        )
        record(
            actor=actor,
            act="write_off.proposed",
            subject=f"write-off {write_off}",
            connection=connection,
            data={"write_off": write_off, "paise": paise, "reason": reason},
            at=at,
            business_at=business_at,
        )
    return write_off


def decide_write_off(*, write_off: int, accepted: bool, actor: str, at: datetime, business_at: datetime) -> int:
    """Decide a proposal as a second officer; its connection. What is accepted is posted: oldest energy bills first.

    :raises WriteOffUnknown: no such open proposal.
    :raises SameOfficer: who proposed may not decide.
    :raises WriteOffTooLarge: less is due by now.
    :raises SupplyBusy: another act on the connection did not end in time.
    """
    with transaction():
        found = value("SELECT connection FROM arrears_writeoff WHERE id = %s", write_off)
        if found is not None:
            with database.cursor() as cursor:
                lock_supply(cursor, [found])
        proposal = arrears.decide_write_off(
            write_off=write_off, decided_by=actor, accepted=accepted, business_at=business_at
        )
        if accepted:
            _within(proposal.connection, proposal.paise)
            rest = proposal.paise
            lines = [Line("written_off", proposal.paise)]
            for account, owed in dues(connection=proposal.connection).items():
                part = min(owed, rest)
                lines.append(Line(account, -part, proposal.connection))
                rest -= part
            post(kind="write_off", reference=str(write_off), lines=lines, at=at, business_at=business_at)
            bump([proposal.connection])
        record(
            actor=actor,
            act="write_off.accepted" if accepted else "write_off.declined",
            subject=f"write-off {write_off}",
            connection=proposal.connection,
            data={"write_off": write_off, "paise": proposal.paise, "proposed_by": proposal.proposed_by},
            at=at,
            business_at=business_at,
        )
    return proposal.connection


def _within(connection: int, paise: int) -> None:
    due = sum(dues(connection=connection).values())
    if due <= 0 or paise <= 0:
        raise NothingOwed(connection=connection)
    if paise > due:
        raise WriteOffTooLarge(paise=paise, due_paise=due)
