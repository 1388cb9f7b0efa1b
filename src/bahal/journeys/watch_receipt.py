"""A receipt and the clock of its light: how long ago the payment was, and what the relay's order has come to since."""

from dataclasses import dataclass
from datetime import datetime

from bahal.domains.supply.queries import Order, evidence_of, find_order
from bahal.journeys.show_receipt import Shown, show_receipt


@dataclass(frozen=True, slots=True)
class Watched:
    """`order` is None where the payment ordered no reconnection. `lit_at` is when the relay was read back closed.

    `seconds` run from the payer's acknowledgement to then, or to now; both are the wall's.
    """

    shown: Shown
    order: Order | None
    lit_at: datetime | None
    seconds: float

    @property
    def over(self) -> bool:
        """Nothing more will happen by itself."""
        return self.order is None or self.order.state in ("confirmed", "field_task", "cancelled", "refused", "expired")


def watch_receipt(*, receipt: str, at: datetime) -> Watched:
    """A receipt and its clock at an instant of the wall.

    :raises ReceiptUnknown: no such receipt.
    """
    shown = show_receipt(receipt=receipt)
    found = shown.receipt
    if found.order is None:
        return Watched(shown, None, None, 0.0)
    order = find_order(order=found.order)
    read = [each.at for each in evidence_of(order=order.id) if each.relay_after] if order.state == "confirmed" else []
    lit_at = (read[-1] if read else order.confirmed_at) if order.state == "confirmed" else None
    seconds = ((lit_at or at) - found.acknowledged_at).total_seconds()
    return Watched(shown, order, lit_at, max(0.0, seconds))
