"""Questions about bills."""

from collections.abc import Iterable, Mapping

from bahal.foundation.rows import many


def ids_by_number(*, numbers: Iterable[str]) -> Mapping[str, int]:
    """The ids of bills by their printed numbers; an unknown number is missing."""
    return dict(many("SELECT number, id FROM billing_bill WHERE number = ANY(%s::text[])", list(numbers)))
