"""Frames of meters to two stores: values a second and core of head-end work.

For each meter a call is recorded first, against a simulated meter, with the product's own session: a day of the load
profile and its two midnights. Then the clock starts: the recorded frames go through fresh sessions of the head-end
(deframing, deciphering, blocks, the next question), are decoded to columns, kept raw, written to PostgreSQL by COPY in
batches with their tasks ended, and appended to the lake, until every batch is done. Everything but the sockets and the
claims is as the head-end does it.

The value counts from the first ciphered frame of a profile on: the associations stand and the clocks are read. `whole
calls` has the opening and the release in it too. Measured is the CPU of this process, all its threads (the lake's
writer has its own). PostgreSQL's CPU is not head-end work; it is printed beside. A value is a number that is stored: 48
intervals of six quantities and the registers.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import uvloop
from prometheus_client import CollectorRegistry

from bahal.dlms import india
from bahal.dlms.association.server import ServerAssociation
from bahal.entry.instance import Profile
from bahal.fleet.circle import Circle
from bahal.fleet.faults import Behaviour
from bahal.fleet.movements import MovementLog
from bahal.fleet.roster import RosterRow, invent, read_roster, write_roster
from bahal.fleet.store import MeterColumns
from bahal.headend.asking import CollectSession, Task
from bahal.headend.config import HeadendConfig
from bahal.headend.database import Database
from bahal.headend.intake import Intake
from bahal.headend.lanes import Lane
from bahal.headend.layouts import Layouts
from bahal.headend.link import Links, Opening, Session
from bahal.headend.metrics import DatabaseMetrics, IngestMetrics, LinkMetrics
from bahal.headend.reads import ReadingKeys
from bahal.shared.clock import WallClock
from bahal.shared.wanted import Wanted
from bench.figures import closing, median_of
from bench.stage import Stage, say, stage

METERS: Final = 10_000
RUNS: Final = 3
GOAL: Final = 1_000_000.0
FIRMWARE: Final = "1.0.0"
WANTS: Final = Wanted.LOAD | Wanted.DAILY
_COUNTERS: Final = 96
_OPENING: Final = 2
"""Replies before the first profile: AARE and the clock."""


class _Spoken:
    """A transport of recorded replies, or of a meter that is recorded."""

    def __init__(self, session: Session, replies: list[bytes], meter: ServerAssociation | None) -> None:
        self._session = session
        self._replies = replies
        self._meter = meter
        self._at = 0

    def write(self, data: bytes) -> None:
        """Answer what was asked, as soon as the session waits for it."""
        if self._meter is not None:
            self._replies.append(self._meter.receive(data))

    def speak(self, upto: int | None = None) -> None:
        """Give the session one reply after the other, up to the nth."""
        while self._at < (len(self._replies) if upto is None else upto):
            reply = self._replies[self._at]
            self._at += 1
            self._session.data_received(reply)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is no socket."""
        return default

    def close(self) -> None:
        """Nothing to close."""

    abort = close


class _Recorded:
    """A way to a recording."""

    def __init__(self, replies: list[bytes], meter: ServerAssociation | None = None) -> None:
        self._replies = replies
        self._meter = meter
        self.spoken: _Spoken

    def open(self, session: Session) -> Opening:
        """Connect at once."""
        self.spoken = _Spoken(session, self._replies, self._meter)
        session.connection_made(cast(asyncio.BaseTransport, self.spoken))
        return self

    def cancel(self) -> None:
        """It is open."""


def task_of(row: RosterRow) -> Task:
    """What `headend_collect` would give for a meter of which nothing of yesterday is there."""
    return Task(
        meter=row.meter, make=row.make, system_title=row.system_title, host="", port=0, cell=row.cell, import_id="",
        sealed=b"", token=1, counter=1, link="dial_out", gateway=None, wport=1, learned=False, wants=int(WANTS),
        back_days=1, open_day=False, urgent=False, firmware=FIRMWARE, tries=0, load_days=None, load_bits=None,
        daily_days=None, billing_days=None, logs=None, log_ats=None,
    )  # fmt: skip


class Bench:
    """One head-end's intake on an instance's database."""

    def __init__(self, the_stage: Stage) -> None:
        self._stage = the_stage
        self._clock = WallClock()
        registry = CollectorRegistry()
        self._database = Database(
            the_stage.dsn("headend"), room="bench", connections=2, metrics=DatabaseMetrics(registry)
        )
        self._metrics = IngestMetrics(registry)
        self._links = Links(
            loop=asyncio.get_running_loop(), metrics=LinkMetrics(registry), reply_s=60.0, connect_s=60.0
        )
        config = HeadendConfig(dsn="", folder=Path())
        self._title = config.system_title
        self.lane = Lane(
            database=self._database, worker="bench", uri=str(the_stage.home.path / "lake"), every_s=3600.0,
            most_rows=config.lake_rows, lease_s=3600.0, metrics=self._metrics,
        )  # fmt: skip
        self._layouts = Layouts(self._database)
        self._intake = Intake(
            database=self._database, worker="bench", lane=self.lane, layouts=self._layouts, metrics=self._metrics,
            raw=the_stage.home.path / "raw", most=config.intake_most, linger_s=config.intake_linger_s,
        )  # fmt: skip

    async def run(self, rows: Sequence[RosterRow], circle: Circle, *, whole: bool) -> tuple[float, float, float]:
        """Values, seconds of CPU and seconds by the wall for all of these meters.

        With `whole` the clock runs for the calls as a whole, else from the first ciphered frame of a profile on: the
        associations stand and the meters' clocks are read.
        """
        keys = [
            ReadingKeys({"mr_ek": row.mr_ek.hex(), "mr_lls": row.mr_lls.hex(), "push_ek": row.push_ek.hex()})
            for row in rows
        ]
        answers = india.single_phase_answers()
        recorded: list[list[bytes]] = []
        # The first call of all is asked what the profiles hold, and is made again.
        self._call(
            rows[0], keys[0], _Recorded([], ServerAssociation(circle.meter(0), answers=answers)), keep=False
        ).speak()
        circle.columns.floors[32][0] = 0
        for n, row in enumerate(rows):
            replies: list[bytes] = []
            meter = ServerAssociation(circle.meter(n), answers=answers)
            self._call(row, keys[n], _Recorded(replies, meter), keep=False).speak()
            recorded.append(replies)
        standing = [] if whole else [self._call(row, keys[n], _Recorded(recorded[n])) for n, row in enumerate(rows)]
        for spoken in standing:
            spoken.speak(_OPENING)
        before = self._metrics.values.labels("stored")._value.get()
        running = asyncio.create_task(self._intake.came.run())
        cpu, wall = time.process_time(), time.perf_counter()
        for n, row in enumerate(rows):
            (self._call(row, keys[n], _Recorded(recorded[n])) if whole else standing[n]).speak()
            if n % 250 == 249:
                await asyncio.sleep(0)  # as a loop that also serves sockets would
        await self._intake.came.settled()
        await self.lane.flush()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        running.cancel()
        return self._metrics.values.labels("stored")._value.get() - before, cpu, wall

    def _call(self, row: RosterRow, keys: ReadingKeys, way: _Recorded, *, keep: bool = True) -> _Spoken:
        session = CollectSession(
            links=self._links, task=task_of(row), keys=keys, layouts=self._layouts, title=self._title, block=_COUNTERS,
            now=self._clock.now, ended=lambda session, reason: self._ended(session, reason, keep=keep),
            learned=lambda learned: None, met_another=lambda task, why: None,
        )  # fmt: skip
        session.begin_by(way, total_s=600.0)
        return way.spoken

    def _ended(self, session: CollectSession, reason: str, *, keep: bool) -> None:
        if reason:
            raise SystemExit(f"a call ended by {reason}")
        if keep:
            self._intake.came.put(session.came)

    async def open(self) -> None:
        """Connect, and take a lane."""
        await self._database.open()
        await self.lane.held()

    async def close(self) -> None:
        """Give the connections back."""
        await self._database.close()


def server_cpu_s(postmaster: int) -> float:
    """Seconds of CPU of a PostgreSQL server's processes, those that have ended too."""
    ticks = 0
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                fields = (each / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue  # it has just ended
            if int(each.name) == postmaster:
                ticks += sum(int(field) for field in fields[11:15])
            elif int(fields[1]) == postmaster:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def laid(folder: Path, clock: WallClock, meters: int, seed: int) -> tuple[list[RosterRow], Circle]:
    """Meters of one make, as the fleet has them."""
    path = folder / f"roster-{seed}.csv"
    write_roster(path, invent(count=meters, seed=seed, port=4059, makes=[("arpa", b"ARP")]))
    rows = list(read_roster(path))
    circle = Circle(
        columns=MeterColumns(iter(rows), first_counter=1_000),
        clock=clock,
        log=MovementLog(folder / f"moves-{seed}.jsonl"),
        behaviour=Behaviour(),
    )
    return rows, circle


async def bench(the_stage: Stage, meters: int, runs: int) -> None:
    """All runs."""
    made = Bench(the_stage)
    await made.open()
    postmaster = the_stage.postgres.running() or 0
    clock = WallClock()
    rates: dict[bool, list[float]] = {True: [], False: []}
    walls = []
    warm, circle = laid(the_stage.home.path, clock, 500, 99)
    await made.run(warm, circle, whole=True)
    for run in range(2 * runs):
        whole = bool(run % 2)
        rows, circle = laid(the_stage.home.path, clock, meters, run)
        served = server_cpu_s(postmaster)
        values, cpu, wall = await made.run(rows, circle, whole=whole)
        rates[whole].append(values / cpu)
        if not whole:
            walls.append(values / wall)
        say(
            f"{'whole calls' if whole else 'from frames'}: {meters} meters, {values:.0f} values in {cpu:.2f} s of CPU"
            f" ({1e6 * cpu / meters:.0f} us a meter and day), {wall:.2f} s by the wall, PostgreSQL"
            f" {server_cpu_s(postmaster) - served:.2f} s of CPU"
        )
    await made.close()
    median_of("from frames, by the wall", walls, unit="values/s", digits=0)
    calls = median_of("whole calls", rates[True], unit="values/s/core", digits=0)
    value = median_of("from frames", rates[False], unit="values/s/core", digits=0)
    closing(
        "ingest", round(value), "values/s/core", reference="the issue's own goal", ratio=value / GOAL, goal=GOAL,
        met=value >= GOAL, wall=round(sorted(walls)[len(walls) // 2]), whole_calls=round(calls),
    )  # fmt: skip


def main() -> None:
    """`make bench NAME=ingest [ARGS="METERS RUNS"]`."""
    meters, runs = (int(given) for given in (*sys.argv[1:], *(str(METERS), str(RUNS))[len(sys.argv) - 1 :]))
    with stage() as the_stage:
        the_stage.build(Profile())
        uvloop.run(bench(the_stage, meters, runs))


if __name__ == "__main__":
    main()
