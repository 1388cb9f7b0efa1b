"""The surcharge run: each month or part that a bill stays unpaid is charged once, on its energy arrears alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection as database

from bahal.domains.arrears.operations import Charged, charge_parts
from bahal.domains.arrears.queries import disputed_bills, open_plans, parts_charged, policy_at
from bahal.domains.arrears.rules.surcharge import Billed, Credit, charges
from bahal.domains.ledger.operations import Entry, Line, post_many
from bahal.foundation.audit.operations import record
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.shared.clock import day_in_india
from bahal.shared.locks import lock_supply

BATCH = 1000


@dataclass(frozen=True, slots=True)
class SurchargeRun:
    """What a run charged."""

    connections: int
    parts: int
    paise: int


def charge_surcharge(*, actor: str, at: datetime, business_at: datetime, batch: int = BATCH) -> SurchargeRun:
    """Charge what has come due up to today, `batch` connections a transaction. Running it again charges nothing twice.

    Bills under dispute and connections with an open plan that is free of surcharge are passed over.

    :raises NoPolicy: no recovery policy is in force.
    :raises SupplyBusy: another act on one of the connections did not end in time; the batches before it are charged.
    """
    policy = policy_at(business_at=business_at)
    day = day_in_india(business_at)
    excused = {plan.connection for plan in open_plans(surcharge_free=True)}
    connections = parts = paise = 0
    after = 0
    while True:
        rows = many(
            "SELECT DISTINCT connection FROM billing_bill WHERE due_on < %s AND connection > %s"
            " ORDER BY connection LIMIT %s",
            day,
            after,
            batch,
        )
        if not rows:
            return SurchargeRun(connections, parts, paise)
        after = rows[-1][0]
        chosen = [row[0] for row in rows if row[0] not in excused]
        with transaction():
            with database.cursor() as cursor:
                lock_supply(cursor, chosen)
            found = _due(chosen, policy.surcharge_bp, business_at)
            if not found:
                continue
            charge_parts(found, rate_bp=policy.surcharge_bp, policy=policy.version)
            post_many([_entry(each) for each in found], at=at, business_at=business_at)
            charged = {each.connection for each in found}
            total = sum(each.charge.paise for each in found)
            record(
                actor=actor,
                act="surcharge.charged",
                subject=f"surcharge {day}",
                data={"connections": len(charged), "parts": len(found), "paise": total, "policy": policy.version},
                at=at,
                business_at=business_at,
            )
        connections += len(charged)
        parts += len(found)
        paise += total


def _due(connections: Sequence[int], rate_bp: int, business_at: datetime) -> list[Charged]:
    disputed = disputed_bills(connections=connections)
    bills: dict[int, list[Billed]] = {}
    for connection, *rest in many(
        "SELECT connection, id, paise, issued_on, due_on, disputed FROM billing_bill"
        " WHERE connection = ANY(%s::bigint[])",
        list(connections),
    ):
        id_, paise, issued_on, due_on, contested = rest
        bill = Billed(id_, paise, issued_on, due_on, contested or id_ in disputed)
        bills.setdefault(connection, []).append(bill)
    settled = _settled(connections)
    charged = parts_charged(connections=connections)
    day = day_in_india(business_at)
    return [
        Charged(connection, charge)
        for connection, theirs in bills.items()
        for charge in charges(theirs, settled.get(connection, ()), rate_bp=rate_bp, day=day, charged=charged)
    ]


def _settled(connections: Sequence[int]) -> Mapping[int, list[Credit]]:
    """What lowered the energy arrears; what was taken back (a cheque returned) counts as never received."""
    found: dict[int, list[Credit]] = {}
    for connection, on, paise in many(
        "SELECT p.connection, (t.business_at AT TIME ZONE 'Asia/Kolkata')::date, -p.paise"
        " FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction"
        " WHERE p.account = 'receivable' AND p.connection = ANY(%s::bigint[]) AND t.kind NOT IN ('bill', 'reversal')"
        " AND p.paise < 0 AND NOT EXISTS (SELECT FROM ledger_transaction r"
        " WHERE r.kind = 'reversal' AND r.reference = t.reference)"
        " UNION ALL SELECT p.connection, (t.business_at AT TIME ZONE 'Asia/Kolkata')::date, -p.paise"
        " FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction"
        " WHERE p.account = 'receivable' AND p.connection = ANY(%s::bigint[]) AND t.kind = 'bill' AND p.paise < 0",
        list(connections),
        list(connections),
    ):
        found.setdefault(connection, []).append(Credit(on, paise))
    return found


def _entry(part: Charged) -> Entry:
    charge = part.charge
    return Entry(
        "surcharge",
        f"{charge.bill}:{charge.part}",
        (Line("surcharge", charge.paise, part.connection, charge.bill), Line("surcharge_income", -charge.paise)),
    )
