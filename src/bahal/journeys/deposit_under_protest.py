"""A consumer who contests a claim deposits the lesser of two sums under protest: he is not cut (s.56(1) proviso).

The sum is computed and shown: the claim, or its months at the average that he paid in the six months before it. The
money is held in `protest` and settles nothing until the dispute is decided. Who was cut for the claim already is lit.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears import operations as arrears
from bahal.domains.arrears.errors import DepositTooSmall, NothingOwed
from bahal.domains.arrears.queries import outstanding
from bahal.domains.arrears.rules.months import months_after
from bahal.domains.arrears.rules.protest import PRECEDING_MONTHS, Stay, stay
from bahal.domains.ledger.operations import Line, post
from bahal.domains.ledger.queries import dues, received_between
from bahal.domains.supply.operations import bump, cancel, open_restore
from bahal.domains.supply.queries import standing_locked
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.locks import lock_supply
from bahal.shared.text import INDIA


@dataclass(frozen=True, slots=True)
class Deposited:
    """The hold that stands now, what was needed, and the restore if the supply was off."""

    hold: int
    stay: Stay
    order: int | None


def what_stays_the_cut(*, connection: int) -> Stay:
    """What must be deposited under protest against all that is due now.

    :raises NothingOwed: nothing is due.
    """
    owed = outstanding(connections=[connection])
    claim = sum(dues(connection=connection).values())
    if claim <= 0 or not owed:
        raise NothingOwed(connection=connection)
    begins = datetime(owed[0].issued_on.year, owed[0].issued_on.month, owed[0].issued_on.day, tzinfo=INDIA)
    since = months_after(owed[0].issued_on, -PRECEDING_MONTHS)
    paid = received_between(
        connection=connection, since=datetime(since.year, since.month, since.day, tzinfo=INDIA), until=begins
    )
    return stay(claim_paise=claim, months=len(owed), paid_paise=max(0, paid))


def deposit_under_protest(
    *, key: str, connection: int, paise: int, evidence: str, actor: str, at: datetime, business_at: datetime
) -> Deposited:
    """Take a deposit under protest in cash, once per `key`.

    :raises ConnectionUnknown: no such connection.
    :raises NothingOwed: nothing is due.
    :raises DepositTooSmall: it does not stay the cut; nothing was taken.
    :raises HoldWithoutEvidence: nothing says what is contested.
    :raises ReferencePosted: this key was used.
    :raises SupplyBusy: another act on this connection did not end in time.
    """
    with transaction():
        with database.cursor() as cursor:
            lock_supply(cursor, [connection])
        needed = what_stays_the_cut(connection=connection)
        if paise < needed.paise:
            raise DepositTooSmall(
                needed_paise=needed.paise,
                claim_paise=needed.claim_paise,
                months=needed.months,
                average_paise=needed.average_paise,
            )
        lines = [Line("cash", paise), Line("protest", -paise, connection)]
        post(kind="protest", reference=key, lines=lines, at=at, business_at=business_at)
        hold = arrears.place_hold(
            connection=connection,
            kind="deposit_under_protest",
            evidence=evidence,
            owner=actor,
            business_at=business_at,
            expires_at=None,
        )
        data = {"hold": hold, "paise": paise, "needed_paise": needed.paise, "claim_paise": needed.claim_paise}
        acts = [Act("protest.deposited", f"protest {key}", connection, data)]
        standing = standing_locked(connection=connection)
        dark, cut, order = standing.dark(), standing.unsent_cut(), None
        generation = bump([connection], desired="on" if dark is not None else None)[connection]
        cause = f"protest {key}"
        if cut is not None:
            cancel(cut.id, reason="held")
            cancelled = {"order": cut.id, "reason": "held", "cause": cause}
            acts.append(Act("supply.cut.cancelled", f"order {cut.id}", connection, cancelled))
        if dark is not None:
            order = open_restore(
                meter=dark.meter,
                connection=connection,
                ground="nonpayment_s56",
                cause=cause,
                fence=generation,
                at=at,
            )
            ordered = {"order": order, "ground": "nonpayment_s56", "cause": cause}
            acts.append(Act("supply.restore.ordered", f"order {order}", connection, ordered))
            ring("bahal_orders")
        record_many(acts, actor=actor, at=at, business_at=business_at)
    return Deposited(hold, needed, order)
