"""Makes the instance that every crash run is a copy of: `python template.py HOME`, with `bahal` from PYTHONPATH.

It is stopped on the Monday's morning: the circle stands, three days of reminders were delivered, a drive was proposed,
signed by two officers and set running, and no interlock has seen it yet. `facts.json` says what the database knew.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as hour
from pathlib import Path
from typing import Any

import bahal

CONSUMERS, DEFAULTERS, SEED = 100, 62, 5
MONDAY = date(2025, 11, 24)
TEN = hour(10)
REPLY_DELAY = 0.02
LIMITS = {"lease_s": 3.0, "session_s": 2.0, "reply_s": 1.5, "connect_s": 1.5, "poll_s": 0.2}
"""Shorter than in earnest, so that a lease runs out in seconds: `session_s` stays below `lease_s`."""

UP = [
    sys.executable, "-m", "bahal.entry.cli", "up", "--demo", "--no-people", "--consumers", str(CONSUMERS),
    "--defaulters", str(DEFAULTERS), "--seed", str(SEED), "--reply-delay", str(REPLY_DELAY),
]  # fmt: skip

UNDELIVERED = "SELECT count(*) FROM notices_message WHERE channel = 'sms' AND delivery <> 'delivered'"


def source() -> Path:
    """The folder that `bahal` is imported from: rooms started there import it from there too."""
    return Path(bahal.__file__).parent.parent


def until(done: Callable[[], Any], *, what: str, seconds: float = 60.0) -> None:
    """Wait for something.

    :raises TimeoutError: it did not come.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


def endpoints(home: Path) -> dict[str, Any]:
    """Where the instance's doors are; empty until all are open."""
    try:
        stated: dict[str, Any] = json.loads((home / "run" / "endpoints.json").read_text())
    except FileNotFoundError:
        return {}
    return stated if stated.get("open") else {}


@contextmanager
def running(home: Path, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """`bahal up --demo` on this folder, until the block ends."""
    with log.open("ab") as errors, subprocess.Popen(UP, stdout=errors, stderr=errors, cwd=source()) as up:
        try:
            until(lambda: endpoints(home) or up.poll() is not None, what="open", seconds=90)
            if up.poll() is not None:
                raise RuntimeError(log.read_text())
            yield up
        finally:
            up.terminate()


def moment(day: date, at: hour) -> datetime:
    """An instant from a day and a clock in India."""
    from bahal.shared.text import INDIA

    return datetime.combine(day, at, INDIA).astimezone(UTC)


def prepare(home: Path) -> None:
    """Fill the instance that runs on this folder, up to the signed drive."""
    from bahal.entry.business import enter

    clock = enter()
    import psycopg

    from bahal.foundation.rows import value
    from bahal.journeys.draft_drive import draft_drive
    from bahal.journeys.import_meters import import_meters
    from bahal.journeys.import_sims import import_sims
    from bahal.journeys.propose_drive import propose_drive
    from bahal.journeys.send_reminders import send_reminders
    from bahal.journeys.sign_drive import sign_drive
    from bahal.rehearsal.circle import build_circle
    from bahal.rehearsal.officers import prepare_officers
    from bahal.rehearsal.seeding import analyse, seed_circle
    from bahal.shared.clock import move_rehearsal
    from bahal.shared.database import dsn_of
    from bahal.shared.home import Home
    from bahal.shared.warrant import sign

    roster = (home / "demo" / "roster.csv").read_text().splitlines()
    officers = prepare_officers(Home.of())
    circle = build_circle(
        seed=SEED, consumers=CONSUMERS, defaulters=DEFAULTERS, payers=0, rupees=0, monday=MONDAY,
        meters=list(csv.DictReader(roster)), dropouts=0,
    )  # fmt: skip
    with psycopg.connect(dsn_of("app")) as connection:
        seed_circle(connection, circle, officers=officers)
    with psycopg.connect(dsn_of("owner")) as owner:
        analyse(owner)
    import_meters(
        rows=roster,
        interlock_public=bytes.fromhex((home / "interlock" / "sealing.pub").read_text()),
        headend_public=bytes.fromhex((home / "headend" / "sealing.pub").read_text()),
        actor="ee", at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    sims = (home / "demo" / "sims.csv").read_text().splitlines()
    import_sims(rows=sims, actor="ee", at=clock.wall(), business_at=clock.now())
    for before in (3, 2, 1):
        day = MONDAY - timedelta(days=before)
        move_rehearsal(home / "run" / "clock.json", business_at=moment(day, hour(11)))
        send_reminders(business_day=day, actor="ee", at=clock.wall(), business_at=clock.now())
        until(lambda: value(UNDELIVERED) == 0, what="reminders")
    move_rehearsal(home / "run" / "clock.json", business_at=moment(MONDAY, hour(9, 30)))
    key = {officer.login: officer.key() for officer in officers}
    opening = moment(MONDAY, TEN)
    draft = draft_drive(
        office=next(officer.office for officer in officers if officer.login == "se"), maker="ee",
        not_before=opening, expires_at=opening + timedelta(hours=4), business_at=clock.now(),
    )  # fmt: skip
    drive = propose_drive(
        document=draft.document, signature=sign(key["ee"], draft.document, "maker"), name="crash",
        at=clock.wall(), business_at=clock.now(),
    ).drive  # fmt: skip
    sign_drive(
        drive=drive, checker="se", signature=sign(key["se"], draft.document, "checker"),
        at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip


def set_running(home: Path) -> None:
    """Set the drive running while no room is up, and write down what is known."""
    from bahal.entry.postgres import EmbeddedPostgres
    from bahal.foundation.rows import many, value
    from bahal.journeys.run_drive import run_drive
    from bahal.shared.clock import RehearsalClock

    server = EmbeddedPostgres(home)
    server.start()
    try:
        from django.db import connection

        connection.close()
        connection.settings_dict["PORT"] = json.loads((home / "run" / "database.json").read_text())["port"]
        clock = RehearsalClock(home / "run" / "clock.json")
        run_drive(drive=1, actor="ee", at=clock.wall(), business_at=clock.now())
        facts = {
            "meters": dict(many("SELECT serial, connection FROM meters_meter")),
            "listed": [row[0] for row in many("SELECT connection FROM supply_order WHERE drive = 1 ORDER BY position")],
            "due_paise": dict(many("SELECT connection, due_paise FROM ledger_balance WHERE due_paise > 0")),
            "cash_paise": value("SELECT coalesce(sum(paise), 0)::bigint FROM ledger_posting WHERE account = 'cash'"),
        }
        connection.close()
    finally:
        server.stop()
    (home / "facts.json").write_text(json.dumps(facts))


def shorten(home: Path) -> None:
    """Give both machine rooms their short limits."""
    for room in ("interlock", "headend"):
        path = home / room / f"{room}.json"
        stated = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**stated, **LIMITS}))


def main(home: Path) -> None:
    """Make the template."""
    os.environ["BAHAL_HOME"] = str(home)
    with running(home, home.with_name(f"{home.name}.up.log")):
        prepare(home)
    set_running(home)
    shorten(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
