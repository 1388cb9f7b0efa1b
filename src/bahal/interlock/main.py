"""The interlock's process: configuration, officers and caps verified first, then the desk, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib

from bahal.headend.database import FAILURES, Database, Ringer, listen
from bahal.headend.keys import KeyRing, read_sealing_key
from bahal.headend.link import Links
from bahal.headend.metrics import DatabaseMetrics, LinkMetrics
from bahal.headend.room import Room, room_for_sockets, worker_name
from bahal.interlock.config import InterlockConfig, InterlockMisconfigured, load_officers
from bahal.interlock.desk import InterlockDesk
from bahal.interlock.drives import Drives
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.profile import load_profile
from bahal.interlock.session import RelayKeys


async def run(config: InterlockConfig) -> None:
    """Live until SIGTERM or SIGINT. When ready, writes `{"ready": true, "worker", "port", "profile", ...}`.

    :raises InterlockMisconfigured: a file of its folder is missing or wrong.
    :raises psycopg.OperationalError: the database does not answer at the start.
    """
    room = Room("interlock")
    officers = load_officers(config.folder)
    profile, signers = load_profile(config.folder, officers)
    clock = config.business_clock()
    try:
        room_key = read_sealing_key(config.folder / "sealing.key")
    except (OSError, ValueError) as wrong:
        raise InterlockMisconfigured(file="sealing.key", why=str(wrong)) from wrong
    concurrency = room_for_sockets(config.concurrency)
    if concurrency < config.concurrency:
        room.log.warning("fewer_sockets", wanted=config.concurrency, concurrency=concurrency)
        config = config.with_concurrency(concurrency)
    room.log.info("caps", profile=profile.name, signed_by=signers, **profile.figures())

    worker = worker_name()
    database = Database(
        config.dsn, room=room.name, connections=config.connections, metrics=DatabaseMetrics(room.registry)
    )
    link_metrics = LinkMetrics(room.registry)
    links = Links(
        loop=asyncio.get_running_loop(), metrics=link_metrics, reply_s=config.reply_s, connect_s=config.connect_s
    )
    metrics = InterlockMetrics(room.registry)
    ringer = Ringer(database, "bahal_results")
    desk = InterlockDesk(
        config=config,
        worker=worker,
        database=database,
        clock=clock,
        profile=profile,
        links=links,
        keys=KeyRing(room_key, database=database, imports="interlock_import", ready=RelayKeys),
        metrics=metrics,
        ringer=ringer,
    )
    drives = Drives(
        database=database,
        clock=clock,
        profile=profile,
        officers=officers,
        metrics=metrics,
        ringer=ringer,
        opened=desk.cuts_opened,
    )
    link_metrics.open.set_function(lambda: len(links.open))
    link_metrics.waiting.set_function(lambda: desk.pacing.waiting)

    await database.open()
    page, port = await room.status(config.port)
    tending = asyncio.Event()
    desk.results_seen = lambda: tending.set() if drives.canary_open else None

    def ring(payload: str) -> None:
        tending.set()
        desk.ring(payload)

    room.part("listen", listen(database, {"bahal_orders": ring}))
    room.part("ringer", ringer.run())
    room.part("cuts", desk.sender.cuts.run())
    room.part("restores", desk.sender.restores.run())
    room.part("results", desk.results.batches.run())
    room.part("tend", _tend(room, desk, drives, tending, config.poll_s))
    room.part("desk", desk.run())
    try:
        await room.live(
            ready={"room": room.name, "port": port, "worker": worker, "profile": profile.name, "signed_by": signers},
            drain=desk.drain,
            drain_s=config.drain_s,
        )
    finally:
        links.abort_all("connection_lost")
        page.close()
        await database.close()


async def _tend(room: Room, desk: InterlockDesk, drives: Drives, asked: asyncio.Event, poll_s: float) -> None:
    """Look after drives and the switch: when a bell or a canary's result asks for it, and every `poll_s`."""
    while True:
        asked.clear()
        try:
            await desk.mind_switch()
            await drives.tend()
            room.reached()
        except FAILURES as error:
            room.log.warning("tend_failed", error=type(error).__name__, why=str(error)[:200])
            await asyncio.sleep(poll_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll_s):
                await asked.wait()
