"""What meters showed at their billing dates becomes registers that bills are made of: once, whoever dies on the way."""

import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection as django_connection

from bahal.domains.billing.queries import open_doubts
from bahal.foundation.rows import many, value
from bahal.journeys.take_meter_reads import take_meter_reads
from tests.journeys.billed import AUGUST, JULY, OCTOBER, SEPTEMBER, accept_all, bill, found, times
from tests.plugin.databases import Database

DAY = date(2025, 10, 2)
NOVEMBER = date(2025, 11, 1)
RUN = """
from datetime import datetime, UTC
import django; django.setup()
from bahal.journeys.take_meter_reads import take_meter_reads
at = datetime(2025, 10, 2, 6, tzinfo=UTC)
take_meter_reads(actor="test", at=at, business_at=at)
"""


def came(database: Database, *rows: tuple[str, date, int], made: datetime | None = None) -> int:
    """A batch of billing rows in the store, as the head-end leaves it."""
    with database.connect("owner") as owner:
        owner.execute("INSERT INTO ingest_lane VALUES (1, 'test', 1, now()) ON CONFLICT DO NOTHING")
        owner.execute("SELECT readings_partitions('{}', %s)", ([day for _, day, _ in rows],))
        (batch,) = owner.execute(
            "INSERT INTO ingest_batch (lane, key, days, registers, made_at) VALUES (1, %s, 0, %s, %s) RETURNING id",
            (uuid.uuid4(), len(rows), made or datetime.now(UTC)),
        ).fetchone() or (0,)
        for meter, day, wh in rows:
            owner.execute(
                "INSERT INTO readings_register (read_on, meter, kind, batch, at, read_at, wh) VALUES"
                " (%s, %s, 'b', %s, now(), now(), %s)",
                (day, meter, batch, wh),
            )
    return int(batch)


def take(day: date = DAY):  # type: ignore[no-untyped-def]
    return take_meter_reads(actor="test", **times(day))


def kept() -> list[tuple[date, int]]:
    return many("SELECT read_on, wh FROM billing_register ORDER BY connection, read_on")  # type: ignore[return-value]


def test_a_meters_month_ends_are_billed_without_a_file(database: Database) -> None:
    (connection,) = found()
    accept_all()
    meter = f"M{connection}"
    came(database, (meter, SEPTEMBER, 1_100_000), (meter, OCTOBER, 1_200_500))
    done = take()
    assert (done.batches, done.new, done.doubted) == (1, 2, 0)
    assert bill(SEPTEMBER, DAY).bills == 1
    assert value("SELECT consumption_wh FROM billing_bill WHERE month = %s", SEPTEMBER) == 100_500


def test_a_month_that_was_estimated_is_adjusted_by_what_the_meter_showed_late(database: Database) -> None:
    """September is estimated by August's 100 units in 31 days: 96.774 in 30, 396.77, duty 43.64, half bill -198.39:
    242.02 -> 242.00. The meter, away for a month, shows 130 units: 410.00 + 30 x 4.20 = 536.00, duty 58.96, and no half
    bill above 100 units: 594.96 -> 595.00. The difference is 353.00, and the estimate stays as it was billed."""
    (connection,) = found()
    accept_all()
    meter = f"M{connection}"
    came(database, (meter, AUGUST, 1_000_000), (meter, SEPTEMBER, 1_100_000))
    take(date(2025, 9, 2))
    bill(AUGUST, date(2025, 9, 6))
    assert bill(SEPTEMBER, date(2025, 10, 6)).estimated == 1
    (guessed,) = many("SELECT paise, consumption_wh FROM billing_bill WHERE month = %s", SEPTEMBER)
    assert guessed == (242_00, 96_774)
    came(database, (meter, OCTOBER, 1_230_000), (meter, NOVEMBER, 1_300_000))  # both late, in one call
    take(date(2025, 11, 2))
    done = bill(OCTOBER, date(2025, 11, 6))
    assert (done.bills, done.estimated, done.trued_up) == (1, 0, 1)
    september = many(
        "SELECT sequence, paise, supplementary FROM billing_bill WHERE month = %s ORDER BY sequence", SEPTEMBER
    )
    assert september == [(0, guessed[0], False), (1, 595_00 - guessed[0], True)]
    due = value("SELECT sum(paise) FROM ledger_posting WHERE account = 'receivable'")
    assert due == value("SELECT sum(paise) FROM billing_bill")
    assert bill(OCTOBER, date(2025, 11, 6)).trued_up == 0


def test_late_double_and_out_of_order_batches_change_nothing(database: Database) -> None:
    (connection,) = found()
    meter = f"M{connection}"
    came(database, (meter, OCTOBER, 1_200_500))
    take()
    came(database, (meter, AUGUST, 1_000_000), (meter, OCTOBER, 1_200_500))
    came(database, (meter, SEPTEMBER, 1_100_000), (meter, AUGUST, 1_000_000))
    done = take()
    assert (done.batches, done.new, done.known) == (2, 2, 2)
    assert kept() == [(AUGUST, 1_000_000), (SEPTEMBER, 1_100_000), (OCTOBER, 1_200_500)]
    assert take().batches == 0


def test_what_cannot_be_is_a_doubt_once(database: Database) -> None:
    """1 kW draws 744 units in a month of 31 days at most."""
    (connection,) = found()
    meter = f"M{connection}"
    came(database, (meter, AUGUST, 1_000_000), (meter, SEPTEMBER, 1_900_000), (meter, NOVEMBER, 1_950_000))
    done = take()
    assert (done.new, done.doubted) == (1, 2)
    assert [each.error for each in open_doubts(limit=9)] == ["register_beyond_load", "register_future"]
    assert take().doubted == 0
    assert len(open_doubts(limit=9)) == 2


def test_registers_of_before_the_meter_was_put_up_are_not_the_consumers(database: Database) -> None:
    (connection,) = found()
    meter = f"M{connection}"
    with database.connect("owner") as owner:
        owner.execute("UPDATE meters_meter SET installed_on = %s", (AUGUST,))
    came(database, (meter, JULY, 10), (meter, AUGUST, 20), ("NOBODYS", AUGUST, 5))
    assert take().new == 1
    assert kept() == [(AUGUST, 20)]


def test_old_batches_are_not_looked_at_again_and_no_late_one_is_missed(database: Database) -> None:
    (connection,) = found()
    meter = f"M{connection}"
    now = datetime.now(UTC)
    old = [came(database, (meter, JULY, 10), made=now - timedelta(hours=3)) for _ in range(3)]
    young = came(database, (meter, AUGUST, 20), made=now)
    take_meter_reads(actor="test", at=now, business_at=times(DAY)["business_at"])
    assert many("SELECT batch, all_before FROM billing_batch ORDER BY batch") == [(old[-1], True), (young, False)]
    late = came(database, (meter, SEPTEMBER, 30), made=now)
    with database.connect("owner") as owner:
        # It took its number before the young one, and committed after it was taken.
        owner.execute("DELETE FROM billing_batch WHERE batch = %s", (young,))
        owner.execute("INSERT INTO billing_batch (batch) VALUES (%s)", (late,))
    assert take_meter_reads(actor="test", at=now, business_at=times(DAY)["business_at"]).batches == 1


def test_whoever_comes_while_another_takes_waits_for_him(database: Database) -> None:
    (connection,) = found()
    for month in (JULY, AUGUST, SEPTEMBER):
        came(database, (f"M{connection}", month, month.month * 10))
    with database.connect("app", autocommit=False) as other:
        other.execute("INSERT INTO billing_batch (batch) SELECT min(id) FROM ingest_batch")
        with ThreadPoolExecutor(1) as second:
            waits = second.submit(_take_there)
            with pytest.raises(TimeoutError):
                waits.result(timeout=1)
            other.rollback()
            assert waits.result(timeout=20) == 3


def _take_there() -> int:
    try:
        return int(take().new)
    finally:
        django_connection.close()


def test_a_worker_that_is_killed_before_the_commit_has_taken_nothing(database: Database) -> None:
    (connection,) = found()
    came(database, (f"M{connection}", AUGUST, 20))
    environ = database.environ(
        BAHAL_CRASH_AT="bill.reads_before_commit:1", DJANGO_SETTINGS_MODULE="bahal.settings"
    )  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", RUN], env=environ, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert kept() == []
    assert take().new == 1
