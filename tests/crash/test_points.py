"""Kill -9 of each room at each point named in it, and of the database at each point; then I1 to I5."""

from concurrent.futures import Future

import pytest

from bahal.shared.crash import CRASH_POINTS
from tests.crash.conftest import KILLED, ROOMS
from tests.crash.invariants import violations
from tests.crash.scene import Came

# Which pass of a point strikes: in the middle of things where a point is passed often.
STRIKES = {
    "headend.push_received": (1,),
    "headend.push_stored": (1,),
    "headend.read_answered": (2,),
    "headend.read_claimed": (1,),
    "interlock.action_answered": (9, 66),
    "interlock.action_written": (13, 66),
    "interlock.claimed": (1,),
    "interlock.readback": (20, 66),
    "interlock.result_written": (2,),
    "interlock.send_committed": (7, 66),
    "payment.after_commit": (5,),
    "payment.before_commit": (6,),
    "worker.alert_before_commit": (1,),
    "worker.messages_posted": (2,),
    "worker.results_handled_before_commit": (2,),
}
"""From about the sixtieth sending on they are restores."""

COLLECTING = {
    "headend.collect_claimed", "headend.collected", "ingest.before_commit", "ingest.lake_committed",
    "ingest.rows_committed",
}  # fmt: skip
"""Nothing is collected on the day of a drive: these are struck in tests/headend/test_collect_crash.py."""

SELDOM = {"interlock.action_answered:66", "interlock.readback:66"}
"""What differs little from another run waits for `make test-slow`."""

# The database dies at every point too; four of them run with every change, one for each kind of work it interrupts.
OFTEN = {
    "interlock.result_written", "interlock.send_committed", "payment.before_commit",
    "worker.results_handled_before_commit",
}  # fmt: skip

POINTS = [
    pytest.param(strike, marks=pytest.mark.slow if strike in SELDOM else ())
    for strike in (f"{point}:{nth}" for point, passes in STRIKES.items() for nth in passes)
]
DATABASE = [
    pytest.param(f"postgres@{point}:{passes[0]}", marks=() if point in OFTEN else pytest.mark.slow)
    for point, passes in STRIKES.items()
]


DAYS = {"days.validated"}
"""No day's readings are in: tests/journeys/test_work_through_days.py."""

BILLING = {"bill.batch_after_commit", "bill.batch_before_commit", "bill.reads_before_commit"}
"""Nobody is billed on that day either: tests/journeys/test_bill_killed.py."""


CLOCKS = {
    "clock.claimed", "clock.read_back", "clock.result_written", "clock.send_committed", "clock.set_answered",
    "clock.set_written", "worker.clocks_before_commit",
}  # fmt: skip
"""Nor is a clock set: tests/interlock/test_clocks_killed.py and tests/journeys/test_clocks.py."""


def test_every_point_is_struck() -> None:
    assert STRIKES.keys() | COLLECTING | DAYS | BILLING | CLOCKS == CRASH_POINTS


@pytest.mark.parametrize("crash_at", ["", *POINTS, *DATABASE])
def test_no_crash_does_harm(runs: "dict[str, Future[Came]]", crash_at: str) -> None:
    came = runs[crash_at].result()
    target = crash_at.removeprefix("postgres@")
    assert [f"{hit['point']}:{hit['pass']}" for hit in came.strikes] == ([target] if target else [])
    assert violations(came.evidence) == []
    assert came.quiet
    assert (came.code, came.left) == (0, [])


@pytest.mark.parametrize("crash_at", [KILLED])
def test_every_room_killed_in_one_drive_does_no_harm(runs: "dict[str, Future[Came]]", crash_at: str) -> None:
    came = runs[crash_at].result()
    assert tuple(came.killed) == ROOMS
    assert violations(came.evidence) == []
    assert came.quiet
    assert (came.code, came.left) == (0, [])
