"""The sweep over clocks: what the head-end measured becomes proposals, and a person is sent to clocks that have failed.

It proposes, within the limits that the interlock stated; an officer orders.
"""

from datetime import datetime

from bahal.domains.fieldwork.operations import open_for_meters
from bahal.domains.meters import clocks
from bahal.domains.meters.errors import NoClockLimits
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction

AT_ONCE = 1000
"""So many proposals wait for an officer at most: more than he reads he would not read."""
TOO_FAR = "clock_too_far"


def propose_clocks(*, at: datetime, business_at: datetime) -> int:
    """Propose, withdraw what is needless, send people; how many of all."""
    try:
        limits = clocks.clock_limits()
    except NoClockLimits:
        return 0
    with transaction():
        withdrawn = clocks.withdraw_needless(limits=limits, at=business_at)
        proposed = clocks.propose_drifting(limits=limits, at=business_at, most=AT_ONCE)
        far = clocks.too_far(limits=limits, at=business_at, most=AT_ONCE)
        told = set(open_for_meters([(connection, meter, TOO_FAR) for connection, meter in far], at=at))
        acts = [Act("clock.proposed", "clocks", None, {"meters": len(proposed)})] if proposed else []
        acts += [
            Act("clock.ended", f"meter {meter}", connection, {"meter": meter, "reason": TOO_FAR})
            for connection, meter in far
            if meter in told
        ]
        record_many(acts, actor="worker", at=at, business_at=business_at)
    return withdrawn + len(proposed) + len(told)
