"""An officer orders that clocks be set: a few he may order alone, many want a second officer.

How many are a few is one of the limits that two officers signed with the caps; the interlock counts again. The order
says whose clock, never what time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bahal.domains.meters import clocks
from bahal.domains.meters.errors import ClockOfficerWrong
from bahal.domains.staff.queries import SIGNING_ROLES, find_officer
from bahal.foundation.audit.operations import Act, record_many
from bahal.foundation.transactions import transaction

MOST = 5000
"""Orders at once."""


class Ordered(NamedTuple):
    """The meters whose clocks go to the interlock, and those that wait for a second officer."""

    sent_on: list[str]
    waiting: list[str]


def order_clocks(
    *, meters: Sequence[str] | None, officer: str, at: datetime, business_at: datetime, office: int | None = None
) -> Ordered:
    """Order the clocks of these meters, or all that are proposed in an office or anywhere.

    :raises OfficerUnknown: no such officer.
    :raises ClockOfficerWrong: his role orders no clocks.
    :raises NoClockLimits: no interlock sets clocks.
    :raises ClockUnmeasured: nobody compared such a clock lately.
    :raises ClockGoodEnough: such a clock is not worth an order.
    :raises ClockTooFar: such a clock is for a person to look at.
    :raises ClockOrderOpen: an order for such a clock is under way.
    """
    known = find_officer(login=officer)
    if known.role not in SIGNING_ROLES:
        raise ClockOfficerWrong(login=officer, role=known.role)
    limits = clocks.clock_limits()
    with transaction():
        for meter in meters or ():
            clocks.propose_clock(meter=meter, limits=limits, officer=officer, at=business_at)
        proposals = clocks.lock_proposals(meters=meters, office=office, most=MOST)
        second = [each for each in proposals if each.ordered_by not in (None, officer)]
        fresh = [each for each in proposals if each.ordered_by is None]
        before = clocks.ordered_alone(officer=officer, since=business_at - clocks.A_DAY)
        alone = before + len(fresh) <= limits.few
        clocks.check([each.order for each in second], officer=officer, at=business_at)
        clocks.answer_for([each.order for each in fresh], officer=officer, at=business_at, alone=alone)
        acts = [Act("clock.checked", f"meter {each.meter}", each.connection, _data(each)) for each in second]
        for each in fresh:
            if alone:
                acts.append(Act("clock.ordered", f"meter {each.meter}", each.connection, _data(each)))
            else:
                acts.append(Act("clock.asked", f"meter {each.meter}", each.connection, _data(each)))
        record_many(acts, actor=officer, at=at, business_at=business_at)
    waiting = [each.meter for each in proposals if each.ordered_by == officer or (each in fresh and not alone)]
    sent_on = [each.meter for each in proposals if each.meter not in set(waiting)]
    return Ordered(sent_on, waiting)


def _data(each: clocks.Proposal) -> dict[str, str | int]:
    return {"meter": each.meter, "order": each.order}
