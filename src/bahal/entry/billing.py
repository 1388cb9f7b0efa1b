"""A billing cycle over several processes: each takes a range of connections, and what each did is counted together.

`python -m bahal.entry.billing MONTH LOW HIGH ACTOR EVERY ESTIMATE_AFTER` is one of them; it prints its count as JSON,
with the seconds it took, of the clock and of the processor, and the most memory it held.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.errors import ENVIRONMENT, Refusal

if TYPE_CHECKING:
    from bahal.journeys.bill_cycle import Cycle


class ShareFailed(Refusal):
    """A process of a billing run ended before its share was done; what it wrote stays, and a run again goes on."""

    code = "bill_share_failed"
    exit_code = ENVIRONMENT
    hi = "बिल बनाने की एक प्रक्रिया बीच में रुकी ({why}): दोबारा चलाएँ, वह वहीं से आगे बढ़ेगी।"
    en = "A process of the billing run ended early ({why}): run it again, it goes on from there."


_MEASURED = ("seconds", "cpu_seconds", "most_bytes")


def bill_month(*, month: date, actor: str, every: bool, workers: int, estimate_after: int) -> Cycle:
    """Bill a month in `workers` processes; `every` centre, or those whose day has come.

    :raises CycleNotDue: the month is not over.
    :raises ShareFailed: a process ended early.
    """
    enter()
    from bahal.journeys.bill_cycle import shares

    if workers == 1:
        return _bill(month, 0, 2**63 - 1, actor, every, estimate_after)
    asked = [
        subprocess.Popen(
            [
                sys.executable, "-m", "bahal.entry.billing", month.isoformat(), str(low), str(high), actor,
                str(int(every)), str(estimate_after),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for low, high in shares(count=workers)
    ]  # fmt: skip
    told = [(each.communicate()[0], each.returncode) for each in asked]
    from bahal.journeys.bill_cycle import Cycle

    whole = Cycle()
    for text, code in told:
        if code != 0 or not text.strip():
            raise ShareFailed(why=f"exit {code}")
        whole.add(_read(json.loads(text.splitlines()[-1])))
    return whole


def _bill(month: date, low: int, high: int, actor: str, every: bool, estimate_after: int) -> Cycle:
    clock = enter()
    from bahal.domains.offices.queries import centres
    from bahal.journeys.bill_cycle import Rates, bill_cycle

    return bill_cycle(
        month=month,
        actor=actor,
        at=clock.wall(),
        business_at=clock.now(),
        centres=centres() if every else None,
        low=low,
        high=high,
        rates=Rates(estimate_after=estimate_after),
    )


def _read(told: dict[str, object]) -> Cycle:
    from bahal.journeys.bill_cycle import Cycle

    counts = {name: value for name, value in told.items() if name not in _MEASURED}
    cycle = Cycle(**counts)  # type: ignore[arg-type]  # written by `as_json` of the same class
    cycle.held = Counter(cycle.held)
    cycle.not_billed = Counter(cycle.not_billed)
    cycle.named = {int(connection): why for connection, why in cycle.named.items()}
    return cycle


def main() -> None:
    """One process of a run."""
    month, low, high, actor, every, estimate_after = sys.argv[1:]
    enter()
    began, worked = time.perf_counter(), time.process_time()
    try:
        cycle = _bill(date.fromisoformat(month), int(low), int(high), actor, every == "1", int(estimate_after))
    except Refusal as refusal:
        answering.refuse(refusal, as_json=False)
        sys.exit(refusal.exit_code)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - worked, "most_bytes": most}
    told = {**cycle.as_json(), **took}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
