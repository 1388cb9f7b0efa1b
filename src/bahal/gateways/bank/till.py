"""The gateway in the bank's stand-in: orders, payments, settlement files, in Razorpay's shapes.

For the product, with basic authentication:

- `POST /v1/orders` {"amount", "currency", "receipt", "notes"}; `GET /v1/orders/ID`
- `GET /v1/payments/ID`; `GET /v1/payments?from=&to=&count=&skip=`, UNIX seconds, both ends included

For whoever plays the payer or the bank:

- `POST /payer/pay` {"order" or "tr", "method", "outcome": "captured" | "failed", "webhook": {...}}
- `POST /payer/transfer` {"paise", "note", "webhook": {...}}: money that nobody had asked for
- `GET /settlements.csv?from=&to=&off_by_one=N&missing=N&double=N`: what was captured, with so many lines wrong

What happened is read back from the log when the stand-in starts again.
"""

import base64
import hmac
import itertools
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from bahal.gateways.bank.settlement import Line, write_settlement
from bahal.gateways.bank.telling import Teller
from bahal.gateways.standing_in import Log
from bahal.shared.clock import Clock

Answer = tuple[HTTPStatus, Any]


class Till:
    """Orders and payments so far."""

    def __init__(self, log: Log, clock: Clock, teller: Teller, *, key_id: str, key_secret: str) -> None:
        self._log = log
        self._clock = clock
        self._teller = teller
        self._login = base64.b64encode(f"{key_id}:{key_secret}".encode()).decode() if key_id else ""
        self._lock = threading.Lock()
        self._orders: dict[str, dict[str, Any]] = {}
        self._payments: dict[str, dict[str, Any]] = {}
        for entry in log.read():
            entity = entry.get("entity")
            if entity is not None:
                (self._orders if entry["event"] == "ordered" else self._payments)[entity["id"]] = entity
                if entry["event"] == "captured" and entity["order_id"]:
                    self._orders[entity["order_id"]].update(status="paid", amount_paid=entity["amount"])
        self._numbers = itertools.count(len(self._orders) + len(self._payments) + 1)

    def admit(self, path: str, authorization: str) -> bool:
        """Whether a request may come in: the gateway's own paths want the key, the payer's want none."""
        if not path.startswith("/v1/"):
            return True
        scheme, _, given = authorization.partition(" ")
        return bool(self._login) and scheme.lower() == "basic" and hmac.compare_digest(given, self._login)

    def open_order(self, asked: Any) -> Answer:
        """An order for one attempt to pay."""
        paise = asked["amount"]
        if type(paise) is not int or paise < 100 or asked["currency"] != "INR" or len(asked["receipt"]) > 40:
            return HTTPStatus.BAD_REQUEST, {"error": {"code": "BAD_REQUEST_ERROR", "description": "order"}}
        with self._lock:
            order = {
                "id": f"order_{next(self._numbers):014d}",
                "entity": "order",
                "amount": paise,
                "amount_paid": 0,
                "currency": "INR",
                "receipt": asked["receipt"],
                "status": "created",
                "notes": asked.get("notes") or {},
                "created_at": self._now(),
            }
            self._orders[str(order["id"])] = order
        self._write("ordered", order)
        return HTTPStatus.OK, order

    def pay(self, asked: Any) -> Answer:
        """A payer pays an order, or fails to; an order is paid once."""
        with self._lock:
            order = self._asked_for(asked)
            if order is None or order["status"] == "paid":
                return HTTPStatus.CONFLICT, {"error": "order_not_open"}
            captured = asked.get("outcome", "captured") == "captured"
            payment = self._payment(order["amount"], asked.get("method", "upi"), captured, order["id"], order["notes"])
            if captured:
                order["status"], order["amount_paid"] = "paid", order["amount"]
        self._write("captured" if captured else "failed", payment)
        kinds = ("payment.authorized", "payment.captured", "order.paid") if captured else ("payment.failed",)
        self._teller.tell(payment, kinds, asked.get("webhook") or {})
        return HTTPStatus.OK, {"payment": payment["id"]}

    def transfer(self, asked: Any) -> Answer:
        """Money comes that nobody had asked for: a payment without an order."""
        paise = asked["paise"]
        if type(paise) is not int or paise <= 0:
            raise ValueError("paise is a positive integer")
        with self._lock:
            payment = self._payment(paise, "upi", True, None, {"note": str(asked.get("note", ""))})
        self._write("captured", payment)
        self._teller.tell(payment, ("payment.captured",), asked.get("webhook") or {})
        return HTTPStatus.OK, {"payment": payment["id"]}

    def ask(self, path: str, query: Mapping[str, str]) -> Answer:
        """An order, a payment, or the payments of a time."""
        kind, _, name = path.removeprefix("/v1/").partition("/")
        with self._lock:
            if kind == "payments" and not name:
                return HTTPStatus.OK, self._page(query)
            found = {"orders": self._orders, "payments": self._payments}.get(kind, {}).get(name)
        if found is None:
            return HTTPStatus.BAD_REQUEST, {"error": {"code": "BAD_REQUEST_ERROR", "description": "no such id"}}
        return HTTPStatus.OK, found

    def settlement(self, _path: str, query: Mapping[str, str]) -> Answer:
        """What was captured in a time, as the bank's file; the first lines wrong in the ways asked for."""
        since, until = int(query.get("from", 0)), int(query.get("to", 2**40))
        with self._lock:
            captured = [
                each
                for each in self._payments.values()
                if each["status"] == "captured" and since <= each["created_at"] <= until
            ]
        lines = [
            Line(nth, each["id"], each["amount"], f"UTR{each['id'][-10:]}", datetime.fromtimestamp(self._now(), UTC))
            for nth, each in enumerate(captured, start=2)
        ]
        return HTTPStatus.OK, write_settlement(spoiled(lines, query))

    def _asked_for(self, asked: Any) -> dict[str, Any] | None:
        if "tr" in asked:  # from a UPI code or intent: the payer knows no order
            return next((each for each in self._orders.values() if each["receipt"] == asked["tr"]), None)
        return self._orders.get(asked["order"])

    def _page(self, query: Mapping[str, str]) -> dict[str, Any]:
        since, until = int(query.get("from", 0)), int(query.get("to", 2**40))
        count, skip = min(100, int(query.get("count", 10))), int(query.get("skip", 0))
        found = [each for each in reversed(self._payments.values()) if since <= each["created_at"] <= until]
        items = found[skip : skip + count]
        return {"entity": "collection", "count": len(items), "items": items}

    def _payment(
        self, paise: int, method: str, captured: bool, order: str | None, notes: Mapping[str, Any]
    ) -> dict[str, Any]:
        payment = {
            "id": f"pay_{next(self._numbers):014d}",
            "entity": "payment",
            "amount": paise,
            "currency": "INR",
            "status": "captured" if captured else "failed",
            "order_id": order,
            "method": method,
            "captured": captured,
            "notes": dict(notes),
            "created_at": self._now(),
        }
        self._payments[str(payment["id"])] = payment
        return payment

    def _write(self, event: str, entity: Mapping[str, Any]) -> None:
        consumer = str(entity["notes"].get("consumer", ""))
        self._log.write(
            {
                "event": event,
                "payment": entity["id"],
                "consumer": int(consumer) if consumer.isdigit() else None,
                "paise": entity["amount"],
                "entity": entity,
            }
        )

    def _now(self) -> int:
        return int(self._clock.wall().timestamp())


def spoiled(lines: Sequence[Line], query: Mapping[str, str]) -> list[Line]:
    """Lines with mistakes: the first `off_by_one` a paisa short, the next `missing` left out, then `double` twice."""
    off, missing, double = (int(query.get(name, 0)) for name in ("off_by_one", "missing", "double"))
    written: list[Line] = []
    for nth, each in enumerate(lines):
        if nth < off:
            written.append(each._replace(paise=each.paise - 1))
        elif nth < off + missing:
            continue
        elif nth < off + missing + double:
            written += [each, each]
        else:
            written.append(each)
    return written
