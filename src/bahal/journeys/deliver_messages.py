"""Queued messages go out to a channel's provider, the most urgent first, each at least once and none twice.

Claimed in one transaction, sent outside any, marked in another. Whoever dies in between leaves a lease that runs out;
the message is sent again under the same reference, and the provider answers with the receipt it gave before.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bahal.domains.arrears.queries import policy_at
from bahal.domains.consumers.sign_in import code_of
from bahal.domains.notices import operations as notices
from bahal.foundation.rows import many
from bahal.foundation.transactions import transaction
from bahal.gateways.sms.interface import Outgoing, SmsCentreUnreachable, SmsGateway
from bahal.shared.crash import crash_point

LEASE = timedelta(seconds=30)
PAUSE = timedelta(seconds=2)
BATCH = 100


def deliver_messages(
    gateway: SmsGateway, *, business_at: datetime, limit: int = BATCH, channel: str = "sms", at: datetime | None = None
) -> int:
    """Send up to `limit` messages of a channel's queue; how many were taken from it. A reminder paid for is withdrawn.

    `at` is the wall's time, that of the call unless given.

    :raises SmsCentreUnreachable: the centre does not answer; the messages wait and are taken again.
    """
    by: dict[str, Any] = {"actor": "worker", "at": at or datetime.now(UTC), "business_at": business_at}
    with transaction():
        claimed = notices.claim_messages(limit=limit, lease=LEASE, channel=channel)
        settled = _settled([each for each in claimed if each.kind in notices.CHAINED], business_at)
        notices.withdraw(messages=sorted(settled), **by)  # rows of ours: nobody else has their lease
    sending = [each for each in claimed if each.id not in settled]
    if not sending:
        return len(claimed)
    try:
        answers = gateway.send([_outgoing(each) for each in sending])
    except SmsCentreUnreachable:
        with transaction():
            notices.give_back(messages=[each.id for each in sending], after=PAUSE)
        raise
    crash_point("worker.messages_posted")
    taken = [(int(each.reference), each.receipt) for each in answers if each.receipt is not None]
    refused = [(int(each.reference), each.error or "refused") for each in answers if each.receipt is None]
    with transaction():
        if any(each.kind in notices.CHAINED for each in sending):
            notices.hold_chain()
        notices.mark_sent(messages=[id_ for id_, _ in taken], receipts=[receipt for _, receipt in taken], **by)
        notices.mark_refused(messages=[id_ for id_, _ in refused], codes=[code for _, code in refused], **by)
    return len(claimed)


def _outgoing(message: notices.Claimed) -> Outgoing:
    """What goes out. The queue holds no code: it is made here from the sign-in that the message names."""
    text, variables = message.text, tuple(message.variables)
    if message.kind == "sign_in":
        code = code_of(variables[0])
        text, variables = text.format(code=code), (code,)
    return Outgoing(str(message.id), message.phone, message.template, text, message.language, variables)


def _settled(reminders: Sequence[notices.Claimed], business_at: datetime) -> set[int]:
    """Those of the claimed reminders and notices whose connection no longer owes more than the minimum."""
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
