"""Why a connection may, or may not, be cut for what it owes: every bill with its reason, and the amount that counts."""

from dataclasses import dataclass
from datetime import datetime

from bahal.domains.arrears.queries import Policy, policy_at
from bahal.domains.arrears.rules.enforceable import BillFacts, Enforceable, enforceable
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
    rows = many(_FACTS, day, policy.notice_clear_days, connection)
    balance = value(
        "SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'receivable' AND connection = %s",
        connection,
    )
    due = value("SELECT due_paise FROM ledger_balance WHERE connection = %s", connection)
    found = enforceable(
        [BillFacts(*row[:-1]) for row in rows],
        balance_paise=balance,
        day=day,
        stale_after_months=policy.stale_after_months,
    )
    return Due(connection, due or 0, balance, found, {row[0]: row[-1] for row in rows}, policy)


_FACTS = """
SELECT b.id, b.paise, b.issued_on, b.due_on,
       (SELECT max(n.issued_on) FROM notices_writtennotice n JOIN notices_noticedbill nb ON nb.notice = n.id
        WHERE nb.bill = b.id AND n.connection = b.connection AND %s::date - n.served_on - 1 >= %s),
       b.estimated,
       b.disputed OR EXISTS (SELECT FROM arrears_dispute d WHERE d.bill = b.id AND d.closed_at IS NULL),
       b.supplementary, b.number
FROM billing_bill b WHERE b.connection = %s
"""
