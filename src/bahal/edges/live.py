"""The live process, `granian --interface asgi bahal.edges.live:application`: server-sent events of a drive's progress.

One poller for all listeners, running only while somebody listens. Each listener has a queue of one: who is slow gets
the newest picture next, not all of the old ones.
"""

import asyncio
import contextlib
import functools
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bahal.settings")
django.setup()

from django.db import DatabaseError, InterfaceError, connection  # noqa: E402

from bahal.edges.entrance import KeyMissing, admit  # noqa: E402
from bahal.journeys.drive_progress import latest_progress  # noqa: E402
from bahal.shared.home import Home, read_json  # noqa: E402

POLL_S = 0.5
HEARTBEAT_S = 15.0
PATH = "/drive"

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Board:
    """The newest picture of the latest drive, and everybody who looks at it."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[str]] = set()
        self._picture = ""
        self._poller: asyncio.Task[None] | None = None
        # One thread, so that Django's connection stays the same.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="board")

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Queue[str]]:
        """A queue that always holds the newest picture not yet taken."""
        queue: asyncio.Queue[str] = asyncio.Queue(1)
        if self._picture:
            queue.put_nowait(self._picture)
        self._listeners.add(queue)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def close(self) -> None:
        """Stop looking and let the database go."""
        self._listeners.clear()
        if self._poller is not None:
            await self._poller

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        while self._listeners:
            picture = await loop.run_in_executor(self._thread, _picture)
            if picture is not None and picture != self._picture:
                self._picture = picture
                for queue in self._listeners:
                    if queue.full():
                        queue.get_nowait()
                    queue.put_nowait(picture)
            await asyncio.sleep(POLL_S)
        self._picture = ""
        await loop.run_in_executor(self._thread, _let_go)


def _picture() -> str | None:
    try:
        return json.dumps(latest_progress(), default=str, ensure_ascii=False)
    except (DatabaseError, InterfaceError):
        connection.close()
        return None


def _let_go() -> None:
    connection.close()  # the connection of this thread, not of the one that asks


@functools.cache
def board() -> Board:
    """This process's board."""
    return Board()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """GET /drive for events, GET /healthz for the supervisor."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and scope["path"] == PATH:
        await _events(scope, receive, send)
    elif scope["type"] == "http":
        found = scope["path"] == "/healthz"
        await _answer(
            send, 200 if found else 404, {"status": "ok", "room": "live"} if found else {"error": "not_found"}
        )


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        step = (await receive())["type"].removeprefix("lifespan.")
        if step == "shutdown":
            await board().close()
        await send({"type": f"lifespan.{step}.complete"})
        if step == "shutdown":
            return


async def _events(scope: Message, receive: Receive, send: Send) -> None:
    headers = {name.decode("latin-1").lower(): given.decode("latin-1") for name, given in scope["headers"]}
    remote = (scope.get("client") or ("",))[0]
    try:
        admit(authorization=headers.get("authorization", ""), remote=remote)
    except KeyMissing as refusal:
        await _answer(send, 401, refusal.as_json())
        return
    web = (read_json(Home.of().run / "endpoints.json") or {}).get("web", "")
    start = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"access-control-allow-origin", str(web).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": start})
    gone = asyncio.create_task(_gone(receive))
    with board().listening() as queue:
        while not gone.done():
            newest = asyncio.create_task(queue.get())
            await asyncio.wait({newest, gone}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if newest.done():
                event = f"data: {newest.result()}\n\n"
            else:
                newest.cancel()
                event = ": still here\n\n"
            if not gone.done():
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, body: Message) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body, ensure_ascii=False).encode()})
