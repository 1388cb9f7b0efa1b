"""The interlock is killed at every point of setting a clock: every clock ends right, set twice at the most."""

import asyncio
import signal
from collections.abc import Callable

import pytest
import uvloop

from bahal.shared.crash import CRASH_POINTS
from tests.interlock import clocks
from tests.interlock.clocks import MID_INTERVAL, ends, measured, off, offset, order, profile
from tests.interlock.test_process import configure, hits, process
from tests.interlock.world import World, until

TOGETHER = ("clock.claimed", "clock.result_written")
"""Points that all orders pass at once."""
POINTS = [
    (point, nth)
    for point in sorted(CRASH_POINTS)
    if point.startswith("clock.")
    for nth in ((1,) if point in TOGETHER else (1, 2))
]


@pytest.mark.parametrize(("point", "nth"), POINTS)
def test_killed_at_a_point_every_clock_ends_right(make_world: Callable[..., World], point: str, nth: int) -> None:
    world = make_world(count=3, profile=profile())
    configure(world, session_s=1.2, lease_s=1.5)
    clocks.enrol(world)
    clocks.at(world, MID_INTERVAL)
    drifts = (200, -200, 100)
    for number, drift in enumerate(drifts):
        serial = off(world, number, drift)
        measured(world, serial, drift)
        order(world, serial, drift)
    world.app.execute("NOTIFY bahal_orders")

    async def scenario() -> None:
        environ = {"BAHAL_CRASH_AT": f"{point}:{nth}"}
        async with world.meters.serving():
            async with process(world, **environ) as (first, _):
                await asyncio.wait_for(first.wait(), 60)
                assert first.returncode == -signal.SIGKILL
            async with process(world, **environ):
                await until(lambda: clocks.settled(world), seconds=60)

    uvloop.run(scenario())
    assert [hit["struck"] for hit in hits(world)].count(True) == 1
    assert {state for state, _ in ends(world)} == {"verified"}
    for serial in world.serials:
        assert abs(offset(world, serial)) <= 2
        settings = [event for _, event in world.meters.circle.meter(world.meters.row(serial)).events]
        assert 1 <= len(settings) <= 2  # at most one repeat, and that a harmless one
    assert world.one("SELECT max(sends) FROM interlock_clock") <= 2
    assert world.one("SELECT count(*) FROM interlock_meter WHERE lease_holder IS NOT NULL") == 0
    assert world.one("SELECT count(*) FROM interlock_cap WHERE scope = 'clocks' AND counted = 3") == 1
