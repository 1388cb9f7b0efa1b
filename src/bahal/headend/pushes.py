"""Pushes: what meters say by themselves, opened under their push keys and stored once.

A push is a DataNotification under general-glo-ciphering (wPort 1 to 64). Its sender is looked up by the system title it
claims, opened with that meter's push key, decoded, and stored once: its counter must be above the highest one stored
(the database decides). Anything else closes its connection with a name that is counted, and nothing more: malformed,
unexpected, weak_protection, unknown_sender, wrong_key, key_shared, seal_broken, replayed.

IS 15959 encrypts pushes and does not authenticate them (security control 0x20): a wrong key shows as content that is no
notification. What a push claims is therefore an alarm to look into, never a proof of what happened; it is believed that
its sender is on the line, which lets nobody do more than take the line away.

What holds no event status word may be a push by schedule: it is handed to whoever takes readings in, and is new or not
by the same counters.

Pushes are taken in lanes, in batches: a lane opens what waits and stores it with one statement; the next collects.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

import psycopg
import structlog

from bahal.dlms import axdr, clock, push, security
from bahal.dlms.apdu import DataNotification
from bahal.dlms.errors import DlmsError, MalformedApdu, UnexpectedApdu
from bahal.dlms.india import IST, STATUS_BITS
from bahal.dlms.security import Cipher
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.keys import KeyRing
from bahal.headend.metrics import PushMetrics
from bahal.headend.reads import ReadingKeys
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

Result = TypeVar("Result")

PUSH_LIMIT: Final = 4096
"""Bytes of one push; a day of the load profile is about 2,100."""
PUSHES_A_CONNECTION: Final = 64
"""Pushes in a minute of one connection."""
WAITING_AT_MOST: Final = 2000
WORKERS: Final = 4
"""Lanes. A meter's pushes are stored in one lane, in order: a counter overtaken would count as replayed."""
BATCH: Final = 200
SENDERS_KEPT: Final = 20_000
_RETRY_S: Final = 0.5

_PUSHERS: Final = "SELECT system_title, meter, import::text, sealed, make, firmware FROM headend_pushers(%s)"
_PUSHED: Final = "SELECT headend_pushed(%s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s)"


class PushTaker(Protocol):
    """Who takes pushes from connections."""

    def received(self, pusher: Pusher, apdu: bytes) -> None:
        """A frame to the push client came."""
        ...


class Pusher:
    """The connection that a push came over."""

    __slots__ = ()

    def refuse(self, name: str) -> None:
        """What it said is not taken; count that, and end it if that ends only this meter's connection."""

    def proved(self, meter: str) -> None:
        """A push of this meter was new and was stored."""


class ScheduledTaker(Protocol):
    """Who takes what meters push by schedule."""

    async def meet(self, make: str, firmware: str) -> None:
        """Learn what is known of this firmware.

        :raises psycopg.Error: the database failed.
        """
        ...

    def take(
        self,
        notification: DataNotification,
        *,
        meter: str,
        make: str,
        firmware: str,
        counter: int,
        told: Callable[[bool], None],
    ) -> None:
        """Take a notification without a status word; `told` hears whether it was new, once it is stored.

        :raises MalformedApdu: it is no scheduled push either.
        """
        ...


class PushRefused(Exception):
    """This push is not taken; `name` says why."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Sender(NamedTuple):
    meter: str
    cipher: Cipher | str
    """The push key, or the name of why there is none."""
    make: str = ""
    firmware: str = ""


class _Push(NamedTuple):
    """A push that opened."""

    pusher: Pusher
    meter: str
    counter: int
    esw: str
    meter_at: datetime | None


def alert_of(notification: DataNotification) -> tuple[str, datetime | None]:
    """The event status word (32 hexadecimal digits, bit 0 leftmost) and the meter's own time in an alert.

    Makes differ in what else the body holds: the word is its only bit-string of 128, the time its date-time, or that of
    the notification.

    :raises MalformedApdu: no status word in it, or not A-XDR.
    """
    body = axdr.decode(notification.body)
    word: axdr.BitString | None = None
    stamp = notification.clock
    for value in body if isinstance(body, tuple | list) else (body,):
        if isinstance(value, axdr.BitString) and len(value) == STATUS_BITS:
            word = value
        elif isinstance(value, bytes) and len(value) == clock.LENGTH and not stamp:
            stamp = bytes(value)
    if word is None:
        raise MalformedApdu("no event status word")
    try:
        at = clock.decode(stamp, zone=IST) if stamp else None
    except MalformedApdu:
        at = None  # a clock that was never set is no reason to lose an alarm
    return word.packed.hex(), at


class Pushes:
    """Opens and stores pushes.

    :param pressed: called with True when so many wait that connections should not be read from, later with False.
    """

    def __init__(
        self,
        *,
        database: Database,
        business: Clock,
        keys: KeyRing[ReadingKeys],
        metrics: PushMetrics,
        ringer: Ringer,
        pressed: Callable[[bool], None],
        scheduled: ScheduledTaker | None = None,
    ) -> None:
        self._database = database
        self._scheduled = scheduled
        self._business = business
        self._keys = keys
        self._ringer = ringer
        self._pressed = pressed
        self._log = structlog.get_logger().bind(part="pushes")
        self._lanes: list[deque[tuple[Pusher, bytes]]] = [deque() for _ in range(WORKERS)]
        self._some = [asyncio.Event() for _ in range(WORKERS)]
        self._senders: OrderedDict[bytes, _Sender] = OrderedDict()
        self.metrics = metrics
        self.waiting = 0

    def received(self, pusher: Pusher, apdu: bytes) -> None:
        """A frame came."""
        crash_point("headend.push_received")
        # A byte that differs between system titles; a frame without one is refused in any lane.
        lane = apdu[9] % WORKERS if len(apdu) > 9 else 0
        self._lanes[lane].append((pusher, apdu))
        self._some[lane].set()
        self.waiting += 1
        if self.waiting == WAITING_AT_MOST:
            self._pressed(True)

    async def work(self, lane: int) -> None:
        """Open and store the pushes of one lane until cancelled."""
        waiting, some = self._lanes[lane], self._some[lane]
        while True:
            while not waiting:
                some.clear()
                await some.wait()
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            await self._take(batch)
            before, self.waiting = self.waiting, self.waiting - len(batch)
            if self.waiting <= WAITING_AT_MOST // 2 < before:
                self._pressed(False)

    async def drain(self) -> None:
        """Return when everything received is stored."""
        while self.waiting:
            await asyncio.sleep(0.02)

    # --- one batch ---------------------------------------------------------------------------------------------------

    async def _take(self, batch: Sequence[tuple[Pusher, bytes]]) -> None:
        titled: list[tuple[Pusher, bytes, bytes]] = []
        for pusher, apdu in batch:
            try:
                titled.append((pusher, push.sender_of(apdu), apdu))
            except DlmsError as error:
                pusher.refuse(error.name)
        known = {title for _, title, _ in titled if title in self._senders}
        await self._learn({title for _, title, _ in titled} - known)
        opened, again = self._open(titled, known)
        if again:
            # Their keys may have been changed since they were kept.
            for _, title, _ in again:
                self._senders.pop(title, None)
            await self._learn({title for _, title, _ in again})
            opened += self._open(again, set())[0]
        if opened:
            await self._store(opened)
        while len(self._senders) > SENDERS_KEPT:
            self._senders.popitem(last=False)

    def _open(
        self, titled: Sequence[tuple[Pusher, bytes, bytes]], kept: set[bytes]
    ) -> tuple[list[_Push], list[tuple[Pusher, bytes, bytes]]]:
        """What opened, and what did not under a key that was `kept` from before."""
        opened, again = [], []
        for pusher, title, apdu in titled:
            try:
                alert = self._opened(pusher, title, apdu)
                if alert is not None:
                    opened.append(alert)
            except (MalformedApdu, UnexpectedApdu) as error:
                if title in kept:
                    again.append((pusher, title, apdu))
                else:
                    pusher.refuse(error.name if isinstance(error, _Bodiless) else "wrong_key")
            except DlmsError as error:
                pusher.refuse(error.name)
            except PushRefused as refusal:
                pusher.refuse(refusal.name)
        return opened, again

    def _opened(self, pusher: Pusher, title: bytes, apdu: bytes) -> _Push | None:
        """An alert; None for a push by schedule, which goes its own way."""
        sender = self._senders.get(title)
        if sender is None:
            raise PushRefused("unknown_sender")
        self._senders.move_to_end(title)
        if isinstance(sender.cipher, str):
            raise PushRefused(sender.cipher)
        said = push.open_notification(apdu, sender.cipher, -1, security_control=security.ENCRYPTED)
        try:
            esw, meter_at = alert_of(said.notification)
        except MalformedApdu as error:
            if self._scheduled is None:
                raise _Bodiless(str(error)) from error
            self._by_schedule(self._scheduled, pusher, sender, said)
            return None
        return _Push(pusher, sender.meter, said.counter, esw, meter_at)

    def _by_schedule(self, taker: ScheduledTaker, pusher: Pusher, sender: _Sender, said: push.Opened) -> None:
        def told(new: bool) -> None:
            if new:
                self.metrics.received.labels("scheduled").inc()
                pusher.proved(sender.meter)
            else:
                pusher.refuse("replayed")

        try:
            taker.take(
                said.notification,
                meter=sender.meter,
                make=sender.make,
                firmware=sender.firmware,
                counter=said.counter,
                told=told,
            )
        except DlmsError as error:
            raise _Bodiless(str(error)) from error

    async def _learn(self, titles: set[bytes]) -> None:
        """Fetch the push keys of those of these titles that somebody has."""
        if not titles:
            return
        rows = await self._persist(lambda: self._database.rows(_PUSHERS, (list(titles),)))
        await self._persist(lambda: self._keys.learn([row[2] for row in rows]))
        scheduled = self._scheduled
        for title, meter, import_id, sealed, make, firmware in rows:
            if scheduled is not None and firmware:
                await self._persist(partial(scheduled.meet, make, firmware))
            cipher: Cipher | str
            try:
                cipher = self._keys.open(import_id, meter, sealed).push or "key_shared"
            except SealBroken:
                cipher = "seal_broken"
            self._senders[bytes(title)] = _Sender(meter, cipher, make, firmware)

    async def _store(self, opened: Sequence[_Push]) -> None:
        columns = [list(column) for column in zip(*(each[1:] for each in opened), strict=True)]
        try:
            rows = await self._persist(lambda: self._database.rows(_PUSHED, (*columns, self._business.now())))
        except psycopg.DataError as error:
            if len(opened) > 1:
                # One of them cannot be stored: the others must not suffer for it.
                for each in opened:
                    await self._store([each])
            else:
                self._log.warning("push_not_storable", why=str(error)[:200])
                opened[0].pusher.refuse("malformed")
            return
        crash_point("headend.push_stored")
        stored = {n for (n,) in rows}
        self.metrics.received.labels("stored").inc(len(stored))
        for n, each in enumerate(opened, 1):
            if n in stored:
                each.pusher.proved(each.meter)
            else:
                each.pusher.refuse("replayed")
        if stored:
            self._ringer.ring()

    async def _persist(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The database's answer, however long it is away: what meters said is kept until then.

        :raises psycopg.DataError: it answered, and will not take it.
        """
        while True:
            try:
                return await call()
            except psycopg.DataError:
                raise
            except FAILURES as error:
                self._database.metrics.failures.labels("push").inc()
                self._log.warning("push_waits", error=type(error).__name__, waiting=self.waiting)
                await asyncio.sleep(_RETRY_S)


class _Bodiless(MalformedApdu):
    """It opened as a notification, which holds no status word."""
