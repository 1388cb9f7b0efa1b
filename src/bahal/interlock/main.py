"""The interlock's process: configuration, officers and caps verified first, then the desk, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Final

from bahal.headend.database import FAILURES, Database, Ringer, listen
from bahal.headend.keys import KeyRing, read_sealing_key
from bahal.headend.link import Links
from bahal.headend.metrics import DatabaseMetrics, LinkMetrics
from bahal.headend.room import Room, room_for_sockets, worker_name
from bahal.interlock.acts import Acts
from bahal.interlock.charter import Charter
from bahal.interlock.clocks import Clocks
from bahal.interlock.config import InterlockConfig, InterlockMisconfigured
from bahal.interlock.deadman import Arming, Watch
from bahal.interlock.desk import InterlockDesk
from bahal.interlock.drives import Drives
from bahal.interlock.letting import Letting
from bahal.interlock.looks import Looks
from bahal.interlock.metrics import InterlockMetrics
from bahal.interlock.profile import Profile
from bahal.interlock.session import RelayKeys
from bahal.interlock.signing.server import SigningPage
from bahal.interlock.signing.taking import Taking
from bahal.interlock.telling import Telling

LOCKS_IDLE_S: Final = 2.0
"""A worker that stands still with the switch and fences locked gives them up: a payment waits three seconds at most."""
_STATE_PROFILE: Final = "SELECT interlock_state_profile(%s, %s::text[], %s::jsonb, %s::jsonb, %s)"


async def run(config: InterlockConfig) -> None:
    """Live until SIGTERM or SIGINT. When ready, writes `{"ready": true, "port", "worker", "profile", "signed_by"}`.

    :raises InterlockMisconfigured: a file of its folder is missing or wrong.
    :raises OSError: no port is free for the status page.
    :raises psycopg.OperationalError: the database does not answer at the start.
    """
    room = Room("interlock")
    interlock = Interlock(config, room)
    await interlock.open()
    try:
        page, port = await interlock.page.listen(interlock.page_config, port=config.port)
        interlock.start()
        ready = {"port": port, "worker": interlock.worker, "profile": interlock.profile.name}
        await room.live(
            ready={"room": room.name, **ready, "signed_by": interlock.signers},
            drain=interlock.drain,
            drain_s=config.drain_s,
        )
        page.close()
    finally:
        interlock.links.abort_all("connection_lost")
        await interlock.close()


class Interlock:
    """The interlock's parts, put together. Nothing runs before `start`.

    :raises InterlockMisconfigured: a file of its folder is missing or wrong.
    """

    def __init__(self, config: InterlockConfig, room: Room) -> None:
        clock = config.business_clock()
        place = None if config.page is None else config.page.place()
        self.page_config = config.page
        self.charter = charter = Charter(config.folder, place=place)
        self.profile, self.signers = charter.caps(clock.now())
        try:
            room_key = read_sealing_key(config.folder / "sealing.key")
        except (OSError, ValueError) as wrong:
            raise InterlockMisconfigured(file="sealing.key", why=str(wrong)) from wrong
        concurrency = room_for_sockets(config.concurrency)
        if concurrency < config.concurrency:
            room.log.warning("fewer_sockets", wanted=config.concurrency, concurrency=concurrency)
            config = config.with_concurrency(concurrency)
        # Nobody signed for these: whoever holds this folder named them, and everybody may read who they are.
        room.log.warning("founding_officers", logins=charter.founding, acts=len(charter.acts))
        room.log.info("caps", profile=self.profile.name, signed_by=self.signers, **self.profile.figures())
        self._room = room
        self._poll_s = config.poll_s
        self.worker = worker_name()
        self.database = Database(
            config.dsn,
            room=room.name,
            connections=config.connections,
            metrics=DatabaseMetrics(room.registry),
            idle_s=LOCKS_IDLE_S,
        )
        # What the page derives for people does not stand in the way of what is claimed and sent.
        self.pages = Database(config.dsn, room="signing page", connections=2, metrics=self.database.metrics)
        link_metrics, metrics = LinkMetrics(room.registry), InterlockMetrics(room.registry)
        self.links = Links(
            loop=asyncio.get_running_loop(), metrics=link_metrics, reply_s=config.reply_s, connect_s=config.connect_s
        )
        self._ringer = Ringer(self.database, "bahal_results")
        keys = KeyRing(room_key, database=self.database, imports="interlock_import", ready=RelayKeys)
        self.desk = InterlockDesk(
            config=config,
            worker=self.worker,
            database=self.database,
            clock=clock,
            profile=self.profile,
            links=self.links,
            keys=keys,
            metrics=metrics,
            ringer=self._ringer,
        )
        self.looks = Looks(
            config=config, worker=self.worker, database=self.database, links=self.links, keys=keys, ringer=self._ringer
        )
        self.clocks = None
        if self.profile.clock is not None:
            self.clocks = Clocks(
                config=config,
                worker=self.worker,
                database=self.database,
                clock=clock,
                limits=self.profile.clock,
                links=self.links,
                keys=keys,
                ringer=self._ringer,
                freed=self.desk.ring,
            )
        self.drives = Drives(
            database=self.database,
            clock=clock,
            charter=charter,
            telling=Telling(database=self.database, centre=config.sms),
            metrics=metrics,
            ringer=self._ringer,
            opened=self.desk.cuts_opened,
        )
        self.acts = Acts(
            database=self.database,
            worker=self.worker,
            charter=charter,
            clock=clock,
            metrics=metrics,
            revoked=self.drives.officer_revoked,
            caps=self._use,
        )
        self._asked = asyncio.Event()
        self.page = SigningPage(
            taking=Taking(
                database=self.pages,
                charter=charter,
                telling=Telling(database=self.pages, centre=config.sms),
                clock=clock,
                metrics=metrics,
                ringer=self._ringer,
                rung=self._asked.set,
            ),
            registry=room.registry,
            health=room.health,
        )
        self.watch = Watch(database=self.database, worker=self.worker, cleared=self.desk.cuts_opened)
        self.desk.watched = lambda: self.watch.looked
        self.arming = Arming(database=self.database, officers=charter, clock=clock, armed=self.desk.cuts_opened)
        self.letting = Letting(
            database=self.database,
            clock=clock,
            ringer=self._ringer,
            key_of=lambda login: charter.signing_key(login, clock.now()),
            opened=self.desk.cuts_opened,
        )
        self.desk.results_seen = self._results_seen
        link_metrics.open.set_function(lambda: len(self.links.open))
        link_metrics.waiting.set_function(lambda: self.desk.pacing.waiting)

    def start(self) -> None:
        """Run every part in the room, until the room ends."""
        room = self._room
        room.part("listen", listen(self.database, {"bahal_orders": self._ring}))
        room.part("ringer", self._ringer.run())
        room.part("cuts", self.desk.sender.cuts.run())
        room.part("restores", self.desk.sender.restores.run())
        room.part("results", self.desk.results.batches.run())
        room.part("strangers", self.desk.strangers.run())
        room.part("tend", self._tend())
        room.part("watch", self.watch.run())
        room.part("desk", self.desk.run())
        room.part("looks", self.looks.run())
        room.part("seen", self.looks.seen.run())
        if self.clocks is not None:
            room.part("clocks", self.clocks.run())
            room.part("clocks_give_way", self.clocks.give_way())
            room.part("clocks_done", self.clocks.done.run())

    async def open(self) -> None:
        """Connect to the database.

        :raises psycopg_pool.PoolTimeout: it does not answer.
        """
        await self.database.open()
        await self.pages.open()

    async def close(self) -> None:
        """Give every connection back."""
        await self.pages.close()
        await self.database.close()

    async def drain(self) -> None:
        """Claim nothing more; return when everything in hand has ended and is written."""
        await asyncio.gather(
            self.desk.drain(), self.looks.drain(), *(() if self.clocks is None else (self.clocks.drain(),))
        )

    def _ring(self, payload: str) -> None:
        self._asked.set()
        self.desk.ring(payload)
        if self.clocks is not None:
            self.clocks.ring()

    def _results_seen(self) -> None:
        if self.drives.canary_open:
            self._asked.set()

    async def _tend(self) -> None:
        """Look after drives and the switch: when a bell or a canary's result asks for it, and every `poll_s`."""
        while True:
            self._asked.clear()
            try:
                await self.acts.tend()
                await self.arming.tend()
                await self.letting.tend()
                await self.desk.mind_switch()
                await self.drives.tend()
                self._room.reached()
            except FAILURES as error:
                self.database.metrics.failures.labels("tend").inc()
                self._room.log.warning("tend_failed", error=type(error).__name__, why=str(error)[:200])
                await asyncio.sleep(self._poll_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._asked.wait()

    async def _use(self, profile: Profile, signers: tuple[str, ...]) -> None:
        """Work under these caps, and write it down for those who propose."""
        self.profile, self.signers = profile, signers
        self.desk.sender.use(profile)
        self.drives.use(profile)
        await self.database.rows(
            _STATE_PROFILE,
            (
                profile.name,
                list(signers),
                json.dumps(profile.figures()),
                None if profile.clock is None else profile.clock.as_json(),
                self.worker,
            ),
        )
