"""The head-end's process, run against a test's world."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from typing import Any

from tests.interlock.world import World


def configure(world: World, **stated: Any) -> None:
    """Limits that let a test see them pass."""
    limits = {
        "reply_s": 0.6,
        "connect_s": 0.6,
        "session_s": 1.5,
        "lease_s": 2.0,
        "poll_s": 0.1,
        "drain_s": 5.0,
        "dial_in_idle_s": 1.0,
    }
    (world.database.home.path / "headend" / "headend.json").write_text(json.dumps(limits | stated))


@contextlib.asynccontextmanager
async def headend(world: World, **environ: str) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """The room's process and what it said when it was ready; killed when the block ends if it still lives."""
    log = (world.database.home.path / "headend.log").open("ab")
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bahal.entry.rooms", "headend", "0", "0",
        stdin=DEVNULL, stdout=PIPE, stderr=log, env=world.database.environ(BAHAL_CLOCK=str(world.clock), **environ),
    )  # fmt: skip
    log.close()
    try:
        assert started.stdout is not None
        async with asyncio.timeout(60):
            line = await started.stdout.readline()
        yield started, json.loads(line or b"{}")
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def metrics(ready: dict[str, Any]) -> str:
    """What the head-end counts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ready["metrics"])
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    return answer
