"""Writing consumers."""

from collections.abc import Iterable
from typing import NamedTuple

from bahal.foundation.rows import copy
from bahal.foundation.transactions import transaction_required


class NewConsumer(NamedTuple):
    """A consumer under his connection's number; `language` hi or en."""

    id: int
    name: str
    name_hi: str
    phone: str
    language: str


@transaction_required
def add_consumers(consumers: Iterable[NewConsumer]) -> int:
    """Add consumers; how many."""
    return copy("consumers_consumer", ("id", "name", "name_hi", "phone", "language"), consumers)
