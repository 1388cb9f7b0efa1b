"""A web worker without its HTTP, as a process of its own: pays, tells what was acknowledged, asks again what was not.

`python -m tests.journeys.payer NAME CONNECTION...` pays for the connections in turn until SIGTERM. Every acknowledged
payment is one line on stdout, written when the journey has returned: key, connection, paise, receipt.
"""

import contextlib
import os
import signal
import sys
import time
from typing import NoReturn

import django


def main() -> None:
    """Pay until told to stop; the payment in hand is finished, whatever it takes."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bahal.settings"
    django.setup()
    from django.db import DatabaseError, InterfaceError, connection

    from bahal.journeys.take_payment import take_payment
    from bahal.shared.clock import clock_of
    from bahal.shared.locks import SupplyBusy

    stopping: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    name, *numbers = sys.argv[1:]
    clock = clock_of()
    nth = 0
    while not stopping:
        key, number, paise = f"{name}-{nth}", int(numbers[nth % len(numbers)]), 1_00 + nth
        nth += 1
        for _ in range(3_000):
            try:
                taken = take_payment(
                    key=key, connection=number, paise=paise, channel="counter", actor=name, business_at=clock.now()
                )
                break
            except (DatabaseError, InterfaceError, SupplyBusy):
                # Whether it was booked is not known: the same key tells.
                with contextlib.suppress(Exception):
                    connection.close()
                time.sleep(0.02)
        else:
            _lost(key)
        sys.stdout.write(f"{key} {number} {paise} {taken.receipt}\n")
        sys.stdout.flush()


def _lost(key: str) -> NoReturn:
    raise SystemExit(f"{key} was never answered")


if __name__ == "__main__":
    main()
