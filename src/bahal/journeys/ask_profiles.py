"""Somebody wants readings now: of one meter, of a list, or of an area; the head-end fetches what is missing."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.readings import operations as readings
from bahal.domains.readings.errors import NobodyToRead
from bahal.domains.readings.queries import meters_under
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction
from bahal.shared.wanted import Wanted, names_of


def ask_profiles(
    meters: Sequence[str] = (),
    *,
    office: int | None = None,
    wanted: Wanted,
    back_days: int,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> list[str]:
    """Ask for kinds of reading of meters by serial, or of all meters of an office; the meters that were asked.

    :raises MeterNotRead: the head-end knows none of them.
    :raises NobodyToRead: none is named, or the office has none.
    """
    with transaction():
        of = list(meters) if office is None else meters_under(office=office)
        if not of:
            raise NobodyToRead(what="-" if office is None else office)
        asked = readings.ask_profiles(of, wanted=wanted, back_days=back_days, at=business_at)
        data = {"meters": len(asked), "register": ", ".join(names_of(wanted))}
        subject = "reads" if office is None else f"office {office}"
        record(actor=actor, act="readings.asked", subject=subject, data=data, at=at, business_at=business_at)
        ring("bahal_reads")
    return asked
