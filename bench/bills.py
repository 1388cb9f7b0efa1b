"""Bills per second: a month of a mixed circle from registers to bills with their lines, posted and balanced.

The circle: domestic (one in nine on three phases), one in ten a shop, one in twenty a pump; three months behind
everybody; of fifty one changed load or category within the month, of thirty-three one has no reading and is estimated,
of twenty one paid in advance. Two processes bill it, as `bahal bill run --workers 2` does, each a Django of its own, by
the cycle's own batches with all locks, checks and triggers; fsync and synchronous_commit on. A small circle is billed
first, so that the cost of a bill can be compared over sizes. Afterwards the database is asked whether everybody has one
bill, every bill is what its lines sum to and stands in the ledger, and everything balances.

    make bench NAME=bills [ARGS="--connections 100000 --small 10000 --workers 2"]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from bahal.entry.instance import Profile
from bahal.rehearsal.almanac import STORY_MONDAY
from bahal.rehearsal.population import FIRST_CONNECTION, populate
from bahal.shared.clock import move_rehearsal
from bahal.shared.home import read_json
from bench.figures import closing
from bench.payments import machine_cpu_s
from bench.stage import Process, Stage, say, stage

GOAL = 5_000
FLAT = 0.10
MONTH = date(2025, 8, 1)
UNTIL = date(2025, 9, 1)
_A_COMMIT = 10_000

_KINDS = """
UPDATE network_connection SET
    category = CASE WHEN id %% 20 = 0 THEN 'LV-3' WHEN id %% 20 IN (1, 2) THEN 'LV-2' ELSE 'LV-1' END,
    phase = CASE WHEN id %% 20 IN (0, 3, 4) THEN 3 ELSE 1 END,
    sanctioned_load_w = CASE WHEN id %% 20 = 0 THEN 3730 WHEN id %% 20 IN (1, 2) THEN 5000 ELSE 3000 END
WHERE id >= %(low)s AND id < %(high)s
"""

# What was used in a month, in Wh, by connection and month: 25 to 665 units, of about one size from month to month.
_WH = "((25 + (c * 7919) %% 600 + (c * 31 + m * 17) %% 41) * 1000 + c %% 1000)"

# ruff: noqa: S608  # figures of a bench
_PAST = f"""
INSERT INTO billing_bill (connection, number, month, issued_on, due_on, consumption_wh, paise, estimated, disputed,
                          supplementary)
SELECT c, to_char(month, 'YYYYMM') || '-' || c, month, month + 35, month + 50, {_WH}, 100000, false, false, false
FROM generate_series(%(low)s::bigint, %(high)s - 1) c,
     (SELECT m, (date '2025-04-01' + make_interval(months => m))::date AS month FROM generate_series(1, 3) m) months
"""

_REGISTERS = f"""
INSERT INTO billing_register (connection, read_on, meter, wh, source)
SELECT c, day, 'CG' || c, 1000000 + CASE m WHEN 4 THEN {_WH} ELSE 0 END, 'bench'
FROM generate_series(%(low)s::bigint, %(high)s - 1) c,
     (VALUES (3, date '2025-08-01'), (4, date '2025-09-01')) d (m, day)
WHERE m = 3 OR c %% 33 <> 0
"""

_TERMS = """
INSERT INTO billing_terms (connection, effective_from, category, phases, load_w, load_mhp, reason)
SELECT c, '2025-08-16', CASE WHEN c %% 100 = 0 THEN 'LV-2' ELSE 'LV-1' END, 1, 5000, 0, 'bench'
FROM generate_series(%(low)s::bigint, %(high)s - 1) c WHERE c %% 50 = 0
"""

_ADVANCES = """
WITH act AS (
    INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
    VALUES ('opening', 'bench-' || %(low)s, '2025-07-01', '2025-07-01') RETURNING id
), them AS (SELECT c FROM generate_series(%(low)s::bigint, %(high)s - 1) c WHERE c %% 20 = 7)
INSERT INTO ledger_posting (transaction, account, connection, paise)
SELECT act.id, 'advance', c, -50000 FROM act, them
UNION ALL SELECT act.id, 'cash', NULL, 50000 * (SELECT count(*) FROM them) FROM act
"""

_PROVED = {
    "connections without one bill of the month": """
        SELECT count(*) FROM network_connection c WHERE 1 <> (
            SELECT count(*) FROM billing_bill b WHERE b.connection = c.id AND b.kind = 'regular')""",
    "bills that their lines do not sum to": """
        SELECT count(*) FROM billing_bill b LEFT JOIN billing_explanation e ON e.bill = b.id
        WHERE b.kind = 'regular' AND billing_sum(e.amounts) IS DISTINCT FROM b.paise""",
    "bills that are not in the ledger as they are": """
        SELECT count(*) FROM billing_bill b WHERE b.kind = 'regular' AND b.paise <> 0 AND 1 <> (
            SELECT count(*) FROM ledger_posting p WHERE p.account = 'receivable' AND p.connection = b.connection
            AND p.bill = b.id AND p.paise = b.paise)""",
    "transactions that do not balance": """
        SELECT count(*) FROM (SELECT transaction FROM ledger_posting GROUP BY 1 HAVING sum(paise) <> 0) AS wrong""",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A circle that was billed. `cpu_s` is that of the workers and the database, `others_s` everybody else's."""

    bills: int
    estimated: int
    seconds: float
    cpu_s: float
    others_s: float
    most_bytes: int

    @property
    def rate(self) -> float:
        """Bills a second, by the slowest process."""
        return self.bills / self.seconds

    @property
    def cost_us(self) -> float:
        """Microseconds of CPU a bill, workers and database together."""
        return self.cpu_s / self.bills * 1e6


def lay(the_stage: Stage, connections: int) -> None:
    """People, their past, their registers and what officers answered for."""
    populate(
        app_dsn=the_stage.dsn("app"),
        owner_dsn=the_stage.dsn("owner"),
        connections=connections,
        candidates=0,
        postings=0,
        monday=STORY_MONDAY,
    )
    starts = list(range(FIRST_CONNECTION, FIRST_CONNECTION + connections, _A_COMMIT))

    def work(mine: list[int]) -> None:
        with psycopg.connect(the_stage.dsn("owner")) as owner, psycopg.connect(the_stage.dsn("app")) as app:
            for low in mine:
                values = {"low": low, "high": min(low + _A_COMMIT, FIRST_CONNECTION + connections)}
                with owner.transaction():
                    owner.execute(_KINDS, values)
                with app.transaction():
                    for statement in (_PAST, _REGISTERS, _TERMS, _ADVANCES):
                        app.execute(statement, values)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, [starts[0::2], starts[1::2]]))
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        owner.execute(
            "VACUUM (ANALYZE) network_connection, supply_fence, billing_bill, billing_register, billing_terms,"
            " ledger_transaction, ledger_posting"
        )
    the_stage.enter()
    move_rehearsal(the_stage.home.run / "clock.json", business_at=datetime(2025, 9, 5, 6, tzinfo=UTC))
    answer_for_rates(the_stage)


def answer_for_rates(the_stage: Stage) -> None:
    """An officer answers for every rate that nobody has verified."""
    from bahal.domains.tariffs.book import shipped
    from bahal.journeys.accept_rate import accept_rate

    the_stage.enrol()
    now = the_stage.clock.now()
    for document in shipped().documents:
        for row in document.rows:
            for rate in row.charge.rates:
                if not rate.verified:
                    accept_rate(path=rate.path, officer="ee", reason="bench", at=now, business_at=now)


def bill(the_stage: Stage, workers: int) -> Run:
    """Bill the month in so many processes.

    :raises SystemExit: one failed.
    """
    from bahal.journeys.bill_cycle import shares

    postmaster = int((read_json(the_stage.home.run / "database.json") or {})["pid"])
    before = machine_cpu_s()
    database = _database_cpu(postmaster)
    asked = [
        subprocess.Popen(
            [sys.executable, "-m", "bahal.entry.billing", MONTH.isoformat(), str(low), str(high), "bench", "1", "1"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for low, high in shares(count=workers)
    ]
    # A backend's time is lost with it: the last look at it is taken while it lives.
    spent: dict[int, float] = {}
    while any(each.poll() is None for each in asked):
        spent |= _database_cpu(postmaster)
        time.sleep(0.05)
    told = []
    for each in asked:
        text, _ = each.communicate()
        if each.returncode != 0:
            raise SystemExit(f"a share ended with {each.returncode}")
        told.append(json.loads(text.splitlines()[-1]))
        if told[-1]["held"] or told[-1]["not_billed"]:
            raise SystemExit(f"not all were billed: {told[-1]}")
    ours = sum(seconds - database.get(pid, 0.0) for pid, seconds in spent.items())
    ours += sum(each["cpu_seconds"] for each in told)
    return Run(
        bills=sum(each["bills"] for each in told),
        estimated=sum(each["estimated"] for each in told),
        seconds=max(each["seconds"] for each in told),
        cpu_s=ours,
        others_s=max(0.0, machine_cpu_s() - before - ours),
        most_bytes=max(each["most_bytes"] for each in told),
    )


def _database_cpu(postmaster: int) -> dict[int, float]:
    found = {}
    for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
        try:
            found[int(pid)] = Process(int(pid)).cpu_s()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between the list and the look
    return found


def prove(the_stage: Stage, run: Run, connections: int) -> None:
    """Everybody has one bill, and every paisa stands where it belongs.

    :raises SystemExit: something does not.
    """
    if run.bills != connections:
        raise SystemExit(f"{run.bills} bills for {connections} connections")
    with psycopg.connect(the_stage.dsn("owner"), autocommit=True) as owner:
        for what, statement in _PROVED.items():
            (wrong,) = owner.execute(statement).fetchone() or (0,)
            if wrong:
                raise SystemExit(f"{wrong} {what}")


def measured(connections: int, workers: int) -> Run:
    """Lay a circle of this size, bill it, and prove it."""
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-bills"))
        begun = time.perf_counter()
        lay(the_stage, connections)
        say(f"{connections} connections laid in {time.perf_counter() - begun:.0f} s")
        run = bill(the_stage, workers)
        prove(the_stage, run, connections)
    say(
        f"{connections} connections: {run.bills} bills, {run.estimated} of them estimated, in {run.seconds:.1f} s,"
        f" {run.rate:.0f} bills/s; CPU {run.cost_us:.0f} us a bill; the larger process held"
        f" {run.most_bytes / 2**20:.0f} MB; others had {run.others_s / (run.others_s + run.cpu_s):.0%} of the CPU used"
    )
    return run


def main() -> None:
    """Bill a small circle some times and the whole once, and print the closing JSON line."""
    asked = argparse.ArgumentParser(prog="make bench NAME=bills")
    asked.add_argument("--connections", type=int, default=1_000_000)
    asked.add_argument("--small", type=int, default=10_000)
    asked.add_argument("--runs", type=int, default=3, help="of the small circle")
    asked.add_argument("--workers", type=int, default=2)
    given = asked.parse_args()
    small = [measured(given.small, given.workers) for _ in range(given.runs)]
    cost = statistics.median(run.cost_us for run in small)
    whole = measured(given.connections, given.workers)
    grown = whole.cost_us / cost - 1
    say(f"cost of a bill: {cost:.0f} us at {given.small}, {whole.cost_us:.0f} us at {given.connections}: {grown:+.1%}")
    closing(
        "bills",
        round(whole.rate),
        "bills/s",
        reference=f"a circle of {given.small} on this machine: {statistics.median(run.rate for run in small):.0f}/s",
        ratio=whole.rate / statistics.median(run.rate for run in small),
        goal=GOAL,
        met=whole.rate >= GOAL and grown <= FLAT,
        connections=given.connections,
        cpu_us_a_bill={str(given.small): round(cost), str(given.connections): round(whole.cost_us)},
        most_mb=round(whole.most_bytes / 2**20),
        others_share_of_cpu=round(whole.others_s / (whole.others_s + whole.cpu_s), 2),
    )


if __name__ == "__main__":
    main()
