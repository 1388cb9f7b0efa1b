"""A feeder returns and a hundred thousand meters call within a minute, some of them with somebody waiting for them.

Every meter of the fleet (its own process, each from its own address in 127.0.0.0/8, over its own TCP connection) calls
the head-end at a moment of its own within the minute and says that it breathes again. For some a restore waits, whose
relay is open, for others a read; nobody can be dialled. The interlock borrows each line from the head-end for its whole
session with every check on; the head-end reads over the line. Who is turned away calls again by itself.

Measured from a meter's first dialling, whatever became of that, to the alarm stored, the relay read back, the reading
stored. The worker that draws consequences is not run: it works on rows, beside. The restores must come before the
reads, nothing may be lost, and the head-end must stay under its memory.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from datetime import datetime, timedelta
from typing import Any

import psycopg

from bahal.entry.instance import Profile
from bahal.fleet.movements import MovementLog
from bahal.rehearsal.population import FIRST_CONNECTION
from bench.figures import closing, percentile
from bench.stage import Stage, say, stage

WITHIN_S = 60.0
LIMIT_S = 240.0
MEMORY_GOAL_MIB = 1_536
SOON_S = 1.0
"""A restore that takes no longer has waited for nobody."""
REFERENCE = "the issue: 100,000 calls within 60 s, nothing lost, under 1.5 GiB"

_RESTORES = """
INSERT INTO supply_order (meter, connection, kind, ground, state, cause, reason, fence, position, due_paise, bills,
    notice_sha256, made_at, tries, sends)
SELECT m.serial, m.connection, 'restore', 'own_request', 'authorised', 'bench', '', f.generation, 0, 0, '', '', now(),
    0, 0
FROM meters_meter m JOIN supply_fence f ON f.connection = m.connection
WHERE (m.connection - %(first)s) %% %(every)s = 0 AND m.connection < %(first)s + %(every)s::bigint * %(count)s
"""
_READS = """
INSERT INTO readings_request (meter, register, asked_at, tries, reason)
SELECT m.serial, '1.0.1.8.0.255', now(), 0, '' FROM meters_meter m
WHERE (m.connection - %(first)s) %% %(every)s = 1 AND m.connection < %(first)s + %(every)s::bigint * %(count)s
"""


class Storm:
    """The stage with its meters, and what each is waited for."""

    def __init__(self, the_stage: Stage, *, meters: int, restores: int, reads: int) -> None:
        self.stage = the_stage
        self.meters, self.restores, self.reads = meters, restores, reads
        self.app = psycopg.connect(the_stage.dsn("app"), autocommit=True)

    def open_relays(self) -> None:
        """Before the fleet starts, its log says that these relays were opened."""
        at = self.stage.clock.wall() - timedelta(hours=1)
        log = MovementLog(self.stage.movements())
        every = self.meters // self.restores
        rows = self.app.execute(
            "SELECT serial FROM meters_meter WHERE (connection - %s) %% %s = 0 ORDER BY connection LIMIT %s",
            (FIRST_CONNECTION, every, self.restores),
        ).fetchall()
        for (serial,) in rows:
            log.write(
                at=at, business_at=self.stage.clock.now() - timedelta(hours=1), meter=serial, on=False,
                cause="remote_disconnect", origin=None,
            )  # fmt: skip
        log.close()

    def order(self) -> None:
        """Restores and reads wait for meters that nobody can dial."""
        for statement, count, bell in ((_RESTORES, self.restores, "orders"), (_READS, self.reads, "reads")):
            every = self.meters // count
            made = self.app.execute(statement, {"first": FIRST_CONNECTION, "every": every, "count": count}).rowcount
            assert made == count, (bell, made)
            self.app.execute(f"NOTIFY bahal_{bell}")
        self._until(lambda: self._count("supply_order", "reason = 'no_line'") == self.restores, "put off restores")
        self._until(lambda: self._count("readings_request", "reason = 'no_line'") == self.reads, "put off reads")

    def live(self) -> float:
        """Let them call, and wait until all is done; the seconds it took."""
        begun = time.monotonic()
        say(f"calling: {ask(self.stage, do='call_all', within_s=WITHIN_S)['calling']} meters within {WITHIN_S:.0f} s")
        told = begun
        while True:
            done = (
                self._count("protection_event", "true"),
                self._count("supply_order", "state = 'confirmed'"),
                self._count("readings_request", "done_at IS NOT NULL"),
            )
            now = time.monotonic()
            if done[0] >= self.meters and done[1:] == (self.restores, self.reads):
                return now - begun
            if now - told > 10:
                told = now
                say(f"{now - begun:4.0f} s: alarms {done[0]}, restores {done[1]}, reads {done[2]}")
            if now - begun > LIMIT_S:
                say(f"not done after {LIMIT_S:.0f} s: alarms {done[0]}, restores {done[1]}, reads {done[2]}")
                return now - begun
            time.sleep(0.5)

    def seconds(self) -> dict[str, list[float]]:
        """From each meter's first dialling to what it was waited for, by class."""
        begun: dict[str, float] = ask(self.stage, do="begun")["begun"]
        queries = {
            "restore": "SELECT meter, confirmed_at FROM supply_order WHERE state = 'confirmed'",
            "alarm": "SELECT meter, min(received_at) FROM protection_event GROUP BY meter",
            "read": "SELECT meter, min(received_at) FROM readings_reading GROUP BY meter",
        }
        found = {}
        for name, query in queries.items():
            rows: list[tuple[str, datetime]] = self.app.execute(query).fetchall()  # type: ignore[assignment]
            found[name] = [at.timestamp() - begun[meter] for meter, at in rows]
        return found

    def lost(self) -> dict[str, int]:
        """What was waited for and did not come, by class; the relays by the meters' own log."""
        on = {
            json.loads(line)["meter"]
            for line in self.stage.movements().read_text(encoding="utf-8").splitlines()
            if '"relay":"on"' in line
        }
        alarmed = self.app.execute("SELECT count(DISTINCT meter) FROM protection_event").fetchone()
        assert alarmed is not None
        read = self._count("readings_request", "done_at IS NOT NULL AND reason = ''")
        return {"restore": self.restores - len(on), "alarm": self.meters - int(alarmed[0]), "read": self.reads - read}

    def _count(self, table: str, where: str) -> int:
        row = self.app.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])

    def _until(self, true: Any, what: str) -> None:
        deadline = time.monotonic() + 60
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit(f"the rooms did not {what}")
            time.sleep(0.2)


def ask(the_stage: Stage, **question: Any) -> dict[str, Any]:
    """The fleet's answer at its admin door."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(the_stage.home.run / "fleet.sock"))
        door.sendall(json.dumps(question).encode() + b"\n")
        with door.makefile("rb") as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
    return answer


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=100_000)
    parser.add_argument("--restores", type=int, default=2_000)
    parser.add_argument("--reads", type=int, default=1_000)
    given = parser.parse_args()
    with stage() as made:
        made.build(Profile.rehearsal(connections=given.meters, defaulters=given.restores))
        made.fill(connections=given.meters, candidates=0, postings=0, dial_in=1.0)
        storm = Storm(made, meters=given.meters, restores=given.restores, reads=given.reads)
        storm.open_relays()
        made.start(made.headend(), made.fleet(), made.interlock())
        idle = made.process("headend").resident()
        storm.order()
        took = storm.live()
        cpu = made.process("headend").cpu_s()
        memory = made.process("headend").highest_resident() / 2**20
        classes = {
            name: {"n": len(each), "p50_s": round(percentile(each, 0.5), 2), "p99_s": round(percentile(each, 0.99), 2)}
            for name, each in storm.seconds().items()
            if each
        }
        lost = storm.lost()
        calls = ask(made, do="stats")["calls"]
        ended = {
            name: int(made.metric("headend", f'bahal_calls_ended_total{{reason="{name}"}}'))
            for name in ("served", "superseded", "unclean", "idle_line")
        } | {"too_many": int(made.metric("headend", 'bahal_dial_in_refused_total{reason="too_many"}'))}
        storm.app.close()
        for name, each in classes.items():
            say(f"{name}: {each['n']} served, p50 {each['p50_s']} s, p99 {each['p99_s']} s, lost {lost[name]}")
        say(f"calls by what became of them, the meters' count: {calls}; the head-end's: {ended}")
        say(f"head-end: {cpu:.0f} s of CPU, {idle / 2**20:.0f} MiB idle, {memory:.0f} MiB at most; all in {took:.0f} s")
        whole = not any(lost.values())
        # A restore is nine round trips and three commits to a read's three and one: what counts is who has to wait.
        ordered = whole and classes["restore"]["p50_s"] <= max(SOON_S, classes["read"]["p50_s"])
        closing(
            "storm",
            round(memory),
            "MiB",
            reference=REFERENCE,
            ratio=memory / MEMORY_GOAL_MIB,
            goal=MEMORY_GOAL_MIB,
            met=whole and ordered and memory < MEMORY_GOAL_MIB,
            meters=given.meters,
            within_s=WITHIN_S,
            all_served_s=round(took, 1),
            classes=classes,
            lost=lost,
            calls=calls,
            ended=ended,
        )


if __name__ == "__main__":
    main()
