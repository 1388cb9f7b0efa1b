"""Writing the network: feeders, transformers, connections."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from bahal.domains.network.errors import InputMeterTaken, InputPlaceUnknown
from bahal.domains.network.queries import has_place
from bahal.foundation.rows import copy, one, run
from bahal.foundation.transactions import together, transaction_required


class NewFeeder(NamedTuple):
    """An 11 kV feeder under a sub-division; `setting` is urban or rural."""

    id: int
    name: str
    substation: str
    subdivision: int
    setting: str = "urban"


class NewTransformer(NamedTuple):
    """A distribution transformer; degrees WGS 84."""

    id: int
    code: str
    feeder: int
    kva: int
    latitude: float
    longitude: float


class NewConnection(NamedTuple):
    """A connection under its ten-digit consumer number; `centre` is its distribution centre; load in W."""

    id: int
    transformer: int
    centre: int
    category: str
    phase: int
    sanctioned_load_w: int
    connected_on: date
    latitude: float
    longitude: float


class NewLoss(NamedTuple):
    """The balance of a place on a day: Wh, thousandths of confidence, and both by hour."""

    scope: str
    place: int
    day: date
    in_wh: int
    out_wh: int
    lost_wh: int
    confidence_permille: int
    meters: int
    unknown: int
    hours_in: list[int]
    hours_out: list[int]
    hours_sure: list[int]
    computed_at: datetime


@transaction_required
def add_feeders(feeders: Iterable[NewFeeder]) -> int:
    """Add feeders; how many."""
    return copy("network_feeder", ("id", "name", "substation", "subdivision", "setting"), feeders)


@transaction_required
def add_transformers(transformers: Iterable[NewTransformer]) -> int:
    """Add transformers; how many."""
    return copy("network_transformer", ("id", "code", "feeder_id", "kva", "latitude", "longitude"), transformers)


@transaction_required
def add_connections(connections: Iterable[NewConnection]) -> int:
    """Add connections; how many. Their fences are the supply's to open."""
    return copy(
        "network_connection",
        (
            "id",
            "transformer_id",
            "centre",
            "category",
            "phase",
            "sanctioned_load_w",
            "connected_on",
            "latitude",
            "longitude",
        ),
        connections,
    )


@transaction_required
def set_input_meter(*, meter: str, scope: str, place: int, factor: int, from_on: date) -> None:
    """Let a meter measure the input of a transformer or feeder from a day on.

    :raises InputPlaceUnknown: there is no such place.
    :raises InputMeterTaken: the meter measures a place or a connection already.
    """
    if not has_place(scope=scope, place=place):
        raise InputPlaceUnknown(scope=scope, place=place)
    written = one(
        "INSERT INTO network_inputmeter (meter, scope, place, factor, from_on) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING id",
        meter,
        scope,
        place,
        factor,
        from_on,
    )
    if written is None:
        raise InputMeterTaken(meter=meter)


@transaction_required
def end_input_meter(*, meter: str, until: date) -> int:
    """Let a meter measure no input any more from a day on; how many there were."""
    return run("UPDATE network_inputmeter SET until = %s WHERE meter = %s AND until IS NULL", until, meter)


@transaction_required
def keep_losses(losses: Sequence[NewLoss]) -> int:
    """Keep the balances of places and days, each once: a later one takes its predecessor's place. How many."""
    with together():
        for each in losses:
            run(_KEEP, *each)
    return len(losses)


_LOSS = ", ".join(NewLoss._fields)
_LOSS_SET = ", ".join(f"{name} = EXCLUDED.{name}" for name in NewLoss._fields[3:])
_KEEP = (
    f"INSERT INTO network_loss ({_LOSS}) VALUES ({', '.join(['%s'] * len(NewLoss._fields))})"  # noqa: S608
    f" ON CONFLICT (scope, place, day) DO UPDATE SET {_LOSS_SET}"
)
