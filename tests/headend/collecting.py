"""Meters that are collected from in a test: what is wanted of them, and what stands in PostgreSQL and in the lake."""

import asyncio
import contextlib
import signal
from datetime import date
from typing import Any

import pyarrow as pa
import uvloop

from bahal.headend.gaps import midnight
from bahal.lake.layout import Lake, open_lake
from bahal.shared.wanted import Wanted
from tests.headend.running import configure, headend
from tests.interlock.facts import TEN_O_CLOCK
from tests.interlock.world import World, until

YESTERDAY = date(2025, 11, 23)
FAST: dict[str, Any] = {
    "collect_s": 5.0, "collect_lease_s": 6.0, "plan_s": 3600.0, "lake_every_s": 0.2, "lane_s": 1.0,
    "intake_linger_s": 0.05,
}  # fmt: skip
"""Limits that let a test see them pass, and no schedule."""
LOAD_AND_DAILY = Wanted.LOAD | Wanted.DAILY


def want(world: World, wanted: Wanted, *numbers: int, back_days: int = 1, open_day: bool = False) -> None:
    """These meters, or all, want something at once, as a schedule would have it."""
    for meter in [world.serials[number] for number in numbers] or world.serials:
        world.owner.execute(
            "INSERT INTO readings_meter (meter, office, since, wants, back_days, open_day, due_at)"
            " VALUES (%s, 1111, %s, %s, %s, %s, '-infinity') ON CONFLICT (meter) DO UPDATE SET wants = excluded.wants,"
            " back_days = excluded.back_days, open_day = excluded.open_day, due_at = '-infinity', tries = 0",
            (meter, TEN_O_CLOCK, int(wanted), back_days, open_day),
        )
    world.app.execute("NOTIFY bahal_reads")


def waiting(world: World) -> int:
    """Meters of which something is still wanted."""
    return int(world.one("SELECT count(*) FROM readings_meter WHERE wants <> 0"))


def unfinished(world: World) -> int:
    """Batches that are not in the lake."""
    return int(world.one("SELECT count(*) FROM ingest_batch WHERE done_at IS NULL"))


def lake_of(world: World) -> Lake:
    """The lake of the test's instance."""
    return open_lake(str(world.database.home.path / "lake"))


def lake_rows(world: World, day: date = YESTERDAY) -> pa.Table:
    """The rows of a day in the lake, in order of their meters."""
    return lake_of(world).rows("interval", day=day).sort_by([("meter", "ascending"), ("batch", "ascending")])


def true_load(world: World, number: int, day: date = YESTERDAY) -> list[int]:
    """The Wh of each half hour of a day, as the meter itself has them."""
    meter = world.meters.circle.meter(world.meters.row(world.serials[number]))
    start = midnight(day)
    return [meter.energy(start + (n + 1) * 1800) - meter.energy(start + n * 1800) for n in range(48)]


def true_register(world: World, number: int, day: date) -> int:
    """The register in Wh at the midnight that opens a day."""
    return int(world.meters.circle.meter(world.meters.row(world.serials[number])).energy(midnight(day)))


def collect(world: World, **stated: object) -> None:
    """Let a head-end fetch all that is wanted, and end in order.

    :raises AssertionError: something is still wanted after a while; it says what, and why.
    """
    configure(world, **(FAST | stated))

    async def scenario() -> None:
        async with world.meters.serving(), headend(world) as (running, _):
            with contextlib.suppress(TimeoutError):
                await until(lambda: waiting(world) == 0)
            assert waiting(world) == 0, standing(world)
            running.send_signal(signal.SIGTERM)
            await asyncio.wait_for(running.wait(), 60)
            assert running.returncode == 0, standing(world)

    uvloop.run(scenario())


def standing(world: World) -> str:
    """What a failed test should say."""
    rows = world.owner.execute("SELECT meter, wants, tries, reason FROM readings_meter WHERE wants <> 0").fetchall()
    poison = world.owner.execute("SELECT meter, kind, reason, detail FROM readings_poison").fetchall()
    return f"{rows}\n{poison}\n{(world.database.home.path / 'headend.log').read_text()[-3000:]}"
