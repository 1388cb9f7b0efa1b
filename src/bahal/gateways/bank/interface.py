"""What is asked of a bank and of a payment gateway: take money, open an order, say what became of a payment."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from bahal.shared.errors import ENVIRONMENT, Refusal

STATUSES = ("created", "failed", "authorized", "captured", "refunded")
"""A payment's life at the gateway, in the order in which it is believed: a later word outranks an earlier one."""


class BankUnreachable(Refusal):
    """The bank does not answer: whether it took the money is not known."""

    code = "bank_unreachable"
    exit_code = ENVIRONMENT
    hi = "बैंक {url} उत्तर नहीं दे रहा ({why})।"
    en = "The bank {url} does not answer ({why})."


class GatewayPayment(NamedTuple):
    """A payment as the gateway tells it. `order` and `reference` are empty where nobody had asked for it.

    `reference` is ours (the attempt's `tr`), as the order carries it.
    """

    id: str
    order: str
    reference: str
    paise: int
    status: str
    method: str
    made_at: datetime


class Bank(Protocol):
    """A bank's counter."""

    def collect(self, *, consumer: int, paise: int, channel: str) -> str:
        """Take money from a consumer; the bank's number of the payment, which serves as idempotency key.

        :raises BankUnreachable: no answer.
        """
        ...


class Gateway(Protocol):
    """A payment gateway."""

    def open_order(self, *, reference: str, paise: int, consumer: int) -> str:
        """Open an order for one attempt to pay; its id.

        :raises BankUnreachable: no answer.
        """
        ...

    def payment(self, payment: str) -> GatewayPayment | None:
        """A payment as it stands now; None if the gateway does not know it.

        :raises BankUnreachable: no answer.
        """
        ...

    def payments(self, *, since: datetime, until: datetime) -> Sequence[GatewayPayment]:
        """Every payment made in `[since, until)`, whole seconds, oldest first.

        :raises BankUnreachable: no answer.
        """
        ...
