"""Writing consumers."""

from collections.abc import Iterable
from typing import NamedTuple

from bahal.foundation.rows import copy, run
from bahal.foundation.transactions import transaction_required
from bahal.shared.text import Language


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


@transaction_required
def set_language(*, connection: int, language: Language) -> None:
    """In which language a consumer is told from now on."""
    run("UPDATE consumers_consumer SET language = %s WHERE id = %s", language, connection)
