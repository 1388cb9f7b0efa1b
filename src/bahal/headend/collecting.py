"""Collecting: meters that want something are claimed, called within the room there is, and what they give is taken in.

A call shares the room of its cell or gateway with reads on demand, and stands behind whatever is more urgent. The first
meter of a make's firmware whose profiles nobody knows goes alone and is asked what they hold; the others of its make
wait for that, in their lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from bahal.headend.asking import ORDER, Collected, CollectSession, Task
from bahal.headend.batches import Batcher
from bahal.headend.config import HeadendConfig
from bahal.headend.database import FAILURES, Database
from bahal.headend.intake import Intake
from bahal.headend.keys import KeyRing
from bahal.headend.layouts import Layouts, Learned
from bahal.headend.lines import Board
from bahal.headend.link import Links
from bahal.headend.pacing import Pacing, PacingFull, Service
from bahal.headend.reads import BESIDE, KeyShared, ReadingKeys, way_to
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

CLAIM_AT_MOST: Final = 400
INTAKE_FULL: Final = 5_000
"""With so much waiting to be written nobody is called."""
_COLLECT: Final = """
    SELECT meter, make, system_title, host, port, cell, import::text, sealed, token, counter, link, gateway, wport,
           learned, wants, back_days, open_day, urgent, firmware, tries, load_days, load_bits, daily_days, billing_days,
           logs, log_ats, drift_s, drift_at
    FROM headend_collect(%s, %s, %s, %s, %s)
"""
_BUSY_PAUSE_S: Final = 0.2
_PATIENCE: Final = 0.5
"""Of the drain's limit: how long calls under way may go on."""


class Collects:
    """All collecting of one head-end process."""

    def __init__(
        self,
        *,
        config: HeadendConfig,
        worker: str,
        database: Database,
        clock: Clock,
        links: Links,
        keys: KeyRing[ReadingKeys],
        board: Board,
        pacing: Pacing,
        layouts: Layouts,
        intake: Intake,
        met_another: Callable[[Task, str], None],
        room_free: Callable[[], None],
        pressed: Callable[[], bool],
    ) -> None:
        """`room_free` is called when a session has ended; `pressed` tells whether something more urgent waits."""
        self._config = config
        self._worker = worker
        self._database = database
        self._clock = clock
        self._links = links
        self._keys = keys
        self._board = board
        self._pacing = pacing
        self._layouts = layouts
        self._intake = intake
        self._met_another = met_another
        self._room_free = room_free
        self._pressed = pressed
        self._log = structlog.get_logger().bind(part="collects")
        self._wake = asyncio.Event()
        self._closing = False
        self._open = 0
        self._sessions: set[CollectSession] = set()
        self._pioneers: dict[str, list[tuple[Task, float]]] = {}
        self.learned: Batcher[Learned] = Batcher(self._keep, most=50, linger_s=0.0)

    def ring(self, _payload: str = "") -> None:
        """Somebody asked, a meter called, or room became free."""
        self._wake.set()

    async def run(self) -> None:
        """Claim until cancelled: when a bell rings, and every `poll_s`."""
        while True:
            self._wake.clear()
            try:
                while not self._closing:
                    room = self._room()
                    if room <= 0 or await self._claim(room) < room:
                        break
            except FAILURES as error:
                self._database.metrics.failures.labels("collect").inc()
                self._log.warning("collect_failed", error=type(error).__name__, why=str(error)[:200])
                await asyncio.sleep(self._config.poll_s)
            # Ends come by hundreds a second; a claim for each would cost more than the calls.
            await asyncio.sleep(_BUSY_PAUSE_S)
            try:
                async with asyncio.timeout(self._config.poll_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def drain(self) -> None:
        """Claim nothing more; return when every call has ended, or was ended, and what it gave is written."""
        self._closing = True
        for make in list(self._pioneers):
            self._release(make)
        patience = self._links.loop.time() + self._config.drain_s * _PATIENCE
        while self._open:
            await asyncio.sleep(0.02)
            if self._links.loop.time() > patience:
                # What they have given so far counts; the rest is asked for by whoever comes after.
                for session in list(self._sessions):
                    session.break_off("later")
        await self._intake.came.settled()

    def _room(self) -> int:
        if self._intake.waiting > INTAKE_FULL:
            return 0
        # As many may wait as may run: a crowded cell's meters must not keep an empty one's from being claimed.
        waiting = self._pacing.waiting + sum(map(len, self._pioneers.values()))
        room = min(CLAIM_AT_MOST, self._config.concurrency - waiting)
        if self._pressed():
            room = min(room, BESIDE - self._pacing.running - self._pacing.waiting)
        return room

    async def _claim(self, limit: int) -> int:
        config = self._config
        latest = self._links.loop.time() + config.collect_lease_s - config.collect_s
        rows = await self._database.rows(
            _COLLECT, (self._worker, limit, config.collect_lease_s, config.collect_counters, self._clock.now())
        )
        if not rows:
            return 0
        crash_point("headend.collect_claimed")
        self._database.metrics.claimed.labels("collect").inc(len(rows))
        tasks = [Task._make(row) for row in rows]
        await self._keys.learn(task.import_id for task in tasks)
        await self._layouts.fetch((task.make, task.firmware) for task in tasks if task.firmware)
        for task in tasks:
            self._offer(task, latest)
        return len(tasks)

    def _offer(self, task: Task, latest: float) -> None:
        """Queue a call, unless somebody of its make is being asked now what its profiles hold."""
        if self._unknown(task):
            if task.make in self._pioneers:
                self._pioneers[task.make].append((task, latest))
                return
            self._pioneers[task.make] = []
        most = None if task.gateway is None else self._config.per_gateway
        self._open += 1
        try:
            service = Service.ASKED if task.urgent else Service.PROFILE
            self._pacing.offer(service, task.place, partial(self._start, task, latest), most=most)
        except PacingFull:
            self._not_called(task, "later")

    def _unknown(self, task: Task) -> bool:
        """Whether a profile that this task needs has to be learnt first."""
        if not task.firmware:
            # Who is called for the first time: its firmware is most likely that of its make.
            return not self._layouts.met(task.make)
        return any(kind & task.wants and self._layouts.get(task.make, task.firmware, kind) is None for kind in ORDER)

    def _start(self, task: Task, latest: float) -> bool:
        config = self._config
        if self._closing or self._links.loop.time() > latest:
            return self._not_called(task, "later")
        way = way_to(task, self._board)
        if way is None:
            self._board.wanted.add(task.meter)
            return self._not_called(task, "no_line")
        try:
            session = CollectSession(
                links=self._links,
                task=task,
                keys=self._keys.open(task.import_id, task.meter, task.sealed),
                layouts=self._layouts,
                title=config.system_title,
                block=config.collect_counters,
                now=self._clock.now,
                ended=self._ended,
                learned=self.learned.put,
                met_another=self._met_another,
            )
        except SealBroken:
            return self._not_called(task, "seal_broken")
        except KeyShared:
            return self._not_called(task, "key_shared")
        self._sessions.add(session)
        session.begin_by(way, total_s=config.collect_s)
        return True

    def _not_called(self, task: Task, reason: str) -> bool:
        self._came(Collected(task.meter, task.make, self._clock.now(), task, reason=reason), 0.0)
        return False

    def _ended(self, session: CollectSession, reason: str) -> None:
        crash_point("headend.collected")
        self._sessions.discard(session)
        self._came(session.came, self._links.loop.time() - session.started)
        self._pacing.ended(session.task.place)
        self._room_free()
        self._wake.set()

    def _came(self, collected: Collected, seconds: float) -> None:
        metrics = self._links.metrics
        metrics.sessions.labels(collected.reason or "collected").inc()
        metrics.seconds.observe(seconds)
        self._open -= 1
        self._intake.came.put(collected)
        self._release(collected.make)

    def _release(self, make: str) -> None:
        """The first of a make is back, however it went: the next one is the first again if nothing was learnt."""
        for task, latest in self._pioneers.pop(make, ()):
            self._offer(task, latest)

    async def _keep(self, batch: Sequence[Learned]) -> None:
        for each in batch:
            try:
                await self._layouts.keep(each)
                self._log.info("layout_learned", make=each.layout.make, firmware=each.layout.firmware,
                               profile=each.layout.profile, meter=each.meter)  # fmt: skip
            except FAILURES as error:
                # The next process to meet this firmware asks again.
                self._database.metrics.failures.labels("layout").inc()
                self._log.warning("layout_not_kept", error=type(error).__name__)
