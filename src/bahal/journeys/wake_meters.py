"""Meters that are wanted and have not called are asked to by SMS, a few in each cell at a time, less often each time.

The head-end writes who is wanted; an answer is the meter's call, which the head-end notes. Claimed in one transaction,
sent outside any: whoever dies in between has asked once less than he thinks, and the next is due all the same.
"""

from datetime import timedelta

from bahal.domains.meters import operations as meters
from bahal.foundation.transactions import transaction
from bahal.gateways.sms.interface import WAKE_UP, Outgoing, SmsCentreUnreachable, SmsGateway

BATCH = 200
A_CELL = 20
WITHIN = timedelta(seconds=10)
"""At most so many wake-ups in one cell within this time: who is woken calls, and a cell has only so much room."""
MOST_TRIES = 6
PAUSE = timedelta(seconds=2)


def wake_meters(gateway: SmsGateway) -> int:
    """Ask those who are due; how many.

    :raises SmsCentreUnreachable: the centre does not answer; they are due again soon.
    """
    with transaction():
        claimed = meters.claim_wakeups(limit=BATCH, a_cell=A_CELL, within=WITHIN, most_tries=MOST_TRIES)
    if not claimed:
        return 0
    try:
        answers = gateway.send(
            [Outgoing(f"wake-{each.id}-{each.tries}", each.msisdn, WAKE_UP, WAKE_UP) for each in claimed]
        )
    except SmsCentreUnreachable:
        with transaction():
            meters.put_off_wakeups(wakeups=[each.id for each in claimed], after=PAUSE)
        raise
    receipts = {answer.reference: answer.receipt for answer in answers if answer.receipt is not None}
    taken = [(each.id, receipts.get(f"wake-{each.id}-{each.tries}", "")) for each in claimed]
    with transaction():
        meters.note_wakeups(wakeups=[id_ for id_, _ in taken], receipts=[receipt for _, receipt in taken])
    return len(claimed)
