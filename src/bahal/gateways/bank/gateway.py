"""A payment gateway over HTTP, in Razorpay's shapes: amounts in paise, times in UNIX seconds, basic authentication.

Built on the published interface (orders, payments, webhooks); not tried against the real service.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from bahal.gateways.bank.interface import BankUnreachable, GatewayPayment

TIMEOUT_S = 10.0
ORDER_TIMEOUT_S = 3.0
"""A payer waits for his order, and a thread of the web process with him."""
PAGE = 100
"""Payments in one answer: the gateway gives at most a hundred."""


class HttpGateway:
    """Speaks to a gateway at `url`; a connection is kept open between questions."""

    def __init__(self, url: str, *, key_id: str, key_secret: str) -> None:
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False, auth=(key_id, key_secret))

    def open_order(self, *, reference: str, paise: int, consumer: int) -> str:
        """Open an order for one attempt to pay; its id.

        :raises BankUnreachable: no answer, or not one of a gateway.
        """
        order = {
            "amount": paise,
            "currency": "INR",
            "receipt": reference,
            "notes": {"reference": reference, "consumer": str(consumer)},
        }
        return str(self._asked("POST", "/v1/orders", json=order, timeout=ORDER_TIMEOUT_S)["id"])

    def payment(self, payment: str) -> GatewayPayment | None:
        """A payment as it stands now; None if the gateway does not know it.

        :raises BankUnreachable: no answer, or not one of a gateway.
        """
        try:
            return read_payment(self._asked("GET", f"/v1/payments/{payment}"))
        except _NotThere:
            return None

    def payments(self, *, since: datetime, until: datetime) -> Sequence[GatewayPayment]:
        """Every payment made in `[since, until)`, whole seconds, oldest first.

        :raises BankUnreachable: no answer, or not one of a gateway.
        """
        found: list[GatewayPayment] = []
        while True:
            page = self._asked(
                "GET",
                "/v1/payments",
                params={
                    "from": int(since.timestamp()),
                    "to": int(until.timestamp()) - 1,
                    "count": PAGE,
                    "skip": len(found),
                },
            )["items"]
            found += map(read_payment, page)
            if len(page) < PAGE:
                return sorted(found, key=lambda each: (each.made_at, each.id))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _asked(self, method: str, path: str, **what: Any) -> Mapping[str, Any]:
        try:
            answered = self._client.request(method, path, **what)
            if answered.status_code in (400, 404) and method == "GET":
                raise _NotThere
            answered.raise_for_status()
            answer: Mapping[str, Any] = answered.json()
        except (httpx.HTTPError, ValueError) as failure:
            raise BankUnreachable(url=self._url, why=type(failure).__name__) from failure
        return answer


class _NotThere(Exception):
    """The gateway knows no such thing."""


def read_payment(entity: Mapping[str, Any]) -> GatewayPayment:
    """A payment entity as the gateway writes it.

    :raises BankUnreachable: it is none.
    """
    try:
        if entity["currency"] != "INR" or type(entity["amount"]) is not int:
            raise ValueError(entity["currency"])
        notes = entity.get("notes") or {}
        return GatewayPayment(
            str(entity["id"]),
            str(entity.get("order_id") or ""),
            str(notes.get("reference", "")) if isinstance(notes, dict) else "",
            entity["amount"],
            str(entity["status"]),
            str(entity.get("method", "")),
            datetime.fromtimestamp(entity["created_at"], UTC),
        )
    except (KeyError, TypeError, ValueError, OSError, OverflowError) as wrong:
        raise BankUnreachable(url="-", why=f"entity: {wrong}") from wrong
