"""Borrowing a line: who calls by himself, or stands behind a gateway, is reached over a head-end's connection.

Only the dialling differs. The session asks the head-end's lending door for the meter, and then sends the frames that it
would send over TCP, ciphered here under keys that never leave this process; what it takes for granted of the line is
nothing. A head-end that lies, alters or drops can only make the session break, as any bad link does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, cast

from bahal.headend.link import LINK_ERRORS, LinkLost, Opening, Session

ANSWER_LIMIT: Final = 512


class Borrower(Protocol):
    """What a line is borrowed for: an order, or a look."""

    @property
    def meter(self) -> str:
        """The meter's serial."""

    @property
    def kind(self) -> str:
        """How urgent it is: cut or restore."""

    @property
    def gateway(self) -> str | None:
        """The gateway that it stands behind."""

    @property
    def wport(self) -> int:
        """The meter in the wrapper."""


class AddressRefused(Exception):
    """The head-end's line leads to an address that this interlock may not talk to.

    Attributes: `peer`.
    """

    def __init__(self, peer: str) -> None:
        super().__init__(f"the line leads to {peer}")
        self.peer = peer


class Borrow:
    """A session's way over a line that a head-end lends.

    :param doors: the lending doors' Unix sockets, one for each head-end; asked in turn until one has the line.
    :param may_dial: whether the address at the far end of the line may be talked to.
    """

    def __init__(self, claim: Borrower, *, doors: tuple[Path, ...], may_dial: Callable[[str], bool]) -> None:
        self._request = json.dumps(
            {"meter": claim.meter, "kind": claim.kind, "gateway": claim.gateway, "wport": claim.wport}
        ).encode()
        self._doors = doors
        self._may_dial = may_dial

    def open(self, session: Session) -> Opening:
        """Ask for the line."""
        return session.loop.create_task(self._ask(session))

    async def _ask(self, session: Session) -> None:
        name = "lender_away"
        for door in self._doors:
            answer: asyncio.Future[tuple[str, str]] = session.loop.create_future()
            try:
                _, asking = await session.loop.create_unix_connection(
                    lambda answer=answer: _Asking(self._request + b"\n", answer),  # type: ignore[misc]
                    str(door),
                )
            except OSError:
                continue
            try:
                peer, refused = await answer
            except asyncio.CancelledError:
                asking.give_up()
                raise
            if not refused and not self._may_dial(peer):
                asking.give_up()
                session.break_off("address_refused", AddressRefused(peer))
                return
            if not refused:
                asking.hand_over(session)
                return
            if name != "gateway_down":
                name = refused
        session.break_off(name, LinkLost(name))


class _Asking(asyncio.Protocol):
    """The lending door's connection until it has answered; then the session takes it over."""

    def __init__(self, request: bytes, answer: asyncio.Future[tuple[str, str]]) -> None:
        self._request = request
        self._answer = answer
        self._read = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """The answer is one line; the meter says nothing before it is asked."""
        self._read += data
        line, end, _ = self._read.partition(b"\n")
        if not end:
            if len(self._read) > ANSWER_LIMIT:
                self._answered("", "lender_away")
            return
        try:
            said: Any = json.loads(line)
            error = said.get("error")
            self._answered(str(said.get("peer", "")), "" if error is None else _known(error))
        except (ValueError, AttributeError):
            self._answered("", "lender_away")

    def connection_lost(self, exc: Exception | None) -> None:
        """The head-end hung up, or died."""
        self._answered("", "lender_away")

    def give_up(self) -> None:
        """Give the line back, or stop waiting for it."""
        self._transport.abort()

    def hand_over(self, session: Session) -> None:
        """From now on it is the session's connection."""
        if self._transport.is_closing():
            session.break_off("connection_lost", LinkLost("connection_lost"))
            return
        self._transport.set_protocol(session)
        session.connection_made(self._transport)

    def _answered(self, peer: str, refused: str) -> None:
        if refused:
            self._transport.abort()
        if not self._answer.done():
            self._answer.set_result((peer, refused))


def _known(error: object) -> str:
    return error if isinstance(error, str) and error in LINK_ERRORS else "lender_away"
