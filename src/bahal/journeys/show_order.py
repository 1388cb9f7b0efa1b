"""An order as anybody may ask for it."""

from typing import Any

from bahal.domains.supply.queries import find_order


def show_order(*, order: int) -> dict[str, Any]:
    """An order as it stands, as plain values; instants in UTC.

    :raises OrderUnknown: no such order.
    """
    found = find_order(order=order)
    return found._asdict()
