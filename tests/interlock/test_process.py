"""The interlock as its own process: ready, asked for its health, drained, and killed at every point of its own."""

import asyncio
import contextlib
import json
import signal
import sys
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bahal.shared.crash import CRASH_POINTS
from tests.interlock import facts
from tests.interlock.world import World, until

LIMITS = {
    "concurrency": 50,
    "per_cell": 50,
    "reply_s": 0.6,
    "connect_s": 0.6,
    "session_s": 1.5,
    "lease_s": 2.0,
    "poll_s": 0.1,
    "drain_s": 5.0,
}
POINTS = sorted(point for point in CRASH_POINTS if point.startswith("interlock."))


def configure(world: World, **changed: Any) -> None:
    stated = {"rehearsal": True, "clock": str(world.clock)} | LIMITS | changed
    (world.folder / "interlock.json").write_text(json.dumps(stated))


@contextlib.asynccontextmanager
async def process(
    world: World, *, program: Sequence[str] = ("-m", "bahal.entry.rooms"), **environ: str
) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """The room's process and what it said when it was ready; killed when the block ends if it still lives."""
    log = (world.database.home.path / "interlock.log").open("ab")
    started = await asyncio.create_subprocess_exec(
        sys.executable, *program, "interlock", "0",
        stdin=DEVNULL, stdout=PIPE, stderr=log, env=world.database.environ(**environ),
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


async def fetch(url: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own process on loopback
            return int(answer.status), answer.read().decode()

    return await asyncio.to_thread(ask)


def test_ready_line_health_metrics_and_a_clean_end(world: World) -> None:
    configure(world)

    async def scenario() -> None:
        async with world.meters.serving(), process(world) as (running, ready):
            assert ready["ready"] is True
            assert (ready["profile"], ready["signed_by"]) == ("test", ["ee", "se"])
            facts.propose(world.app, world.keys, count=6)
            await until(lambda: world.counts() == {"confirmed": 6})
            base = f"http://127.0.0.1:{ready['port']}"
            status, body = await fetch(f"{base}/healthz")
            assert (status, body.split(",")[0]) == (200, "healthy: True")
            _, metrics = await fetch(f"{base}/metrics")
            assert 'bahal_sessions_total{outcome="confirmed"} 6.0' in metrics
            assert 'bahal_interlock_verdicts_total{kind="cut",verdict="send"} 6.0' in metrics
            running.send_signal(signal.SIGTERM)
            rest, _ = await asyncio.wait_for(running.communicate(), 60)
            assert running.returncode == 0
            assert rest == b""

    uvloop.run(scenario())
    log = [json.loads(line) for line in (world.database.home.path / "interlock.log").read_text().splitlines()]
    assert {line["room"] for line in log} == {"interlock"}
    assert [line["event"] for line in log][-2:] == ["draining", "ended"]
    caps = next(line for line in log if line["event"] == "caps")
    assert (caps["profile"], caps["drive"]) == ("test", 1000)


def test_an_interlock_without_signed_caps_does_not_start(world: World) -> None:
    configure(world)
    (world.folder / "profile.json").unlink()

    async def scenario() -> int | None:
        async with process(world) as (running, ready):
            assert ready == {}
            await asyncio.wait_for(running.wait(), 60)
            return running.returncode

    assert uvloop.run(scenario()) == 3
    assert "profile.json" in (world.database.home.path / "interlock.log").read_text()


def hits(world: World) -> list[dict[str, Any]]:
    log = world.database.home.run / "crash_hits.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_every_order_still_ends_as_the_meters_say(
    make_world: Callable[..., World], point: str
) -> None:
    world = make_world(count=8, profile={"canary": 0})
    configure(world)
    paid = facts.FIRST + 2

    def settled() -> bool:
        return world.counts() == {"confirmed": 8} and world.counts("restore") == {"confirmed": 1}

    async def scenario() -> None:
        environ = {"BAHAL_CRASH_AT": f"{point}:1"}
        facts.propose(world.app, world.keys, count=8)
        async with world.meters.serving():
            async with process(world, **environ) as (first, _):
                await asyncio.wait_for(first.wait(), 60)
                assert first.returncode == -signal.SIGKILL
            async with process(world, **environ):
                await until(
                    lambda: world.one("SELECT state FROM supply_order WHERE connection = %s", paid) == "confirmed"
                )
                with world.app.transaction():
                    facts.pay(world.app, paid)
                await until(settled, seconds=60)

    uvloop.run(scenario())
    assert [hit["struck"] for hit in hits(world)].count(True) == 1
    assert {hit["point"] for hit in hits(world)} == {point}
    for n, serial in enumerate(world.serials):
        assert world.meters.movements(serial) == (["off", "on"] if n == 2 else ["off"])
    sent = "SELECT max(n) FROM (SELECT count(*) AS n FROM interlock_sending WHERE kind = 'cut' GROUP BY order_id) AS s"
    assert world.one(sent) <= 2


def test_every_point_of_the_code_is_listed() -> None:
    sources = [
        path.read_text()
        for room in ("interlock", "headend")
        for path in (Path(__file__).parents[2] / "src" / "bahal" / room).glob("*.py")
    ]
    called = {
        line.split('"')[1]
        for source in sources
        for line in source.splitlines()
        if line.strip().startswith("crash_point(")
    }
    assert called == {
        point for point in CRASH_POINTS if point.split(".")[0] in ("interlock", "clock", "headend", "ingest")
    }
