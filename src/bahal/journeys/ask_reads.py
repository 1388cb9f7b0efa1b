"""Meters are read on demand: a request for each, which the head-end answers with a reading or a reason."""

from collections.abc import Sequence
from datetime import datetime

from bahal.domains.readings import operations as readings
from bahal.foundation.audit.operations import record
from bahal.foundation.bell import ring
from bahal.foundation.transactions import transaction


def ask_reads(
    meters: Sequence[str],
    *,
    register: str = readings.ENERGY_IMPORT,
    actor: str,
    at: datetime,
    business_at: datetime,
) -> list[int]:
    """Ask for a register of meters by serial; the requests' ids.

    :raises RegisterMalformed: not the OBIS name of a register.
    """
    with transaction():
        requests = readings.ask_reads(meters, register=register, at=at)
        data = {"meters": len(meters), "register": register}
        record(actor=actor, act="readings.asked", subject="reads", data=data, at=at, business_at=business_at)
        ring("bahal_reads")
    return requests
