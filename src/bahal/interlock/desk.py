"""The desk: claims what may be done, restores first, starts a session for each and writes its outcome back.

It claims when a bell rings, when results were written, when room became free, and every `poll_s` in any case; never
more than it can start soon. What could not be started while its lease leaves time for a whole session is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog

from bahal.headend.batches import Batcher
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.keys import KeyRing
from bahal.headend.link import DialOut, Links, Way
from bahal.headend.pacing import Pacing, Service
from bahal.interlock.borrowing import Borrow
from bahal.interlock.canary import DeadMan
from bahal.interlock.config import InterlockConfig
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.orders import BACK, CUT, FIELD_TASK, RESTORE, Claim, Outcome
from bahal.interlock.profile import Profile
from bahal.interlock.results import Results
from bahal.interlock.sending import Sender
from bahal.interlock.session import RelayKeys, RelaySession
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

CLAIM_AT_MOST: Final = 400
CUTS_PER_S: Final = 4000.0
"""Cuts are not started faster than this: what starts together replies together, and keeps the loop from the rest."""
_BUSY_S: Final = 0.1
"""A loop that runs so late has enough to do: more sessions would only make everybody's replies older."""
_BREATH_S: Final = 0.01
"""Between two rounds that no bell asked for: results come hundreds of times a second."""

CLAIM_STATEMENT: Final = """
    SELECT order_id, kind, state, drive, "position", sends, tries, meter, connection, make, system_title, host, port,
           cell, import::text, sealed, token, counter, meter_counter, link, gateway, wport, learned
    FROM interlock_claim(%s, %s, %s, %s, %s, %s)
"""
FORGET_STATEMENT: Final = "SELECT address_forget(%s::text[], %s::text[], %s::text[])"
_SERVICE: Final = {RESTORE: Service.RESTORE, CUT: Service.CUT}


class InterlockDesk:
    """All orders of one interlock process, from claim to result."""

    def __init__(
        self,
        *,
        config: InterlockConfig,
        worker: str,
        database: Database,
        clock: Clock,
        profile: Profile,
        links: Links,
        keys: KeyRing[RelayKeys],
        metrics: InterlockMetrics,
        ringer: Ringer,
    ) -> None:
        self._config = config
        self._worker = worker
        self._database = database
        self._clock = clock
        self._links = links
        self._keys = keys
        self._metrics = metrics
        self._log = structlog.get_logger().bind(part="desk")
        self.pacing = Pacing(
            total=config.concurrency, per_cell=config.per_cell, waiting=config.concurrency + CLAIM_AT_MOST
        )
        self.sender = Sender(database=database, worker=worker, clock=clock, profile=profile, metrics=metrics)
        self.results = Results(
            database=database, worker=worker, clock=clock, ringer=ringer, written=self._results_written
        )
        self.strangers: Batcher[tuple[str, str, str]] = Batcher(self._forget, most=CLAIM_AT_MOST, linger_s=0.0)
        self._deadman = DeadMan()
        self._stop_asked = self._stop_thrown = False
        self.results_seen: Callable[[], object] = lambda: None
        """Called after results of cuts were written: a canary may have come to its end."""
        self.watched: Callable[[], bool] = lambda: True
        """Whether the dead-man has looked: no cut is claimed before."""
        self._wake = asyncio.Event()
        self._rung = False
        self._restores_due = True
        self._cuts_due = True
        self._closing = False
        self._next_cuts_at = 0.0
        # Freed room is worth a claim when it holds so many.
        self._worth = max(1, min(CLAIM_AT_MOST, config.concurrency // 8))

    # --- bells -------------------------------------------------------------------------------------------------------

    def ring(self, _payload: str = "") -> None:
        """The business made an order or moved a drive."""
        self._rung = True
        self._restores_due = self._cuts_due = True
        self._wake.set()

    def cuts_opened(self) -> None:
        """A drive was registered, or its canary passed."""
        self._cuts_due = True
        self._wake.set()

    def _results_written(self, outcomes: Sequence[Outcome]) -> None:
        # A restore may have queued behind a cut that now has an end.
        if any(outcome.claim.kind == CUT for outcome in outcomes):
            self._restores_due = True
            self._wake.set()
            self.results_seen()

    # --- claiming ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim until cancelled."""
        while True:
            try:
                await self._round()
            except FAILURES as error:
                self._database.metrics.failures.labels("claim").inc()
                self._log.warning("claim_failed", error=type(error).__name__, why=str(error)[:200])
                await asyncio.sleep(self._config.poll_s)
                self._restores_due = self._cuts_due = True
                continue
            if not self._rung:
                await asyncio.sleep(_BREATH_S)
            if not (self._wake.is_set() or self._rung):
                try:
                    async with asyncio.timeout(self._config.poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    self._restores_due = self._cuts_due = True
            self._wake.clear()
            self._rung = False

    async def drain(self) -> None:
        """Claim nothing more; return when every session has ended and every result is written."""
        self._closing = True
        while self.pacing.running or self.pacing.waiting:
            await asyncio.sleep(0.02)
        await self.results.batches.settled()

    async def _round(self) -> None:
        if self._closing:
            return
        if self._restores_due:
            self._restores_due = False
            while (room := min(CLAIM_AT_MOST, self.pacing.room(Service.RESTORE))) > 0:
                if await self._claim(RESTORE, room) < room:
                    break
        if self._cuts_due and not self._stop_asked and self.watched():
            await self._claim_cuts()

    async def _claim_cuts(self) -> None:
        loop = self._links.loop
        now = loop.time()
        room = min(CLAIM_AT_MOST, self.pacing.room(Service.CUT))
        if now < self._next_cuts_at:
            loop.call_at(self._next_cuts_at, self._wake.set)
        elif self._links.deadlines.lag > _BUSY_S:
            loop.call_at(now + _BUSY_S, self._wake.set)
        elif room >= self._worth:
            taken = await self._claim(CUT, room)
            self._next_cuts_at = now + taken / CUTS_PER_S
            # A full claim means that there is more, and so does room that comes free while something is due.
            self._cuts_due = taken == room
            if self._cuts_due:
                self._wake.set()

    async def _claim(self, kind: str, limit: int) -> int:
        config = self._config
        asked_at = self._links.loop.time()
        rows = await self._database.rows(
            CLAIM_STATEMENT, (self._worker, kind, limit, config.lease_s, config.counter_block, self._clock.now())
        )
        if not rows:
            return 0
        crash_point("interlock.claimed")
        self._database.metrics.claimed.labels(kind).inc(len(rows))
        claims = [Claim._make(row) for row in rows]
        try:
            await self._keys.learn(claim.import_id for claim in claims)
        except FAILURES:
            # The leases run out by themselves.
            self._database.metrics.failures.labels("imports").inc()
            raise
        latest = asked_at + config.lease_s - config.session_s
        for claim in claims:
            self._take(claim, latest)
        return len(claims)

    def _take(self, claim: Claim, latest: float) -> None:
        if claim.link == "dial_out" and not self._config.may_dial(claim.host):
            self._end_unstarted(claim, FIELD_TASK, "address_refused")
            return
        try:
            keys = self._keys.open(claim.import_id, claim.meter, claim.sealed)
        except SealBroken:
            self._end_unstarted(claim, FIELD_TASK, "seal_broken")
            return
        most = None if claim.gateway is None else self._config.per_gateway
        self.pacing.offer(_SERVICE[claim.kind], claim.place, partial(self._start, claim, keys, latest), most=most)

    def _start(self, claim: Claim, keys: RelayKeys, latest: float) -> bool:
        if self._closing or self._links.loop.time() > latest:
            self._end_unstarted(claim, BACK, "no_room", retry_s=0.5)
            return False
        config = self._config
        session = RelaySession(
            links=self._links,
            desk=self,
            claim=claim,
            keys=keys,
            title=config.system_title,
            block=config.counter_block,
        )
        session.begin_by(self._way(claim), total_s=config.session_s)
        return True

    def _way(self, claim: Claim) -> Way:
        """Dial the meter, or borrow the line that a head-end has to it."""
        config = self._config
        if claim.link == "dial_out":
            return DialOut(claim.host, claim.port)
        return Borrow(claim, doors=config.links, may_dial=config.may_dial)

    def _end_unstarted(self, claim: Claim, state: str, reason: str, retry_s: float = 0.0) -> None:
        self._links.metrics.sessions.labels(reason).inc()
        self.results.put(Outcome(claim, state, reason, retry_s=retry_s))

    # --- what sessions report ----------------------------------------------------------------------------------------

    def ready_to_send(self, session: RelaySession) -> None:
        """To the moment of sending."""
        self.sender.put(session)

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Write it back."""
        metrics = self._links.metrics
        metrics.sessions.labels(outcome.state or "freed").inc()
        metrics.seconds.observe(seconds)
        if outcome.reason == "late_to_write":
            self._metrics.late.inc()
        self.results.put(outcome)

    def met_another(self, claim: Claim, why: str) -> None:
        """Whoever answers where the meter once called from is not that meter."""
        self._log.warning("address_forgotten", meter=claim.meter, host=claim.host, why=why)
        self.strangers.put((claim.meter, claim.host, why))

    async def _forget(self, batch: Sequence[tuple[str, str, str]]) -> None:
        try:
            await self._database.rows(FORGET_STATEMENT, tuple(list(column) for column in zip(*batch, strict=True)))
        except FAILURES as error:
            # The next session there ends the same way and says so again.
            self._database.metrics.failures.labels("forget").inc()
            self._log.warning("addresses_not_forgotten", error=type(error).__name__, addresses=len(batch))

    def moved(self, *, as_ordered: bool) -> None:
        """Count for the dead-man."""
        if self._deadman.count(as_ordered=as_ordered) and not self._stop_asked:
            self._stop_asked = True
            self._log.error("dead_man", reason="wrong_read_backs")

    def link_closed(self, claim: Claim) -> None:
        """Room for the next."""
        self.pacing.ended(claim.place)
        if self._cuts_due and not self._wake.is_set() and self.pacing.room(Service.CUT) >= self._worth:
            self._wake.set()

    async def mind_switch(self) -> None:
        """Throw the switch that the dead-man asked for, once; when two people have armed it again, count anew.

        :raises psycopg.Error: the database failed; nothing is claimed meanwhile, and the next call tries again.
        """
        if self._stop_asked and not self._stop_thrown:
            await self._database.rows("SELECT interlock_halt(%s, %s)", (self._worker, "wrong_read_backs"))
            self._stop_thrown = True
        ((stopped,),) = await self._database.rows("SELECT count(*) FROM interlock_switch WHERE stopped_at IS NOT NULL")
        self._metrics.stopped.set(stopped)
        if self._stop_thrown and not stopped:
            self._log.warning("dead_man_armed_again")
            self._deadman = DeadMan()
            self._stop_asked = self._stop_thrown = False
            self.cuts_opened()
