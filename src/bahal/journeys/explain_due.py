"""Why a connection may, or may not, be cut for what it owes: every bill with its reason, and the amount that counts."""

from dataclasses import dataclass
from datetime import date, datetime

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.arrears.rules.enforceable import BillFacts, Enforceable, clear, enforceable
from bahal.domains.notices.chain import served
from bahal.domains.notices.queries import bills_named, chain_of
from bahal.foundation.rows import many, value
from bahal.shared.clock import day_in_india
from bahal.shared.locks import ConnectionUnknown


@dataclass(frozen=True, slots=True)
class Due:
    """What is due in all, what of it may be enforced by a cut, bill by bill, and by which policy.

    `due_paise` has surcharge and expenses in it, `balance_paise` is energy alone.
    """

    connection: int
    due_paise: int
    balance_paise: int
    enforceable: Enforceable
    numbers: dict[int, str]
    policy: Policy


def explain_due(*, connection: int, business_at: datetime) -> Due:
    """The due of a connection at an instant, explained.

    :raises ConnectionUnknown: no such connection.
    :raises NoPolicy: no recovery policy is in force.
    """
    if value("SELECT true FROM network_connection WHERE id = %s", connection) is None:
        raise ConnectionUnknown(connection=connection)
    policy = policy_at(business_at=business_at)
    day = day_in_india(business_at)
    noticed = _noticed(connection, day, policy)
    rows = many(_FACTS, connection)
    balance = value(
        "SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'receivable' AND connection = %s",
        connection,
    )
    due = value("SELECT due_paise FROM ledger_balance WHERE connection = %s", connection)
    found = enforceable(
        [
            BillFacts(id_, paise, issued_on, due_on, noticed.get(id_), estimated, disputed, supplementary)
            for id_, paise, issued_on, due_on, estimated, disputed, supplementary, _ in rows
        ],
        balance_paise=balance,
        day=day,
        stale_after_months=policy.stale_after_months,
    )
    return Due(connection, due or 0, balance, found, {row[0]: row[-1] for row in rows}, policy)


def _noticed(connection: int, day: date, policy: Policy) -> dict[int, date]:
    """Of each bill the latest issue day of a notice over it that was served so many clear days ago, by its chain."""
    found: dict[int, date] = {}
    by_notice = served(chain_of(connection=connection), serves=policy.notice_serves)
    for notice, bills in bills_named(notices=by_notice).items():
        told = by_notice[notice]
        if clear(served_on=told.served_on, day=day, clear_days=policy.notice_clear_days):
            for bill in bills:
                found[bill] = max(told.issued_on, found.get(bill, told.issued_on))
    return found


_FACTS = """
SELECT b.id, b.paise, b.issued_on, b.due_on, b.estimated,
       b.disputed OR EXISTS (SELECT FROM arrears_dispute d WHERE d.bill = b.id AND d.closed_at IS NULL),
       b.supplementary, b.number
FROM billing_bill b WHERE b.connection = %s
"""
