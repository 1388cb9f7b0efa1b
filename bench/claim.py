"""Orders claimed, judged and marked sent per second, over five million ledger postings.

Each of a few connections, as the role `interlock` and by the interlock's own statements, claims a batch (leases and
invocation counters reserved in the same rows) and asks for the moment of sending over it: switch and fences locked,
every right derived from ledger, notices, reminders and holds, all six caps counted, the orders marked sent. The drive
was proposed and signed through the journeys and verified by the interlock's own code, its canary of fifty went first.
Every order must be sent; one that is not fails the bench. Results are written back between the runs, off the clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from dataclasses import asdict

import psycopg
from prometheus_client import CollectorRegistry

from bahal.entry.instance import Profile
from bahal.headend.database import Database, Ringer
from bahal.headend.metrics import DatabaseMetrics
from bahal.interlock.charter import Charter
from bahal.interlock.desk import CLAIM_STATEMENT
from bahal.interlock.drives import Drives
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.orders import CONFIRMED, CUT, Claim, Outcome
from bahal.interlock.results import RESULTS_STATEMENT
from bahal.interlock.sending import CUTS_STATEMENT
from bahal.interlock.telling import Telling
from bench.figures import closing, median_of
from bench.stage import Stage, say, stage

GOAL = 8_000
REFERENCE = "15,800 orders/s: the trial's bare claiming function, without caps, canary or warrant"
REFERENCE_RATE = 15_800
CANARY = 50
WORKER = "bench-claim"
LEASE_S = 300.0
COUNTERS = 32

EMPTY_CLAIMS = 100


class Clerk:
    """One connection of the interlock's, and what was claimed and sent over it."""

    def __init__(self, the_stage: Stage, name: str, caps: str) -> None:
        self.connection = psycopg.connect(the_stage.dsn("interlock"), autocommit=True, prepare_threshold=1)
        self.clock = the_stage.clock
        self.worker = name
        self.caps = caps
        self.claims: list[Claim] = []

    def send(self, most: int, batch: int) -> int:
        """Claim and mark sent, batch by batch, until `most` are or nothing is left; how many.

        :raises SystemExit: a right was refused.
        """
        sent = empty = 0
        while sent < most:
            rows = self.connection.execute(
                CLAIM_STATEMENT,
                (self.worker, CUT, min(batch, most - sent), LEASE_S, COUNTERS, self.clock.now()),
            ).fetchall()
            if not rows:
                # The other clerks hold the next ones for the moment; an empty drive stays empty.
                empty += 1
                if empty == EMPTY_CLAIMS:
                    break
                time.sleep(0.001)
                continue
            empty = 0
            claims = [Claim._make(row) for row in rows]
            told = self.connection.execute(
                CUTS_STATEMENT, (self.worker, [each.order for each in claims], self.clock.now(), self.caps)
            ).fetchall()
            refused = [row for row in told if row[1] != "send"]
            if refused or len(told) != len(claims):
                raise SystemExit(f"{len(refused)} of {len(claims)} were not sent: {refused[:3]}")
            sent += len(claims)
            self.claims += claims
        return sent

    def confirm(self) -> int:
        """Write all of them back as confirmed; how many."""
        count = len(self.claims)
        for start in range(0, count, 500):
            outcomes = [
                Outcome(each, CONFIRMED, "", True, False, 0, 4, each.counter, 1).columns
                for each in self.claims[start : start + 500]
            ]
            columns = [list(column) for column in zip(*outcomes, strict=True)]
            self.connection.execute(RESULTS_STATEMENT, (self.worker, self.clock.now(), *columns))
        self.claims.clear()
        return count


def together(clerks: list[Clerk], orders: int, batch: int) -> float:
    """Orders per second of all clerks at once."""
    share = orders // len(clerks)
    done: list[int] = []
    gate = threading.Barrier(len(clerks) + 1)

    def work(clerk: Clerk) -> None:
        gate.wait()
        done.append(clerk.send(share, batch))

    threads = [threading.Thread(target=work, args=(clerk,)) for clerk in clerks]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if sum(done) != share * len(clerks):
        raise SystemExit(f"only {sum(done)} of {share * len(clerks)} orders were there to send")
    return sum(done) / seconds


async def _tend(the_stage: Stage) -> None:
    """One round of the interlock's own look after drives: verify and register, or judge the canary."""
    registry = CollectorRegistry()
    database = Database(the_stage.dsn("interlock"), room="bench", connections=2, metrics=DatabaseMetrics(registry))
    await database.open()
    folder = the_stage.home.path / "interlock"
    charter = Charter(folder, place=None)
    drives = Drives(
        database=database,
        clock=the_stage.clock,
        charter=charter,
        telling=Telling(database=database, centre=f"file:{the_stage.home.logs / 'interlock_sms.jsonl'}"),
        metrics=InterlockMetrics(registry),
        ringer=Ringer(database, "bahal_results"),
        opened=lambda: None,
    )
    await drives.tend()
    await database.close()


def caps_for(orders: int, runs: int, *, name: str) -> Profile:
    """A profile as large as these runs and their warm-up."""
    most = orders * (runs + 1) + CANARY
    return Profile(
        name=name,
        canary=CANARY,
        drive=most,
        circle_hour=most,
        state_hour=most,
        day_floor=most,
        transformer_floor=15,
        feeder_floor=200,
    )


def rates_of(
    the_stage: Stage, caps: Profile, *, orders: int, runs: int, clerks: int, batch: int
) -> tuple[list[float], list[float]]:
    """Orders sent and results written per second, run by run, in a signed drive over all candidates of the stage.

    :raises SystemExit: a right was refused, or orders were missing.
    """
    the_stage.run(the_stage.signed_drive())
    begun = time.perf_counter()
    asyncio.run(_tend(the_stage))
    say(f"verified and registered in {time.perf_counter() - begun:.1f} s")
    the_stage.vacuum()
    figures = json.dumps(asdict(caps))
    those = [Clerk(the_stage, f"{WORKER}-{n}", figures) for n in range(clerks)]
    those[0].send(CANARY, CANARY)
    those[0].confirm()
    asyncio.run(_tend(the_stage))
    rates: list[float] = []
    written: list[float] = []
    for n in range(runs + 1):
        rate = together(those, orders, batch)
        begun = time.perf_counter()
        confirmed = sum(clerk.confirm() for clerk in those)
        results = confirmed / (time.perf_counter() - begun)
        say(f"{'warm-up' if n == 0 else f'run {n}'}: {rate:.0f} sent/s, then {results:.0f} results/s by one")
        if n:
            rates.append(rate)
            written.append(results)
    return rates, written


def main() -> None:
    """Make the people, run, and print the closing JSON line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--postings", type=int, default=5_000_000)
    asked.add_argument("--connections", type=int, default=200_000)
    asked.add_argument("--orders", type=int, default=16_000, help="a run")
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--clerks", type=int, default=2, help="database connections at once")
    asked.add_argument("--batch", type=int, default=200)
    given = asked.parse_args()
    caps = caps_for(given.orders, given.runs, name="bench-claim")
    with stage() as the_stage:
        the_stage.build(caps)
        made = the_stage.fill(
            connections=given.connections,
            candidates=given.orders * (given.runs + 1) + CANARY,
            postings=given.postings,
        )
        rates, written = rates_of(
            the_stage, caps, orders=given.orders, runs=given.runs, clerks=given.clerks, batch=given.batch
        )
        value = median_of(
            f"claimed and sent, {given.clerks} connections, batches of {given.batch}", rates, unit="orders/s", digits=0
        )
        results = median_of("results written, one connection, batches of 500", written, unit="orders/s", digits=0)
        closing(
            "claim",
            round(value),
            "orders/s",
            reference=REFERENCE,
            ratio=value / REFERENCE_RATE,
            goal=GOAL,
            met=value >= GOAL,
            postings=made.postings,
            results_per_s=round(results),
        )


if __name__ == "__main__":
    main()
