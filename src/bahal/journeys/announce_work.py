"""Work on the network is announced: interruptions within it are planned."""

from datetime import datetime

from bahal.domains.incidents.errors import PlaceUnknown
from bahal.domains.incidents.operations import announce
from bahal.domains.network.queries import has_place
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def announce_work(
    *,
    scope: str,
    place: int,
    from_at: datetime,
    to_at: datetime,
    reason: str,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> int:
    """Announce work on a transformer or feeder; its id. What is dark there already and began within it is planned too.

    :raises PlaceUnknown: there is no such place.
    :raises PlannedEmpty: it ends before it begins.
    :raises CauseMissing: no reason.
    :raises PlannedTaken: it was announced before.
    """
    with transaction():
        if not has_place(scope=scope, place=place):
            raise PlaceUnknown(scope=scope, place=place)
        planned = announce(
            scope=scope, place=place, from_at=from_at, to_at=to_at, reason=reason, stated_by=actor, at=at
        )
        record(
            actor=actor,
            act="outage.announced",
            subject=f"{scope} {place}",
            data={"scope": scope, "place": place, "from_at": from_at, "to_at": to_at, "reason": reason.strip()},
            at=at,
            business_at=business_at,
        )
    return planned
