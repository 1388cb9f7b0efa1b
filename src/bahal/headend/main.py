"""The head-end's process: reading, the dial-in door, the lending door and the way to the lake, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from pathlib import Path

from bahal.headend.calls import Calls
from bahal.headend.collecting import Collects
from bahal.headend.config import HeadendConfig, HeadendMisconfigured
from bahal.headend.database import FAILURES, Database, Ringer, listen
from bahal.headend.gateway import GatewayLines
from bahal.headend.identify import Identification
from bahal.headend.intake import Intake
from bahal.headend.keys import KeyRing, read_sealing_key
from bahal.headend.lanes import Lane
from bahal.headend.layouts import Layouts
from bahal.headend.lending import Lender
from bahal.headend.lines import Board
from bahal.headend.link import Links
from bahal.headend.metrics import DatabaseMetrics, IngestMetrics, LinkMetrics, PushMetrics
from bahal.headend.pushes import WORKERS, Pushes
from bahal.headend.reads import ReadingKeys, Reads
from bahal.headend.room import Room, room_for_sockets, worker_name
from bahal.headend.rounds import Rounds
from bahal.headend.scheduled import ScheduledPushes
from bahal.headend.status import listen_near

__all__ = ["HeadendConfig", "run"]

_BACKLOG = 4096
_HEALTH_EVERY_S = 2.0
URGENT_PUSHES = 200
"""With so many alarms waiting to be stored, reads stand back."""


async def run(config: HeadendConfig) -> None:
    """Live until SIGTERM or SIGINT. When ready, writes `{"ready": true, "dial_in": port, "metrics": port, ...}`.

    :raises HeadendMisconfigured: a file of its folder is missing or wrong.
    :raises OSError: no port is free for the dial-in door or the metrics.
    :raises psycopg.OperationalError: the database does not answer at the start.
    """
    room = Room("headend")
    clock = config.business_clock()
    try:
        room_key = read_sealing_key(config.folder / "sealing.key")
    except (OSError, ValueError) as wrong:
        raise HeadendMisconfigured(file="sealing.key", why=str(wrong)) from wrong
    room_for_sockets(2 * config.concurrency + config.dial_in_most)

    worker = worker_name()
    loop = asyncio.get_running_loop()
    database = Database(
        config.dsn, room=room.name, connections=config.connections, metrics=DatabaseMetrics(room.registry)
    )
    link_metrics, push_metrics = LinkMetrics(room.registry), PushMetrics(room.registry)
    links = Links(loop=loop, metrics=link_metrics, reply_s=config.reply_s, connect_s=config.connect_s)
    keys = KeyRing(room_key, database=database, imports="headend_import", ready=ReadingKeys)
    ringers = {bell: Ringer(database, f"bahal_{bell}", pause_s=0.02) for bell in ("events", "orders", "wakeups")}
    calls = Calls(
        config=config,
        database=database,
        metrics=push_metrics,
        orders=ringers["orders"],
        wakeups=ringers["wakeups"],
        reads_due=lambda: ring_reads(),
    )
    lane, layouts, ingest_metrics, intake = _intake(config, room, database, worker)
    pushes = Pushes(
        database=database, business=clock, keys=keys, metrics=push_metrics, ringer=ringers["events"],
        pressed=calls.press,
        scheduled=None if intake is None else ScheduledPushes(layouts=layouts, intake=intake, clock=clock),
    )  # fmt: skip
    gateways = GatewayLines(
        loop=loop, metrics=link_metrics, connect_s=config.connect_s, rest_s=config.reply_s, pushes=pushes
    )
    board = Board(loop, gateways)
    calls.board, calls.pushes = board, pushes
    calls.ask_who = Identification(config=config, worker=worker, database=database, links=links, keys=keys).ask
    reads = Reads(
        config=config, worker=worker, database=database, clock=clock, links=links, keys=keys, board=board,
        pressed=lambda: pushes.waiting > URGENT_PUSHES or bool(calls.restoring),
    )  # fmt: skip
    collects = None
    if intake is not None:
        collects = Collects(
            config=config, worker=worker, database=database, clock=clock, links=links, keys=keys, board=board,
            pacing=reads.pacing, layouts=layouts, intake=intake,
            met_another=lambda task, why: reads.strangers.put((task.meter, task.host, why)),
            room_free=reads.ring,
            pressed=lambda: pushes.waiting > URGENT_PUSHES or bool(calls.restoring),
        )  # fmt: skip

    def ring_reads(payload: str = "") -> None:
        reads.ring(payload)
        if collects is not None:
            collects.ring(payload)

    link_metrics.open.set_function(lambda: len(links.open))
    link_metrics.waiting.set_function(lambda: reads.pacing.waiting)
    push_metrics.open.set_function(lambda: len(calls.open))
    push_metrics.lines.set_function(lambda: len(board.calls))

    await database.open()
    page, metrics_port = await room.status(config.metrics)
    door, dial_in = await listen_near(calls.new, host=config.dial_in_host, port=config.dial_in, backlog=_BACKLOG)
    lending = None if config.links is None else await _lend(config.links, board, push_metrics)
    room.part("listen", listen(database, {"bahal_reads": ring_reads}))
    for bell, ringer in ringers.items():
        room.part(f"ring-{bell}", ringer.run())
    for name, running in {
        "answers": reads.answers.run(),
        "strangers": reads.strangers.run(),
        "reads": reads.run(),
        "proofs": calls.proofs.run(),
        "watch": calls.watch(),
        "mind": calls.mind(),
        "wake": calls.wake(),
    }.items():
        room.part(name, running)
    if collects is not None and intake is not None and lane is not None:
        rounds = Rounds(config=config, database=database, clock=clock, metrics=ingest_metrics, planned=collects.ring)
        for name, running in {
            "collects": collects.run(),
            "learned": collects.learned.run(),
            "intake": intake.came.run(),
            "lane": lane.run(),
            "rounds": rounds.run(),
        }.items():
            room.part(name, running)
    room.part("health", _health(room, database))
    for nth in range(WORKERS):
        room.part(f"pushes-{nth}", pushes.work(nth))

    async def drain() -> None:
        door.close()
        if lending is not None:
            lending.close()
        await asyncio.gather(reads.stop(), pushes.drain(), *([] if collects is None else [collects.drain()]))
        await reads.drain()
        if intake is not None and lane is not None:
            await intake.came.settled()
            await lane.close()

    try:
        await room.live(
            ready={"room": room.name, "dial_in": dial_in, "metrics": metrics_port, "worker": worker},
            drain=drain,
            drain_s=config.drain_s,
        )
    finally:
        door.close()
        if lending is not None:
            lending.close()
        links.abort_all("connection_lost")
        calls.close()
        gateways.close()
        page.close()
        await database.close()


def _intake(
    config: HeadendConfig, room: Room, database: Database, worker: str
) -> tuple[Lane | None, Layouts, IngestMetrics, Intake | None]:
    """Where readings come in, if this head-end has a lake to bring them to."""
    layouts, metrics = Layouts(database), IngestMetrics(room.registry)
    if config.lake is None:
        return None, layouts, metrics, None
    lane = Lane(
        database=database, worker=worker, uri=config.lake, every_s=config.lake_every_s, most_rows=config.lake_rows,
        lease_s=config.lane_s, metrics=metrics,
    )  # fmt: skip
    intake = Intake(
        database=database, worker=worker, lane=lane, layouts=layouts, metrics=metrics, raw=config.raw,
        most=config.intake_most, linger_s=config.intake_linger_s,
    )  # fmt: skip
    return lane, layouts, metrics, intake


async def _lend(path: Path, board: Board, metrics: PushMetrics) -> asyncio.AbstractServer:
    """Open the lending door, for this user and group only; a socket left by a dead process is replaced.

    :raises OSError: the path cannot be used.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "somebody else's folder", str(path.parent))
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    mask = os.umask(0o117)
    try:
        return await asyncio.get_running_loop().create_unix_server(
            lambda: Lender(board, metrics), path=str(path), backlog=_BACKLOG
        )
    finally:
        os.umask(mask)


async def _health(room: Room, database: Database) -> None:
    while True:
        try:
            await database.rows("SELECT 1")
            room.reached()
        except FAILURES:
            database.metrics.failures.labels("health").inc()
        await asyncio.sleep(_HEALTH_EVERY_S)
