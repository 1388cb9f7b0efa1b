"""Results go back to the database in batches, at most 5 ms old, and ring one bell for many.

A result that cannot be written is kept and tried again until the database is back. It counts only under the lease it
was taken under; whoever holds the meter by then reads the relay for himself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
import structlog

from bahal.headend.batches import Batcher
from bahal.headend.database import Database, Ringer
from bahal.interlock.orders import Outcome
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point

BATCH: Final = 500
LINGER_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 2.0

RESULTS_STATEMENT: Final = (
    "SELECT interlock_results(%s, %s, %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::boolean[],"
    " %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::double precision[], %s::bytea[],"
    " %s::timestamptz[])"
)


class Results:
    """Writes outcomes back.

    :param written: called with the outcomes of each batch after its commit.
    """

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        clock: Clock,
        ringer: Ringer,
        written: Callable[[Sequence[Outcome]], None],
    ) -> None:
        self._database = database
        self._worker = worker
        self._clock = clock
        self._ringer = ringer
        self._written = written
        self._log = structlog.get_logger().bind(part="results")
        self.batches: Batcher[Outcome] = Batcher(self._write, most=BATCH, linger_s=LINGER_S)

    def put(self, outcome: Outcome) -> None:
        """An attempt ended."""
        self.batches.put(outcome)

    async def _write(self, batch: list[Outcome]) -> None:
        pause = 0.1
        while True:
            try:
                counted = await self._store(batch)
                break
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
                self._database.metrics.failures.labels("results").inc()
                self._log.warning("results_wait", results=len(batch), error=type(error).__name__, again_in_s=pause)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)
            except psycopg.Error as refusal:
                if len(batch) > 1:
                    # One of them is refused by a rule of the table: the others must not suffer for it.
                    for outcome in batch:
                        await self._write([outcome])
                else:
                    self._refused(batch[0], refusal)
                return
        crash_point("interlock.result_written")
        metrics = self._database.metrics
        for outcome in batch:
            if outcome.claim.order in counted:
                metrics.written.labels(outcome.state or "freed").inc()
            else:
                metrics.superseded.inc()
        self._ringer.ring()
        self._written(batch)

    async def _store(self, batch: list[Outcome]) -> set[int]:
        columns: list[list[Any]] = [list(column) for column in zip(*(each.columns for each in batch), strict=True)]
        rows = await self._database.rows(RESULTS_STATEMENT, (self._worker, self._clock.now(), *columns))
        return {order for (order,) in rows}

    def _refused(self, outcome: Outcome, refusal: psycopg.Error) -> None:
        self._database.metrics.failures.labels("result_refused").inc()
        self._log.error(
            "result_refused",
            order=outcome.claim.order,
            state=outcome.state,
            reason=outcome.reason,
            sqlstate=refusal.sqlstate,
            why=str(refusal)[:200],
        )
