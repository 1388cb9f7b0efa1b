"""The intake: streams in any order give the same days, a poisoned record spoils nothing but itself."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from bahal.dlms import clock, india
from bahal.dlms.objects.profile import BufferWriter, capture_objects
from bahal.headend.asking import Collected, Part
from bahal.headend.database import Database as Rows
from bahal.headend.gaps import midnight
from bahal.headend.intake import Intake
from bahal.headend.lanes import Lane
from bahal.headend.layouts import Layout, Layouts, layout_of, profile_object
from bahal.headend.metrics import DatabaseMetrics, IngestMetrics
from bahal.lake.days import merged_days
from bahal.lake.export import export
from bahal.lake.layout import Lake, open_lake
from bahal.lake.vee.rules import MISSING_VALUE, Rule
from bahal.shared.wanted import Wanted
from tests.plugin.databases import Database

DAY = date(2025, 11, 23)


def layout(kind: Wanted, **scalers: tuple[int, str]) -> Layout:
    """The model's own layout of a kind, with other powers of ten where they are given."""
    columns = profile_object(kind).columns
    return layout_of(
        make="test", firmware="1", profile=profile_object(kind).name, captures=capture_objects(columns),
        scalers=scalers, period_s=1_800,
    )  # fmt: skip


def stamped(moment: int) -> bytes:
    return clock.encode(datetime.fromtimestamp(moment, UTC).astimezone(india.IST))


def load_buffer(day: date, wh: Sequence[int], slots: Sequence[int] | None = None, *, late: int = 0) -> bytes:
    """A load profile's rows for some half hours of a day; `late` seconds beside the meter's own grid."""
    rows = [
        [stamped(midnight(day) + (slot + 1) * 1_800 + late), 23_000 + slot, each, each, 0, 0, 100 + slot]
        for slot, each in zip(range(len(wh)) if slots is None else slots, wh, strict=True)
    ]
    return BufferWriter(profile_object(Wanted.LOAD).columns).write(rows)


def daily_buffer(stands: Sequence[tuple[date, int]]) -> bytes:
    rows = [[stamped(midnight(day)), wh, wh + 9, 0, 0] for day, wh in stands]
    return BufferWriter(profile_object(Wanted.DAILY).columns).write(rows)


def came(meter: str, *parts: tuple[Layout, bytes], on: date = DAY) -> Collected:
    at = datetime.fromtimestamp(midnight(on + timedelta(days=1)) + 3_600, UTC)
    kinds = {"block_profile": Wanted.LOAD, "daily_profile": Wanted.DAILY}
    return Collected(meter, "test", at, parts=[Part(kinds[of.profile], of, data, None) for of, data in parts])


@contextlib.asynccontextmanager
async def intake(database: Database, lake: Path, *, most: int = 500) -> AsyncIterator[Intake]:
    """An intake that takes what is put, and writes all of it before the block ends."""
    registry = CollectorRegistry()
    rows = Rows(database.dsn("headend"), room="test", connections=2, metrics=DatabaseMetrics(registry))
    metrics = IngestMetrics(registry)
    await rows.open()
    lane = Lane(database=rows, worker="w", uri=str(lake), every_s=5, most_rows=10_000, lease_s=60, metrics=metrics)
    made = Intake(
        database=rows, worker="w", lane=lane, layouts=Layouts(rows), metrics=metrics, raw=None, most=most, linger_s=0.01
    )
    running = asyncio.create_task(made.came.run())
    try:
        yield made
        await made.came.settled()
        await lane.flush()
        await lane.close()
    finally:
        running.cancel()
        await rows.close()


def take(database: Database, lake: Path, stream: Sequence[Collected], *, most: int = 500) -> None:
    """Take a stream in, in this order."""

    async def scenario() -> None:
        async with intake(database, lake, most=most) as taking:
            for each in stream:
                taking.came.put(each)

    asyncio.run(scenario())


def taken(database: Database, lake: Path, stream: Sequence[Collected], *, most: int = 500) -> Lake:
    """The lake after a stream was taken in."""
    take(database, lake, stream, most=most)
    return open_lake(str(lake))


def whole(lake: Lake, day: date = DAY) -> dict[str, tuple[list[int], int, int]]:
    """By meter: the merged day with its registers."""
    found = {}
    for bucket in range(lake.buckets):
        for part in merged_days(lake, day=day, bucket=bucket):
            for n, meter in enumerate(part.meter.to_pylist()):
                found[meter] = (part.wh[n].tolist(), int(part.open_wh[n]), int(part.close_wh[n]))
    return found


def stream_of(meters: int) -> list[Collected]:
    """Days in two halves, and registers beside one of them."""
    load, daily = layout(Wanted.LOAD), layout(Wanted.DAILY)
    stream = []
    for n in range(meters):
        wh = [(n * 7 + slot * 3) % 400 for slot in range(48)]
        stands = daily_buffer([(DAY, 1_000), (DAY + timedelta(days=1), 1_000 + sum(wh))])
        stream.append(came(f"M{n}", (load, load_buffer(DAY, wh[:30])), (daily, stands)))
        stream.append(came(f"M{n}", (load, load_buffer(DAY, wh[30:], range(30, 48)))))
    return stream


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_and_repeated_streams_give_the_same_days(database: Database, tmp_path: Path, seed: int) -> None:
    stream = stream_of(20)
    lake = tmp_path / "lake"
    chance = random.Random(seed)
    shuffled = stream + chance.sample(stream, 15)
    chance.shuffle(shuffled)
    got = whole(taken(database, lake, shuffled, most=7))
    for n in range(20):
        wh = [(n * 7 + slot * 3) % 400 for slot in range(48)]
        assert got[f"M{n}"] == (wh, 1_000, 1_000 + sum(wh))
    with database.connect("owner") as owner:
        (stands,) = owner.execute("SELECT count(*) FROM readings_stand").fetchone() or (0,)
        assert stands == 40


def test_late_and_gap_filled_days_are_whole_in_the_end(database: Database, tmp_path: Path) -> None:
    load = layout(Wanted.LOAD)
    wh = list(range(48))
    lake = taken(database, tmp_path / "lake", [came("M", (load, load_buffer(DAY, wh[::2], range(0, 48, 2))))])
    assert whole(lake)["M"][0] == [each if each % 2 == 0 else MISSING_VALUE for each in wh]
    late = came("M", (load, load_buffer(DAY, wh[1::2], range(1, 48, 2))), on=DAY + timedelta(days=30))
    lake = taken(database, tmp_path / "lake", [late])
    assert whole(lake)["M"][0] == wh


def test_one_poisoned_record_in_a_hundred_thousand_is_explained_and_all_others_are_in(
    database: Database, tmp_path: Path
) -> None:
    daily = layout(Wanted.DAILY)
    buffers = [daily_buffer([(DAY, 1_000 + n)]) for n in range(100)]
    stream = [came(f"M{n:06d}", (daily, buffers[n % 100])) for n in range(100_000)]
    # The right length and the wrong tag, in the middle of a row.
    stream[54_321].parts[0] = stream[54_321].parts[0]._replace(data=buffers[21].replace(b"\x06", b"\x16", 1))
    take(database, tmp_path / "lake", stream, most=5_000)
    with database.connect("owner") as owner:
        assert owner.execute("SELECT count(*), count(DISTINCT meter) FROM readings_register").fetchone() == (
            99_999,
            99_999,
        )
        rows = owner.execute("SELECT meter, kind, reason <> '', length(body) FROM readings_poison").fetchall()
    assert rows == [("M054321", "daily", True, len(buffers[21]))]


def test_what_postgresql_will_not_take_is_found_by_halving(database: Database, tmp_path: Path) -> None:
    load = layout(Wanted.LOAD)
    stream = [came(f"M{n}", (load, load_buffer(DAY, [n] * 48))) for n in range(50)]
    stream[33].shown.append(("now", stream[33].at, {"text": "\x00"}))
    lake = taken(database, tmp_path / "lake", stream)
    assert sorted(whole(lake)) == sorted(f"M{n}" for n in range(50) if n != 33)
    with database.connect("owner") as owner:
        assert owner.execute("SELECT meter, reason FROM readings_poison").fetchall() == [("M33", "not_storable")]


def test_scalers_bring_every_make_to_the_same_units(database: Database, tmp_path: Path) -> None:
    other = layout(Wanted.LOAD, block_energy_import=(1, "Wh"), block_voltage=(-1, "V"), block_current=(-3, "A"))
    lake = taken(database, tmp_path / "lake", [came("M", (other, load_buffer(DAY, [5] * 48)))])
    (row,) = lake.rows("interval", day=DAY).to_pylist()
    assert row["wh"] == [50] * 48
    assert row["dv"][:2] == [23_000, 23_001]
    assert row["ma"][:2] == [100, 101]
    plain = taken(database, tmp_path / "two", [came("N", (layout(Wanted.LOAD), load_buffer(DAY, [5] * 48)))])
    (row,) = plain.rows("interval", day=DAY).to_pylist()
    assert (row["wh"][0], row["dv"][0], row["ma"][0]) == (5, 2_300, 1_000)


def test_clocks_that_went_astray_are_marked_or_left_out(database: Database, tmp_path: Path) -> None:
    load = layout(Wanted.LOAD)
    lake = taken(
        database,
        tmp_path / "lake",
        [
            came("beside", (load, load_buffer(DAY, [1] * 48, late=400))),
            came("ahead", (load, load_buffer(DAY + timedelta(days=1), [1] * 4))),
            came("far", (load, load_buffer(DAY + timedelta(days=90), [1] * 48))),
            came("twice", (load, load_buffer(DAY, [1, 2], [0, 0]))),
        ],
    )
    noted = {row["meter"]: row["noted"] for row in lake.rows("interval", day=DAY).to_pylist()}
    assert noted == {"beside": Rule.OVERLAP, "twice": Rule.DUPLICATE}
    (ahead,) = lake.rows("interval", day=DAY + timedelta(days=1)).to_pylist()
    assert (ahead["meter"], ahead["noted"]) == ("ahead", Rule.FUTURE)
    with database.connect("owner") as owner:
        assert owner.execute("SELECT meter, reason FROM readings_poison").fetchall() == [("far", "stamped_outside")]


@pytest.mark.parametrize(
    "day",
    [date(2024, 2, 29), date(2025, 2, 28), date(2025, 3, 31), date(2025, 12, 31)],
    ids=["29 February", "28 February", "31 March", "31 December"],
)
def test_the_calendar_breaks_no_day(database: Database, tmp_path: Path, day: date) -> None:
    load, daily = layout(Wanted.LOAD), layout(Wanted.DAILY)
    after = day + timedelta(days=1)
    wh = list(range(100, 148))
    stands = daily_buffer([(day, 5_000), (after, 5_000 + sum(wh))])
    one = came("M", (load, load_buffer(day, wh)), (load, load_buffer(after, [7])), (daily, stands), on=after)
    lake = taken(database, tmp_path / "lake", [one])
    assert whole(lake, day)["M"] == (wh, 5_000, 5_000 + sum(wh))
    assert whole(lake, after)["M"][0] == [7] + [MISSING_VALUE] * 47
    with database.connect("owner") as owner:
        rows = owner.execute(
            "SELECT read_on, wh, tableoid::regclass::text FROM readings_register ORDER BY read_on"
        ).fetchall()
    assert rows == [
        (each, wh_, f"readings_register_{each:%Y%m}") for each, wh_ in ((day, 5_000), (after, 5_000 + sum(wh)))
    ]


def test_a_register_that_rolls_over_is_kept_as_the_meter_shows_it(database: Database, tmp_path: Path) -> None:
    """Six digits of kWh begin again at nothing: the stands say so, and nothing is guessed here."""
    load, daily = layout(Wanted.LOAD), layout(Wanted.DAILY)
    stands = daily_buffer([(DAY, 999_999_400), (DAY + timedelta(days=1), 400)])
    lake = taken(database, tmp_path / "lake", [came("M", (load, load_buffer(DAY, [25] * 40)), (daily, stands))])
    assert whole(lake)["M"][1:] == (999_999_400, 400)
    with database.connect("owner") as owner:
        assert owner.execute("SELECT wh FROM readings_register ORDER BY read_on").fetchall() == [(999_999_400,), (400,)]


def test_a_meter_of_quarter_hours_has_ninety_six(database: Database, tmp_path: Path) -> None:
    load = layout(Wanted.LOAD)
    rows = [[stamped(midnight(DAY) + (slot + 1) * 900), 23_000, slot, slot, 0, 0, 100] for slot in range(96)]
    buffer = BufferWriter(profile_object(Wanted.LOAD).columns).write(rows)
    lake = taken(
        database, tmp_path / "lake", [came("Q", (load, buffer)), came("H", (load, load_buffer(DAY, [1] * 48)))]
    )
    slots = {row["meter"]: (row["slots"], row["wh"]) for row in lake.rows("interval", day=DAY).to_pylist()}
    assert slots == {"Q": (96, list(range(96))), "H": (48, [1] * 48)}
    with database.connect("owner") as owner:
        assert owner.execute(
            "SELECT slots, bit_count(have), cardinality(wh) FROM readings_load ORDER BY slots"
        ).fetchall() == [(48, 48, 48), (96, 96, 96)]


def test_apparent_energy_is_in_both_stores_and_null_where_the_make_has_none(database: Database, tmp_path: Path) -> None:
    columns = profile_object(Wanted.LOAD).columns
    without = [column for column in columns if not column.source.name.startswith("block_apparent")]
    some = layout_of(
        make="test", firmware="2", profile=profile_object(Wanted.LOAD).name, captures=capture_objects(without),
        scalers={}, period_s=1_800,
    )  # fmt: skip
    ends = [stamped(midnight(DAY) + (slot + 1) * 1_800) for slot in range(48)]
    every = BufferWriter(columns).write([[end, 23_000, 100, 110, 0, 3, 1] for end in ends])
    few = BufferWriter(without).write([[end, 23_000, 100, 0, 1] for end in ends])
    lake = taken(database, tmp_path / "lake", [came("A", (layout(Wanted.LOAD), every)), came("N", (some, few))])
    rows = {row["meter"]: (row["wh"], row["vah"], row["out_vah"]) for row in lake.rows("interval", day=DAY).to_pylist()}
    assert rows == {"A": ([100] * 48, [110] * 48, [3] * 48), "N": ([100] * 48, None, None)}
    with database.connect("owner") as owner:
        hot = owner.execute("SELECT meter, wh, vah, out_vah FROM readings_load").fetchall()
    assert {meter: tuple(lists) for meter, *lists in hot} == rows
    export(lake, tmp_path / "day.parquet", start=DAY, end=DAY + timedelta(days=1), form="parquet")
    lines = pq.read_table(tmp_path / "day.parquet").to_pylist()
    assert {(line["meter"], line["wh"], line["vah"], line["out_vah"]) for line in lines} == {
        ("A", 100, 110, 3), ("N", 100, None, None),
    }  # fmt: skip
    assert len(lines) == 96


def test_the_lake_that_is_away_is_late_and_nothing_else(database: Database, tmp_path: Path) -> None:
    load = layout(Wanted.LOAD)

    async def scenario() -> None:
        async with intake(database, tmp_path / "lake") as taking:
            taking.came.put(came("M", (load, load_buffer(DAY, [3] * 48))))
            await taking.came.settled()
            # What stood in memory is gone with the process; PostgreSQL has it.
            lane = taking._lane
            lane._waiting = dict.fromkeys(lane._waiting)

    asyncio.run(scenario())
    assert whole(open_lake(str(tmp_path / "lake")))["M"][0] == [3] * 48
