"""Writing the network: feeders, transformers, connections."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from bahal.foundation.rows import copy
from bahal.foundation.transactions import transaction_required


class NewFeeder(NamedTuple):
    """An 11 kV feeder under a sub-division."""

    id: int
    name: str
    substation: str
    subdivision: int


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


@transaction_required
def add_feeders(feeders: Iterable[NewFeeder]) -> int:
    """Add feeders; how many."""
    return copy("network_feeder", ("id", "name", "substation", "subdivision"), feeders)


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
