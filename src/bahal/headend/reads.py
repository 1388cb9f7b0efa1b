"""Reads on demand: claim a request, ask the meter for one register as client 32, write the value or a reason back.

A read goes over the meter's own call if there is one, through its gateway if it stands behind one, else to its address.
A meter that calls and has not is asked for again later; it costs no try. While somebody waits in the dark, or alarms
wait to be stored, only a few reads run beside them.

The reading association encrypts and proves nothing (IS 15959: LLS, security control 0x20), so the meter's counter is
checked within a session and never kept: whoever forged a high one would lock the meter out for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import psycopg
import structlog

from bahal.dlms import security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Got, Opened
from bahal.dlms.quirks import quirks_of
from bahal.dlms.security import Cipher
from bahal.headend.batches import Batcher
from bahal.headend.config import READING_SAP, HeadendConfig
from bahal.headend.database import FAILURES, Database
from bahal.headend.keys import KeyRing
from bahal.headend.lines import Board, OverLine
from bahal.headend.link import LINK_ERRORS, DialOut, Links, Session, Way
from bahal.headend.pacing import Pacing, Service
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

CLAIM_AT_MOST: Final = 400
BATCH: Final = 500
LINGER_S: Final = 0.005
REGISTER_CLASS: Final = 3
ASKED_AT_MOST: Final = 50
"""Reads that may wait at once for room that collecting has taken."""
BESIDE: Final = 4
"""Reads at once while something more urgent waits."""
_VALUE: Final = 2
_LARGEST: Final = 1 << 63

_CLAIM: Final = """
    SELECT request_id, register, meter, make, system_title, host, port, cell, import::text, sealed, token, counter,
           tries, link, gateway, wport, learned
    FROM headend_claim(%s, %s, %s, %s)
"""
_FORGET: Final = "SELECT address_forget(%s::text[], %s::text[], %s::text[])"
_NOT_THERE: Final = LINK_ERRORS - {"connection_lost", "flooded"}
"""Nobody answered: that says nothing of who lives at an address."""
_RESULTS: Final = "SELECT headend_results(%s, %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::text[])"


class Read(NamedTuple):
    """A row of `headend_claim`: the request, its meter, the lease's token and the first reserved counter."""

    request: int
    register: str
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
    tries: int
    link: str
    gateway: str | None
    wport: int
    learned: bool

    @property
    def place(self) -> str:
        """What paces it: its gateway, or its cell."""
        return self.gateway or self.cell


class Answer(NamedTuple):
    """A row for `headend_results`: a value, or None and a reason."""

    read: Read
    at: datetime
    value: int | None
    reason: str


class ReadingKeys:
    """The keys of clients 32 and 64 of one meter, ready for use. They encrypt only: there is no authentication key.

    `reading` and `push` are None where the meter shares that key with its setting client: then it is the interlock's.
    """

    __slots__ = ("password", "push", "reading")

    def __init__(self, fields: dict[str, str]) -> None:
        """From the sealed fields mr_ek, mr_lls and push_ek in hexadecimal."""
        none = bytes(security.KEY_LENGTH)
        reading, push = bytes.fromhex(fields["mr_ek"]), bytes.fromhex(fields["push_ek"])
        self.password = bytes.fromhex(fields["mr_lls"])
        self.reading = Cipher(reading, none) if reading and self.password else None
        self.push = Cipher(push, none) if push else None


class KeyShared(Exception):
    """The meter shares its reading key with its setting client, so it is the interlock's alone.

    Attributes: `meter`.
    """

    def __init__(self, meter: str) -> None:
        super().__init__(f"the reading key of {meter} is also its setting key")
        self.meter = meter


def obis_of(text: str) -> bytes:
    """The six bytes of a logical name A.B.C.D.E.F.

    :raises ValueError: not six numbers of a byte each.
    """
    ln = bytes(int(part) for part in text.split("."))
    if len(ln) != 6:
        raise ValueError(f"not a logical name: {text}")
    return ln


class Reachable(Protocol):
    """Where a meter is."""

    @property
    def meter(self) -> str:
        """Its serial."""
        ...

    @property
    def link(self) -> str:
        """`dial_out`, `dial_in` or `gateway`."""
        ...

    @property
    def host(self) -> str:
        """Its address."""
        ...

    @property
    def port(self) -> int:
        """Its port."""
        ...

    @property
    def gateway(self) -> str | None:
        """The gateway it stands behind, HOST:PORT."""
        ...

    @property
    def wport(self) -> int:
        """The meter behind it."""
        ...


def way_to(of: Reachable, board: Board) -> Way | None:
    """How to reach a meter now; None for one that calls and has not."""
    if of.gateway is not None:
        return OverLine(board, of.meter, Service.ASKED, gateway=of.gateway, wport=of.wport)
    if of.meter in board.calls:
        return OverLine(board, of.meter, Service.ASKED)
    return None if of.link == "dial_in" else DialOut(of.host, of.port)


class ReadSession(Session):
    """AARQ with the password, one GET, RLRQ."""

    __slots__ = ("_obis", "_opened", "_reads", "read")

    def __init__(self, *, links: Links, reads: Reads, read: Read, keys: ReadingKeys, title: bytes, block: int) -> None:
        """:raises KeyShared: the reading client's key is not ours."""
        if keys.reading is None:
            raise KeyShared(read.meter)
        super().__init__(links)
        self.read = read
        self._reads = reads
        self._obis = obis_of(read.register)
        self._opened = False
        self.association = ClientAssociation(
            client_sap=READING_SAP,
            server_sap=read.wport,
            mechanism=security.MECHANISM_LLS,
            security_control=security.ENCRYPTED,
            system_title=title,
            meter_title=read.system_title,
            cipher=keys.reading,
            secret=keys.password,
            counter=read.counter,
            counter_end=read.counter + block,
            quirks=quirks_of(read.make),
        )

    @property
    def meter(self) -> str:
        """The serial of the meter that is read."""
        return self.read.meter

    def heard(self, event: Event) -> None:
        """Opened: ask. Answered: done."""
        if isinstance(event, Opened):
            self._opened = True
            self.say(self.association.get(REGISTER_CLASS, self._obis, _VALUE))
        elif not isinstance(event, Got):
            self.break_off("data_access_refused")
        else:
            value = event.value
            if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value < _LARGEST:
                self.break_off("malformed")
            else:
                crash_point("headend.read_answered")
                self._reads.answered(self.read, value, "", self._links.loop.time() - self.started)
                self.finish()

    def failed(self, name: str, error: Exception | None) -> None:
        """The request is tried again, or ends with this reason."""
        if self.read.learned and not self._opened and name not in _NOT_THERE:
            self._reads.met_another(self.read, name)
        self._reads.answered(self.read, None, name, self._links.loop.time() - self.started)

    def closed(self) -> None:
        """Room for the next."""
        self._reads.link_closed(self.read)


class Reads:
    """All reads of one head-end process."""

    def __init__(
        self,
        *,
        config: HeadendConfig,
        worker: str,
        database: Database,
        clock: Clock,
        links: Links,
        keys: KeyRing[ReadingKeys],
        board: Board,
        pressed: Callable[[], bool],
    ) -> None:
        """`pressed` tells whether something more urgent than reads waits."""
        self._board = board
        self._pressed = pressed
        self._config = config
        self._worker = worker
        self._database = database
        self._clock = clock
        self._links = links
        self._keys = keys
        self._log = structlog.get_logger().bind(part="reads")
        self.pacing = Pacing(
            total=config.concurrency, per_cell=config.per_cell, waiting=config.concurrency + CLAIM_AT_MOST
        )
        self.strangers: Batcher[tuple[str, str, str]] = Batcher(self._forget, most=BATCH, linger_s=LINGER_S)
        self.answers: Batcher[Answer] = Batcher(self._write, most=BATCH, linger_s=LINGER_S)
        self._wake = asyncio.Event()
        self._closing = False

    def ring(self, _payload: str = "") -> None:
        """Somebody asked for a read, or room became free."""
        self._wake.set()

    async def run(self) -> None:
        """Claim until cancelled: when a bell rings, and every `poll_s`."""
        while True:
            self._wake.clear()
            try:
                while not self._closing:
                    room = self._room()
                    if room <= 0 or await self._claim(room) < room:
                        break
            except FAILURES as error:
                self._database.metrics.failures.labels("claim").inc()
                self._log.warning("claim_failed", error=type(error).__name__, why=str(error)[:200])
                await asyncio.sleep(self._config.poll_s)
            try:
                async with asyncio.timeout(self._config.poll_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _room(self) -> int:
        # However much is being collected, a few that somebody asked for may stand in front of it.
        room = min(CLAIM_AT_MOST, max(self.pacing.room(Service.ASKED), min(ASKED_AT_MOST, self.pacing.places)))
        if self._pressed():
            room = min(room, BESIDE - self.pacing.running - self.pacing.waiting)
        return room

    async def stop(self) -> None:
        """Claim nothing more."""
        self._closing = True

    async def drain(self) -> None:
        """Claim nothing more; return when every session has ended and every answer is written."""
        self._closing = True
        while self.pacing.running or self.pacing.waiting:
            await asyncio.sleep(0.02)
        await self.answers.settled()

    async def _claim(self, limit: int) -> int:
        config = self._config
        latest = self._links.loop.time() + config.lease_s - config.session_s
        rows = await self._database.rows(_CLAIM, (self._worker, limit, config.lease_s, config.counter_block))
        if not rows:
            return 0
        crash_point("headend.read_claimed")
        self._database.metrics.claimed.labels("read").inc(len(rows))
        reads = [Read._make(row) for row in rows]
        await self._keys.learn(read.import_id for read in reads)
        for read in reads:
            most = None if read.gateway is None else config.per_gateway
            self.pacing.offer(Service.ASKED, read.place, partial(self._start, read, latest), most=most)
        return len(reads)

    def _start(self, read: Read, latest: float) -> bool:
        if self._closing or self._links.loop.time() > latest:
            self.answered(read, None, "no_room", 0.0)
            return False
        config = self._config
        way = way_to(read, self._board)
        if way is None:
            self._board.wanted.add(read.meter)
            self.answered(read, None, "no_line", 0.0)
            return False
        try:
            session = ReadSession(
                links=self._links,
                reads=self,
                read=read,
                keys=self._keys.open(read.import_id, read.meter, read.sealed),
                title=config.system_title,
                block=config.counter_block,
            )
        except SealBroken:
            self.answered(read, None, "seal_broken", 0.0)
            return False
        except KeyShared:
            self.answered(read, None, "key_shared", 0.0)
            return False
        except ValueError:
            self.answered(read, None, "register_unknown", 0.0)
            return False
        session.begin_by(way, total_s=config.session_s)
        return True

    def met_another(self, read: Read, why: str) -> None:
        """Whoever answers where the meter once called from is not that meter."""
        self.strangers.put((read.meter, read.host, why))

    def answered(self, read: Read, value: int | None, reason: str, seconds: float) -> None:
        """A read ended with a value or a reason."""
        metrics = self._links.metrics
        metrics.sessions.labels(reason or "read").inc()
        metrics.seconds.observe(seconds)
        self.answers.put(Answer(read, self._clock.now(), value, reason))

    def link_closed(self, read: Read) -> None:
        """Room for the next."""
        self.pacing.ended(read.place)
        self._wake.set()

    async def _forget(self, batch: Sequence[tuple[str, str, str]]) -> None:
        try:
            await self._database.rows(_FORGET, tuple(list(column) for column in zip(*batch, strict=True)))
        except FAILURES as error:
            # The next session there ends the same way and says so again.
            self._database.metrics.failures.labels("forget").inc()
            self._log.warning("addresses_not_forgotten", error=type(error).__name__, addresses=len(batch))

    async def _write(self, batch: Sequence[Answer]) -> None:
        columns: list[list[Any]] = [
            [answer.read.request for answer in batch],
            [answer.read.token for answer in batch],
            [answer.at for answer in batch],
            [answer.value for answer in batch],
            [answer.reason for answer in batch],
        ]
        pause = 0.1
        while True:
            try:
                rows = await self._database.rows(_RESULTS, (self._worker, *columns))
                break
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
                self._database.metrics.failures.labels("results").inc()
                self._log.warning("results_wait", results=len(batch), error=type(error).__name__, again_in_s=pause)
                await asyncio.sleep(pause)
                pause = min(2.0, pause * 2)
        counted = {request for (request,) in rows}
        for answer in batch:
            if answer.read.request in counted:
                self._database.metrics.written.labels("failed" if answer.value is None else "read").inc()
            else:
                self._database.metrics.superseded.inc()
