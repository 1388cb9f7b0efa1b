"""Queued messages go out to the SMS centre, the most urgent first, each at least once and none twice.

Claimed in one transaction, sent outside any, marked in another. Whoever dies in between leaves a lease that runs out;
the message is sent again under the same reference, and the centre answers with the receipt it gave before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bahal.domains.arrears.queries import policy_at
from bahal.domains.notices import operations as notices
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.gateways.sms.interface import Outgoing, SmsCentreUnreachable, SmsGateway
from bahal.shared.crash import crash_point

LEASE = timedelta(seconds=30)
PAUSE = timedelta(seconds=2)
BATCH = 100


def deliver_messages(gateway: SmsGateway, *, business_at: datetime, limit: int = BATCH) -> int:
    """Send up to `limit` queued messages; how many were taken from the queue. A reminder paid for is withdrawn.

    :raises SmsCentreUnreachable: the centre does not answer; the messages wait and are taken again.
    """
    with transaction():
        claimed = notices.claim_messages(limit=limit, lease=LEASE)
        settled = _settled([each for each in claimed if each.kind == "reminder"], business_at)
        notices.withdraw(messages=sorted(settled))
    sending = [each for each in claimed if each.id not in settled]
    if not sending:
        return len(claimed)
    try:
        answers = gateway.send([Outgoing(str(each.id), each.phone, each.template, each.text) for each in sending])
    except SmsCentreUnreachable:
        with transaction():
            notices.give_back(messages=[each.id for each in sending], after=PAUSE)
        raise
    crash_point("worker.messages_posted")
    taken = [(int(each.reference), each.receipt) for each in answers if each.receipt is not None]
    refused = [int(each.reference) for each in answers if each.receipt is None]
    with transaction():
        notices.mark_sent(messages=[id_ for id_, _ in taken], receipts=[receipt for _, receipt in taken])
        notices.mark_refused(messages=refused)
    return len(claimed)


def _settled(reminders: Sequence[notices.Claimed], business_at: datetime) -> set[int]:
    """Those of the claimed reminders whose connection no longer owes more than the minimum."""
    if not reminders:
        return set()
    rows = many(
        "SELECT g.id FROM unnest(%s::bigint[], %s::bigint[]) AS g (id, connection)"
        " WHERE coalesce((SELECT b.due_paise FROM ledger_balance b WHERE b.connection = g.connection), 0) <= %s",
        [each.id for each in reminders],
        [each.connection for each in reminders],
        policy_at(business_at=business_at).minimum_paise,
    )
    return {row[0] for row in rows}
