"""Deadlines and batches: what a loop does later, and not too late."""

import asyncio

import uvloop

from bahal.headend.batches import Batcher
from bahal.headend.deadlines import Deadlines


class Timed:
    def __init__(self, due: float) -> None:
        self.due = due
        self.bucket = 0
        self.expired_at: float | None = None

    def expire(self) -> None:
        self.expired_at = asyncio.get_running_loop().time()


def test_a_deadline_is_met_within_two_ticks() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, tick_s=0.02)
        timed = [Timed(loop.time() + wait) for wait in (0.0, 0.03, 0.11)]
        for each in timed:
            deadlines.watch(each)
        await asyncio.sleep(0.25)
        for each in timed:
            assert each.expired_at is not None
            assert 0 <= each.expired_at - each.due < 0.09

    uvloop.run(scenario())


def test_a_deadline_that_moves_on_is_not_met_early() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, tick_s=0.01)
        timed = Timed(loop.time() + 0.02)
        deadlines.watch(timed)
        for _ in range(8):
            await asyncio.sleep(0.01)
            timed.due = loop.time() + 0.02
        assert timed.expired_at is None
        last = timed.due
        await asyncio.sleep(0.12)
        assert timed.expired_at is not None
        assert timed.expired_at >= last

    uvloop.run(scenario())


def test_what_is_forgotten_never_expires_and_is_not_kept() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, tick_s=0.01)
        timed = Timed(loop.time() + 0.02)
        deadlines.watch(timed)
        deadlines.forget(timed)
        deadlines.forget(timed)
        await asyncio.sleep(0.06)
        assert timed.expired_at is None
        later = Timed(loop.time() + 0.02)
        deadlines.watch(later)
        await asyncio.sleep(0.1)
        assert later.expired_at is not None

    uvloop.run(scenario())


def test_lag_tells_of_a_loop_that_was_held_up() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop, tick_s=0.01)
        deadlines.watch(Timed(loop.time() + 10))
        await asyncio.sleep(0.03)
        end = loop.time() + 0.15
        while loop.time() < end:
            pass
        await asyncio.sleep(0.005)
        assert deadlines.lag > 0.1

    uvloop.run(scenario())


def batches(*, most: int, linger_s: float, slow_s: float = 0.0) -> tuple[Batcher[int], list[list[int]]]:
    written: list[list[int]] = []

    async def write(batch: list[int]) -> None:
        written.append(batch)
        await asyncio.sleep(slow_s)

    return Batcher(write, most=most, linger_s=linger_s), written


def test_a_full_batch_does_not_linger() -> None:
    async def scenario() -> None:
        batcher, written = batches(most=3, linger_s=30.0)
        task = asyncio.create_task(batcher.run())
        for n in range(7):
            batcher.put(n)
        await asyncio.sleep(0.02)
        assert written == [[0, 1, 2], [3, 4, 5]]
        assert len(batcher) == 1
        task.cancel()

    uvloop.run(scenario())


def test_the_first_of_a_batch_waits_for_company_and_no_longer() -> None:
    async def scenario() -> None:
        batcher, written = batches(most=100, linger_s=0.03)
        task = asyncio.create_task(batcher.run())
        batcher.put(1)
        await asyncio.sleep(0.01)
        batcher.put(2)
        assert written == []
        await asyncio.sleep(0.04)
        assert written == [[1, 2]]
        await batcher.settled()
        task.cancel()

    uvloop.run(scenario())


def test_what_comes_while_one_batch_is_written_goes_together_and_at_once() -> None:
    async def scenario() -> None:
        batcher, written = batches(most=100, linger_s=0.0, slow_s=0.03)
        task = asyncio.create_task(batcher.run())
        batcher.put(0)
        await asyncio.sleep(0.01)
        for n in range(1, 6):
            batcher.put(n)
        await batcher.settled()
        assert written == [[0], [1, 2, 3, 4, 5]]
        task.cancel()

    uvloop.run(scenario())
