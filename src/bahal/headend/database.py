"""The room's way to its rows: a small pool for work, one more connection that only listens.

A connection that both listens and works stalled in trial, therefore two kinds. Everybody who listens also polls: a
bell rung to nobody is lost, and a connection that was away has missed what rang meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import psycopg
import structlog
from psycopg import sql
from psycopg.abc import Params, QueryNoTemplate
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bahal.headend.metrics import DatabaseMetrics

Row = tuple[Any, ...]
Connection = psycopg.AsyncConnection[Row]

FAILURES = (psycopg.Error, PoolTimeout, OSError)
"""What a call may fail with when the database is away; the caller tries again later."""

_AGAIN = 3
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


class Database:
    """Connections of one role. Open it inside the loop that uses it.

    :param idle_s: the server undoes a transaction in which nothing was asked for so long: a process that was stopped
        in the middle of one gives its locks up. 0: never.
    """

    def __init__(self, dsn: str, *, room: str, connections: int, metrics: DatabaseMetrics, idle_s: float = 0.0) -> None:
        self.dsn = dsn
        self.metrics = metrics
        self._room = room
        self._idle_ms = int(idle_s * 1000)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=connections,
            max_size=connections,
            open=False,
            timeout=10.0,
            reconnect_timeout=30.0,
            kwargs={"autocommit": True, "application_name": f"bahal {room}", "prepare_threshold": 1},
            configure=self._limit if idle_s else None,
        )

    async def _limit(self, connection: Connection) -> None:
        await connection.execute(f"SET idle_in_transaction_session_timeout = {self._idle_ms}")

    async def open(self) -> None:
        """Connect.

        :raises psycopg_pool.PoolTimeout: the database does not answer.
        """
        await self._pool.open(wait=True, timeout=20.0)

    async def close(self) -> None:
        """Give all connections back."""
        await self._pool.close(timeout=2.0)

    async def rows(self, query: QueryNoTemplate, params: Params = ()) -> list[Row]:
        """Run one statement as a transaction of its own and return its rows.

        A deadlock or a serialisation failure undid all of it: it is run again, three times at most.

        :raises psycopg.Error: the statement or the connection failed.
        """
        for attempt in range(_AGAIN):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query, params)
                    return await cursor.fetchall() if cursor.description else []
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                if attempt == _AGAIN - 1:
                    raise
        raise AssertionError("unreachable")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits at the end, or is undone by an exception."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection


async def listen(database: Database, bells: Mapping[str, Callable[[str], None]]) -> None:
    """Ring the callbacks (with the payload) when their channel is notified, until cancelled.

    Every callback is also rung after each connecting: nobody knows what was missed before.
    """
    log = structlog.get_logger().bind(part="listener")
    pause = _PAUSE_S
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(database.dsn, autocommit=True)
            async with connection:
                for channel in bells:
                    await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                pause = _PAUSE_S
                for ring in bells.values():
                    ring("")
                async for bell in connection.notifies():
                    bells[bell.channel](bell.payload)
        except FAILURES as error:
            database.metrics.failures.labels("listen").inc()
            log.warning("listener_lost", error=type(error).__name__, again_in_s=pause)
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_S, pause * 2)


class Ringer:
    """Rings one bell for many commits: at once after a silence, then at most every `pause_s`.

    A NOTIFY serialises commits, so it is never part of the transactions it tells of.
    """

    def __init__(self, database: Database, channel: str, *, pause_s: float = 0.05) -> None:
        self._database = database
        self._query = sql.SQL("NOTIFY {}").format(sql.Identifier(channel))
        self._pause_s = pause_s
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Something was committed."""
        self._rung.set()

    async def run(self) -> None:
        """Ring until cancelled. A bell that cannot be rung is dropped: everybody polls."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                await self._database.rows(self._query)
            except FAILURES:
                self._database.metrics.failures.labels("notify").inc()
            await asyncio.sleep(self._pause_s)
