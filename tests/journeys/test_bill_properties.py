"""Whatever order registers come in, and however often a cycle runs between: the same bills, to the paisa."""

from datetime import date
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bahal.domains.billing.queries import documents_of
from bahal.domains.ledger.queries import balance
from bahal.foundation.rows import many, value
from bahal.journeys.bill_cycle import bill_cycle
from bahal.journeys.import_registers import import_registers
from bahal.shared.periods import next_month
from tests.journeys import billed, town
from tests.journeys.billed import AUGUST, JULY, OCTOBER, SEPTEMBER, accept_all, times
from tests.plugin.databases import Database

END = date(2025, 11, 1)
MONTHS = (JULY, AUGUST, SEPTEMBER, OCTOBER)
SOME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_TABLES = (
    "billing_bill", "billing_explanation", "billing_creditnote", "billing_draft", "billing_register",
    "ledger_posting", "ledger_transaction",
)  # fmt: skip


def anew(database: Database) -> int:
    """The same connection with nothing read or billed."""
    if not value("SELECT count(*) FROM network_connection"):
        town.found(connections=1, due=0)
        accept_all()
    with database.connect("owner") as owner:
        for table in _TABLES:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for table in _TABLES:
            owner.execute(f"DELETE FROM {table}")  # noqa: S608
        for table in _TABLES:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return int(value("SELECT id FROM network_connection"))


def cycle(month: date, on: date) -> None:
    bill_cycle(month=month, actor="test", centres=(300, 301, 302), rates=billed.NEVER_UNUSUAL, **times(on))


def take(connection: int, stands: list[tuple[date, int]], on: date) -> None:
    rows = [f"M{connection},{day:%Y-%m-%d},{kwh}" for day, kwh in stands]
    assert import_registers(["meter,read_on,kwh", *rows], actor="test", **times(on)).doubted == 0


def per_period(connection: int) -> dict[date, int]:
    """What each period was billed at in all, with everything that was billed or credited later."""
    starts = [row[0] for row in many("SELECT DISTINCT period_from FROM billing_bill ORDER BY 1")]
    documents = {start: documents_of(connection=connection, period_from=start) for start in starts}
    return {start: sum(each.paise for each in those) for start, those in documents.items()}


@SOME
@given(used=st.lists(st.integers(0, 400), min_size=4, max_size=4), missing=st.sets(st.sampled_from((1, 2, 3))))
def test_estimates_come_to_what_readings_spread_by_days_would_have(
    database: Database, used: list[int], missing: set[int]
) -> None:
    """Month-ends without a reading are estimated where there is a past; when the last reading has come, every month
    stands at what the same units by days come to, as if they had been read."""
    connection = anew(database)
    stands = [(day, sum(used[:nth])) for nth, day in enumerate((*MONTHS, END))]
    for month in MONTHS:
        until = next_month(month)
        came = [each for k, each in enumerate(stands) if each[0] <= until and k not in missing]
        take(connection, came, until.replace(day=2))
        cycle(month, until.replace(day=6))
    cycle(OCTOBER, date(2025, 11, 7))
    found = per_period(connection)
    assert balance(connection=connection).due_paise == sum(found.values())
    assert value("SELECT coalesce(sum(paise), 0) FROM ledger_posting") == 0
    # The same from the registers that did come, given at once, month after month, with nothing ever estimated.
    periods = list(found)
    again = anew(database)
    whole = [each for k, each in enumerate(stands) if k not in missing]
    exact = []
    for start, end in zip(periods, [*periods[1:], END], strict=True):
        exact += [(day, shared(whole, day)) for day in (start, end)]
    with_shares = sorted(set(exact))
    rows = [f"M{again},{day:%Y-%m-%d},{wh / 1000:.3f}" for day, wh in with_shares]
    assert import_registers(["meter,read_on,kwh", *rows], actor="test", **times(END)).doubted == 0
    for start, end in zip(periods, [*periods[1:], END], strict=True):
        assert start < end
        cycle(end.replace(day=1) if end.month == start.month else previous(end), end.replace(day=6))
    assert per_period(again) == found


def shared(stands: list[tuple[date, int]], day: date) -> int:
    """Where a meter stood on a day between two readings, by days, in whole Wh from the earlier one."""
    for (low, before), (high, after) in pairwise(stands):
        if low <= day <= high:
            return before * 1000 + (after - before) * 1000 * (day - low).days // (high - low).days
    return stands[-1][1] * 1000


def previous(day: date) -> date:
    return date(day.year, day.month - 1, 1)


@SOME
@given(runs=st.lists(st.sampled_from(MONTHS), max_size=8), order=st.permutations(range(5)))
def test_running_again_in_any_order_bills_every_month_once(
    database: Database, runs: list[date], order: list[int]
) -> None:
    connection = anew(database)
    stands = [(day, 120 * nth) for nth, day in enumerate((*MONTHS, END))]
    take(connection, [stands[nth] for nth in order], END)
    for month in [*runs, *MONTHS]:
        cycle(month, date(2025, 11, 6))
    found = per_period(connection)
    assert sum(found.values()) == balance(connection=connection).due_paise
    assert value("SELECT sum(consumption_wh) FROM billing_bill") == 480_000
    assert value("SELECT count(*) FROM billing_bill") == len(found) == 4
