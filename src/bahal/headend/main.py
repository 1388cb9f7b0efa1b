"""The head-end's process: reads that were asked for, and the dial-in door, until SIGTERM."""

from __future__ import annotations

import asyncio

from bahal.headend.config import HeadendConfig, HeadendMisconfigured
from bahal.headend.database import FAILURES, Database, Ringer, listen
from bahal.headend.keys import KeyRing, read_sealing_key
from bahal.headend.link import Links
from bahal.headend.metrics import DatabaseMetrics, LinkMetrics, PushMetrics
from bahal.headend.pushes import WORKERS, Pushes
from bahal.headend.reads import ReadingKeys, Reads
from bahal.headend.room import Room, room_for_sockets, worker_name
from bahal.headend.status import listen_near

__all__ = ["HeadendConfig", "run"]

_BACKLOG = 4096
_HEALTH_EVERY_S = 2.0


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
    room_for_sockets(config.concurrency + config.dial_in_most)

    worker = worker_name()
    database = Database(
        config.dsn, room=room.name, connections=config.connections, metrics=DatabaseMetrics(room.registry)
    )
    link_metrics, push_metrics = LinkMetrics(room.registry), PushMetrics(room.registry)
    links = Links(
        loop=asyncio.get_running_loop(), metrics=link_metrics, reply_s=config.reply_s, connect_s=config.connect_s
    )
    keys = KeyRing(room_key, database=database, imports="headend_import", ready=ReadingKeys)
    ringer = Ringer(database, "bahal_events", pause_s=0.02)
    reads = Reads(config=config, worker=worker, database=database, clock=clock, links=links, keys=keys)
    pushes = Pushes(config=config, database=database, business=clock, keys=keys, metrics=push_metrics, ringer=ringer)
    link_metrics.open.set_function(lambda: len(links.open))
    link_metrics.waiting.set_function(lambda: reads.pacing.waiting)
    push_metrics.open.set_function(lambda: len(pushes.open))

    await database.open()
    page, metrics_port = await room.status(config.metrics)
    door, dial_in = await listen_near(pushes.new, host=config.dial_in_host, port=config.dial_in, backlog=_BACKLOG)
    room.part("listen", listen(database, {"bahal_reads": reads.ring}))
    room.part("ringer", ringer.run())
    room.part("answers", reads.answers.run())
    room.part("reads", reads.run())
    room.part("watch", pushes.watch())
    room.part("health", _health(room, database))
    for lane in range(WORKERS):
        room.part(f"pushes-{lane}", pushes.work(lane))

    async def drain() -> None:
        door.close()
        await asyncio.gather(reads.drain(), pushes.drain())

    try:
        await room.live(
            ready={"room": room.name, "dial_in": dial_in, "metrics": metrics_port, "worker": worker},
            drain=drain,
            drain_s=config.drain_s,
        )
    finally:
        door.close()
        links.abort_all("connection_lost")
        for dial_in_open in list(pushes.open):
            dial_in_open.refuse("closing")
        page.close()
        await database.close()


async def _health(room: Room, database: Database) -> None:
    while True:
        try:
            await database.rows("SELECT 1")
            room.reached()
        except FAILURES:
            database.metrics.failures.labels("health").inc()
        await asyncio.sleep(_HEALTH_EVERY_S)
