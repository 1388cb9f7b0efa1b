"""The worker as a process: it does what follows, survives being killed anywhere, and drains when it is told to stop."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bahal.edges.worker import Duty
from bahal.foundation.audit.checking import Seal
from bahal.foundation.audit.operations import verify
from bahal.foundation.rows import many, value
from bahal.gateways.sms.interface import SmsCentreUnreachable
from bahal.shared.clock import move_rehearsal
from tests.gateways.stand_in import StandIn, running
from tests.journeys import interlock, town
from tests.plugin.databases import Database

PATIENCE_S = 60.0


@contextmanager
def working(database: Database, centre: StandIn, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bahal.entry.rooms", "worker", "0"],
        env=database.environ(BAHAL_SMS_URL=centre.url, BAHAL_CLOCK=str(database.home.run / "clock.json"), **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert json.loads(process.stdout.readline())["ready"] is True
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        process.stdout.close()
        process.stderr.close()


@contextmanager
def centre_of(database: Database) -> Iterator[StandIn]:
    """A centre whose reports reach nobody: what matters here is what it took."""
    with running("sms", "http://127.0.0.1:1/", home=database.home.path) as centre:
        yield centre


def until(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.05)


def dark_town(database: Database, connections: int = 3) -> list[int]:
    """A town whose cuts were read back, with nothing of it handled."""
    move_rehearsal(database.home.run / "clock.json", business_at=town.TEN)
    place = town.found(connections=connections)
    place.drive()
    interlock.lend(database)
    orders = [row[0] for row in many("SELECT id FROM supply_order ORDER BY id")]
    for order in orders:
        interlock.cut(database, order=order)
    return orders


def sent(centre: StandIn) -> Sequence[str]:
    return [each["template"] for each in centre.lines()]


def test_what_follows_from_a_drive(database: Database) -> None:
    dark_town(database)
    with centre_of(database) as centre, working(database, centre):
        until(lambda: len(centre.lines()) == 3)
        with database.connect("owner") as owner:
            owner.execute(
                "INSERT INTO protection_event (meter, esw, counter, received_at, business_at)"
                " VALUES (%s, %s, 1, clock_timestamp(), now())",
                [f"M{town.FIRST}", "0" * 32],
            )
            owner.execute("NOTIFY bahal_events")
        until(lambda: value("SELECT count(*) FROM protection_alert"))
        until(lambda: value("SELECT count(*) FROM audit_batch"))
        until(lambda: value("SELECT state FROM supply_drive") == "finished")
    assert value("SELECT count(*) FROM supply_fence WHERE desired = 'off'") == 3
    kept = (database.home.logs / "audit_seals.jsonl").read_text().splitlines()
    assert verify(Seal(**json.loads(line)) for line in kept) == []
    assert kept


@pytest.mark.parametrize(
    "point", ["worker.results_handled_before_commit", "worker.messages_posted", "worker.alert_before_commit"]
)
def test_killed_anywhere_nothing_is_lost_or_done_twice(database: Database, point: str) -> None:
    dark_town(database)
    with database.connect("owner") as owner:
        owner.execute(
            "INSERT INTO protection_event (meter, esw, counter, received_at, business_at)"
            " VALUES (%s, %s, 1, clock_timestamp(), now())",
            [f"M{town.FIRST}", "0" * 32],
        )
    with centre_of(database) as centre:
        with working(database, centre, BAHAL_CRASH_AT=f"{point}:1") as process:
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
        hits = [json.loads(line) for line in (database.home.run / "crash_hits.jsonl").read_text().splitlines()]
        assert [hit["point"] for hit in hits] == [point]
        with database.connect("owner") as owner:  # the dead worker's lease, which a test need not wait for
            owner.execute("UPDATE notices_message SET taken_until = NULL")
        with working(database, centre):
            until(lambda: not value("SELECT count(*) FROM supply_result WHERE handled_at IS NULL"))
            until(lambda: not value("SELECT count(*) FROM protection_event WHERE handled_at IS NULL"))
            until(lambda: not value("SELECT count(*) FROM notices_message WHERE delivery = 'queued'"))
        assert sent(centre) == ["BAHAL-CUT-HI-1"] * 3
    assert many(
        "SELECT kind, count(*) FROM notices_message WHERE kind NOT IN ('reminder', 'statutory') GROUP BY kind"
    ) == [("cut", 3)]
    assert value("SELECT count(*) FROM audit_entry WHERE act = 'supply.cut.confirmed'") == 3
    assert value("SELECT count(*) FROM protection_alert") == 1


def test_it_outlives_its_database(database: Database) -> None:
    move_rehearsal(database.home.run / "clock.json", business_at=town.TEN)
    place = town.found(connections=1)
    place.drive()
    interlock.lend(database)
    with centre_of(database) as centre, working(database, centre):
        with database.connect("app") as app:
            app.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
                " AND datname = current_database() AND pid <> pg_backend_pid()"
            )
        from django.db import connection

        connection.close()  # ours was cut off too
        interlock.cut(database, order=value("SELECT id FROM supply_order"))
        until(lambda: len(centre.lines()) == 1)


def test_a_duty_that_fails_rests_and_is_tried_again() -> None:
    tried = []

    def act() -> int:
        tried.append(time.monotonic())
        if len(tried) == 1:
            raise SmsCentreUnreachable(url="x", why="test")
        return 2

    duty = Duty("test", act)
    assert duty.attempt() == 0
    assert duty.attempt() == 0
    assert len(tried) == 1
    duty.not_before = 0.0
    assert duty.attempt() == 2


def test_metrics_are_told(database: Database, tmp_path: Path) -> None:
    dark_town(database, connections=1)
    with centre_of(database) as centre:
        process = subprocess.Popen(
            [sys.executable, "-m", "bahal.entry.rooms", "worker", "0"],
            env=database.environ(BAHAL_SMS_URL=centre.url, BAHAL_CLOCK=str(database.home.run / "clock.json")),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            until(lambda: len(centre.lines()) == 1)
            with urllib.request.urlopen(f"http://127.0.0.1:{ready['metrics']}/metrics", timeout=5) as told:
                text = told.read().decode()
        finally:
            process.terminate()
            process.wait(15)
            process.stdout.close()
    assert 'bahal_worker_handled_total{duty="results"} 1.0' in text
    assert os.fspath(tmp_path) not in text
