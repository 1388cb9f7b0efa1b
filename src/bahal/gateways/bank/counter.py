"""The bank's stand-in: a counter that takes money, and a payment gateway with its webhooks and settlement files.

`POST /collect` with {"consumer", "paise", "channel"} is answered by {"payment": number}: the counter. `/v1/...` is the
gateway (see `till`). Every movement of money is in the log before whoever caused it is answered.
"""

import itertools
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bahal.gateways.bank.telling import Teller
from bahal.gateways.bank.till import Till
from bahal.gateways.standing_in import Log, serve
from bahal.shared.clock import clock_of
from bahal.shared.home import Home


class Counter:
    """Numbers payments on from the last one in its log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        taken = (entry["payment"] for entry in log.read() if entry["event"] == "collected")
        last = max((int(each.removeprefix("BANK")) for each in taken), default=0)
        self._numbers = itertools.count(last + 1)
        self._lock = threading.Lock()

    def collect(self, asked: Any) -> tuple[HTTPStatus, Any]:
        """Take money."""
        consumer, paise = asked["consumer"], asked["paise"]
        if type(consumer) is not int or type(paise) is not int or paise <= 0:
            raise ValueError("consumer and paise are positive integers")
        with self._lock:
            payment = f"BANK{next(self._numbers):08d}"
        self._log.write({"event": "collected", "payment": payment, "consumer": consumer, "paise": paise})
        return HTTPStatus.OK, {"payment": payment}


def run(*, port: int, log: Path, callback: str) -> None:
    """Stand in for a bank and a gateway until SIGTERM. Keys are the instance's secret `bank`.

    :raises OSError: the port is taken, or the log cannot be written.
    """
    secret = Home.of().secret("bank") or {}
    clock = clock_of()
    book = Log(log, clock)
    counter = Counter(book)
    teller = Teller(callback=callback, secret=secret.get("webhook_secret", ""), clock=clock)
    till = Till(book, clock, teller, key_id=secret.get("key_id", ""), key_secret=secret.get("key_secret", ""))
    serve(
        port=port,
        posts={
            "/collect": counter.collect,
            "/v1/orders": till.open_order,
            "/payer/pay": till.pay,
            "/payer/transfer": till.transfer,
            "/behave": teller.behave,
        },
        gets={"/v1/": till.ask, "/settlements.csv": till.settlement, "/told": teller.told},
        admit=till.admit,
        name="bank",
    )
