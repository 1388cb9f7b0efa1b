"""A machine room's own little page: `/healthz` and `/metrics` over HTTP/1.1, GET only, one request a connection."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from ssl import SSLContext
from typing import Final, cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REQUEST_LIMIT: Final = 4096
REQUEST_S: Final = 5.0
PORTS_TRIED: Final = 200

Health = Callable[[], tuple[bool, dict[str, object]]]


class StatusPage(asyncio.Protocol):
    """Answers one request and closes."""

    def __init__(self, registry: CollectorRegistry, health: Health) -> None:
        self._registry = registry
        self._health = health
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request, not for long."""
        # uvloop's transports are none of asyncio's classes.
        made = cast(asyncio.Transport, transport)
        self._transport = made
        self._timer = asyncio.get_running_loop().call_later(REQUEST_S, made.abort)

    def data_received(self, data: bytes) -> None:
        """Collect the head of a request."""
        self._read += data
        if len(self._read) > REQUEST_LIMIT:
            self._answer(b"431 Request Header Fields Too Large", b"text/plain", b"")
        elif b"\r\n\r\n" in self._read:
            self._route(self._read.split(b"\r\n", 1)[0].split(b" "))

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _route(self, words: list[bytes]) -> None:
        if len(words) != 3 or words[0] != b"GET":
            self._answer(b"405 Method Not Allowed", b"text/plain", b"")
        elif words[1] == b"/metrics":
            self._answer(b"200 OK", CONTENT_TYPE_LATEST.encode(), generate_latest(self._registry))
        elif words[1] == b"/healthz":
            healthy, told = self._health()
            body = ", ".join(f"{name}: {value}" for name, value in {"healthy": healthy, **told}.items())
            self._answer(b"200 OK" if healthy else b"503 Service Unavailable", b"text/plain", body.encode() + b"\n")
        else:
            self._answer(b"404 Not Found", b"text/plain", b"")

    def _answer(self, status: bytes, kind: bytes, body: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        transport.write(head % (status, kind, len(body)) + body)
        transport.close()


async def listen_near(
    factory: Callable[[], asyncio.Protocol],
    *,
    host: str,
    port: int,
    backlog: int = 128,
    ssl: SSLContext | None = None,
) -> tuple[asyncio.Server, int]:
    """A listening socket on `port`, or on the next free one if it is taken; 0 takes any. Returns it and its port.

    :raises OSError: none of the next 200 is free, or the address is not ours.
    """
    loop = asyncio.get_running_loop()
    last = port if port == 0 else port + PORTS_TRIED - 1
    for wanted in range(port, last + 1):
        with contextlib.suppress(OSError) if wanted < last else contextlib.nullcontext():
            server = await loop.create_server(factory, host, wanted, backlog=backlog, ssl=ssl)
            return server, int(server.sockets[0].getsockname()[1])
    raise OSError(errno.EADDRINUSE, f"no free port from {port} to {last}")
