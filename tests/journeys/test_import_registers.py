"""Registers from a file: in any order, twice or late the same bills; what cannot be is kept in doubt, and only that."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bahal.domains.billing.errors import DoubtUnknown, RegisterFileMalformed
from bahal.domains.billing.queries import open_doubts
from bahal.foundation.rows import many, value
from bahal.journeys.import_registers import import_registers, settle_doubtful
from tests.journeys.billed import AUGUST, JULY, OCTOBER, SEPTEMBER, found, times
from tests.plugin.databases import Database

HEAD = "meter,read_on,kwh"
DAY = date(2025, 10, 2)


def take(*rows: str, head: str = HEAD):  # type: ignore[no-untyped-def]
    return import_registers([head, *rows], actor="test", **times(DAY))


def kept() -> list[tuple[date, int]]:
    return many("SELECT read_on, wh FROM billing_register ORDER BY read_on")  # type: ignore[return-value]


def test_rows_become_registers_by_meter_or_consumer(database: Database) -> None:
    (connection,) = found()
    assert take(f"M{connection},2025-07-01,1000.5").new == 1
    assert take(f"{connection},2025-08-01,1100", head="consumer,read_on,kwh").new == 1
    assert kept() == [(JULY, 1_000_500), (AUGUST, 1_100_000)]
    again = take(f"M{connection},2025-07-01,1000.5", f"M{connection},2025-08-01,1100")
    assert (again.new, again.known, again.doubted) == (0, 2, 0)


def test_what_cannot_be_is_named_and_kept_and_the_rest_is_taken(database: Database) -> None:
    """1 kW draws 744 units in a month of 31 days at most."""
    (connection,) = found()
    meter = f"M{connection}"
    done = take(
        f"{meter},2025-07-01,1000",
        f"{meter},2025-08-01,1745",
        f"{meter},2025-09-01,990",
        f"{meter},2025-10-01,1300",
        "NOBODY,2025-10-01,1",
        f"{meter},2025-13-01,1",
        f"{meter},2025-10-01,many",
        f"{meter},2025-10-01,-5",
        f"{meter},2025-12-01,2000",
        f"{meter},2025-07-01,1001",
    )
    assert kept() == [(JULY, 1_000_000), (OCTOBER, 1_300_000)]
    assert [(each.line, each.refusal.code) for each in done.named] == [
        (3, "register_beyond_load"),
        (4, "register_backwards"),
        (6, "register_meter_unknown"),
        (7, "register_row_malformed"),
        (8, "register_row_malformed"),
        (9, "register_row_malformed"),
        (10, "register_future"),
        (11, "register_otherwise"),
    ]
    assert len(open_doubts()) == done.doubted == 8
    first = open_doubts()[0]
    settle_doubtful(doubt=first.doubt, reason="looked at", actor="ee", **times(DAY))
    with pytest.raises(DoubtUnknown):
        settle_doubtful(doubt=first.doubt, reason="again", actor="ee", **times(DAY))
    assert len(open_doubts()) == 7


def test_a_late_row_must_fit_between_its_neighbours(database: Database) -> None:
    (connection,) = found()
    meter = f"M{connection}"
    take(f"{meter},2025-07-01,1000", f"{meter},2025-09-01,1200")
    assert take(f"{meter},2025-08-01,1300").named[0].refusal.code == "register_backwards"
    assert take(f"{meter},2025-08-01,1150").new == 1


def test_a_file_without_its_columns_is_refused_whole(database: Database) -> None:
    with pytest.raises(RegisterFileMalformed) as refused:
        take("1,2", head="meter,kwh")
    assert refused.value.data["missing"] == "read_on"
    assert value("SELECT count(*) FROM billing_doubt") == 0


ROWS = [f"{day:%Y-%m-%d},{kwh}" for day, kwh in ((JULY, 10), (AUGUST, 60), (SEPTEMBER, 130), (OCTOBER, 210))]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(ROWS + ROWS[:2]), cut=st.integers(0, 6))
def test_order_repetition_and_lateness_do_not_matter(database: Database, order: list[str], cut: int) -> None:
    if not value("SELECT count(*) FROM network_connection"):
        found()
    with database.connect("owner") as owner:
        owner.execute("ALTER TABLE billing_register DISABLE TRIGGER USER; DELETE FROM billing_register;"
                      "ALTER TABLE billing_register ENABLE TRIGGER USER")  # fmt: skip
    meter = value("SELECT serial FROM meters_meter")
    first, rest = order[:cut], order[cut:]
    done = [take(*(f"{meter},{row}" for row in part)) for part in (first, rest)]
    assert sum(each.new for each in done) == 4
    assert sum(each.doubted for each in done) == 0
    assert [wh for _, wh in kept()] == [10_000, 60_000, 130_000, 210_000]
