"""Sessions with meters per second of client CPU, and memory per open association, of the interlock's own process.

End to end as in the product: orders are rows; the interlock (its own process, every check on) claims them with a lease
and a block of invocation counters in PostgreSQL, opens the sealed keys, dials each meter of the fleet (its own process)
over a new TCP connection, and writes each result back. The orders are restores of relays that are closed already, so
that each session is a reading of 6 round trips: AARQ, HLS pass 3 and 4, GET of output_state, of control_state and of
control_mode, RLRQ (each run with meters it has not met before, so that nothing is cached); sessions that also act are
in the bench `drive`. The clock is the CPU time of the interlock's process, all of it: asyncio, DLMS, database driver.

Memory: ten thousand associations are held open by meters that take three seconds for each reply; it is the growth of
the process from idle (after a first hundred sessions), divided by their number.
"""

from __future__ import annotations

import argparse
import time

import psycopg

from bahal.entry.instance import Profile
from bahal.rehearsal.population import FIRST_CONNECTION
from bench.figures import closing, median_of
from bench.stage import Stage, say, stage

ROUND_TRIPS = 6
GOAL = 3_000
MEMORY_GOAL_KB = 10.0
OPEN = 10_000
HELD_S = 3.0
LIMIT_S = 120.0
REFERENCE = "2,967 sessions/s per client core: the trial's probe, 7 round trips, no leases, counters or database"
REFERENCE_RATE = 2_967

_RESTORES = """
INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise, bills,
    notice_sha256, made_at, tries, sends)
SELECT m.serial, m.connection, 'restore', 'own_request', 'authorised', 'bench', '', f.generation, 0, 0, '', '', now(),
    0, 0
FROM meters_meter m JOIN supply_fence f ON f.connection = m.connection WHERE m.connection >= %s AND m.connection < %s
"""


class Bench:
    """The stage with its meters, of which each is visited once."""

    def __init__(self, the_stage: Stage) -> None:
        self.stage = the_stage
        self.app = psycopg.connect(the_stage.dsn("app"), autocommit=True)
        self.visited = 0

    def order(self, count: int) -> tuple[int, int]:
        """Order `count` meters that were not visited yet to be read; the connections from and up to."""
        first = FIRST_CONNECTION + self.visited
        self.visited += count
        self.app.execute(_RESTORES, (first, first + count))
        self.app.execute("NOTIFY bahal_orders")
        return first, first + count

    def finished(self, orders: tuple[int, int]) -> None:
        """Wait until each is confirmed and its connection closed.

        :raises SystemExit: one of them ended otherwise, or nothing ended in time.
        """
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            row = self.app.execute(
                "SELECT count(*) FILTER (WHERE state IN ('authorised', 'claimed', 'sent', 'unknown')),"
                " count(*) FILTER (WHERE state <> 'confirmed' OR reason <> 'already_on')"
                " FROM supply_order WHERE connection >= %s AND connection < %s",
                orders,
            ).fetchone()
            assert row is not None
            if row[0] == 0:
                if row[1]:
                    raise SystemExit(f"{row[1]} sessions did not find the relay closed")
                break
            time.sleep(0.1)
        while self.stage.metric("interlock", "bahal_sessions_open") > 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        if time.monotonic() >= deadline:
            raise SystemExit(f"sessions did not end within {LIMIT_S:.0f} s")

    def rate(self, sessions: int) -> tuple[float, float, float]:
        """One run: sessions per second of client CPU, per second of wall time, and the fleet's microseconds of CPU."""
        client, fleet = self.stage.process("interlock"), self.stage.process("fleet")
        cpu, others, begun = client.cpu_s(), fleet.cpu_s(), time.perf_counter()
        self.finished(self.order(sessions))
        wall = time.perf_counter() - begun
        return (
            sessions / (client.cpu_s() - cpu),
            sessions / wall,
            (fleet.cpu_s() - others) / sessions * 1e6,
        )

    def memory(self) -> tuple[float, int]:
        """KB per association at some ten thousand open, and how many were."""
        self.stage.stop("fleet")
        self.stage.stop("interlock")
        self.stage.start(self.stage.fleet(reply_delay=HELD_S), self.stage.interlock(), *self.stage.business())
        self.finished(self.order(100))
        client = self.stage.process("interlock")
        before = client.resident()
        orders = self.order(OPEN)
        deadline = time.monotonic() + LIMIT_S
        while (held := int(self.stage.metric("interlock", "bahal_sessions_open"))) < OPEN:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {held} associations were open at once")
            time.sleep(0.1)
        grown = client.resident() - before
        self.finished(orders)
        return grown / held / 1000, held


def main() -> None:
    """Make the meters, run, and print the closing JSON line."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--sessions", type=int, default=10_000, help="a run")
    asked.add_argument("--runs", type=int, default=5)
    given = asked.parse_args()
    meters = given.sessions * given.runs + 1_000 + 100 + OPEN
    with stage() as the_stage:
        the_stage.build(Profile(name="bench-sessions"))
        the_stage.fill(connections=meters, candidates=1, postings=0)
        the_stage.start(the_stage.fleet(), the_stage.interlock(), *the_stage.business())
        bench = Bench(the_stage)
        bench.finished(bench.order(1_000))
        rates: list[float] = []
        walls: list[float] = []
        for n in range(given.runs):
            per_core, per_wall, fleet_us = bench.rate(given.sessions)
            say(
                f"run {n + 1}: {per_core:.0f} sessions/s per client core ({1e6 / per_core:.0f} us),"
                f" {per_wall:.0f}/s wall, fleet {fleet_us:.0f} us"
            )
            rates.append(per_core)
            walls.append(per_wall)
        value = median_of(f"{ROUND_TRIPS} round trips, client CPU", rates, unit="sessions/s per core", digits=0)
        wall = median_of("wall, everything on this machine", walls, unit="sessions/s", digits=0)
        kb, held = bench.memory()
        say(f"memory: {kb:.2f} KB per association, {held} open, goal {MEMORY_GOAL_KB:.0f}")
        closing(
            "sessions",
            round(value),
            "sessions/s per client core",
            reference=REFERENCE,
            ratio=value / REFERENCE_RATE,
            goal=GOAL,
            met=value >= GOAL,
            round_trips=ROUND_TRIPS,
            wall_per_s=round(wall),
            kb_per_association={
                "value": round(kb, 2),
                "open": held,
                "goal": MEMORY_GOAL_KB,
                "met": kb <= MEMORY_GOAL_KB,
            },
        )


if __name__ == "__main__":
    main()
