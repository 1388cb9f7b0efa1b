"""Days of readings are worked through by themselves: when enough is in, once, again when data came late."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from django.db import DatabaseError

from bahal.domains.network.queries import losses
from bahal.domains.readings.errors import (
    EditAccepted,
    EditOfOne,
    EditReasonMissing,
    EditUnknown,
    EditWrong,
    OfficerMayNotEdit,
)
from bahal.domains.readings.work import latest_runs
from bahal.foundation.rows import many, run, value
from bahal.journeys.edit_readings import accept_edit, propose_edit
from bahal.journeys.set_input_meter import set_input_meter
from bahal.journeys.set_rules import accept, propose
from bahal.journeys.validate_day import parameters_in_force
from bahal.journeys.work_through_days import readiness_in_force, work_through_days
from bahal.lake.layout import Lake
from bahal.lake.signals.reading import latest_rows
from bahal.lake.vee.rules import Rule
from tests.journeys.lakes import lay_lake
from tests.journeys.pushing import Grid, lay
from tests.lake.test_tables import intervals
from tests.plugin.databases import Database

SUNDAY = date(2025, 11, 23)
IST = timedelta(hours=5, minutes=30)
RUN = """
from datetime import datetime, UTC
import django; django.setup()
from bahal.journeys.work_through_days import work_through_days
from bahal.lake.layout import open_lake
import sys
at = datetime.fromisoformat(sys.argv[2])
print(work_through_days(lake=open_lake(sys.argv[1]), at=datetime.now(UTC), business_at=at))
"""


def clock(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment in November 2025, Indian time."""
    return datetime(2025, 11, day, hour, minute, tzinfo=UTC) - IST


@pytest.fixture
def grid(database: Database) -> Grid:
    made = lay(database, feeders=1, transformers=2, each=5)
    with database.connect("owner") as owner:
        owner.execute("INSERT INTO ingest_lane VALUES (1, 'test', 1, 'infinity')")
        owner.execute(
            "INSERT INTO readings_meter (meter, since) SELECT serial, timestamptz '2025-11-01' FROM meters_meter"
            " UNION SELECT 'INPUT', timestamptz '2025-11-01'"
        )
    set_input_meter(
        meter="INPUT", scope="transformer", place=1, factor=1, from_on=date(2025, 11, 1), actor="test",
        at=datetime.now(UTC), business_at=clock(1, 10),
    )  # fmt: skip
    return made


@pytest.fixture
def lake(database: Database, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.delenv("BAHAL_LAKE", raising=False)
    monkeypatch.delenv("BAHAL_RAY", raising=False)
    return lay_lake(database.home.path / "lake")


def bring(grid: Grid, lake: Lake, meters: Sequence[str], *, day: date = SUNDAY, gap: bool = False, **more: Any) -> None:
    """A batch with a day of each meter goes into both stores, as the head-end brings it."""
    wh: list[int | None] = [100 + slot % 7 for slot in range(48)]
    moved = sum(each or 0 for each in wh)
    if gap:
        wh[20:24] = [None] * 4
    bits = "".join("0" if each is None else "1" for each in wh) + "0" * 48
    with grid.database.connect("owner") as owner:
        owner.execute("SELECT readings_partitions(ARRAY[%s::date], ARRAY[%s::date])", (day, day))
        ((batch,),) = owner.execute(
            "INSERT INTO ingest_batch (lane, key, days, registers, done_at)"
            " VALUES (1, gen_random_uuid(), %s, 0, clock_timestamp()) RETURNING id",
            (len(meters),),
        ).fetchall()
        for meter in meters:
            owner.execute(
                "INSERT INTO readings_load (day, meter, batch, at, slots, have, asked, wh, noted)"
                " VALUES (%s, %s, %s, now(), 48, %s::bit(96), %s::bit(96), %s, 0)",
                (day, meter, batch, bits, bits, wh),
            )
    rows = [
        intervals(lake, meter, wh, batch=batch, day=day, open_wh=1_000, close_wh=1_000 + moved, **more)
        for meter in meters
    ]
    lake.append("interval", pa.concat_tables(rows), writer="ingest-1", batch=batch)


def work(lake: Lake, now: datetime, *, most: int = 20) -> int:
    """The worker's turns until there is nothing left to do; how many pieces."""
    for nth in range(most):
        if not work_through_days(lake=lake, at=datetime.now(UTC), business_at=now):
            return nth
    raise AssertionError("it never ends")


def runs() -> list[tuple[Any, ...]]:
    return many("SELECT kind, day, nth, why, done_at IS NOT NULL FROM readings_run ORDER BY kind, day, nth")


def results(lake: Lake, day: date = SUNDAY) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = latest_rows(lake.rows("validated", day=day)).to_pylist()
    return found


def test_a_day_is_worked_through_once_when_enough_is_in(grid: Grid, lake: Lake) -> None:
    meters = [*grid.of(0), "INPUT"]
    assert work(lake, clock(24, 2)) == 0  # nothing came: there is no day
    bring(grid, lake, meters[:5])
    assert work(lake, clock(24, 2)) == 0
    bring(grid, lake, meters[5:])
    assert work(lake, clock(24, 0, 59)) == 0
    assert work(lake, clock(24, 2)) == 3
    assert runs() == [
        ("balance", SUNDAY, 1, "in", True), ("falling", date(2025, 11, 24), 1, "in", True),
        ("validate", SUNDAY, 1, "in", True),
    ]  # fmt: skip
    assert work(lake, clock(24, 12)) == work(lake, clock(25, 12)) == 0
    assert sorted(row["meter"] for row in results(lake)) == sorted(meters)
    assert lake.rows("validated", day=SUNDAY).num_rows == len(meters)
    (loss,) = losses(day=SUNDAY, scope="transformer", sure_permille=0, limit=9)
    assert (loss.place, loss.meters, loss.unknown) == (1, 5, 0)
    known = {row["meter"]: row for row in lake.rows("facts", day=SUNDAY).to_pylist()}
    assert (known[meters[0]]["transformer"], known[meters[0]]["load_w"]) == (1, 1_000)
    assert (known["INPUT"]["transformer"], known["INPUT"]["load_w"]) == (None, None)
    outcome = latest_runs(start=SUNDAY, end=date(2025, 11, 24))["validate", SUNDAY].outcome
    assert outcome is not None
    assert outcome["meters"] == 11
    assert value("SELECT count(*) FROM audit_entry WHERE act IN ('readings.validated', 'network.balanced')") == 2


def test_at_the_latest_hour_a_day_is_taken_as_it_is(grid: Grid, lake: Lake) -> None:
    bring(grid, lake, grid.of(0)[:2])
    assert work(lake, clock(24, 9, 59)) == 0
    assert work(lake, clock(24, 10)) == 3
    latest = latest_runs(start=SUNDAY, end=date(2025, 11, 24))["validate", SUNDAY]
    assert (latest.why, latest.in_permille) == ("latest_hour", 1_000 * 2 // 11)


def test_one_works_at_a_time(grid: Grid, lake: Lake) -> None:
    bring(grid, lake, [*grid.of(0), "INPUT"])
    with grid.database.connect("app") as other:
        other.execute("SELECT pg_advisory_lock(hashtext('readings_run'))")
        assert work(lake, clock(24, 2)) == 0
    assert work(lake, clock(24, 2)) == 3


def test_two_workers_at_once_do_each_piece_once(grid: Grid, lake: Lake) -> None:
    for back in range(3):
        bring(grid, lake, [*grid.of(0), "INPUT"], day=SUNDAY - timedelta(days=back))
    command = [sys.executable, "-c", RUN.replace("print(", "for _ in range(12): print("), lake.uri]
    both = [
        subprocess.Popen([*command, clock(24, 2).isoformat()], env=_environ(grid), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    done = [sum(map(int, each.communicate(timeout=60)[0].split())) for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sum(done) + work(lake, clock(24, 2)) == 3 + 3 + 1
    assert len(runs()) == 7
    for back in range(3):
        assert lake.rows("validated", day=SUNDAY - timedelta(days=back)).num_rows == 11


@pytest.mark.parametrize("strike", [1, 2])
def test_what_a_killed_worker_left_is_taken_up_under_its_number(grid: Grid, lake: Lake, strike: int) -> None:
    bring(grid, lake, [*grid.of(0), "INPUT"])
    bring(grid, lake, [*grid.of(0), "INPUT"], day=SUNDAY - timedelta(days=1))
    killed = [
        subprocess.run(
            [sys.executable, "-c", RUN.replace("print(", "for _ in range(9): print("), lake.uri,
             clock(24, 2).isoformat()],
            env=_environ(grid, BAHAL_CRASH_AT=f"days.validated:{strike}"), check=False, capture_output=True,
        )
    ]  # fmt: skip
    assert killed[0].returncode == -9, killed[0].stderr
    (left,) = many("SELECT day, run FROM readings_run WHERE done_at IS NULL")
    assert lake.rows("validated", day=left[0]).num_rows == 11  # it had written when it was killed
    work(lake, clock(24, 2))
    assert len(runs()) == 5
    assert all(row[-1] for row in runs())
    for day in (SUNDAY - timedelta(days=1), SUNDAY):
        rows = lake.rows("validated", day=day)
        assert rows.num_rows == 11
        assert pc.unique(rows["run"]).to_pylist() == [
            value("SELECT run FROM readings_run WHERE kind = 'validate' AND day = %s", day)
        ]
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'readings.validated'") == 2


def test_late_data_take_the_place_of_estimates_and_only_their_bucket_runs_again(grid: Grid, lake: Lake) -> None:
    meters = grid.of(0)
    late = meters[3]
    bring(grid, lake, [*[meter for meter in meters if meter != late], "INPUT"])
    bring(grid, lake, [late], gap=True)
    assert work(lake, clock(24, 4)) == 3
    before = {row["meter"]: row for row in results(lake)}
    assert before[late]["flags"] & Rule.MISSING
    assert before[late]["estimated"] is not None
    assert before[late]["total_wh"] == before[meters[0]]["total_wh"]  # estimates sum to the register
    bring(grid, lake, [late])
    assert work(lake, clock(24, 9)) == 0  # not yet
    assert work(lake, clock(24, 10, 30)) == 2
    assert [row for row in runs() if row[2] == 2] == [
        ("balance", SUNDAY, 2, "late", True), ("validate", SUNDAY, 2, "late", True),
    ]  # fmt: skip
    after = {row["meter"]: row for row in results(lake)}
    assert after[late]["estimated"] is None
    assert not after[late]["flags"] & Rule.MISSING
    assert after[late]["wh"] == after[meters[0]]["wh"]
    theirs = {meter for meter in before if lake.bucket_of([meter])[0] == lake.bucket_of([late])[0]}
    assert {meter for meter in before if after[meter]["run"] > before[meter]["run"]} == theirs
    assert work(lake, clock(24, 23)) == 0


def test_an_exchange_is_a_seam_and_a_first_meter_is_none(grid: Grid, lake: Lake) -> None:
    meters = grid.of(0)
    with grid.database.connect("owner") as owner:
        owner.execute("UPDATE meters_meter SET installed_on = %s WHERE serial = ANY(%s)", (SUNDAY, meters[:2]))
        owner.execute(
            "UPDATE network_connection SET connected_on = %s WHERE id = (SELECT connection FROM meters_meter"
            " WHERE serial = %s)",
            (SUNDAY, meters[1]),
        )
    bring(grid, lake, [*meters, "INPUT"])
    work(lake, clock(24, 2))
    assert {row["meter"] for row in results(lake) if row["flags"] & Rule.SEAM} == {meters[0]}


def test_when_and_by_what_is_data_of_two_officers(grid: Grid, lake: Lake) -> None:
    times: dict[str, Any] = {"at": datetime.now(UTC), "business_at": clock(20, 10)}
    head = 'version = "{}"\neffective_from = 2025-11-20\nsource = "test"\nverified = false\n'
    for name, numbers in (("daily_work", "latest_h = 3\n"), ("validation", "stuck_slots = 3\nspike_own = 9\n")):
        rules = propose(name=name, text=head.format(f"{name}-2") + numbers, officer="ee", **times)
        accept(rules=rules, officer="se", reason="tried", **times)
    assert readiness_in_force(date(2025, 11, 19)).latest_h == 10
    assert readiness_in_force(SUNDAY).latest_h == 3
    found = parameters_in_force(SUNDAY)
    assert (found.version, found.stuck_slots, found.spike_own, found.zero_slots) == ("validation-2", 3, 9, 36)
    assert found.effective_from == date(2025, 11, 20)
    bring(grid, lake, grid.of(0)[:2])
    assert work(lake, clock(24, 3)) == 3
    assert {row["parameters"] for row in results(lake)} == {"validation-2"}


def test_a_value_is_put_in_by_two_and_what_stood_there_stays(grid: Grid, lake: Lake) -> None:
    meters = [*grid.of(0), "INPUT"]
    meter = meters[0]
    times: dict[str, Any] = {"at": datetime.now(UTC), "business_at": clock(24, 11)}
    given: dict[str, Any] = {"lake": lake, "meter": meter, "day": SUNDAY, "first": 10, "reason": "photo of the display"}
    with pytest.raises(EditWrong):
        propose_edit(**given, wh=[1], officer="ee", **times)  # not validated yet
    bring(grid, lake, meters)
    work(lake, clock(24, 2))
    before = {row["meter"]: row for row in results(lake)}
    for wrong in ([], [-1], [10**7], [1] * 39):
        with pytest.raises(EditWrong):
            propose_edit(**given, wh=wrong, officer="ee", **times)
    with pytest.raises(OfficerMayNotEdit):
        propose_edit(**given, wh=[1], officer="cashier", **times)
    with pytest.raises(EditReasonMissing):
        propose_edit(**given | {"reason": " "}, wh=[1], officer="ee", **times)
    edit = propose_edit(**given, wh=[7, 8], officer="ee", **times)
    assert work(lake, clock(24, 11)) == 0  # one person changes nothing
    with pytest.raises(EditOfOne):
        accept_edit(edit=edit, officer="ee", reason="mine", **times)
    accept_edit(edit=edit, officer="se", reason="seen", **times)
    with pytest.raises(EditAccepted):
        accept_edit(edit=edit, officer="se", reason="again", **times)
    with pytest.raises(EditUnknown):
        accept_edit(edit=99, officer="se", reason="x", **times)
    assert work(lake, clock(24, 11)) == 2
    after = {row["meter"]: row for row in results(lake)}
    assert after[meter]["wh"][10:12] == [7, 8]
    assert after[meter]["wh"][:10] + after[meter]["wh"][12:] == before[meter]["wh"][:10] + before[meter]["wh"][12:]
    assert after[meter]["flags"] & Rule.EDITED
    assert after[meter]["estimated"] == bytes([0, 0b00110000, 0, 0, 0, 0])
    assert all(not after[other]["flags"] & Rule.EDITED for other in meters[1:])
    assert many("SELECT was, wh, proposed_by, accepted_by, run IS NOT NULL FROM readings_edit") == [
        (before[meter]["wh"][10:12], [7, 8], "ee", "se", True)
    ]
    raw = {row["meter"]: row["wh"] for row in lake.rows("interval", day=SUNDAY).to_pylist()}
    assert raw[meter] == before[meter]["wh"]  # what came is never edited
    assert work(lake, clock(24, 12)) == 0
    # It stands when more of the day comes, and every run after it has it.
    bring(grid, lake, [meter])
    assert work(lake, clock(24, 23)) == 2
    assert {row["meter"]: row for row in results(lake)}[meter]["wh"][10:12] == [7, 8]
    with pytest.raises(DatabaseError, match="stays as it was"):
        run("UPDATE readings_edit SET accepted_by = 'x'")


def test_a_value_put_in_hides_no_late_data_of_other_buckets(grid: Grid, lake: Lake) -> None:
    meters = grid.of(0)
    late = meters[3]
    other = next(meter for meter in meters if lake.bucket_of([meter])[0] != lake.bucket_of([late])[0])
    bring(grid, lake, [*[meter for meter in meters if meter != late], "INPUT"])
    bring(grid, lake, [late], gap=True)
    assert work(lake, clock(24, 4)) == 3
    bring(grid, lake, [late])
    times: dict[str, Any] = {"at": datetime.now(UTC), "business_at": clock(24, 5)}
    edit = propose_edit(lake=lake, meter=other, day=SUNDAY, first=10, wh=[7], reason="photo", officer="ee", **times)
    accept_edit(edit=edit, officer="se", reason="seen", **times)
    assert work(lake, clock(24, 5)) == 2
    assert {row["meter"]: row for row in results(lake)}[late]["estimated"] is not None  # its bucket was left alone
    assert work(lake, clock(24, 12)) == 2
    after = {row["meter"]: row for row in results(lake)}
    assert after[late]["estimated"] is None
    assert not after[late]["flags"] & Rule.MISSING
    assert after[other]["wh"][10] == 7
    assert [row[3] for row in runs() if row[0] == "validate"] == ["in", "edited", "late"]
    assert work(lake, clock(24, 23)) == 0


def _environ(grid: Grid, **more: str) -> dict[str, str]:
    home = str(grid.database.home.path)
    return {**os.environ, "BAHAL_HOME": home, "DJANGO_SETTINGS_MODULE": "bahal.settings", **more}
