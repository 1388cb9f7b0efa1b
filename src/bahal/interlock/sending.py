"""The moment of sending, in batches: one transaction derives each right and marks it sent; then the bytes follow.

Cuts are collected for at most 5 ms or 200 of them: the batch locks the switch and its fences, and what a payment holds
locked it waits for. Restores lock nothing that anybody waits for and go at once, by themselves if nobody else is there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import psycopg
import structlog

from bahal.headend.batches import Batcher
from bahal.headend.database import FAILURES, Database, Row
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.orders import CUT, RESTORE
from bahal.interlock.profile import Profile
from bahal.interlock.session import RelaySession
from bahal.shared.clock import Clock

BATCH: Final = 200
LINGER_S: Final = 0.005

CUTS_STATEMENT: Final = "SELECT order_id, verdict, reason FROM interlock_send_cuts(%s, %s::bigint[], %s, %s::jsonb)"
_RESTORES: Final = "SELECT order_id, verdict, reason FROM interlock_send_restores(%s, %s::bigint[], %s)"


class Sender:
    """Takes sessions that are ready and gives each its verdict."""

    def __init__(
        self, *, database: Database, worker: str, clock: Clock, profile: Profile, metrics: InterlockMetrics
    ) -> None:
        self._database = database
        self._worker = worker
        self._clock = clock
        self._caps = profile.as_json()
        self._metrics = metrics
        self._log = structlog.get_logger().bind(part="sender")
        self.cuts: Batcher[RelaySession] = Batcher(self._send_cuts, most=BATCH, linger_s=LINGER_S)
        self.restores: Batcher[RelaySession] = Batcher(self._send_restores, most=BATCH, linger_s=0.0)

    def use(self, profile: Profile) -> None:
        """Send under these caps from now on."""
        self._caps = profile.as_json()

    def put(self, session: RelaySession) -> None:
        """A session whose relay was read and must move."""
        (self.cuts if session.claim.kind == CUT else self.restores).put(session)

    async def _send_cuts(self, batch: Sequence[RelaySession]) -> None:
        sessions = _wanted(batch)
        if not sessions:
            return
        orders = [session.claim.order for session in sessions]
        with self._metrics.sending.labels(CUT).time():
            try:
                rows, committed = await self._mark_cuts(orders)
            except FAILURES as error:
                self._failed(sessions, error)
                return
        self._tell(CUT, sessions, rows, committed)

    async def _mark_cuts(self, orders: list[int]) -> tuple[list[Row], float]:
        """The verdicts, and a monotonic moment after the derivation and before its commit."""
        for last in (False, False, True):
            try:
                async with self._database.transaction() as connection:
                    cursor = await connection.execute(
                        CUTS_STATEMENT, (self._worker, orders, self._clock.now(), self._caps)
                    )
                    rows = await cursor.fetchall()
                    committed = time.monotonic()
            except psycopg.errors.DeadlockDetected:
                if last:
                    raise
            else:
                return rows, committed
        raise AssertionError("unreachable")

    async def _send_restores(self, batch: Sequence[RelaySession]) -> None:
        sessions = _wanted(batch)
        if not sessions:
            return
        orders = [session.claim.order for session in sessions]
        with self._metrics.sending.labels(RESTORE).time():
            try:
                rows = await self._database.rows(_RESTORES, (self._worker, orders, self._clock.now()))
            except FAILURES as error:
                self._failed(sessions, error)
                return
        # A restore derives no right that could age.
        self._tell(RESTORE, sessions, rows, time.monotonic())

    def _tell(self, kind: str, sessions: Sequence[RelaySession], rows: Sequence[Row], committed: float) -> None:
        told = {order: (verdict, reason) for order, verdict, reason in rows}
        for session in sessions:
            # An order that the database does not name is not ours.
            verdict, reason = told.get(session.claim.order, ("lost", "lost"))
            self._metrics.verdicts.labels(kind, verdict).inc()
            if verdict != "send":
                self._metrics.reasons.labels(reason or verdict).inc()
            session.verdict(verdict, reason, committed)

    def _failed(self, sessions: Sequence[RelaySession], error: BaseException) -> None:
        self._database.metrics.failures.labels("send").inc()
        self._log.error("send_failed", orders=len(sessions), error=type(error).__name__, why=str(error)[:200])
        for session in sessions:
            session.unanswered()


def _wanted(batch: Sequence[RelaySession]) -> list[RelaySession]:
    """Those whose link still lives; the others are told that nothing was sent."""
    wanted = []
    for session in batch:
        if session.wanted:
            wanted.append(session)
        else:
            session.withdrawn()
    return wanted
