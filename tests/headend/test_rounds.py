"""What a head-end does by the clock: schedules fire, days are counted, what was kept long enough ends."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from prometheus_client import CollectorRegistry

from bahal.headend.config import HeadendConfig
from bahal.headend.database import Database
from bahal.headend.metrics import DatabaseMetrics, IngestMetrics
from bahal.headend.raw import retire_raw
from bahal.headend.rounds import Rounds
from bahal.shared.clock import WallClock
from tests.interlock.world import World


def moment(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment in November 2025, Indian time."""
    return datetime(2025, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=5, minutes=30)


def test_a_day_of_rounds(world: World) -> None:
    raw = world.database.home.path / "raw"
    for name in ("2025-10-01", "2025-11-23", "notes"):
        (raw / name).mkdir(parents=True)
    config = replace(HeadendConfig(dsn=world.database.dsn("headend"), folder=raw), raw=raw, raw_days=30, hot_days=35)
    planned: list[int] = []

    async def scenario() -> None:
        registry = CollectorRegistry()
        database = Database(config.dsn, room="test", connections=1, metrics=DatabaseMetrics(registry))
        await database.open()
        rounds = Rounds(
            config=config, database=database, clock=WallClock(), metrics=IngestMetrics(registry),
            planned=lambda: planned.append(1),
        )  # fmt: skip
        for at in (moment(23, 10), moment(24, 7, 59), moment(24, 8), moment(25, 0, 1), moment(25, 8)):
            await rounds.go(at)
        await database.close()

    asyncio.run(scenario())
    assert len(planned) >= 2
    counted = world.owner.execute(
        "SELECT day, kind, expected, in_24h IS NULL, counted_at FROM readings_delivery ORDER BY day, kind"
    ).fetchall()
    assert counted == [
        (date(2025, 11, 23), "daily", 6, False, moment(25, 0, 1)),
        (date(2025, 11, 23), "load", 6 * 48, False, moment(25, 0, 1)),
        (date(2025, 11, 24), "daily", 6, True, moment(25, 8)),
        (date(2025, 11, 24), "load", 6 * 48, True, moment(25, 8)),
    ]
    assert sorted(each.name for each in raw.iterdir()) == ["2025-11-23", "notes"]
    assert world.one("SELECT to_regclass('readings_load_20251127') IS NOT NULL")


def test_nothing_kept_is_nothing_to_end(world: World) -> None:
    assert retire_raw(world.database.home.path / "none", today=date(2025, 11, 24), days=1) == 0
