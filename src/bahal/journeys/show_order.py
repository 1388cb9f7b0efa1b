"""An order's whole story: what it is, why it was made, and what the meter said."""

from typing import Any

from bahal.domains.supply.queries import evidence_of, find_order


def show_order(*, order: int) -> dict[str, Any]:
    """An order as it stands with the evidence of each attempt, as plain values; instants in UTC.

    :raises OrderUnknown: no such order.
    """
    found = find_order(order=order)
    return {**found._asdict(), "evidence": [each._asdict() for each in evidence_of(order=order)]}
