"""Where everything that meters gave comes in: sorted, written to PostgreSQL in one transaction a batch, on to the lake.

With the rows of a batch commit its id, the counters of its pushes, and the end of each task that it answers; until then
a task is leased and would be done again. Whoever loses the answer to a commit asks under the batch's key whether it
took place. A batch that PostgreSQL will not take is halved until the one meter is found that spoils it; that one is
explained, and all others are in.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import psycopg
import pyarrow as pa
import structlog

from bahal.headend import binary
from bahal.headend.asking import NOTHING, Collected
from bahal.headend.batches import Batcher
from bahal.headend.binary import GAP, Array, Field
from bahal.headend.database import FAILURES, Connection, Database
from bahal.headend.gaps import DAY_S, IST_S
from bahal.headend.grids import LOAD_COLUMNS, LoadDays, Rows
from bahal.headend.lanes import Held, Lane
from bahal.headend.layouts import Layouts
from bahal.headend.metrics import IngestMetrics
from bahal.headend.raw import write_raw
from bahal.headend.sorting import Poison, Sorted, as_json, sort
from bahal.lake.layout import lists
from bahal.lake.vee.rules import Rule
from bahal.shared.crash import crash_point
from bahal.shared.wanted import names_of

_EPOCH_ORDINAL: Final = 719_163
_UNWANTED: Final = (psycopg.DataError, psycopg.IntegrityError)
_POISON_BODY_MOST: Final = 65_536
_MOVED_S: Final = 30
"""A clock that stands otherwise by so much than at the last call was moved: slow links explain less."""

_LOAD: Final = (
    Field("day", "date"), Field("meter", "text"), Field("batch", "int8"), Field("at", "moment"), Field("slots", "int2"),
    Field("have", "bits"), Field("asked", "bits"), *(Field(name, "list") for name in LOAD_COLUMNS),
    Field("day_out_wh", "int8"), Field("highest_dv", "int4"), Field("highest_ma", "int4"), Field("open_wh", "int8"),
    Field("close_wh", "int8"), Field("drift_s", "int4"), Field("noted", "int4"),
)  # fmt: skip
_REGISTER: Final = (
    Field("read_on", "date"), Field("meter", "text"), Field("kind", "char"), Field("batch", "int8"),
    Field("at", "moment"), Field("read_at", "moment"), Field("wh", "int8"), Field("vah", "int8"),
    Field("out_wh", "int8"), Field("out_vah", "int8"),
)  # fmt: skip
_PARTITIONS: Final = "SELECT readings_partitions(%s::date[], %s::date[])"
_OPEN: Final = "SELECT id, again FROM ingest_open(%s, %s, %s, %s, %s)"
_PUSH_NEW: Final = "SELECT headend_push_new(%s::text[], %s::bigint[])"
_COLLECTED: Final = "SELECT headend_collected(%s, %s::jsonb)"
_BILLING: Final = (
    "INSERT INTO readings_register (read_on, meter, kind, batch, at, read_at, wh, vah, out_wh, out_vah, more)"
    " SELECT d, m, 'b', %s::bigint, t, r, wh, vah, ow, ov, more::jsonb FROM unnest(%s::date[], %s::text[],"
    " %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])"
    " AS u (d, m, t, r, wh, vah, ow, ov, more) ON CONFLICT DO NOTHING"
)
_EVENTS: Final = (
    "INSERT INTO readings_event (meter, log, at, event, batch, data) SELECT m, l, t, e, %s::bigint, d::jsonb"
    " FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::integer[], %s::text[]) AS u (m, l, t, e, d)"
    " ON CONFLICT DO NOTHING"
)
_SHOWN: Final = (
    "INSERT INTO readings_shown (meter, kind, at, batch, data) SELECT m, k, t, %s::bigint, d::jsonb"
    " FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS u (m, k, t, d) ON CONFLICT DO NOTHING"
)
_POISON: Final = (
    "INSERT INTO readings_poison (meter, kind, at, reason, detail, body) SELECT * FROM unnest(%s::text[], %s::text[],"
    " %s::timestamptz[], %s::text[], %s::text[], %s::bytea[])"
)


class _Prepared(NamedTuple):
    """A batch ready to be written: columns of both COPYs, and the lake's rows without batch and bucket."""

    sorted: Sorted
    load: list[tuple[dict[str, Array], dict[str, Array]]]
    register: tuple[dict[str, Array], dict[str, Array]] | None
    lake: pa.Table | None
    days: list[date]
    read_on: list[date]
    values: int


class Intake:
    """The one writer of readings in a process."""

    def __init__(
        self,
        *,
        database: Database,
        worker: str,
        lane: Lane,
        layouts: Layouts,
        metrics: IngestMetrics,
        raw: Path | None,
        most: int,
        linger_s: float,
    ) -> None:
        """:param raw: the folder for what meters said as they said it; None keeps none."""
        self._database = database
        self._worker = worker
        self._lane = lane
        self._layouts = layouts
        self._metrics = metrics
        self._raw = raw
        self._partitions: set[date] = set()
        self._log = structlog.get_logger().bind(part="intake")
        self._writing = 0
        self.came: Batcher[Collected] = Batcher(self._take, most=most, linger_s=linger_s)

    @property
    def waiting(self) -> int:
        """What came and is not in PostgreSQL yet."""
        return len(self.came) + self._writing

    async def _take(self, batch: list[Collected]) -> None:
        self._writing = len(batch)
        try:
            if self._raw is not None:
                try:
                    await asyncio.to_thread(write_raw, self._raw, batch, name=f"{self._worker}-{uuid.uuid4().hex}")
                except OSError as error:
                    # A copy for doubts is no reason to lose the reading itself.
                    self._log.error("raw_not_kept", why=str(error))
            await self._write(batch)
        finally:
            self._writing = 0

    async def _write(self, batch: Sequence[Collected]) -> None:
        """Write a batch, or its halves if PostgreSQL will not take it whole."""
        try:
            await self._persist(batch)
        except _UNWANTED as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
                return
            (one,) = batch
            self._log.warning("not_storable", meter=one.meter, why=str(error)[:200])
            await self._persist([_explained(one)], because=(one, str(error)[:200]))

    async def _persist(self, batch: Sequence[Collected], because: tuple[Collected, str] | None = None) -> None:
        """Write a batch, however long the database is away.

        :raises psycopg.DataError: it answered, and will not take it.
        :raises psycopg.IntegrityError: likewise.
        """
        key = uuid.uuid4()
        pause = 0.1
        while True:
            try:
                held = await self._lane.held()
                prepared = _prepare(batch)
                if because is not None:
                    prepared.sorted.poison += _refused_whole(*because)
                await self._make_partitions(prepared)
                dropped = await self._commit(held, key, batch, prepared)
                if dropped is None:
                    return
                # Pushes that were seen before: the others are written without them.
                for n in dropped:
                    _tell(batch[n], new=False)
                batch = [each for n, each in enumerate(batch) if n not in dropped]
                key = uuid.uuid4()
                if not batch:
                    return
            except _UNWANTED:
                raise
            except FAILURES as error:
                self._database.metrics.failures.labels("intake").inc()
                self._log.warning("intake_waits", error=type(error).__name__, why=str(error)[:200], meters=len(batch))
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)

    async def _make_partitions(self, prepared: _Prepared) -> None:
        wanted = {*prepared.days, *(day.replace(day=1) for day in prepared.read_on)} - self._partitions
        if wanted:
            await self._database.rows(_PARTITIONS, (prepared.days, prepared.read_on))
            self._partitions |= wanted

    async def _commit(
        self, held: Held, key: uuid.UUID, batch: Sequence[Collected], prepared: _Prepared
    ) -> set[int] | None:
        """One transaction; None when it is committed, or the places of pushes that are not new and spoil it."""
        pushed = [n for n, each in enumerate(batch) if each.push_counter is not None]
        lake = prepared.lake
        try:
            async with self._database.transaction() as connection:
                found = await _row(
                    connection,
                    _OPEN,
                    (
                        held.lane,
                        held.token,
                        key,
                        0 if lake is None else lake.num_rows,
                        len(prepared.sorted.read_on) + len(prepared.sorted.billing),
                    ),
                )
                if found is None:
                    self._lane.lost(held)
                    raise _Passed
                id_, again = found
                if not again:
                    if pushed:
                        new = await _rows(
                            connection,
                            _PUSH_NEW,
                            ([batch[n].meter for n in pushed], [batch[n].push_counter for n in pushed]),
                        )
                        if len(new) < len(pushed):
                            there = {pushed[nth - 1] for (nth,) in new}
                            raise _NotNew({n for n in pushed if n not in there})
                    await self._insert(connection, id_, batch, prepared)
                crash_point("ingest.before_commit")
        except _Passed:
            return set()
        except _NotNew as seen:
            return seen.places
        crash_point("ingest.rows_committed")
        if lake is not None:
            self._lane.add(id_, lake)
        for each in batch:
            _tell(each, new=True)
        self._metrics.values.labels("stored").inc(prepared.values)
        for spoilt in prepared.sorted.poison:
            self._metrics.poison.labels(spoilt.reason).inc()
            self._layouts.forget(spoilt.layout)
        return None

    async def _insert(
        self, connection: Connection, batch_id: int, batch: Sequence[Collected], prepared: _Prepared
    ) -> None:
        for columns, nulls in prepared.load:
            await _copy(connection, "readings_load", _LOAD, columns, nulls, batch_id)
        if prepared.register is not None:
            await _copy(connection, "readings_register", _REGISTER, *prepared.register, batch_id)
        done = prepared.sorted
        if done.billing:
            rows = done.billing
            await connection.execute(
                _BILLING,
                (
                    batch_id,
                    [each.read_on for each in rows],
                    [batch[each.owner].meter for each in rows],
                    [batch[each.owner].at for each in rows],
                    [each.read_at for each in rows],
                    [each.wh for each in rows],
                    [each.vah for each in rows],
                    [each.out_wh for each in rows],
                    [each.out_vah for each in rows],
                    [as_json(each.more) for each in rows],
                ),
            )
        if done.events:
            await connection.execute(
                _EVENTS,
                (
                    batch_id,
                    [batch[each.owner].meter for each in done.events],
                    [each.log for each in done.events],
                    [each.at for each in done.events],
                    [each.event for each in done.events],
                    [as_json(each.data) for each in done.events],
                ),
            )
        if done.shown:
            await connection.execute(
                _SHOWN,
                (
                    batch_id,
                    [batch[owner].meter for owner, _, _, _ in done.shown],
                    [kind for _, kind, _, _ in done.shown],
                    [at for _, _, at, _ in done.shown],
                    [as_json(data) for _, _, _, data in done.shown],
                ),
            )
        if done.poison:
            await connection.execute(
                _POISON,
                (
                    [batch[each.owner].meter for each in done.poison],
                    [names_of(each.kind)[0] for each in done.poison],
                    [batch[each.owner].at for each in done.poison],
                    [each.reason for each in done.poison],
                    [each.detail for each in done.poison],
                    [each.body[:_POISON_BODY_MOST] for each in done.poison],
                ),
            )
        await self._end_tasks(connection, batch, done)

    async def _end_tasks(self, connection: Connection, batch: Sequence[Collected], done: Sorted) -> None:
        lost = done.lost
        given = []
        for n, each in enumerate(batch):
            if each.task is None:
                continue
            kinds, why = lost.get(n, (NOTHING, ""))
            came = int(each.done & ~kinds) if kinds else int(each.done)
            given.append(
                {
                    "meter": each.meter,
                    "token": each.task.token,
                    "at": each.at.timestamp(),
                    "done": came,
                    "reason": each.reason or why,
                    "drift": each.drift_s,
                    "firmware": each.firmware if came else "",
                }
            )
        if given:
            await connection.execute(_COLLECTED, (self._worker, json.dumps(given)))


def _tell(one: Collected, *, new: bool) -> None:
    if one.told is not None:
        one.told(new)


class _Passed(Exception):
    """The lane has passed on."""


class _NotNew(Exception):
    """Some pushes were seen before."""

    def __init__(self, places: set[int]) -> None:
        super().__init__(len(places))
        self.places = places


def _explained(one: Collected) -> Collected:
    """A meter's task without what cannot be stored."""
    return Collected(
        one.meter, one.make, one.at, one.task, reason="not_storable", drift_s=one.drift_s, push_counter=one.push_counter
    )


def _refused_whole(one: Collected, why: str) -> list[Poison]:
    return [Poison(0, part.kind, "not_storable", why, part.data, part.layout) for part in one.parts]


async def _row(connection: Connection, query: str, params: Sequence[Any]) -> tuple[Any, ...] | None:
    return await (await connection.execute(query.encode(), params)).fetchone()


async def _rows(connection: Connection, query: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode(), params)).fetchall()


async def _copy(
    connection: Connection,
    table: str,
    fields: Sequence[Field],
    columns: dict[str, Array],
    nulls: dict[str, Array],
    batch: int,
) -> None:
    whole = {**columns, "batch": np.full(len(columns["meter"]), batch, np.int64)}
    names = ", ".join(field.name for field in fields)
    statement = f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)"
    async with connection.cursor().copy(statement.encode()) as stream:
        await stream.write(binary.HEAD + binary.encoded(fields, whole, nulls) + binary.TAIL)


# --- a batch as columns ----------------------------------------------------------------------------------------------


def _prepare(batch: Sequence[Collected]) -> _Prepared:
    done = sort(batch)
    serials = np.array([each.meter.encode() for each in batch])
    moments = np.array([_microseconds(each.at) for each in batch], np.int64)
    drifts = np.array([GAP if each.drift_s is None else each.drift_s for each in batch], np.int64)
    drifts = np.where(np.abs(drifts) < -GAP, drifts, GAP)
    drifts, moved = _moved(batch, drifts)
    load, tables, days, values = [], [], set(), 0
    for part in done.days:
        columns, nulls = _load_columns(part, done, serials, moments, drifts, moved)
        load.append((columns, nulls))
        days.update(np.unique(part.day).tolist())
        values += sum(int((grid != GAP).sum()) for grid in part.grids.values())
        some = np.flatnonzero(~nulls["none"])
        if len(some):
            tables.append(_lake_rows(part, columns, nulls, some))
    register = None
    read_on = {each.read_on for each in done.billing}
    if done.daily is not None and len(done.daily.owner):
        register = _register_columns(done.daily, done.read_on, serials, moments)
        read_on |= {_date(day) for day in np.unique(done.read_on).tolist()}
        values += sum(int((column != GAP).sum()) for column in done.daily.columns.values())
    return _Prepared(
        done,
        load,
        register,
        pa.concat_tables(tables) if tables else None,
        [_date(day) for day in sorted(days)],
        sorted(read_on),
        values,
    )


def _moved(batch: Sequence[Collected], drifts: Array) -> tuple[Array, Array]:
    """The drift that rows were stamped under, and the day since 1970 from which on a clock was moved (`GAP`: never).

    A clock that stands elsewhere than at the last call was moved in between, by an order of ours or not: what comes now
    was stamped, in part, by the clock as it stood before.
    """
    drifts, days = drifts.copy(), np.full(len(batch), GAP, np.int64)
    for n, each in enumerate(batch):
        task = each.task
        if task is None or task.drift_s is None or task.drift_at is None or drifts[n] == GAP:
            continue
        if abs(task.drift_s - int(drifts[n])) >= _MOVED_S:
            days[n] = (int(task.drift_at.timestamp()) + IST_S) // DAY_S
            if abs(task.drift_s) > abs(int(drifts[n])):
                drifts[n] = task.drift_s
    return drifts, days


def _load_columns(
    part: LoadDays, done: Sorted, serials: Array, moments: Array, drifts: Array, moved: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    owner, day, grids = part.owner, part.day, part.grids
    have = grids["wh"] != GAP
    out = grids["out_wh"]
    pairs = list(zip(owner.tolist(), day.tolist(), strict=True))
    midnights = done.midnights
    opening = np.array([midnights.get(pair, GAP) for pair in pairs], np.int64)
    closing = np.array([midnights.get((who, on + 1), GAP) for who, on in pairs], np.int64)
    drift, since = drifts[owner], moved[owner]
    moved_then = (since != GAP) & (day >= since)
    none = ~have.any(axis=1)
    columns: dict[str, Array] = {
        "day": day,
        "meter": serials[owner],
        "at": moments[owner],
        "slots": np.full(len(part), part.slots, np.int16),
        "have": part.bits(have),
        "asked": part.bits(part.asked),
        **grids,
        "day_out_wh": np.where(out == GAP, 0, out).sum(axis=1, dtype=np.int64),
        "highest_dv": np.maximum(grids["dv"].max(axis=1), 0),
        "highest_ma": np.maximum(grids["ma"].max(axis=1), 0),
        "open_wh": opening,
        "close_wh": closing,
        "drift_s": drift,
        "noted": part.noted | moved_then.astype(np.int32) * np.int32(Rule.CLOCK_SET),
    }
    nulls = {
        "none": none,
        "day_out_wh": (out == GAP).all(axis=1),
        "highest_dv": (grids["dv"] == GAP).all(axis=1),
        "highest_ma": (grids["ma"] == GAP).all(axis=1),
        "open_wh": opening == GAP,
        "close_wh": closing == GAP,
        "drift_s": drift == GAP,
    }
    return columns, nulls


def _lake_rows(part: LoadDays, columns: dict[str, Array], nulls: dict[str, Array], some: Array) -> pa.Table:
    """The rows that hold an interval, as the lake's, without batch and bucket."""

    def plain(name: str, kind: pa.DataType) -> pa.Array:
        mask = nulls.get(name)
        return pa.array(columns[name][some], kind, mask=None if mask is None else mask[some])

    def listed(name: str) -> pa.Array:
        grid = part.grids[name][some]
        rows = lists(grid, missing=GAP if (grid == GAP).any() else None)
        none = (grid == GAP).all(axis=1)
        if none.any():
            return pa.array([None if gone else row for gone, row in zip(none, rows, strict=True)], rows.type)
        return rows

    serials = columns["meter"][some]
    return pa.table(
        {
            "day": pa.array(columns["day"][some].astype(np.int32), pa.int32()).cast(pa.date32()),
            "meter": pa.array(np.char.decode(serials, "utf-8").tolist(), pa.string()),
            "slots": plain("slots", pa.int16()),
            **{name: listed(name) for name in LOAD_COLUMNS},
            "day_out_wh": plain("day_out_wh", pa.int64()),
            "highest_dv": plain("highest_dv", pa.int32()),
            "highest_ma": plain("highest_ma", pa.int32()),
            "open_wh": plain("open_wh", pa.int64()),
            "close_wh": plain("close_wh", pa.int64()),
            "drift_s": plain("drift_s", pa.int32()),
            "noted": plain("noted", pa.int32()),
        }
    )


def _register_columns(
    rows: Rows, read_on: Array, serials: Array, moments: Array
) -> tuple[dict[str, Array], dict[str, Array]]:
    columns: dict[str, Array] = {
        "read_on": read_on,
        "meter": serials[rows.owner],
        "kind": np.full(len(rows.owner), ord("d"), np.uint8),
        "at": moments[rows.owner],
        "read_at": rows.stamp * 1_000_000,
        **rows.columns,
    }
    return columns, {name: rows.columns[name] == GAP for name in ("vah", "out_wh", "out_vah")}


def _microseconds(at: datetime) -> int:
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _date(day: int) -> date:
    return date.fromordinal(_EPOCH_ORDINAL + day)
