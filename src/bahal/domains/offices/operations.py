"""Writing the tree of offices."""

from collections.abc import Iterable
from typing import NamedTuple

from bahal.foundation.rows import copy
from bahal.foundation.transactions import transaction_required


class NewOffice(NamedTuple):
    """An office; `parent` is None for a region. `kind`: region, circle, division, subdivision, centre."""

    id: int
    kind: str
    name: str
    name_hi: str
    parent: int | None


@transaction_required
def add_offices(offices: Iterable[NewOffice]) -> int:
    """Add offices, parents before children; how many.

    :raises django.db.IntegrityError: an id is taken, or a parent is missing.
    """
    return copy("offices_office", ("id", "kind", "name", "name_hi", "parent_id"), offices)
