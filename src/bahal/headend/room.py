"""How a machine room lives: it opens its database, starts its parts, says it is ready, and drains when told to stop.

Standard output carries one line, `{"ready": true, ...}`, for whoever started the room; everything else is the
structured log. SIGTERM and SIGINT drain: nothing new is claimed, what runs comes to its end or to the drain's limit.
A part that ends by an error it did not foresee ends the room: the supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from bahal.headend.status import StatusPage, listen_near

_OTHER_FILES = 128
_COLLECT_AFTER = (50_000, 20, 100)
"""Objects between two searches for dead cycles, and searches of one generation to one of the next."""


def worker_name() -> str:
    """A name that no other process has now or had before: host, process id, and a random word."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def room_for_sockets(wanted: int) -> int:
    """How many of the wanted sockets this process may hold, its soft limit of open files raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(hard, need)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - _OTHER_FILES))


class Room:
    """The life of one room's process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.registry = CollectorRegistry()
        self.log = structlog.get_logger(room=name)
        self.stopping = asyncio.Event()
        self._parts: list[asyncio.Task[None]] = []
        self._reached = time.monotonic()
        self._broken: BaseException | None = None

    def part(self, name: str, running: Coroutine[Any, Any, None]) -> None:
        """Run a part of the room until the room ends."""
        task = asyncio.get_running_loop().create_task(running, name=name)
        task.add_done_callback(self._part_ended)
        self._parts.append(task)

    def reached(self) -> None:
        """The database answered just now."""
        self._reached = time.monotonic()

    def health(self) -> tuple[bool, dict[str, object]]:
        """Healthy while the database answered within the last 10 s."""
        silent = time.monotonic() - self._reached
        return silent < 10.0, {"room": self.name, "database_silent_s": round(silent, 1)}

    async def status(self, port: int) -> tuple[asyncio.Server, int]:
        """Open the status page; returns its server and port."""
        return await listen_near(lambda: StatusPage(self.registry, self.health), host="127.0.0.1", port=port)

    async def live(self, *, ready: dict[str, object], drain: Callable[[], Awaitable[None]], drain_s: float) -> None:
        """Say that the room is ready, live until a signal, then drain for at most `drain_s` seconds.

        :raises BaseException: what a part ended with, after the others were stopped.
        """
        # Sessions are freed as they end, without cycles; with thousands of them alive, Python's usual search for cycles
        # every 700 objects took a fifteenth of the room's time and found nothing.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        sys.stdout.write(json.dumps({"ready": True, **ready}) + "\n")
        sys.stdout.flush()
        self.log.info("ready", **ready)
        await self.stopping.wait()
        if self._broken is None:
            self.log.info("draining")
            try:
                async with asyncio.timeout(drain_s):
                    await drain()
            except TimeoutError:
                self.log.warning("drain_cut_short", after_s=drain_s)
        await self.halt()
        self.log.info("ended")

    async def halt(self) -> None:
        """Stop every part.

        :raises BaseException: what a part had ended with before.
        """
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        self._parts.clear()
        if self._broken is not None:
            raise self._broken

    def _part_ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._broken is None:
            self._broken = error
            self.log.error("part_broke", part=task.get_name(), exc_info=error)
            self.stopping.set()
