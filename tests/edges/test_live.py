"""Server-sent events: the newest picture to each listener, and nothing done while nobody listens."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from bahal.edges import live
from bahal.foundation.rows import value
from bahal.shared.home import write_private
from tests.journeys import interlock, town
from tests.plugin.databases import Database


class Listener:
    """A browser that listens until it is told to go."""

    def __init__(self, *, path: str = "/drive", remote: str = "127.0.0.1") -> None:
        self.scope = {"type": "http", "path": path, "headers": [], "client": (remote, 1)}
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.leave = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await self.heard.put(message)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), 60)

    async def picture(self) -> dict[str, Any]:
        body = (await self.next())["body"].decode()
        assert body.startswith("data: ")
        assert body.endswith("\n\n")
        picture: dict[str, Any] = json.loads(body.removeprefix("data: "))
        return picture


def test_a_listener_sees_the_drive_move(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)
    write_private(database.home.run / "endpoints.json", {"web": "http://localhost:8800"})
    town.found(connections=3).drive()
    interlock.lend(database)
    order = value("SELECT min(id) FROM supply_order")
    live.board.cache_clear()

    async def story() -> None:
        first, second = Listener(), Listener()
        tasks = [asyncio.create_task(live.application(each.scope, each.receive, each.send)) for each in (first, second)]
        start = await first.next()
        assert start["status"] == 200
        headers = dict(start["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"access-control-allow-origin"] == b"http://localhost:8800"
        assert (await first.picture())["total"]["waiting"] == 3
        await asyncio.to_thread(interlock.step, database, order=order, states=("claimed", "sent"))
        assert (await first.picture())["total"]["sent"] == 1
        first.leave.set()
        second.leave.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        await asyncio.wait_for(live.board().close(), 60)

    asyncio.run(story())
    live.board.cache_clear()


def test_who_is_slow_gets_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = iter(["a", "b", "c", "d"])
    monkeypatch.setattr(live, "_picture", lambda: next(pictures, None))
    monkeypatch.setattr(live, "POLL_S", 0.01)

    async def story() -> None:
        board = live.Board()
        with board.listening() as queue:
            await asyncio.sleep(0.3)
            assert queue.get_nowait() == "d"
            assert queue.empty()

    asyncio.run(story())


def test_who_may_not_come_in_is_told(database: Database, open_door: Callable[..., None]) -> None:
    open_door(rehearsal=True)

    async def story() -> None:
        stranger, health, lost = Listener(remote="10.0.0.1"), Listener(path="/healthz"), Listener(path="/x")
        for each in (stranger, health, lost):
            await live.application(each.scope, each.receive, each.send)
        assert [(await each.next())["status"] for each in (stranger, health, lost)] == [401, 200, 404]
        assert json.loads((await stranger.next())["body"])["error"] == "api_key_missing"

    asyncio.run(story())


def test_it_starts_and_ends_with_its_server() -> None:
    async def story() -> None:
        asked = iter(["lifespan.startup", "lifespan.shutdown"])
        told = []

        async def receive() -> dict[str, Any]:
            return {"type": next(asked)}

        async def send(message: dict[str, Any]) -> None:
            told.append(message["type"])

        await live.application({"type": "lifespan"}, receive, send)
        assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    asyncio.run(story())
