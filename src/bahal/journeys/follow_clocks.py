"""What became of clocks that were ordered: said in the audit; walked on where one step is not enough; or a person goes.

A clock far off comes home by steps, one an interval, so that no interval is lost or there twice; each is an order of
its own under the authority of the first.
"""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.fieldwork.operations import open_for_meters
from bahal.domains.meters import clocks
from bahal.domains.meters.errors import NoClockLimits
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction
from bahal.shared.crash import crash_point

AT_ONCE = 200


def follow_clocks(*, at: datetime, business_at: datetime) -> int:
    """Take orders that ended; how many."""
    with transaction():
        ended = clocks.take_ended(at=at, most=AT_ONCE)
        if not ended:
            return 0
        clocks.walk_on(_not_home(ended), at=business_at)
        open_for_meters(
            [
                (each.connection, each.meter, each.reason)
                for each in ended
                if each.state == "field_task" and each.connection is not None
            ],
            at=at,
        )
        record_many([_act(each) for each in ended], actor="interlock", at=at, business_at=business_at)
        crash_point("worker.clocks_before_commit")
    return len(ended)


def _not_home(ended: Sequence[clocks.Ended]) -> list[clocks.Ended]:
    try:
        least_s = clocks.clock_limits().least_s
    except NoClockLimits:
        return []
    return [
        each
        for each in ended
        if each.state == "verified"
        and each.after_s is not None
        and abs(each.after_s) >= least_s
        and each.walk + 1 < clocks.MOST_WALK
    ]


def _act(each: clocks.Ended) -> Act:
    subject = f"meter {each.meter}"
    if each.state == "verified":
        data = {"meter": each.meter, "before_s": round(each.drift_s or 0), "after_s": round(each.after_s or 0)}
        return Act("clock.set", subject, each.connection, data)
    return Act("clock.ended", subject, each.connection, {"meter": each.meter, "reason": each.reason or each.state})
