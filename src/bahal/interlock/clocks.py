"""Setting clocks: one order moves one meter's clock by one step, after it was read here, and is read back.

    AARQ, HLS | clock | moment of sending | SET clock, or shift_time | clock again | RLRQ

The time that is written is this room's own, never one from a row: an order only says which meter. How far the meter's
clock is off is measured on the spot, each reading bounded by its round trip; the owner's SQL function derives the right
to move it, and by how much, at the moment of sending. A SET is absolute: sent twice it does no more than once. A shift,
for makes that only take that, is not: after a lost reply both are read before anything is sent again.

It gives way to every order for a relay, before it begins and under way: the order does not wait for it. What was sent
and not read back is read before anything else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import IntEnum
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from bahal.dlms import axdr, clock, india, security
from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import ActionDone, Event, Got, Opened, SetDone
from bahal.dlms.errors import DlmsError
from bahal.dlms.quirks import quirks_of
from bahal.headend.batches import Batcher
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.keys import KeyRing
from bahal.headend.link import DialOut, Links, Session, Way
from bahal.headend.pacing import Pacing, Service
from bahal.interlock.borrowing import Borrow
from bahal.interlock.config import SETTING_SAP, InterlockConfig
from bahal.interlock.orders import BACK, CUT, FIELD_TASK, UNSENT
from bahal.interlock.profile import ClockLimits
from bahal.interlock.session import TRANSIENT, WRITE_WITHIN_S, RelayKeys
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

VERIFIED: Final = "verified"
AT_ONCE: Final = 32
EVERY_S: Final = 1.0
_CLOCK_CLASS: Final = 8
_TIME: Final = 2
_LONGEST_WAIT_S: Final = 3600.0
_HALF_SECOND: Final = 0.5
"""A clock that tells whole seconds stands, on average, half a second further than it says."""

_CLAIM: Final = """
    SELECT clock, tries, sends, meter, make, system_title, host, port, cell, import::text, sealed, token, counter,
           meter_counter, link, gateway, wport FROM interlock_clocks_claim(%s, %s, %s, %s, %s)
"""
_SEND: Final = "SELECT verdict, reason, step_s, wait_s FROM interlock_clock_send(%s, %s, %s, %s, %s, %s, %s::jsonb)"
_WANTED: Final = """
    SELECT DISTINCT o.meter FROM supply_order o
    WHERE o.meter = ANY (%s) AND o.state IN ('authorised', 'claimed', 'sent', 'unknown')
"""
GAVE_WAY: Final = "gave_way"
_DONE: Final = (
    "SELECT interlock_clocks_done(%s, %s, %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::double precision[],"
    " %s::double precision[], %s::bigint[], %s::double precision[])"
)


class ClockOrder(NamedTuple):
    """A row of `interlock_clocks_claim`: the order, its meter, the lease's token and the reserved counters."""

    order: int
    tries: int
    sends: int
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


class Measured(NamedTuple):
    """A clock as it was read: seconds ahead of ours, within the round trip of the reading."""

    drift_s: float
    trip_s: float


class ClockOutcome(NamedTuple):
    """A row for `interlock_clocks_done`; `state` None frees the lease and leaves the order as it is."""

    order: ClockOrder
    state: str | None
    reason: str
    after_s: float | None
    trip_s: float | None
    meter_counter: int
    wait_s: float


class Step(IntEnum):
    """What a session waits for."""

    OPENING = 0
    READING = 1
    SENDING = 2
    SETTING = 3
    READING_BACK = 4
    OVER = 5


class ClockSession(Session):
    """Carries out one claimed order."""

    __slots__ = ("_asked_at", "_before", "_broken", "_clocks", "_step", "_step_s", "_trip_s", "order")

    def __init__(
        self, *, links: Links, clocks: Clocks, order: ClockOrder, keys: RelayKeys, title: bytes, block: int
    ) -> None:
        super().__init__(links)
        quirks = quirks_of(order.make)
        self.order = order
        self._clocks = clocks
        self._step = Step.OPENING
        self._asked_at = 0.0
        self._before = Measured(0.0, 0.0)
        self._broken: str | None = None
        self._step_s = 0
        self._trip_s: float | None = None
        self.association = ClientAssociation(
            client_sap=SETTING_SAP,
            server_sap=order.wport,
            mechanism=quirks.hls_mechanism,
            security_control=security.AUTHENTICATED_ENCRYPTED,
            system_title=title,
            meter_title=order.system_title,
            cipher=keys.cipher,
            secret=keys.hls,
            counter=order.counter,
            counter_end=order.counter + block,
            last_meter_counter=order.meter_counter,
            quirks=quirks,
        )

    @property
    def meter(self) -> str:
        """The serial of the meter whose clock it is."""
        return self.order.meter

    @property
    def before(self) -> Measured:
        """The clock as it was read before anything was sent."""
        return self._before

    # --- what the meter says -----------------------------------------------------------------------------------------

    def heard(self, event: Event) -> None:
        """On to the next step."""
        if self._step is Step.OPENING and isinstance(event, Opened):
            self._read(Step.READING)
        elif self._step is Step.READING:
            measured = self._measured(event)
            if measured is not None:
                self._before, self._trip_s = measured, measured.trip_s
                self._step = Step.SENDING
                self.hold()
                self._clocks.ready_to_send(self)
        elif self._step is Step.SETTING and isinstance(event, SetDone | ActionDone):
            crash_point("clock.set_answered")
            if event.result:
                self._conclude(FIELD_TASK, "set_refused")
            else:
                self._read(Step.READING_BACK)
        elif self._step is Step.READING_BACK:
            measured = self._measured(event)
            if measured is not None:
                self._judge(measured)
        else:
            self.break_off("unexpected")

    def _read(self, step: Step) -> None:
        self._step = step
        self._asked_at = time.monotonic()  # the loop's own time stands still for a round
        self.say(self.association.get(_CLOCK_CLASS, india.CLOCK_LN, _TIME))

    def _measured(self, event: Event) -> Measured | None:
        """How far the clock in an answer is ahead of ours, or None after the session was ended for it."""
        now, trip = self._clocks.now(), time.monotonic() - self._asked_at
        if not isinstance(event, Got):
            self.break_off("data_access_refused")
            return None
        try:
            raw = axdr.decode(event.data)
            if not isinstance(raw, bytes):
                self._conclude(FIELD_TASK, "clock_unreadable")
                return None
            told = clock.decode(raw, zone=india.IST)
        except DlmsError:
            # Reached and well spoken, and no time in it: for a person.
            self._conclude(FIELD_TASK, "clock_unreadable")
            return None
        fraction = 0.0 if told.microsecond else _HALF_SECOND
        return Measured((told - now).total_seconds() + trip / 2 + fraction, trip)

    def _judge(self, after: Measured) -> None:
        """Verified where the clock stands as it was set; else it is read again, and then sent once more at most."""
        crash_point("clock.read_back")
        self._trip_s = max(self._before.trip_s, after.trip_s)
        if after.trip_s > self._clocks.limits.round_trip_s:
            self._conclude(BACK, "round_trip_too_long", after, wait_s=5.0)
        elif abs(after.drift_s - self._before.drift_s - self._step_s) <= self._clocks.limits.round_trip_s + 2:
            self._conclude(VERIFIED, "", after)
        else:
            self._conclude(BACK, "clock_not_moved", after, wait_s=1.0)

    # --- the moment of sending ---------------------------------------------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether it still waits for its verdict on a link that lives."""
        return self._step is Step.SENDING and self._broken is None

    def verdict(self, word: str, reason: str, step_s: int | None, wait_s: float | None, committed: float) -> None:
        """What the database said.

        :param committed: a monotonic moment before the commit.
        """
        if word == "lost":
            self._conclude(None, reason)
        elif word == "wait":
            self._conclude(BACK, reason, wait_s=min(_LONGEST_WAIT_S, wait_s or 0.0))
        elif word != "send" or step_s is None:
            self._conclude(word, reason, self._before if word == VERIFIED else None)
        elif self._broken is not None or not self.alive:
            self._conclude(UNSENT, self._broken or "connection_lost", wait_s=5.0)
        elif time.monotonic() - committed > WRITE_WITHIN_S:
            self._conclude(UNSENT, "late_to_write", wait_s=1.0)
        else:
            self._set(step_s)

    def _set(self, step_s: int) -> None:
        crash_point("clock.send_committed")
        self._step_s = step_s
        try:
            request = self._moving(step_s)
        except DlmsError as error:
            self._conclude(UNSENT, error.name, wait_s=60.0)
            return
        self._step = Step.SETTING
        self.say(request)
        # The loop writes at the end of its round; the point stands after that.
        self.loop.call_soon(_set_written)

    def _moving(self, step_s: int) -> bytes:
        """The request that moves the clock by so many seconds.

        :raises DlmsError: it cannot be made.
        """
        if quirks_of(self.order.make).clock_shifts:
            return self.association.action(_CLOCK_CLASS, india.CLOCK_LN, clock.SHIFT_TIME, axdr.int16(step_s))
        # Where its clock should stand when the frame is there, to the whole second that every meter takes.
        away = self._before.drift_s + step_s + self._before.trip_s / 2
        target = self._clocks.now().astimezone(india.IST) + timedelta(seconds=away + _HALF_SECOND)
        data = axdr.octets(clock.encode(target.replace(microsecond=0)))
        return self.association.set(_CLOCK_CLASS, india.CLOCK_LN, _TIME, data)

    def unanswered(self) -> None:
        """The database failed the call, and nobody knows whether it marked the order. Nothing was written."""
        self._conclude(UNSENT, "database_failed", wait_s=5.0)

    # --- the end -----------------------------------------------------------------------------------------------------

    def failed(self, name: str, error: Exception | None) -> None:
        """Before the moment of sending the order goes back or a person goes; after it, the clock is read again."""
        if self._step is Step.SENDING:
            self._broken = name
        elif self._step in (Step.SETTING, Step.READING_BACK):
            self._conclude(BACK, name, wait_s=5.0)
        else:
            self._conclude(*self._given_up(name))

    def give_way(self) -> None:
        """The meter is wanted for its relay: end now, whatever was asked. What was sent is read again later."""
        if self._step is not Step.SENDING:  # then the database has the word, and it is a matter of milliseconds
            self._conclude(BACK, GAVE_WAY, wait_s=60.0)
            self.break_off(GAVE_WAY)

    def withdrawn(self) -> None:
        """The link broke before it was asked whether to send: nothing was sent."""
        self._conclude(*self._given_up(self._broken or "connection_lost"))

    def _given_up(self, name: str) -> tuple[str, str, Measured | None, float]:
        if name in TRANSIENT or self.order.tries < 2:
            pause = 60.0 if name == "no_line" else 15.0 * 2 ** min(self.order.tries, 8)
            return BACK, name, None, min(_LONGEST_WAIT_S, pause)
        return FIELD_TASK, name, None, 0.0

    def closed(self) -> None:
        """Room for the next."""
        self._clocks.open.discard(self)
        self._clocks.pacing.ended(self.order.place)

    def _conclude(self, state: str | None, reason: str, after: Measured | None = None, wait_s: float = 0.0) -> None:
        if self._step is Step.OVER:
            return
        self._step = Step.OVER
        counter = self.association.meter_counter
        kept = self.order.meter_counter if counter is None else max(counter, self.order.meter_counter)
        after_s = None if after is None else after.drift_s
        self._clocks.ended(ClockOutcome(self.order, state, reason, after_s, self._trip_s, kept, wait_s))
        self.finish()


def _set_written() -> None:
    crash_point("clock.set_written")


class Clocks:
    """All clock orders of one interlock.

    :param freed: called when meters were given back that are wanted for their relays.
    """

    def __init__(
        self,
        *,
        config: InterlockConfig,
        worker: str,
        database: Database,
        clock: Clock,
        limits: ClockLimits,
        links: Links,
        keys: KeyRing[RelayKeys],
        ringer: Ringer,
        freed: Callable[[], object],
    ) -> None:
        self._config = config
        self._worker = worker
        self._database = database
        self._clock = clock
        self.limits = limits
        self._limits = limits.as_json()
        self._links = links
        self._keys = keys
        self._ringer = ringer
        self._log = structlog.get_logger().bind(part="clocks")
        self._closing = False
        self._freed = freed
        self._rung = asyncio.Event()
        self.open: set[ClockSession] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self.now = clock.now
        self.pacing = Pacing(total=AT_ONCE, per_cell=config.per_cell, waiting=AT_ONCE)
        self.done: Batcher[ClockOutcome] = Batcher(self._write, most=AT_ONCE, linger_s=0.01)

    async def run(self) -> None:
        """Set clocks until cancelled."""
        while True:
            try:
                room = self.pacing.room(Service.PROFILE)
                if room > 0 and not self._closing:
                    await self._claim(min(room, AT_ONCE))
            except FAILURES as error:
                self._failed("claim_clocks", error)
            await asyncio.sleep(min(EVERY_S, self._config.poll_s * 2))

    def ring(self) -> None:
        """The business made an order for a relay."""
        self._rung.set()

    async def give_way(self) -> None:
        """Give up, until cancelled, what is under way with meters that are wanted for their relays."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            meters = [session.meter for session in self.open]
            if not meters:
                continue
            try:
                wanted = {meter for (meter,) in await self._database.rows(_WANTED, (meters,))}
            except FAILURES as error:
                self._failed("give_way", error)
                continue
            for session in list(self.open):
                if session.meter in wanted:
                    session.give_way()

    async def drain(self) -> None:
        """Take on nothing more; return when all that is in hand has ended and is written."""
        self._closing = True
        while self.pacing.running or self.pacing.waiting or self._sending:
            await asyncio.sleep(0.02)
        await self.done.settled()

    async def _claim(self, limit: int) -> None:
        config = self._config
        asked = (self._worker, limit, config.lease_s, config.counter_block, self._clock.now())
        orders = [ClockOrder._make(row) for row in await self._database.rows(_CLAIM, asked)]
        if not orders:
            return
        crash_point("clock.claimed")
        await self._keys.learn(order.import_id for order in orders)
        for order in orders:
            most = None if order.gateway is None else config.per_gateway
            self.pacing.offer(Service.PROFILE, order.place, partial(self._start, order), most=most)

    def _start(self, order: ClockOrder) -> bool:
        config = self._config
        state, reason = "", ""
        keys: RelayKeys | None = None
        if order.link == "dial_out" and not config.may_dial(order.host):
            state, reason = FIELD_TASK, "address_refused"
        try:
            keys = self._keys.open(order.import_id, order.meter, order.sealed)
        except SealBroken:
            state, reason = FIELD_TASK, "seal_broken"
        if self._closing:
            state, reason = BACK, "no_room"
        if state or keys is None:
            self.ended(ClockOutcome(order, state, reason, None, None, order.meter_counter, 0.0))
            return False
        session = ClockSession(
            links=self._links,
            clocks=self,
            order=order,
            keys=keys,
            title=config.system_title,
            block=config.counter_block,
        )
        self.open.add(session)
        session.begin_by(self._way(order), total_s=config.session_s)
        return True

    def _way(self, order: ClockOrder) -> Way:
        if order.link == "dial_out":
            return DialOut(order.host, order.port)
        return Borrow(order, doors=self._config.links, may_dial=self._config.may_dial)

    # --- what sessions report ----------------------------------------------------------------------------------------

    def ready_to_send(self, session: ClockSession) -> None:
        """Its clock was read: to the moment of sending."""
        task = self._links.loop.create_task(self._send(session))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, session: ClockSession) -> None:
        if not session.wanted:
            session.withdrawn()
            return
        drift_s, trip_s = session.before
        at, committed = self._clock.now(), time.monotonic()
        asked = (self._worker, session.order.order, drift_s, trip_s, at, self._clock.wall(), self._limits)
        try:
            ((word, reason, step_s, wait_s),) = await self._database.rows(_SEND, asked)
        except FAILURES as error:
            self._failed("send_clock", error)
            session.unanswered()
            return
        session.verdict(word, reason, step_s, wait_s, committed)

    def ended(self, outcome: ClockOutcome) -> None:
        """An attempt came to this."""
        self._links.metrics.sessions.labels(outcome.reason or outcome.state or "freed").inc()
        self.done.put(outcome)

    async def _write(self, batch: Sequence[ClockOutcome]) -> None:
        columns: list[list[Any]] = [
            [each.order.order for each in batch],
            [each.order.token for each in batch],
            *(list(column) for column in list(zip(*batch, strict=True))[1:]),
        ]
        try:
            await self._database.rows(_DONE, (self._worker, self._clock.now(), *columns))
        except FAILURES as error:
            # The leases run out by themselves; what was sent is then read again.
            self._failed("clocks_done", error)
            return
        crash_point("clock.result_written")
        self._ringer.ring()
        if any(each.reason == GAVE_WAY for each in batch):
            self._freed()

    def _failed(self, what: str, error: BaseException) -> None:
        self._database.metrics.failures.labels(what).inc()
        self._log.warning("clocks_failed", what=what, error=type(error).__name__, why=str(error)[:200])
