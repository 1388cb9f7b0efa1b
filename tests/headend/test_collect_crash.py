"""Killed at each point between a meter's answer and the lake, again and again: nothing lost, nothing twice."""

import asyncio
import random
import signal
from datetime import timedelta

import pytest
import uvloop

from tests.headend.collecting import (
    FAST,
    LOAD_AND_DAILY,
    YESTERDAY,
    lake_rows,
    standing,
    true_load,
    true_register,
    unfinished,
    waiting,
    want,
)
from tests.headend.running import configure, headend
from tests.interlock.world import World, until

POINTS = [
    "headend.collect_claimed",
    "headend.collected",
    "ingest.before_commit",
    "ingest.rows_committed",
    "ingest.lake_committed",
]


def all_in_once(world: World) -> None:
    """Each meter's day stands once in each store, as the meter itself has it."""
    assert unfinished(world) == 0
    rows = lake_rows(world)
    assert rows["meter"].to_pylist() == sorted(world.serials)
    hot = world.owner.execute("SELECT meter, wh, batch FROM readings_load WHERE day = %s", (YESTERDAY,)).fetchall()
    assert sorted(row[0] for row in hot) == sorted(world.serials)
    assert {(row[0], row[2]) for row in hot} == set(
        zip(rows["meter"].to_pylist(), rows["batch"].to_pylist(), strict=True)
    )
    for number, serial in enumerate(world.serials):
        place = rows["meter"].to_pylist().index(serial)
        assert rows["wh"][place].as_py() == true_load(world, number) == {row[0]: row[1] for row in hot}[serial]
        assert rows["close_wh"][place].as_py() == true_register(world, number, YESTERDAY + timedelta(days=1))
    assert world.one("SELECT count(*) FROM readings_register WHERE kind = 'd'") == 2 * len(world.serials)


@pytest.mark.parametrize("point", POINTS)
def test_killed_there_the_next_one_finishes_it(world: World, point: str) -> None:
    configure(world, **FAST | {"collect_lease_s": 2.0, "collect_s": 1.5})
    want(world, LOAD_AND_DAILY)

    async def scenario() -> None:
        async with world.meters.serving():
            async with headend(world, BAHAL_CRASH_AT=f"{point}:1") as (first, _):
                await asyncio.wait_for(first.wait(), 60)
                assert first.returncode == -signal.SIGKILL
            async with headend(world):
                await until(lambda: waiting(world) == 0, seconds=60)
                await until(lambda: unfinished(world) == 0)

    uvloop.run(scenario())
    all_in_once(world)


def test_killed_anywhere_and_often_while_two_work(world: World) -> None:
    """One lives on while the other is killed at random moments; both share the meters."""
    configure(world, **FAST | {"collect_lease_s": 2.0, "collect_s": 1.5, "intake_most": 1, "lake_every_s": 0.05})
    chance = random.Random(6)
    want(world, LOAD_AND_DAILY, back_days=3)

    async def scenario() -> None:
        async with world.meters.serving(), headend(world):
            for _ in range(5):
                async with headend(world) as (victim, _):
                    await asyncio.sleep(chance.uniform(0.02, 0.5))
                    victim.kill()
                    await victim.wait()
                want(world, LOAD_AND_DAILY, back_days=3)
            await until(lambda: waiting(world) == 0, seconds=60)
            await until(lambda: unfinished(world) == 0)

    try:
        uvloop.run(scenario())
    except TimeoutError:
        pytest.fail(standing(world))
    for back in (1, 2, 3):
        rows = lake_rows(world, YESTERDAY - timedelta(days=back - 1))
        assert rows["meter"].to_pylist() == sorted(world.serials)
