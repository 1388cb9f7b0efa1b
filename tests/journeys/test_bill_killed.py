"""A billing run that is killed anywhere: the same run again goes on, and nobody is billed twice."""

import os
import subprocess
import sys
from datetime import date

import pytest

from bahal.foundation.rows import many, value
from tests.journeys.billed import AUGUST, JULY, SEPTEMBER, accept_all, bill, found, read
from tests.plugin.databases import Database

CONNECTIONS = 9
BATCH = 2
RUN = f"""
from datetime import date, datetime, UTC
import django; django.setup()
from bahal.journeys.bill_cycle import bill_cycle
at = datetime(2025, 9, 6, 6, tzinfo=UTC)
bill_cycle(month=date(2025, 8, 1), actor="test", at=at, business_at=at, centres=(300, 301, 302), batch={BATCH})
"""


@pytest.mark.parametrize("point", ["bill.batch_before_commit", "bill.batch_after_commit"])
@pytest.mark.parametrize("strike", [1, 3, 5])
def test_killed_at_a_point_the_run_goes_on_behind_what_is_whole(database: Database, point: str, strike: int) -> None:
    connections = found(CONNECTIONS)
    accept_all()
    for nth, connection in enumerate(connections):
        read(connection, {JULY: 0, AUGUST: 100, SEPTEMBER: 200 + nth})
    bill(JULY, date(2025, 8, 6))
    environ = {
        **os.environ, "BAHAL_HOME": str(database.home.path), "BAHAL_CRASH_AT": f"{point}:{strike}",
        "DJANGO_SETTINGS_MODULE": "bahal.settings",
    }  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", RUN], env=environ, check=False, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    whole = strike if point.endswith("after_commit") else strike - 1
    assert value("SELECT count(*) FROM billing_bill WHERE month = '2025-08-01'") == min(whole * BATCH, CONNECTIONS)
    rest = bill(AUGUST, date(2025, 9, 7))
    assert rest.bills == CONNECTIONS - min(whole * BATCH, CONNECTIONS)
    assert many("SELECT connection, count(*) FROM billing_bill WHERE month = '2025-08-01' GROUP BY 1 ORDER BY 1") == [
        (connection, 1) for connection in connections
    ]
    assert value("SELECT count(*) FROM billing_bill b WHERE b.paise <> (SELECT sum(p.paise) FROM ledger_posting p"
                 " WHERE p.bill = b.id AND p.account = 'receivable')") == 0  # fmt: skip
    assert value("SELECT sum(paise) FROM ledger_posting") == 0


def test_a_database_that_dies_takes_no_half_batch_with_it(database: Database) -> None:
    """The server ends every connection in the middle of the run; the run again bills the rest."""
    connections = found(CONNECTIONS)
    accept_all()
    for connection in connections:
        read(connection, {JULY: 0, AUGUST: 100})
    run = RUN.replace("date(2025, 8, 1)", "date(2025, 7, 1)").replace(
        f"batch={BATCH})", f"batch={BATCH}, progress=lambda cycle: end() if cycle.bills == 4 else None)"
    ).replace("at = datetime", """
def end():
    from django.db import connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
at = datetime""")  # fmt: skip
    environ = {**os.environ, "BAHAL_HOME": str(database.home.path), "DJANGO_SETTINGS_MODULE": "bahal.settings"}
    ended = subprocess.run([sys.executable, "-c", run], env=environ, check=False, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert value("SELECT count(*) FROM billing_bill") == 4
    assert bill(JULY, date(2025, 9, 7)).bills == CONNECTIONS - 4
    assert value("SELECT count(DISTINCT connection) FROM billing_bill") == CONNECTIONS
