"""The bank's stand-in: takes money at its counter, gives each payment a number, and logs it before it answers.

POST /collect with {"consumer", "paise", "channel"} is answered by {"payment": number}.
"""

import itertools
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

from bahal.gateways.standing_in import Log, serve
from bahal.shared.clock import clock_of


class Counter:
    """Numbers payments on from the last one in its log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        last = max((int(entry["payment"].removeprefix("BANK")) for entry in log.read()), default=0)
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


def run(*, port: int, log: Path) -> None:
    """Stand in for a bank until SIGTERM.

    :raises OSError: the port is taken, or the log cannot be written.
    """
    counter = Counter(Log(log, clock_of()))
    serve(port=port, posts={"/collect": counter.collect}, name="bank")
