"""Looks: a fact that a push told is read again in an authenticated association, before it is held against anybody.

The push and reading clients encrypt and prove nothing (security control 0x20, no tag); client 48 does both, and its
keys are here alone. A look is one GET of an object from a short list that the database keeps: the last event id of a
family, or the relay's state. It moves nothing, gives way to every order, and is tried again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Opened
from bahal.dlms.quirks import quirks_of
from bahal.headend.batches import Batcher
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.keys import KeyRing
from bahal.headend.link import DialOut, Links, Session, Way
from bahal.headend.pacing import Pacing, Service
from bahal.headend.reads import obis_of
from bahal.interlock.borrowing import Borrow
from bahal.interlock.config import SETTING_SAP, InterlockConfig
from bahal.interlock.orders import CUT
from bahal.interlock.session import RELAY, RELAY_CLASS, RelayKeys
from bahal.shared.sealing import SealBroken

AT_ONCE: Final = 32
"""Looks at once: they are never urgent."""
TOTAL_S: Final = 8.0
"""A look ends within this, so that an order which comes meanwhile waits no longer."""
EVERY_S: Final = 1.0
_DATA_CLASS: Final = 1
_VALUE: Final = 2
_LOOKS: Final = """
    SELECT look, register, tries, meter, make, system_title, host, port, cell, import::text, sealed, token, counter,
           meter_counter, link, gateway, wport FROM interlock_looks(%s, %s, %s, %s)
"""
_LOOKED: Final = "SELECT interlock_looked(%s, %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[])"


class Look(NamedTuple):
    """A row of `interlock_looks`: what to look at, its meter, the lease's token and the reserved counters."""

    look: int
    register: str
    tries: int
    meter: str
    make: str
    system_title: bytes
    host: str
    port: int
    cell: str
    import_id: str
    sealed: bytes
    token: int
    counter: int
    meter_counter: int
    link: str
    gateway: str | None
    wport: int

    @property
    def place(self) -> str:
        """What paces it: its gateway, or its cell."""
        return self.gateway or self.cell

    @property
    def kind(self) -> str:
        """As what it asks a head-end for a line: behind every restore."""
        return CUT


class Seen(NamedTuple):
    """A row for `interlock_looked`: a value, or None and a reason."""

    look: Look
    value: int | None
    reason: str
    meter_counter: int


class LookSession(Session):
    """AARQ and HLS as client 48, one GET, RLRQ."""

    __slots__ = ("_looks", "look")

    def __init__(self, *, links: Links, looks: Looks, look: Look, keys: RelayKeys, title: bytes, block: int) -> None:
        super().__init__(links)
        quirks = quirks_of(look.make)
        self.look = look
        self._looks = looks
        self.association = ClientAssociation(
            client_sap=SETTING_SAP,
            server_sap=look.wport,
            mechanism=quirks.hls_mechanism,
            security_control=security.AUTHENTICATED_ENCRYPTED,
            system_title=title,
            meter_title=look.system_title,
            cipher=keys.cipher,
            secret=keys.hls,
            counter=look.counter,
            counter_end=look.counter + block,
            last_meter_counter=look.meter_counter,
            quirks=quirks,
        )

    @property
    def meter(self) -> str:
        """The serial of the meter that is looked at."""
        return self.look.meter

    def heard(self, event: Event) -> None:
        """Opened: ask. Answered: done."""
        if isinstance(event, Opened):
            ln = obis_of(self.look.register)
            self.say(self.association.get(RELAY_CLASS if ln == RELAY else _DATA_CLASS, ln, _VALUE))
        elif not isinstance(event, Got):
            self.break_off("data_access_refused")
        elif isinstance(event.value, int) and 0 <= event.value < 1 << 32:
            self._looks.ended(self, int(event.value), "")
            self.finish()
        else:
            self.break_off("malformed")

    def failed(self, name: str, error: Exception | None) -> None:
        """Looked at again later."""
        self._looks.ended(self, None, name)

    def closed(self) -> None:
        """Room for the next."""
        self._looks.pacing.ended(self.look.place)


class Looks:
    """All looks of one interlock."""

    def __init__(
        self,
        *,
        config: InterlockConfig,
        worker: str,
        database: Database,
        links: Links,
        keys: KeyRing[RelayKeys],
        ringer: Ringer,
    ) -> None:
        self._config = config
        self._worker = worker
        self._database = database
        self._links = links
        self._keys = keys
        self._ringer = ringer
        self._log = structlog.get_logger().bind(part="looks")
        self._closing = False
        self.pacing = Pacing(total=AT_ONCE, per_cell=config.per_cell, waiting=AT_ONCE)
        self.seen: Batcher[Seen] = Batcher(self._write, most=AT_ONCE, linger_s=0.01)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                room = self.pacing.room(Service.PROFILE)
                if room > 0 and not self._closing:
                    await self._claim(min(room, AT_ONCE))
            except FAILURES as error:
                self._database.metrics.failures.labels("looks").inc()
                self._log.warning("looks_failed", error=type(error).__name__, why=str(error)[:200])
            await asyncio.sleep(EVERY_S)

    async def drain(self) -> None:
        """Look at nothing more; return when what was seen is written."""
        self._closing = True
        while self.pacing.running or self.pacing.waiting:
            await asyncio.sleep(0.02)
        await self.seen.settled()

    async def _claim(self, limit: int) -> None:
        config = self._config
        rows = await self._database.rows(_LOOKS, (self._worker, limit, config.lease_s, config.counter_block))
        looks = [Look._make(row) for row in rows]
        if looks:
            await self._keys.learn(look.import_id for look in looks)
        for look in looks:
            most = None if look.gateway is None else config.per_gateway
            self.pacing.offer(Service.PROFILE, look.place, partial(self._start, look), most=most)

    def _start(self, look: Look) -> bool:
        config = self._config
        reason = "" if look.link != "dial_out" or config.may_dial(look.host) else "address_refused"
        keys: RelayKeys | None = None
        try:
            keys = self._keys.open(look.import_id, look.meter, look.sealed)
        except SealBroken:
            reason = "seal_broken"
        if self._closing:
            reason = "no_room"
        if reason or keys is None:
            self.seen.put(Seen(look, None, reason, look.meter_counter))
            return False
        session = LookSession(
            links=self._links, looks=self, look=look, keys=keys, title=config.system_title, block=config.counter_block
        )
        session.begin_by(self._way(look), total_s=min(TOTAL_S, config.session_s))
        return True

    def _way(self, look: Look) -> Way:
        if look.link == "dial_out":
            return DialOut(look.host, look.port)
        return Borrow(look, doors=self._config.links, may_dial=self._config.may_dial)

    def ended(self, session: LookSession, value: int | None, reason: str) -> None:
        """A look came to this."""
        self._links.metrics.sessions.labels(reason or "looked").inc()
        counter = session.association.meter_counter
        kept = session.look.meter_counter if counter is None else max(counter, session.look.meter_counter)
        self.seen.put(Seen(session.look, value, reason, kept))

    async def _write(self, batch: Sequence[Seen]) -> None:
        columns: list[list[Any]] = [
            [each.look.look for each in batch],
            [each.look.token for each in batch],
            [each.value for each in batch],
            [each.reason for each in batch],
            [each.meter_counter for each in batch],
        ]
        try:
            await self._database.rows(_LOOKED, (self._worker, *columns))
        except FAILURES as error:
            # The lease runs out by itself, and the look is taken again.
            self._database.metrics.failures.labels("looked").inc()
            self._log.warning("looks_not_written", error=type(error).__name__, looks=len(batch))
            return
        self._ringer.ring()
