"""A circle is registered: its offices, its network and its consumers, each connection with its fence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bahal.domains.consumers.operations import NewConsumer, add_consumers
from bahal.domains.network.operations import (
    NewConnection,
    NewFeeder,
    NewTransformer,
    add_connections,
    add_feeders,
    add_transformers,
)
from bahal.domains.offices.operations import NewOffice, add_offices
from bahal.domains.supply.operations import open_fences
from bahal.foundation.audit.operations import record
from bahal.foundation.transactions import transaction


@dataclass(frozen=True, slots=True)
class Circle:
    """What a circle consists of; offices parents first."""

    name: str
    offices: Sequence[NewOffice]
    feeders: Sequence[NewFeeder]
    transformers: Sequence[NewTransformer]
    connections: Sequence[NewConnection]
    consumers: Sequence[NewConsumer]


def register_circle(circle: Circle, *, actor: str, at: datetime, business_at: datetime) -> None:
    """Register a circle.

    :raises django.db.IntegrityError: an id is taken, or something hangs on what is missing; nothing was registered.
    """
    with transaction():
        data = {
            "circle": circle.name,
            "offices": add_offices(circle.offices),
            "feeders": add_feeders(circle.feeders),
            "transformers": add_transformers(circle.transformers),
            "connections": add_connections(circle.connections),
        }
        add_consumers(circle.consumers)
        open_fences(each.id for each in circle.connections)
        subject = f"circle {circle.name}"
        record(actor=actor, act="network.registered", subject=subject, data=data, at=at, business_at=business_at)
