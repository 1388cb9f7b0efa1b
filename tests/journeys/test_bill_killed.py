"""A billing run killed -9 at each of its points: the next one goes on, and nobody is billed twice or not at all."""

import json
import signal
import subprocess
import sys

import pytest

from bahal.foundation.rows import many, value
from tests.journeys.billed import OCTOBER, SEPTEMBER, accept_all, found, read
from tests.plugin.databases import Database

CONNECTIONS = 7
BATCH = 2

RUN = """
import django
django.setup()
from datetime import date, datetime, UTC
from bahal.journeys.bill_cycle import bill_cycle
at = datetime(2025, 10, 6, 6, tzinfo=UTC)
done = bill_cycle(month=date(2025, 9, 1), actor="test", centres=(300, 301, 302), at=at, business_at=at, batch=2)
print(done.bills)
"""


def run(database: Database, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    """The cycle in a process of its own."""
    more = {"BAHAL_CRASH_AT": crash_at} if crash_at else {}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        env=database.environ(DJANGO_SETTINGS_MODULE="bahal.settings", **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(("crash_at", "before"), [("bill.batch_before_commit:2", 2), ("bill.batch_after_commit:2", 4)])
def test_a_killed_run_is_finished_by_the_next(database: Database, crash_at: str, before: int) -> None:
    connections = found(CONNECTIONS)
    accept_all()
    for connection in connections:
        read(connection, {SEPTEMBER: 1000, OCTOBER: 1250})
    killed = run(database, crash_at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-1_000:]
    hits = (database.home.run / "crash_hits.jsonl").read_text().splitlines()
    assert json.loads(hits[-1])["struck"]
    assert value("SELECT count(*) FROM billing_bill") == before
    again = run(database)
    assert again.stdout.split() == [str(CONNECTIONS - before)], again.stderr[-1_000:]
    assert run(database).stdout.split() == ["0"]
    bills = many("SELECT connection, count(*), sum(paise) FROM billing_bill GROUP BY connection ORDER BY connection")
    assert bills == [(connection, 1, 1_232_00) for connection in connections]
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    assert value("SELECT sum(paise) FROM ledger_posting WHERE account = 'receivable'") == CONNECTIONS * 1_232_00
