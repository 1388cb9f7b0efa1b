"""A meter is given the role of measuring what goes into a transformer or feeder."""

from datetime import date, datetime

from bahal.domains.meters.queries import connections_of
from bahal.domains.network import operations as network
from bahal.domains.network.errors import InputMeterTaken
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


def set_input_meter(
    *, meter: str, scope: str, place: int, factor: int, from_on: date, actor: str, at: datetime, business_at: datetime
) -> None:
    """Let a meter measure the input of a place from a day on; its energy counts `factor` times.

    :raises InputPlaceUnknown: there is no such place.
    :raises InputMeterTaken: the meter measures a place or a connection already.
    """
    with transaction():
        if meter in connections_of(meters=[meter]):
            raise InputMeterTaken(meter=meter)
        network.set_input_meter(meter=meter, scope=scope, place=place, factor=factor, from_on=from_on)
        record(
            actor=actor,
            act="network.input_meter",
            subject=f"meter {meter}",
            data={"meter": meter, "scope": scope, "place": place, "factor": factor},
            at=at,
            business_at=business_at,
        )
