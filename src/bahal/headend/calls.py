"""The dial-in door: meters call, say what happened, and stay on the line while somebody has something for them.

Who calls is known by key and system title, never by address. A caller is believed once a push of his was opened under
the push key of the meter it names, with a counter not seen before; one who says nothing is asked who he is and has to
associate as that meter (`bahal.headend.identify`). Until then he has a little time and few bytes, and takes nothing
from an older call of that name.

Admission: of callers at most `dial_in_most` are open, the next is turned away (`too_many`). Who is turned away is reset
and has to call again; who was served is closed in order. A caller who is believed stays if an order or a read waits for
him; otherwise he is let go (`served`) as soon as `lines_idle` others are on the line. What else closes a connection is
counted by name: malformed, oversized, unexpected, flooded, idle, superseded, unclean, idle_line and what a push or a
proof can be refused for.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

import structlog

from bahal.dlms.errors import DlmsError
from bahal.dlms.wrapper import Deframer, frame
from bahal.headend.batches import Batcher
from bahal.headend.config import PUSH_SAP, HeadendConfig
from bahal.headend.database import FAILURES, Database, Ringer
from bahal.headend.lines import Board, Call, Strand
from bahal.headend.link import LinkLost
from bahal.headend.metrics import PushMetrics
from bahal.headend.pushes import PUSH_LIMIT, PUSHES_A_CONNECTION, Pusher, PushTaker

BATCH: Final = 300
LINGER_S: Final = 0.005
MIND_EVERY_S: Final = 2.0
"""How often those on the line are looked up again: something may have been put off before they called."""
WAKE_EVERY_S: Final = 0.5
_SERVER_SAP: Final = 1
_TICK_S: Final = 0.25
_RETRY_S: Final = 0.5
_MINUTE_S: Final = 60.0
_IN_ORDER: Final = frozenset(("served", "superseded", "idle_line"))
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3))

_CALLED: Final = "SELECT meter, link, restore, ordered, asked FROM headend_called(%s::text[], %s::text[])"
_WAKE: Final = "SELECT headend_wake(%s::text[])"


class _Proved(NamedTuple):
    call: InboundCall
    meter: str


class Calls:
    """Everybody who called.

    :param ask_who: asks a silent caller who he is.
    :param reads_due: called when reads wait for somebody on the line.
    """

    def __init__(
        self,
        *,
        config: HeadendConfig,
        database: Database,
        metrics: PushMetrics,
        orders: Ringer,
        wakeups: Ringer,
        reads_due: Callable[[], None],
    ) -> None:
        self._config = config
        self._database = database
        self._orders = orders
        self._wakeups = wakeups
        self._reads_due = reads_due
        self._log = structlog.get_logger().bind(part="calls")
        self._paused = False
        self.ask_who: Callable[[InboundCall], None] = lambda call: None
        self.board: Board
        self.pushes: PushTaker
        self.metrics = metrics
        self.open: set[InboundCall] = set()
        self.unproved: dict[InboundCall, None] = {}
        self.proofs: Batcher[_Proved] = Batcher(self._believe, most=BATCH, linger_s=LINGER_S)
        self.restoring: set[str] = set()
        """Meters on the line that somebody waits for in the dark, as of the last look."""

    def new(self) -> asyncio.Protocol:
        """The protocol of a connection just accepted."""
        return InboundCall(self)

    def admit(self, call: InboundCall) -> bool:
        """Whether there is room for one more caller."""
        if len(self.open) >= self._config.dial_in_most:
            self.metrics.refused.labels("too_many").inc()
            return False
        self.open.add(call)
        self.unproved[call] = None
        if self._paused:
            call.pause()
        return True

    def press(self, pressed: bool) -> None:
        """So much waits that nobody is read from, or no longer."""
        self._paused = pressed
        for each in self.open:
            if pressed:
                each.pause()
            else:
                each.resume()

    def proved(self, call: InboundCall, meter: str) -> None:
        """The caller has proved to be this meter."""
        if call.meter is None and call.alive:
            self.proofs.put(_Proved(call, meter))

    def gone(self, call: InboundCall) -> None:
        """This call is over."""
        self.open.discard(call)
        self.unproved.pop(call, None)
        if call.meter is not None:
            self.board.remove(call.meter, call)
            self.restoring.discard(call.meter)

    def close(self) -> None:
        """End every call."""
        for call in list(self.open):
            call.refuse("closing")

    # --- who is believed ---------------------------------------------------------------------------------------------

    async def _believe(self, batch: Sequence[_Proved]) -> None:
        waiting = await self._look_up([(each.meter, each.call.host) for each in batch])
        for call, meter in batch:
            found = waiting.get(meter)
            self.unproved.pop(call, None)
            if not call.alive or found is None:
                continue
            if call.speaking:
                # He is being asked who he is, and spoke up meanwhile.
                call.pending = meter
                continue
            restore, needed = found
            if not needed and len(self.board.calls) >= self._config.lines_idle:
                call.end("served")
                continue
            call.meter = meter
            call.keep()
            self.board.place(meter, call)
            if restore:
                self.restoring.add(meter)

    async def _look_up(self, meters: Sequence[tuple[str, str | None]]) -> dict[str, tuple[bool, bool]]:
        """Whether a restore, and whether anything, waits for each meter; those who wait for it are told."""
        while True:
            try:
                rows = await self._database.rows(
                    _CALLED, ([meter for meter, _ in meters], [host for _, host in meters])
                )
                break
            except FAILURES as error:
                self._database.metrics.failures.labels("called").inc()
                self._log.warning("calls_wait", error=type(error).__name__, calls=len(meters))
                await asyncio.sleep(_RETRY_S)
        if any(ordered for _, _, _, ordered, _ in rows):
            self._orders.ring()
        if any(asked for *_, asked in rows):
            self._reads_due()
        return {meter: (restore, ordered or asked) for meter, _, restore, ordered, asked in rows}

    async def mind(self) -> None:
        """Look again, from time to time, what waits for those on the line, until cancelled."""
        while True:
            await asyncio.sleep(MIND_EVERY_S)
            meters = list(self.board.calls)
            for start in range(0, len(meters), BATCH):
                some = meters[start : start + BATCH]
                waiting = await self._look_up([(meter, None) for meter in some])
                for meter in some:
                    restore, needed = waiting.get(meter, (False, False))
                    call = self.board.calls.get(meter)
                    if isinstance(call, InboundCall) and needed:
                        call.heard_at = asyncio.get_running_loop().time()
                    elif call is not None and len(self.board.calls) > self._config.lines_idle:
                        self._let_go(meter, call)
                    if restore and call is not None:
                        self.restoring.add(meter)
                    else:
                        self.restoring.discard(meter)

    def _let_go(self, meter: str, call: Call) -> None:
        if not self.board.spoken_on(meter):
            call.end("served")

    async def wake(self) -> None:
        """Have those asked to call by SMS who were wanted and are not on the line, until cancelled."""
        while True:
            await asyncio.sleep(WAKE_EVERY_S)
            wanted = list(self.board.take_wanted())
            if not wanted:
                continue
            try:
                ((asked,),) = await self._database.rows(_WAKE, (wanted,))
            except FAILURES as error:
                self._database.metrics.failures.labels("wake").inc()
                self._log.warning("wakeups_wait", error=type(error).__name__, meters=len(wanted))
                self.board.wanted.update(wanted)
                continue
            if asked:
                self.metrics.wakeups.inc(asked)
                self._wakeups.ring()

    async def watch(self) -> None:
        """Close connections that are silent or stay too long; ask the silent ones first."""
        config, loop = self._config, asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            for call in list(self.unproved):
                if now - call.heard_at > config.dial_in_idle_s or now - call.opened_at > config.dial_in_total_s:
                    call.refuse("idle")
                elif not call.spoken and now - call.opened_at > config.identify_s:
                    self.ask_who(call)
            for call in list(self.open):
                if call.meter is None and call not in self.unproved:
                    if now - call.opened_at > config.dial_in_total_s:
                        call.refuse("idle")
                elif (
                    call.meter is not None
                    and now - call.heard_at > config.line_idle_s
                    and not self.board.spoken_on(call.meter)
                ):
                    call.end("idle_line")


class InboundCall(asyncio.Protocol, Pusher):
    """One meter's call. `meter` is who it is, once proved; `pending` who he said he is while he was being asked;
    `spoken` whether anything was said on it in either way."""

    __slots__ = (
        "_calls",
        "_counted_at",
        "_deframer",
        "_pushes",
        "_strand",
        "_transport",
        "heard_at",
        "host",
        "meter",
        "opened_at",
        "pending",
        "spoken",
    )

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._deframer = Deframer(PUSH_LIMIT)
        self._transport: asyncio.Transport | None = None
        self._strand: Strand | None = None
        self._pushes = 0
        self._counted_at = 0.0
        self.opened_at = self.heard_at = 0.0
        self.host: str | None = None
        self.meter: str | None = None
        self.pending: str | None = None
        self.spoken = False

    @property
    def alive(self) -> bool:
        """Whether the meter is still there."""
        return self._transport is not None

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks on it now."""
        return self._strand is not None

    # --- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Listen, if there is room."""
        # uvloop's transports are none of asyncio's classes.
        made = cast(asyncio.Transport, transport)
        peer = made.get_extra_info("peername")
        if peer is None or not self._calls.admit(self):
            _reset(made)
            return
        self._transport = made
        self.host = str(peer[0])
        self.opened_at = self.heard_at = self._counted_at = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Cut frames; each is a push, or an answer to whoever speaks on the line."""
        if self._transport is None:
            return
        try:
            frames = self._deframer.feed(data)
        except DlmsError as error:
            self.refuse(error.name)
            return
        for source, destination, apdu in frames:
            # Only a whole frame counts as a sign of life: bytes that trickle buy no time.
            now = asyncio.get_running_loop().time()
            if (source, destination) == (_SERVER_SAP, PUSH_SAP):
                if not self._may_push(now):
                    self.refuse("flooded")
                    return
                self.heard_at = now
                self.spoken = True
                self._calls.pushes.received(self, apdu)
            elif self._strand is not None:
                self.heard_at = now
                self._strand.take(frame(source, destination, apdu))
            else:
                self.refuse("unexpected")
            if not self.alive:
                return

    def connection_lost(self, exc: Exception | None) -> None:
        """The meter hung up."""
        self._over()

    def _may_push(self, now: float) -> bool:
        if now - self._counted_at > _MINUTE_S:
            self._counted_at, self._pushes = now, 0
        self._pushes += 1
        return self._pushes <= PUSHES_A_CONNECTION

    # --- as the one who pushed ---------------------------------------------------------------------------------------

    def proved(self, meter: str) -> None:
        """A push of this meter was new and was stored."""
        self._calls.proved(self, meter)

    def refuse(self, name: str) -> None:
        """Close it, with a name that is counted."""
        self._calls.metrics.received.labels(name).inc()
        self._turn_away()

    # --- as a line ---------------------------------------------------------------------------------------------------

    def attach(self, strand: Strand) -> None:
        """This one speaks now.

        :raises LinkLost: the meter has hung up.
        """
        if self._transport is None or self._strand is not None:
            raise LinkLost("no_line")
        own = self._transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.spoken = True
        self._strand = strand
        strand.run(self, self.host or "")

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        if self._transport is not None:
            self._transport.write(frames)

    def detach(self, strand: Strand, *, clean: bool) -> float:
        """The speaker is done; if he left in the middle the meter must call anew."""
        if self._strand is strand:
            self._strand = None
        if not clean:
            self.end("unclean")
        elif self.pending is not None:
            self._calls.proved(self, self.pending)
        return 0.0

    def end(self, name: str) -> None:
        """Close it, for this reason."""
        if self._transport is not None:
            self._calls.metrics.ended.labels(name).inc()
            if name in _IN_ORDER:
                self._transport.close()
                self._over()
            else:
                self._turn_away()

    def keep(self) -> None:
        """It will stay: notice when the other end has vanished."""
        if self._transport is not None:
            own = self._transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, number in _KEEPALIVE:
                own.setsockopt(socket.IPPROTO_TCP, option, number)

    def pause(self) -> None:
        """Read no more for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def _turn_away(self) -> None:
        if self._transport is not None:
            _reset(self._transport)
        self._over()

    def _over(self) -> None:
        self._transport = None
        self._calls.gone(self)
        strand, self._strand = self._strand, None
        if strand is not None:
            strand.lose(LinkLost("connection_lost"))


def _reset(transport: asyncio.Transport) -> None:
    """Close by a reset, which tells the meter to call again."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
