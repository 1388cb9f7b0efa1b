"""The dial-in door: meters call, push what happened under their push key, and hang up.

A push is a DataNotification under general-glo-ciphering (wPort 1 to 64). Its sender is looked up by the system title it
claims, opened with that meter's push key, decoded, and stored once: its counter must be above the highest one stored
(the database decides). Anything else closes that connection with a name that is counted, and nothing more: malformed,
oversized, unexpected, weak_protection, unknown_sender, wrong_key, key_shared, replayed, idle, too_many, flooded.

IS 15959 encrypts pushes and does not authenticate them (security control 0x20): a wrong key shows as content that is no
notification. What a push claims is therefore an alarm to look into, never a proof.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from datetime import datetime
from typing import Final, cast

import psycopg
import structlog

from bahal.dlms import axdr, clock, push, security
from bahal.dlms.apdu import DataNotification
from bahal.dlms.errors import DlmsError, MalformedApdu, UnexpectedApdu
from bahal.dlms.india import IST, STATUS_BITS
from bahal.dlms.security import Cipher
from bahal.dlms.wrapper import Deframer
from bahal.headend.config import PUSH_SAP, HeadendConfig
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.keys import KeyRing
from bahal.headend.metrics import PushMetrics
from bahal.headend.reads import ReadingKeys
from bahal.shared.clock import Clock
from bahal.shared.crash import crash_point
from bahal.shared.sealing import SealBroken

PUSH_LIMIT: Final = 2048
"""Bytes of one push."""
PUSHES_A_CONNECTION: Final = 64
WAITING_AT_MOST: Final = 2000
WORKERS: Final = 4
"""Pushes stored at once. A meter's pushes are stored one after another: a counter overtaken would count as replayed."""
SENDERS_KEPT: Final = 20_000
_SERVER_SAP: Final = 1
_TICK_S: Final = 1.0
_RETRY_S: Final = 0.5

_PUSHER: Final = "SELECT meter, import::text, sealed FROM headend_pusher(%s)"
_PUSHED: Final = "SELECT headend_pushed(%s, %s, %s, %s, %s)"


class PushRefused(Exception):
    """This push is not taken; `name` says why."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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
    """Receives, opens and stores pushes."""

    def __init__(
        self,
        *,
        config: HeadendConfig,
        database: Database,
        business: Clock,
        keys: KeyRing[ReadingKeys],
        metrics: PushMetrics,
        ringer: Ringer,
    ) -> None:
        self._config = config
        self._database = database
        self._business = business
        self._keys = keys
        self._ringer = ringer
        self._log = structlog.get_logger().bind(part="pushes")
        self._lanes: list[deque[tuple[DialIn, bytes]]] = [deque() for _ in range(WORKERS)]
        self._some = [asyncio.Event() for _ in range(WORKERS)]
        self._waiting = 0
        self._senders: OrderedDict[bytes, tuple[str, Cipher]] = OrderedDict()
        self.metrics = metrics
        self.open: set[DialIn] = set()

    def new(self) -> DialIn:
        """The protocol of a connection just accepted."""
        return DialIn(self)

    def admit(self, dial_in: DialIn) -> bool:
        """Whether there is room for one more connection."""
        if len(self.open) >= self._config.dial_in_most:
            self.metrics.refused.labels("too_many").inc()
            return False
        self.open.add(dial_in)
        return True

    def received(self, dial_in: DialIn, frame: bytes) -> None:
        """A frame came; while too many wait its connection is not read from."""
        crash_point("headend.push_received")
        # A byte that differs between system titles; a frame without one is refused in any lane.
        lane = frame[9] % WORKERS if len(frame) > 9 else 0
        self._lanes[lane].append((dial_in, frame))
        self._some[lane].set()
        self._waiting += 1
        if self._waiting >= WAITING_AT_MOST:
            for each in self.open:
                each.pause()

    async def work(self, lane: int) -> None:
        """Open and store the pushes of one lane until cancelled."""
        waiting, some = self._lanes[lane], self._some[lane]
        while True:
            while not waiting:
                some.clear()
                await some.wait()
            await self._take(*waiting.popleft())
            self._waiting -= 1
            if self._waiting == WAITING_AT_MOST // 2:
                for each in self.open:
                    each.resume()

    async def watch(self) -> None:
        """Close connections that are silent or stay too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            for dial_in in list(self.open):
                silent = now - dial_in.heard_at > self._config.dial_in_idle_s
                if silent or now - dial_in.opened_at > self._config.dial_in_total_s:
                    dial_in.refuse("idle")

    async def drain(self) -> None:
        """Return when everything received is stored."""
        while self._waiting:
            await asyncio.sleep(0.02)

    async def _take(self, dial_in: DialIn, frame: bytes) -> None:
        while True:
            try:
                meter, opened = await self._opened(frame)
                esw, meter_at = alert_of(opened.notification)
                ((stored,),) = await self._database.rows(
                    _PUSHED, (meter, opened.counter, esw, meter_at, self._business.now())
                )
                if not stored:
                    raise PushRefused("replayed")
                break
            except DlmsError as error:
                dial_in.refuse(error.name)
                return
            except PushRefused as refusal:
                dial_in.refuse(refusal.name)
                return
            except psycopg.DataError as error:
                self._log.warning("push_not_storable", why=str(error)[:200])
                dial_in.refuse("malformed")
                return
            except FAILURES as error:
                # The meter has hung up long since: what it said is kept until the database is back.
                self._database.metrics.failures.labels("push").inc()
                self._log.warning("push_waits", error=type(error).__name__, waiting=self._waiting)
                await asyncio.sleep(_RETRY_S)
        crash_point("headend.push_stored")
        self.metrics.received.labels("stored").inc()
        self._ringer.ring()

    async def _opened(self, frame: bytes) -> tuple[str, push.Opened]:
        """The sender's serial and what the frame says.

        :raises DlmsError: not ciphered as a push is.
        :raises PushRefused: nobody has that title, or its key opens nothing sensible.
        """
        title = push.sender_of(frame)
        known = title in self._senders
        meter, cipher = await self._sender(title)
        try:
            return meter, push.open_notification(frame, cipher, -1, security_control=security.ENCRYPTED)
        except (MalformedApdu, UnexpectedApdu) as error:
            if not known:
                raise PushRefused("wrong_key") from error
        # Its key may have been changed since it was kept.
        self._senders.pop(title, None)
        meter, cipher = await self._sender(title)
        try:
            return meter, push.open_notification(frame, cipher, -1, security_control=security.ENCRYPTED)
        except (MalformedApdu, UnexpectedApdu) as error:
            raise PushRefused("wrong_key") from error

    async def _sender(self, title: bytes) -> tuple[str, Cipher]:
        kept = self._senders.get(title)
        if kept is not None:
            self._senders.move_to_end(title)
            return kept
        rows = await self._database.rows(_PUSHER, (title,))
        if not rows:
            raise PushRefused("unknown_sender")
        meter, import_id, sealed = rows[0]
        await self._keys.learn([import_id])
        try:
            found = meter, self._keys.open(import_id, meter, sealed).push
        except SealBroken as broken:
            raise PushRefused("seal_broken") from broken
        if found[1] is None:
            raise PushRefused("key_shared")
        self._senders[title] = kept = found[0], found[1]
        if len(self._senders) > SENDERS_KEPT:
            self._senders.popitem(last=False)
        return kept


class DialIn(asyncio.Protocol):
    """One meter's call."""

    __slots__ = ("_count", "_deframer", "_pushes", "_transport", "heard_at", "opened_at")

    def __init__(self, pushes: Pushes) -> None:
        self._pushes = pushes
        self._deframer = Deframer(PUSH_LIMIT)
        self._transport: asyncio.Transport | None = None
        self._count = 0
        self.opened_at = self.heard_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Listen, if there is room."""
        # uvloop's transports are none of asyncio's classes.
        made = cast(asyncio.Transport, transport)
        if not self._pushes.admit(self):
            made.abort()
            return
        self._transport = made
        self.opened_at = self.heard_at = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Cut frames; each is a push."""
        if self._transport is None:
            return
        try:
            frames = self._deframer.feed(data)
        except DlmsError as error:
            self.refuse(error.name)
            return
        for source, destination, frame in frames:
            if (source, destination) != (_SERVER_SAP, PUSH_SAP):
                self.refuse("unexpected")
                return
            self._count += 1
            if self._count > PUSHES_A_CONNECTION:
                self.refuse("flooded")
                return
            # Only a whole frame counts as a sign of life: bytes that trickle buy no time.
            self.heard_at = asyncio.get_running_loop().time()
            self._pushes.received(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """The meter hung up."""
        self._transport = None
        self._pushes.open.discard(self)

    def refuse(self, name: str) -> None:
        """Close it, with a name that is counted."""
        self._pushes.metrics.received.labels(name).inc()
        self._pushes.open.discard(self)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()
