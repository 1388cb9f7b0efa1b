"""A meter two hours off is brought home: no interval is lost or there twice, and the bill is as if it was right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
import uvloop
from django.db import connection

from bahal.domains.tariffs.book import shipped
from bahal.domains.tariffs.determinants import Determinants, Facts, Span, Use
from bahal.domains.tariffs.rating import rate
from bahal.fleet.clocks import captures
from bahal.headend.gaps import midnight
from bahal.journeys.follow_clocks import follow_clocks
from bahal.journeys.order_clocks import order_clocks
from bahal.lake.vee.rules import Parameters, Rule
from bahal.lake.vee.run import validate_day
from bahal.shared.clock import RehearsalClock
from bahal.shared.wanted import Wanted
from tests.headend.collecting import collect, lake_of, true_load, true_register, want
from tests.interlock import clocks
from tests.interlock.clocks import MID_INTERVAL, ends, offset, profile
from tests.interlock.world import World, until

NOVEMBER, DECEMBER = date(2025, 11, 1), date(2025, 12, 1)
MONDAY, TUESDAY = date(2025, 11, 24), date(2025, 11, 25)
LATER = datetime(2025, 12, 1, 5, 0, tzinfo=UTC)
SLOW, FAST, RIGHT = 0, 1, 2
REGISTERS = Wanted.LOAD | Wanted.DAILY | Wanted.BILLING
MOST_STEPS = 120


def went_wrong(world: World, number: int, seconds: int, *, on: date = date(2025, 11, 10)) -> None:
    """On a day in the month a clock jumped."""
    row = world.meters.row(world.serials[number])
    world.meters.circle.columns.move_clock(row, midnight(on) + 36_000, seconds)


def home(world: World, *serials: str) -> None:
    """An officer orders these clocks, and worker and interlock bring them home; time goes on to where one waits for."""
    now = RehearsalClock(world.clock)

    def rests() -> bool:
        """Every order has ended, or waits for its moment."""
        busy = "SELECT count(*) FROM interlock_clock WHERE state IN ('claimed', 'sent', 'unknown')"
        ready = "SELECT count(*) FROM interlock_clock WHERE state = 'authorised' AND not_until <= %s"
        return not world.one(busy) and not world.one(ready, now.now())

    def work(act: Callable[[], object]) -> object:
        try:
            return act()
        finally:
            connection.close()

    async def scenario() -> None:
        async with world.interlock():
            await until(lambda: world.one("SELECT count(*) FROM interlock_profile"))
            ordered = partial(order_clocks, meters=serials, officer="ee", at=now.wall(), business_at=now.now())
            await asyncio.to_thread(work, ordered)
            for _ in range(MOST_STEPS):
                await until(rests)
                followed = partial(follow_clocks, at=now.wall(), business_at=now.now())
                if await asyncio.to_thread(work, followed):
                    continue
                waits_for = world.one("SELECT min(not_until) FROM interlock_clock WHERE state = 'authorised'")
                if waits_for is None:
                    return
                clocks.at(world, waits_for)

    uvloop.run(scenario())
    assert set(ends(world)) == {("verified", "")}


def validated(world: World, day: date, number: int) -> tuple[list[int], int, int, bool]:
    """A meter's validated day: Wh, what the registers say, flags, and whether something was estimated."""
    lake = lake_of(world)
    validate_day(lake, day=day, run=1, parameters=Parameters())
    rows = lake.rows("validated", day=day).to_pylist()
    (mine,) = [row for row in rows if row["meter"] == world.serials[number]]
    return mine["wh"], mine["close_wh"] - mine["open_wh"], mine["flags"], mine["estimated"] is not None


def bill(world: World, number: int) -> int:
    """Paise of November, from the registers that came in."""
    ((opened,), (closed,)) = world.owner.execute(
        "SELECT wh FROM readings_stand WHERE meter = %s AND kind = 'b' AND read_on IN (%s, %s) ORDER BY read_on",
        (world.serials[number], NOVEMBER, DECEMBER),
    ).fetchall()
    return quoted(closed - opened)


def quoted(wh: int) -> int:
    known = Facts("LV-1", 1, 1000, 0, False, False, "")
    use = Use(NOVEMBER, DECEMBER, wh)
    spans = (Span(NOVEMBER, DECEMBER, known),)
    return rate(
        Determinants(start=NOVEMBER, end=DECEMBER, spans=spans, uses=(use,), carried_wh=0), shipped()
    ).total_paise


def stamped(world: World, number: int, day: date) -> list[int]:
    """The Wh of each half hour of a day as the meter itself has them in its profile, by its own clock."""
    meter = world.meters.circle.meter(world.meters.row(world.serials[number]))
    start = midnight(day)
    rows = [each for each in captures(meter, "block_profile") if start < each.stamp <= start + 86_400]
    assert [each.stamp for each in rows] == [start + (n + 1) * 1_800 for n in range(48)]  # each once, none lost
    return [meter.energy(each.moment) - meter.energy(each.before) for each in rows]


@pytest.mark.parametrize(
    ("days_of_collecting", "back_days"),
    [((MONDAY, TUESDAY, date(2025, 11, 28)), 3), ((), 8)],
    ids=["as it came", "late and at once"],
)
def test_two_hours_off(make_world: Callable[..., World], days_of_collecting: Sequence[date], back_days: int) -> None:
    world = make_world(count=3, profile=profile(back_s=900))
    clocks.enrol(world)
    went_wrong(world, SLOW, -7_200)
    went_wrong(world, FAST, 7_200)
    clocks.at(world, MID_INTERVAL - timedelta(minutes=12))
    collect_kinds = REGISTERS if days_of_collecting else Wanted.NOW
    want(world, collect_kinds, back_days=back_days if days_of_collecting else 0)
    collect(world)
    measured = dict(world.owner.execute("SELECT meter, drift_s FROM readings_meter").fetchall())
    assert [round(measured[serial] / 10) for serial in world.serials] == [-720, 720, 0]
    # What is not known of the firmware is known only where the load profile came in: then steps are for half hours.
    home(world, world.serials[SLOW], world.serials[FAST])
    assert all(abs(offset(world, serial)) <= 60 for serial in world.serials)
    for day in days_of_collecting[1:]:
        clocks.at(world, datetime(day.year, day.month, day.day, 6, 30, tzinfo=UTC))
        want(world, REGISTERS, back_days=back_days, open_day=True)
        collect(world)
    clocks.at(world, LATER)
    want(world, REGISTERS | Wanted.EVENTS_TRANSACTION, back_days=8)
    collect(world)

    for number in (SLOW, FAST, RIGHT):
        for day in (MONDAY, TUESDAY, date(2025, 11, 30)):
            wh, moved, flags, estimated = validated(world, day, number)
            assert wh == stamped(world, number, day)
            assert sum(wh) == moved
            assert not estimated
            wrong = Rule.MISSING | Rule.DUPLICATE | Rule.OVERLAP | Rule.REGISTER_SUM | Rule.FUTURE | Rule.STALE
            assert not flags & wrong, Rule(flags)
            if number == RIGHT:
                assert not flags & (Rule.CLOCK_DRIFT | Rule.CLOCK_SET)
            elif day == MONDAY:
                assert flags & Rule.CLOCK_DRIFT
                assert flags & Rule.CLOCK_SET
        assert bill(world, number) == quoted(
            true_register(world, number, DECEMBER) - true_register(world, number, NOVEMBER)
        )
    assert validated(world, date(2025, 11, 30), RIGHT)[0] == true_load(world, RIGHT, date(2025, 11, 30))
    settings = world.owner.execute(
        "SELECT meter, count(*) FROM readings_event WHERE log = 'events_transaction' AND event = 151 GROUP BY meter"
    ).fetchall()
    sent = world.owner.execute("SELECT meter, count(*) FROM interlock_clock_sending GROUP BY meter").fetchall()
    assert sorted(settings) == sorted(sent)  # each of them in the meter's own log, collected over DLMS
