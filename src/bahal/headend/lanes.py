"""The way of batches into the lake, exactly once: PostgreSQL first, the lake after it, then done.

A batch is rows in PostgreSQL under an id. The lake's commit carries the highest id that it holds as an application
transaction of its lane, in one step with its rows; afterwards the batches are done. Whoever takes a lane, after a crash
or a halt, asks the lake for its mark: open batches up to it are done, those above it are written from PostgreSQL. So
nothing is lost at any point and nothing is written twice. A lane is leased and its batches commit in the order of their
ids, so that the mark stands for all before it; a writer whose lane has passed on cannot open a batch in it, and a
commit of his that comes late is refused by the lake, which knows a higher mark of the same lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import structlog
from deltalake.exceptions import DeltaError

from bahal.headend.database import FAILURES, Database
from bahal.headend.metrics import IngestMetrics
from bahal.lake.layout import INTERVAL, Lake, LakeThere, LakeUnknown, make_lake, open_lake
from bahal.shared.crash import crash_point

KEEP_ROWS: Final = 200_000
"""Rows kept in memory while the lake is away; beyond that they are read from PostgreSQL again."""
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0

_TAKE: Final = "SELECT lane, token FROM ingest_take(%s, %s)"
_ADOPT: Final = "SELECT lane, token FROM ingest_adopt(%s, %s)"
_KEEP: Final = "SELECT ingest_keep(%s, %s, %s)"
_WAITING: Final = "SELECT * FROM ingest_waiting(%s)"
_DONE: Final = "SELECT ingest_done(%s, %s)"
_ROWS: Final = (
    "SELECT day, meter, batch, slots, wh, out_wh, vah, out_vah, dv, ma, day_out_wh, highest_dv, highest_ma, open_wh,"
    " close_wh, drift_s, noted FROM readings_load WHERE batch = ANY (%s) AND wh IS NOT NULL"
)
_ROW_NAMES: Final = (
    "day", "meter", "batch", "slots", "wh", "out_wh", "vah", "out_vah", "dv", "ma", "day_out_wh", "highest_dv",
    "highest_ma", "open_wh", "close_wh", "drift_s", "noted",
)  # fmt: skip


class Held(NamedTuple):
    """The lane that is this process's now."""

    lane: int
    token: int

    @property
    def writer(self) -> str:
        """Its name in the lake's commits."""
        return f"ingest-{self.lane}"


class Lane:
    """One process's lane and the batches that wait in it."""

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        uri: str,
        every_s: float,
        most_rows: int,
        lease_s: float,
        metrics: IngestMetrics,
    ) -> None:
        """:param every_s: how long a batch waits for company on its way to the lake; `most_rows` go at once.
        :param lease_s: how long a lane is kept without a sign of life.
        """
        self._lease_s = lease_s
        self._database = database
        self._worker = worker
        self._uri = uri
        self._every_s = every_s
        self._most_rows = most_rows
        self._metrics = metrics
        self._log = structlog.get_logger().bind(part="lane")
        self._held: Held | None = None
        self._taking = asyncio.Lock()
        self._flushing = asyncio.Lock()
        self._waiting: dict[int, pa.Table | None] = {}
        self._rows = 0
        self._enough = asyncio.Event()
        self._lake: Lake | None = None

    @property
    def waiting(self) -> int:
        """Batches that are not in the lake yet."""
        return len(self._waiting)

    async def held(self) -> Held:
        """The lane, taken if none is held.

        :raises psycopg.Error: the database failed.
        """
        async with self._taking:
            if self._held is None:
                ((lane, token),) = await self._database.rows(_TAKE, (self._worker, self._lease_s))
                # What its holder before left open is read from PostgreSQL.
                rows = await self._database.rows(_WAITING, (lane,))
                self._waiting = {batch: None for (batch,) in rows}
                self._held = Held(lane, token)
                self._log.info("lane_taken", lane=lane, open_batches=len(rows))
            return self._held

    def lost(self, held: Held) -> None:
        """The lane has passed on; whoever has it now finishes its batches."""
        if self._held == held:
            self._log.warning("lane_lost", lane=held.lane)
            self._held = None
            self._waiting = {}
            self._rows = 0

    def add(self, batch: int, rows: pa.Table) -> None:
        """A batch of the held lane was committed to PostgreSQL. Its rows lack their column `batch` and bucket."""
        keep = self._rows + rows.num_rows <= KEEP_ROWS
        self._waiting[batch] = rows if keep else None
        self._rows += rows.num_rows if keep else 0
        if self._rows >= self._most_rows:
            self._enough.set()

    async def run(self) -> None:
        """Keep the lane and write what waits, until cancelled."""
        pause = _PAUSE_S
        while True:
            try:
                async with asyncio.timeout(min(self._every_s, self._lease_s / 4)):
                    await self._enough.wait()
            except TimeoutError:
                pass
            self._enough.clear()
            try:
                held = await self.held()
                ((kept,),) = await self._database.rows(_KEEP, (held.lane, held.token, self._lease_s))
                if not kept:
                    self.lost(held)
                    continue
                await self.flush()
                await self.adopt()
                pause = _PAUSE_S
            except (*FAILURES, DeltaError, LakeUnknown) as error:
                # The rows are safe in PostgreSQL: the lake is late, and nothing else.
                self._metrics.late.inc()
                self._log.warning("lake_waits", error=type(error).__name__, why=str(error)[:200], batches=self.waiting)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE_S, pause * 2)

    async def flush(self) -> int:
        """Write all that waits in the lane; how many rows.

        :raises psycopg.Error: the database failed.
        :raises DeltaError: the lake cannot be written; what was begun is finished or found done next time.
        """
        async with self._flushing:
            return await self._write(await self.held(), self._waiting)

    async def adopt(self) -> int:
        """Finish the batches of lanes whose holders are gone; how many rows.

        :raises psycopg.Error: the database failed.
        :raises DeltaError: the lake cannot be written.
        """
        count = 0
        for lane, token in await self._database.rows(_ADOPT, (self._worker, self._lease_s)):
            rows = await self._database.rows(_WAITING, (lane,))
            self._log.warning("lane_adopted", lane=lane, open_batches=len(rows))
            count += await self._write(Held(lane, token), {batch: None for (batch,) in rows})
            await self._database.rows(_KEEP, (lane, token, 0.0))
        return count

    async def _write(self, held: Held, waiting: dict[int, pa.Table | None]) -> int:
        """Write open batches in one commit under the highest id, those that are there already left out."""
        if not waiting:
            return 0
        lake = await asyncio.to_thread(self._open)
        mark = await asyncio.to_thread(lake.written, "interval", writer=held.writer)
        upto = max(waiting)
        if mark >= min(waiting):
            await self._done(held, waiting, min(mark, upto))
        absent = [batch for batch, rows in waiting.items() if rows is None and batch <= upto]
        parts = [_with_batch(rows, batch) for batch, rows in waiting.items() if rows is not None and batch <= upto]
        if absent:
            parts += await self._from_postgres(absent)
        count = 0
        if parts:
            rows = await asyncio.to_thread(_bucketed, pa.concat_tables(parts), lake)
            count = rows.num_rows
            await asyncio.to_thread(lake.append, "interval", rows, writer=held.writer, batch=upto)
            crash_point("ingest.lake_committed")
            self._metrics.rows.inc(count)
        if waiting:
            await self._done(held, waiting, upto)
        return count

    async def close(self) -> None:
        """Write what waits and give the lane back for the next process; failures leave both to him."""
        try:
            if self._held is not None:
                await self.flush()
                await self._database.rows(_KEEP, (self._held.lane, self._held.token, 0.0))
        except (*FAILURES, DeltaError, LakeUnknown) as error:
            self._log.warning("lane_left_open", error=type(error).__name__, batches=self.waiting)

    async def _done(self, held: Held, waiting: dict[int, pa.Table | None], upto: int) -> None:
        await self._database.rows(_DONE, (held.lane, upto))
        for batch in [each for each in waiting if each <= upto]:
            rows = waiting.pop(batch)
            self._rows -= 0 if rows is None else rows.num_rows
            self._metrics.batches.inc()

    async def _from_postgres(self, batches: Sequence[int]) -> list[pa.Table]:
        rows = await self._database.rows(_ROWS, (list(batches),))
        return [table_of(rows)] if rows else []

    def _open(self) -> Lake:
        if self._lake is None:
            try:
                self._lake = open_lake(self._uri)
            except LakeUnknown:
                # The first batch of an instance makes its lake; another process may have been quicker.
                try:
                    self._lake = make_lake(self._uri)
                except LakeThere:
                    self._lake = open_lake(self._uri)
        return self._lake


def table_of(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows of `readings_load` as the lake's, without bucket."""
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(column, INTERVAL.field(name).type) for name, column in zip(_ROW_NAMES, columns, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(_ROW_NAMES))


def _with_batch(rows: pa.Table, batch: int) -> pa.Table:
    place = _ROW_NAMES.index("batch")
    return rows.add_column(place, "batch", pa.array(np.full(rows.num_rows, batch, np.int64)))


def _bucketed(rows: pa.Table, lake: Lake) -> pa.Table:
    """All columns of the lake, in its order."""
    buckets = lake.bucket_of(rows["meter"].to_pylist())
    return rows.append_column("bucket", pa.array(buckets)).select(INTERVAL.names)
