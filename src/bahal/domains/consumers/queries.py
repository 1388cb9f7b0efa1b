"""How consumers are reached. A telephone is personal data: it goes into messages, never into a log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bahal.foundation.rows import many
from bahal.shared.text import Language


@dataclass(frozen=True, slots=True)
class Contact:
    """Where and in which language a consumer is told."""

    connection: int
    phone: str
    language: Language


def contacts(*, connections: Iterable[int]) -> Mapping[int, Contact]:
    """The contacts of connections, by number; one without a consumer is missing."""
    rows = many(
        "SELECT id, phone, CASE language WHEN 'en' THEN 'en' ELSE 'hi' END FROM consumers_consumer"
        " WHERE id = ANY(%s::bigint[]) AND phone <> ''",
        list(connections),
    )
    return {row[0]: Contact(*row) for row in rows}


def names_of(*, connections: Iterable[int]) -> Mapping[int, str]:
    """The consumers' names, by number."""
    return dict(many("SELECT id, name FROM consumers_consumer WHERE id = ANY(%s::bigint[])", list(connections)))


def both_names_of(*, connections: Iterable[int]) -> Mapping[int, tuple[str, str]]:
    """The consumers' names in Latin and in Devanagari letters, by number."""
    rows = many("SELECT id, name, name_hi FROM consumers_consumer WHERE id = ANY(%s::bigint[])", list(connections))
    return {row[0]: (row[1], row[2]) for row in rows}
