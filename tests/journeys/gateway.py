"""A gateway in the test's own process: payments that a test makes, asked for as the product asks."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bahal.gateways.bank.interface import BankUnreachable, GatewayPayment

NOW = datetime.now(UTC).replace(microsecond=0)


class Gateway:
    """Knows orders and payments; `away` lets it not answer."""

    def __init__(self) -> None:
        self.orders: dict[str, tuple[str, int]] = {}
        self.made: dict[str, GatewayPayment] = {}
        self.asked: list[str] = []
        self.away = False
        self._numbers = itertools.count(1)

    def open_order(self, *, reference: str, paise: int, consumer: int) -> str:
        """An order."""
        self._answer(f"order for {consumer}")
        order = f"order_{next(self._numbers)}"
        self.orders[order] = (reference, paise)
        return order

    def payment(self, payment: str) -> GatewayPayment | None:
        """A payment as it stands."""
        self._answer(payment)
        return self.made.get(payment)

    def payments(self, *, since: datetime, until: datetime) -> Sequence[GatewayPayment]:
        """Payments by time."""
        self._answer("payments")
        return [each for each in self.made.values() if since <= each.made_at < until]

    def pay(
        self,
        order: str = "",
        *,
        paise: int | None = None,
        status: str = "captured",
        method: str = "upi",
        made_at: datetime = NOW,
    ) -> str:
        """A payer pays an order, or sends money that nobody had asked for; the payment's id."""
        reference, wanted = self.orders.get(order, ("", 0))
        payment = f"pay_{next(self._numbers):06d}"
        self.made[payment] = GatewayPayment(payment, order, reference, paise or wanted, status, method, made_at)
        return payment

    def turn(self, payment: str, status: str) -> None:
        """A payment takes a step of its life."""
        self.made[payment] = self.made[payment]._replace(status=status)

    def _answer(self, asked: str) -> None:
        if self.away:
            raise BankUnreachable(url="test", why="away")
        self.asked.append(asked)


LONG_AGO = NOW - timedelta(days=5)
