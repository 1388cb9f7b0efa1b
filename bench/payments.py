"""Payments per second through the journey `take_payment`, by sixteen writers: on distinct accounts, and all on one.

Sixteen processes, each a Django of its own as a web worker is, call the journey as the API's edge does, one payment
after another, and keep each receipt and how long its payer waited for it. A payment counts when the journey has
returned: by then it is on the disk (fsync and synchronous_commit on). The database holds a population with two years of
postings. After every run what was acknowledged is compared with what is booked, to the paisa, and the server is asked
for deadlocks. Beside the figures stand the latency of a commit alone on this disk, a payment by one writer, and the
processor's time: what a payment took of it, writers and database together, and how much of the machine others had
meanwhile. Where others had much, the figure is theirs as well.

    make bench NAME=payments [ARGS="--seconds 5 --runs 5"]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bahal.entry.instance import Profile
from bahal.rehearsal.almanac import STORY_MONDAY
from bahal.rehearsal.population import FIRST_CONNECTION, populate
from bahal.shared.home import read_json
from bench.figures import closing, median_of, percentile
from bench.stage import Process, Stage, say, stage

GOALS = {"distinct": 1_500, "one": 800}
CHANNELS = ("counter", "upi", "bbps", "card")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run acknowledged. `cpu_s` is the writers' and the database's, `others_s` everybody else's."""

    seconds: float
    receipts: dict[str, int]
    waits: list[float]
    cpu_s: float
    others_s: float

    @property
    def rate(self) -> float:
        """Acknowledged payments a second."""
        return len(self.receipts) / self.seconds


class Writers:
    """Processes that wait for a line of instructions and answer with a line of what they did."""

    def __init__(self, home: Path, count: int) -> None:
        self._database = home / "run" / "database.json"
        environ = {**os.environ, "BAHAL_HOME": str(home), "BAHAL_CLOCK": str(home / "run" / "clock.json")}
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.payments", "--writer"],
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        for each in self._processes:
            assert each.stdout is not None
            if each.stdout.readline() != "ready\n":
                raise SystemExit("a writer did not start")

    def work(self, shares: Sequence[Sequence[int]], *, seconds: float, seed: int) -> Run:
        """Let the first writers pay for their accounts, all at once."""
        busy = self._processes[: len(shares)]
        ours, all_of_it = self._cpu_s(), machine_cpu_s()
        # A moment for each of them to read its instructions: all begin at once.
        begin = time.time() + 0.2
        for nth, (each, accounts) in enumerate(zip(busy, shares, strict=True)):
            assert each.stdin is not None
            order = {"accounts": list(accounts), "begin": begin, "seconds": seconds, "seed": seed * 1000 + nth}
            each.stdin.write(json.dumps(order) + "\n")
            each.stdin.flush()
        receipts: dict[str, int] = {}
        waits: list[float] = []
        last = begin
        for each in busy:
            assert each.stdout is not None
            done = json.loads(each.stdout.readline())
            if done["refused"]:
                raise SystemExit(f"payments were refused: {done['refused'][:3]}")
            receipts |= done["receipts"]
            waits += done["waits"]
            last = max(last, done["ended"])
        ours, all_of_it = self._cpu_s() - ours, machine_cpu_s() - all_of_it
        return Run(last - begin, receipts, waits, ours, max(0.0, all_of_it - ours))

    def _cpu_s(self) -> float:
        postmaster = int((read_json(self._database) or {})["pid"])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return sum(Process(int(pid)).cpu_s() for pid in (*children, *(each.pid for each in self._processes)))

    def close(self) -> None:
        """End them."""
        for each in self._processes:
            assert each.stdin is not None
            each.stdin.close()
        for each in self._processes:
            each.wait(30)


def machine_cpu_s() -> float:
    """Seconds of CPU that the whole machine has used, but for waiting and idling."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def write() -> None:
    """One writer: a web worker without its HTTP."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bahal.settings"
    import django

    django.setup()
    from bahal.journeys.take_payment import take_payment
    from bahal.shared.clock import clock_of
    from bahal.shared.errors import Refusal

    clock = clock_of()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        chance = random.Random(order["seed"])  # noqa: S311  # amounts of a bench
        receipts: dict[str, int] = {}
        waits: list[float] = []
        refused: list[str] = []
        time.sleep(max(0.0, order["begin"] - time.time()))
        until = time.perf_counter() + order["seconds"]
        nth = 0
        while time.perf_counter() < until:
            paise = chance.randrange(100_00, 5_000_00)
            began = time.perf_counter()
            try:
                taken = take_payment(
                    key=f"bench-{order['seed']}-{nth}",
                    connection=order["accounts"][nth % len(order["accounts"])],
                    paise=paise,
                    channel=CHANNELS[nth % len(CHANNELS)],
                    actor="bench",
                    business_at=clock.now(),
                )
            except Refusal as refusal:
                refused.append(str(refusal))
                continue
            finally:
                nth += 1
            waits.append(time.perf_counter() - began)
            receipts[taken.receipt] = paise
        answer = {"receipts": receipts, "waits": waits, "refused": refused, "ended": time.time()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def fill(the_stage: Stage, *, connections: int, postings: int) -> None:
    """People who owe, with a history."""
    made = populate(
        app_dsn=the_stage.dsn("app"),
        owner_dsn=the_stage.dsn("owner"),
        connections=connections,
        candidates=connections,
        postings=postings,
        monday=STORY_MONDAY,
    )
    say(f"population: {made.connections} connections who owe, {made.postings} postings in {made.made_s:.0f} s")


def prove(owner: psycopg.Connection[Any], run: Run, *, before: int) -> None:
    """What was acknowledged is what is booked, to the paisa; nothing else is, and nobody was locked dead.

    :raises SystemExit: a paisa is missing, or too many.
    """
    booked = dict(owner.execute("SELECT receipt, paise FROM payments_payment WHERE id > %s", [before]).fetchall())
    if booked != run.receipts:
        missing = [receipt for receipt, paise in run.receipts.items() if booked.get(receipt) != paise]
        raise SystemExit(f"acknowledged {len(run.receipts)}, booked {len(booked)}; of these not as told: {missing[:3]}")
    posted = owner.execute(
        "SELECT t.reference, sum(p.paise) FILTER (WHERE p.paise > 0 AND p.connection IS NULL), sum(p.paise),"
        " -sum(p.paise) FILTER (WHERE p.connection IS NOT NULL)"
        " FROM payments_payment y JOIN ledger_transaction t ON t.kind = 'payment' AND t.reference = y.receipt"
        " JOIN ledger_posting p ON p.transaction = t.id WHERE y.id > %s GROUP BY t.reference",
        [before],
    ).fetchall()
    wrong = [row for row in posted if row[1] != run.receipts.get(row[0]) or row[2] or row[3] != row[1]]
    if wrong or len(posted) != len(run.receipts):
        raise SystemExit(f"{len(posted)} of {len(run.receipts)} payments are in the ledger, wrong: {wrong[:3]}")
    (deadlocks,) = owner.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()  # type: ignore[misc]
    if deadlocks:
        raise SystemExit(f"{deadlocks} deadlocks")


def commit_latency(dsn: str, *, count: int = 300) -> float:
    """Median milliseconds of one small durable commit by one connection."""
    waits = []
    with psycopg.connect(dsn, autocommit=True) as app:
        for _ in range(count):
            began = time.perf_counter()
            app.execute("SELECT pg_logical_emit_message(true, 'bench', '')")
            waits.append(time.perf_counter() - began)
    return percentile(waits, 0.5) * 1000


def main() -> None:
    """Make the people, let them pay, and print the closing JSON line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--writers", type=int, default=16)
    asked.add_argument("--connections", type=int, default=10_000)
    asked.add_argument("--postings", type=int, default=500_000)
    asked.add_argument("--seconds", type=float, default=4.0, help="a run")
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--writer", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.writer:
        write()
        return
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-payments"))
        fill(the_stage, connections=given.connections, postings=given.postings)
        with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
            settings = [
                owner.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
                for name in ("fsync", "synchronous_commit", "full_page_writes")
            ]
            say(f"fsync {settings[0]}, synchronous_commit {settings[1]}, full_page_writes {settings[2]}")
            say(f"a durable commit alone: median {commit_latency(the_stage.dsn('app')):.2f} ms")
            writers = Writers(the_stage.home.path, given.writers)
            try:
                measure(owner, writers, given)
            finally:
                writers.close()


def measure(owner: psycopg.Connection[Any], writers: Writers, given: argparse.Namespace) -> None:
    """A warm-up, then the runs of each kind; every run is proved."""
    people = [FIRST_CONNECTION + n for n in range(given.connections)]
    rates: dict[str, list[float]] = {"distinct": [], "one": []}
    waits: dict[str, list[float]] = {"distinct": [], "one": []}
    shares_of_others: list[float] = []
    costs: list[float] = []
    seed = 0

    def run(kind: str, shares: Sequence[Sequence[int]], *, seconds: float, name: str) -> Run:
        nonlocal seed
        seed += 1
        (before,) = owner.execute("SELECT coalesce(max(id), 0) FROM payments_payment").fetchone()  # type: ignore[misc]
        done = writers.work(shares, seconds=seconds, seed=seed)
        prove(owner, done, before=before)
        say(
            f"{name} {kind}: {done.rate:.0f} payments/s, {len(done.receipts)} acknowledged and booked alike,"
            f" wait p50 {percentile(done.waits, 0.5) * 1000:.1f} ms, p99 {percentile(done.waits, 0.99) * 1000:.1f} ms,"
            f" CPU {done.cpu_s / len(done.receipts) * 1000:.2f} ms a payment; others had"
            f" {done.others_s / (done.others_s + done.cpu_s):.0%} of the CPU used"
        )
        return done

    alone = run("by one writer", [people[::7]], seconds=2.0, name="first,")
    for nth in range(given.runs + 1):
        spread = [people[n :: given.writers] for n in range(given.writers)]
        # Another account each time: one account does not have years of payments in a minute.
        lone = [[people[-1 - nth]]] * given.writers
        for kind, shares in (("distinct", spread), ("one", lone)):
            done = run(kind, shares, seconds=given.seconds, name=f"run {nth}," if nth else "warm-up,")
            if nth:
                rates[kind].append(done.rate)
                waits[kind] += done.waits
                shares_of_others.append(done.others_s / (done.others_s + done.cpu_s))
                costs.append(done.cpu_s / len(done.receipts) * 1000)
    found = {
        kind: median_of(f"payments, {given.writers} writers, {kind} account{'s' * (kind != 'one')}", rates[kind],
                        unit="payments/s", digits=0)
        for kind in rates
    }  # fmt: skip
    closing(
        "payments",
        round(found["distinct"]),
        "payments/s",
        reference="one writer alone on this machine",
        ratio=found["distinct"] / alone.rate,
        goal=GOALS["distinct"],
        met=all(found[kind] >= GOALS[kind] for kind in GOALS),
        one_account=round(found["one"]),
        one_account_goal=GOALS["one"],
        cpu_ms_a_payment=round(statistics.median(costs), 2),
        others_share_of_cpu=round(statistics.median(shares_of_others), 2),
        wait_p99_ms={kind: round(percentile(waits[kind], 0.99) * 1000, 1) for kind in waits},
    )


if __name__ == "__main__":
    main()
