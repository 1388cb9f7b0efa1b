"""One session with one meter: a way to it, an association on that, deadlines, and an end that always comes.

A session is a callback machine, not a coroutine: a process holds ten thousand of them and touches each only when bytes
arrive or its time is up. What it says to the meter is a subclass's business; here is what all of them share:

- whatever goes wrong ends this session, and nothing else, with a name that is counted: `DlmsError.name` or one below;
- a reply has `reply_s`, the session as a whole the time given to `begin`; a byte that trickles in buys no time;
- at most `RECEIVE_LIMIT` bytes and `NOTIFICATION_LIMIT` unasked notifications are taken from a meter in one session;
- releasing the association is best effort and nothing waits for it.

A `Way` gives the session its connection: a TCP connection dialled here, the meter's own call, a gateway, a link lent by
another process. The session cannot tell the difference, and gives it back by closing it.

Names of link errors: unreachable, connect_timeout, reply_timeout, session_timeout, connection_lost, flooded; no_line
(the meter has not called), gateway_down, lender_away (whoever holds the meter's call does not answer).
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import Final, Protocol, cast

import structlog

from bahal.dlms.association.client import ClientAssociation
from bahal.dlms.association.events import Event, Notification
from bahal.dlms.association.states import State
from bahal.dlms.errors import DlmsError
from bahal.headend.deadlines import Deadlines
from bahal.headend.metrics import LinkMetrics

RECEIVE_LIMIT: Final = 1 << 20
NOTIFICATION_LIMIT: Final = 16

LINK_ERRORS: Final = frozenset(
    (
        "unreachable",
        "connect_timeout",
        "reply_timeout",
        "session_timeout",
        "connection_lost",
        "flooded",
        "no_line",
        "gateway_down",
        "lender_away",
    )
)

ALARMING: Final = frozenset(("bad_tag", "hls_failed", "replayed_counter", "weak_protection", "wrong_system_title"))
"""Errors that are no weather: somebody else's key or title, or frames that were used before. Each is an alarm."""


class LinkLost(OSError):
    """There is no way to the meter, or it ended; `name` is one of `LINK_ERRORS`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Opening(Protocol):
    """A way being opened."""

    def cancel(self) -> object:
        """Nobody waits for it any more."""
        ...


class Way(Protocol):
    """How a session comes to its meter."""

    def open(self, session: Session) -> Opening:
        """Begin to open it: later, `session.connection_made` is called with a transport, or `break_off` with a name."""
        ...


class DialOut:
    """A TCP connection of the session's own to the meter's address."""

    __slots__ = ("_host", "_port")

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    def open(self, session: Session) -> Opening:
        """Connect."""
        return session.loop.create_task(self._connect(session))

    async def _connect(self, session: Session) -> None:
        try:
            await session.loop.create_connection(lambda: session, self._host, self._port)
        except OSError as error:
            session.break_off("unreachable", error)


class Links:
    """What all sessions of a process share: the loop, the deadlines, the limits and the counters.

    :param reply_s: how long a meter may take for one reply.
    :param connect_s: how long a TCP connection may take.
    """

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, metrics: LinkMetrics, reply_s: float, connect_s: float
    ) -> None:
        self.loop = loop
        self.metrics = metrics
        self.reply_s = reply_s
        self.connect_s = connect_s
        self.deadlines = Deadlines(loop)
        self.open: set[Session] = set()
        self._log = structlog.get_logger().bind(part="links")

    def abort_all(self, name: str) -> None:
        """End every session now, each with this name."""
        for session in list(self.open):
            session.break_off(name)

    def alarm(self, meter: str, name: str, error: Exception | None) -> None:
        """A meter, or whoever answers at its address, could not be who it says: for a person to look into."""
        self.metrics.alarms.labels(name).inc()
        self._log.error("alarm", meter=meter, reason=name, why=str(error or ""))


class Session(asyncio.Protocol, ABC):
    """The shared half of a session; a subclass says what is said.

    It must set `association` before `begin`, and implement `heard`, `failed` and `closed`.
    """

    __slots__ = (
        "_links",
        "_notifications",
        "_opening",
        "_over",
        "_received",
        "_releasing",
        "_transport",
        "association",
        "bucket",
        "due",
        "ends",
        "started",
    )

    association: ClientAssociation

    def __init__(self, links: Links) -> None:
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._opening: Opening | None = None
        self._over = False
        self._releasing = False
        self._received = 0
        self._notifications = 0
        self.bucket = 0
        self.due = 0.0
        self.ends = 0.0
        self.started = 0.0

    # --- for the subclass --------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def meter(self) -> str:
        """The serial of the meter that is called."""

    @abstractmethod
    def heard(self, event: Event) -> None:
        """The meter answered; say the next thing with `say`, or end with `finish`."""

    @abstractmethod
    def failed(self, name: str, error: Exception | None) -> None:
        """The session broke before `finish`. Called at most once; `closed` follows."""

    @abstractmethod
    def closed(self) -> None:
        """The connection is given up, whatever happened. Called exactly once after `begin`."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the session lives in."""
        return self._links.loop

    def begin(self, host: str, port: int, *, total_s: float) -> None:
        """Dial the meter and open the association; the session ends within `total_s` seconds."""
        self.begin_by(DialOut(host, port), total_s=total_s)

    def begin_by(self, way: Way, *, total_s: float) -> None:
        """Reach the meter by this way and open the association; the session ends within `total_s` seconds."""
        links = self._links
        now = links.loop.time()
        self.started = now
        self.ends = now + total_s
        self.due = min(now + links.connect_s, self.ends)
        links.open.add(self)
        links.deadlines.watch(self)
        opening = way.open(self)
        if not self._over and self._transport is None:
            self._opening = opening

    def say(self, request: bytes) -> None:
        """Write a request; its reply has `reply_s`."""
        transport = self._transport
        if transport is None:
            return
        transport.write(request)
        links = self._links
        due = links.loop.time() + links.reply_s
        self.due = due if due < self.ends else self.ends

    def hold(self) -> None:
        """No reply is awaited: only the session's own end counts."""
        self.due = self.ends

    def finish(self) -> None:
        """All is said: release the association and close, without waiting for either."""
        if self._over or self._releasing:
            return
        self._releasing = True
        if self._transport is None or self.association.state is not State.OPEN:
            self._close(abort=False)
            return
        try:
            request = self.association.release()
        except DlmsError:
            request = b""
        if request:
            self.say(request)
        else:
            self._close(abort=False)

    def break_off(self, name: str, error: Exception | None = None) -> None:
        """End it with a name: once, whatever else comes."""
        if self._over:
            return
        if not self._releasing:
            self._links.metrics.errors.labels(name).inc()
            if name in ALARMING:
                self._links.alarm(self.meter, name, error)
            self._releasing = True
            self.failed(name, error)
        self._close(abort=True)

    @property
    def alive(self) -> bool:
        """Whether something can still be said."""
        return not self._over and not self._releasing and self._transport is not None

    # --- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected: open the association."""
        # uvloop's transports are none of asyncio's classes.
        made = cast(asyncio.Transport, transport)
        self._opening = None
        if self._over:
            made.abort()
            return
        self._transport = made
        own = made.get_extra_info("socket")
        if own is not None and own.family in (socket.AF_INET, socket.AF_INET6):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.say(self.association.open())
        except DlmsError as error:
            self.break_off(error.name, error)

    def data_received(self, data: bytes) -> None:
        """Bytes of the meter."""
        if self._over:
            return
        self._received += len(data)
        if self._received > RECEIVE_LIMIT:
            self.break_off("flooded")
            return
        association = self.association
        try:
            events = association.receive(data)
        except DlmsError as error:
            self.break_off(error.name, error)
            return
        # HLS and further blocks answer by themselves.
        request = association.outgoing()
        if request:
            self.say(request)
        for event in events:
            if self._releasing:
                break
            if isinstance(event, Notification):
                self._notifications += 1
                if self._notifications > NOTIFICATION_LIMIT:
                    self.break_off("flooded")
                    return
                continue
            try:
                self.heard(event)
            except DlmsError as error:
                self.break_off(error.name, error)
                return
        if self._releasing and association.state is State.CLOSED:
            self._close(abort=False)

    def eof_received(self) -> bool:
        """The meter closed its side."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.break_off(exc.name if isinstance(exc, LinkLost) else "connection_lost", exc)

    def expire(self) -> None:
        """A deadline passed."""
        if self._transport is None:
            self.break_off("connect_timeout")
        elif self._links.loop.time() >= self.ends:
            self.break_off("session_timeout")
        else:
            self.break_off("reply_timeout")

    def _close(self, *, abort: bool) -> None:
        if self._over:
            return
        self._over = True
        links = self._links
        links.open.discard(self)
        links.deadlines.forget(self)
        self.association.lost()
        opening = self._opening
        if opening is not None:
            self._opening = None
            opening.cancel()
        transport = self._transport
        if transport is not None:
            self._transport = None
            if abort:
                transport.abort()
            else:
                transport.close()
        self.closed()
