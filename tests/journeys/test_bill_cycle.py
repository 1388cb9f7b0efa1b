"""From registers to bills that are due: by hand figures, once, and again after every kind of interruption."""

import json
from datetime import date

import pytest

from bahal.domains.billing.errors import CycleNotDue, DraftRateNotAccepted, DraftUnknown, ReasonWanted
from bahal.domains.billing.operations import set_group
from bahal.domains.billing.queries import bill_by_number, review_queue
from bahal.domains.ledger.queries import balance
from bahal.foundation.rows import many, one, value
from bahal.foundation.transactions import transaction
from bahal.journeys.bill_cycle import Rates, bill_cycle, shares
from bahal.journeys.review_bills import drop_bill, release_accepted, release_bill
from bahal.journeys.take_payment import take_payment
from tests.journeys import billed
from tests.journeys.billed import AUGUST, JULY, OCTOBER, SEPTEMBER, accept_all, bill, found, read, times
from tests.plugin.databases import Database

NOVEMBER = date(2025, 11, 1)
ISSUED = date(2025, 10, 6)


def amounts(number: str) -> list[int]:
    return list(value("SELECT amounts FROM billing_explanation JOIN billing_bill b ON b.id = bill WHERE number = %s",
                      number))  # fmt: skip


def posted(number: str) -> dict[str, int]:
    """What one bill alone posted, by account."""
    return dict(
        many(
            "SELECT p.account, sum(p.paise)::bigint FROM ledger_posting p JOIN ledger_transaction t"
            " ON t.id = p.transaction WHERE t.kind = 'bill' AND t.reference = %s GROUP BY 1",
            number,
        )
    )


def test_a_months_bill_is_what_the_table_says(database: Database) -> None:
    """250 units of September 2025, LV-1: 100 x 4.10 + 100 x 4.20 + 50 x 5.60 = 410 + 420 + 280 = 1,110.00; duty 11 %
    122.10; no scheme above 100 units; 1,232.10, to the rupee 1,232.00."""
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000, OCTOBER: 1250})
    cycle = bill(SEPTEMBER, ISSUED)
    assert (cycle.bills, cycle.paise, cycle.not_billed) == (1, 1_232_00, {})
    made = bill_by_number(number=f"202509-{connection}")
    assert (made.paise, made.consumption_wh, made.kind, made.estimated) == (1_232_00, 250_000, "regular", False)
    assert (made.period_from, made.period_to, made.month) == (SEPTEMBER, OCTOBER, SEPTEMBER)
    assert (made.issued_on, made.due_on) == (ISSUED, date(2025, 10, 21))
    assert [paise for paise in amounts(made.number) if paise] == [410_00, 420_00, 280_00, 122_10, -10]
    assert posted(made.number) == {"receivable": 1_232_00, "revenue": -1_109_90, "duty": -122_10}
    assert balance(connection=connection) == (1_232_00, 0)


def test_the_states_part_is_the_states_debt(database: Database) -> None:
    """80 units: 328.00; half of it off, -164.00; duty 11 % of 328.00 is 36.08; 200.08, to the rupee 200.00."""
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000, OCTOBER: 1080})
    bill(SEPTEMBER, ISSUED)
    assert posted(f"202509-{connection}") == {
        "receivable": 200_00, "revenue": -327_92, "subsidy": 164_00, "duty": -36_08,
    }  # fmt: skip


def test_a_batch_is_one_act_that_balances(database: Database) -> None:
    connections = found(5)
    accept_all()
    for connection in connections:
        read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    bill(SEPTEMBER, ISSUED)
    assert one("SELECT count(*), sum(paise) FROM ledger_posting WHERE account = 'receivable'") == (5, 5 * 1_232_00)
    assert value("SELECT count(*) FROM ledger_transaction") == 1
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    for connection in connections:
        assert balance(connection=connection).due_paise == 1_232_00


def test_a_run_again_bills_nothing_more(database: Database) -> None:
    connections = found(3)
    accept_all()
    for connection in connections[:2]:
        read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    assert bill(SEPTEMBER, ISSUED).bills == 2
    again = bill(SEPTEMBER, ISSUED)
    assert (again.bills, again.not_billed) == (0, {"reading_awaited": 1})
    read(connections[2], {SEPTEMBER: 0, OCTOBER: 80})
    assert bill(SEPTEMBER, ISSUED).bills == 1
    assert value("SELECT count(*) FROM billing_bill") == 3


def test_what_was_paid_in_advance_settles_at_once(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    take_payment(
        key="k", connection=connection, paise=2_000_00, channel="upi", actor="x", business_at=billed.at(OCTOBER)
    )
    bill(SEPTEMBER, ISSUED)
    assert balance(connection=connection) == (0, 768_00)


def test_a_rate_that_nobody_answers_for_keeps_the_bill_back(database: Database) -> None:
    (connection,) = found()
    read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    assert bill(SEPTEMBER, ISSUED).held == {"rate_unverified": 1}
    assert balance(connection=connection).due_paise == 0
    (held,) = review_queue()
    with pytest.raises(DraftRateNotAccepted):
        release_bill(draft=held.draft, officer="ee", reason="looks right", **times(ISSUED))
    assert bill(SEPTEMBER, ISSUED).not_billed == {"draft_held": 1}
    accept_all()
    assert release_accepted(officer="ee", **times(ISSUED)) == 1
    assert balance(connection=connection).due_paise == 1_232_00
    assert review_queue() == []


def test_a_bill_unlike_the_consumers_own_is_held_until_an_officer_says_why(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 100, SEPTEMBER: 200, OCTOBER: 900, NOVEMBER: 1000})
    bill(JULY, date(2025, 8, 6))
    bill(AUGUST, date(2025, 9, 6))
    assert bill(SEPTEMBER, ISSUED).held == {"unusual": 1}
    (held,) = review_queue()
    assert held.reasons == ["unusual"]
    for reason in ("", "  "):
        with pytest.raises(ReasonWanted):
            release_bill(draft=held.draft, officer="ee", reason=reason, **times(ISSUED))
    # October waits behind it: its bill would begin before September's was decided.
    assert bill(OCTOBER, date(2025, 11, 6)).not_billed == {"draft_held": 1}
    number = release_bill(draft=held.draft, officer="ee", reason="a wedding, seen", **times(ISSUED))
    assert number == f"202509-{connection}"
    with pytest.raises(DraftUnknown):
        drop_bill(draft=held.draft, officer="ee", reason="again", **times(ISSUED))
    assert bill(OCTOBER, date(2025, 11, 6)).bills == 1


def test_a_dropped_bill_is_rated_again(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 0, OCTOBER: 600})
    assert bill(SEPTEMBER, ISSUED).held == {"unusual": 1}
    drop_bill(draft=review_queue()[0].draft, officer="ee", reason="load entered wrong", **times(ISSUED))
    assert bill(SEPTEMBER, ISSUED).held == {"unusual": 1}
    assert value("SELECT count(*) FROM billing_draft") == 2


def test_a_missing_reading_is_estimated_from_the_average_and_says_so(database: Database) -> None:
    """July to September 100, 110 and 150 units in 92 days: 360,000 Wh x 31 / 92 = 121,304 Wh for October."""
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 100, SEPTEMBER: 210, OCTOBER: 360})
    for month, on in ((JULY, date(2025, 8, 6)), (AUGUST, date(2025, 9, 6)), (SEPTEMBER, ISSUED)):
        assert bill(month, on).bills == 1
    assert bill(OCTOBER, date(2025, 11, 6), rates=Rates(estimate_after=2)).not_billed == {"reading_awaited": 1}
    cycle = bill(OCTOBER, date(2025, 11, 6))
    assert (cycle.bills, cycle.estimated) == (1, 1)
    made = bill_by_number(number=f"202510-{connection}")
    assert (made.estimated, made.consumption_wh) == (True, 121_304)
    basis = value("SELECT (body::jsonb) -> 'basis' FROM billing_explanation WHERE bill = %s", made.id)
    basis = json.loads(basis)
    assert basis["estimate"]["how"] == "average"
    assert [of[2] for of in basis["estimate"]["of"]] == [100_000, 110_000, 150_000]


def test_an_estimate_gives_way_to_the_next_reading(database: Database) -> None:
    """October is estimated at 121.304 units; the reading of 1 December says 300 for 61 days: 152.459 are October's.

    152.459 units: 410.00 + 52.459 x 4.20 = 220.33 -> 630.33; duty 69.34; 699.67 -> 700.00.
    Estimated 121.304: 410.00 + 21.304 x 4.20 = 89.48 -> 499.48; duty 54.94; 554.42 -> 554.00. Difference 146.00."""
    (connection,) = found()
    accept_all()
    december = date(2025, 12, 1)
    read(connection, {JULY: 0, AUGUST: 100, SEPTEMBER: 210, OCTOBER: 360})
    for month, on in ((JULY, date(2025, 8, 6)), (AUGUST, date(2025, 9, 6)), (SEPTEMBER, ISSUED),
                      (OCTOBER, date(2025, 11, 6))):  # fmt: skip
        bill(month, on)
    assert bill_by_number(number=f"202510-{connection}").paise == 554_00
    read(connection, {december: 660})
    cycle = bill(NOVEMBER, date(2025, 12, 6))
    assert (cycle.bills, cycle.estimated, cycle.trued_up) == (1, 0, 1)
    november = bill_by_number(number=f"202511-{connection}")
    more = bill_by_number(number=f"202510-{connection}-1")
    assert (november.consumption_wh, more.consumption_wh) == (147_541, 152_459)
    assert (more.paise, more.supplementary, more.kind) == (146_00, True, "revised")
    assert bill(NOVEMBER, date(2025, 12, 6)).trued_up == 0


def test_what_registers_cover_again_is_billed_by_them(database: Database) -> None:
    """The old meter's last register was never read; the new one's first is of 1 November. October is estimated, at
    121.304 units as above, November by its register; it is not swallowed by the estimate of what lies before it."""
    (connection,) = found()
    accept_all()
    december = date(2025, 12, 1)
    read(connection, {JULY: 0, AUGUST: 100, SEPTEMBER: 210, OCTOBER: 360})
    for month, on in ((JULY, date(2025, 8, 6)), (AUGUST, date(2025, 9, 6)), (SEPTEMBER, ISSUED)):
        bill(month, on)
    read(connection, {NOVEMBER: 0, december: 90}, meter="NEW")
    cycle = bill(NOVEMBER, date(2025, 12, 6))
    assert (cycle.bills, cycle.estimated) == (2, 1)
    october, november = (bill_by_number(number=f"2025{month}-{connection}") for month in (10, 11))
    assert (october.period_from, october.period_to, october.estimated) == (OCTOBER, NOVEMBER, True)
    assert (november.period_from, november.period_to, november.estimated) == (NOVEMBER, december, False)
    assert (october.consumption_wh, november.consumption_wh) == (121_304, 90_000)


def test_only_the_centres_whose_day_has_come_are_billed(database: Database) -> None:
    connections = found(3)
    accept_all()
    with transaction():
        set_group(centre=300, issue_day=4, days_to_pay=20)
        set_group(centre=301, issue_day=7, days_to_pay=15)
    for connection in connections:
        read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    due = {"month": SEPTEMBER, "actor": "test"}
    assert bill_cycle(**due, **times(date(2025, 10, 4))).bills == 1  # type: ignore[arg-type]
    assert bill_cycle(**due, **times(date(2025, 10, 5))).bills == 1  # type: ignore[arg-type]
    assert bill_cycle(**due, **times(date(2025, 10, 7))).bills == 1  # type: ignore[arg-type]
    assert bill_by_number(number=f"202509-{connections[0]}").due_on == date(2025, 10, 24)
    with pytest.raises(CycleNotDue):
        bill_cycle(**due | {"month": NOVEMBER}, **times(date(2025, 11, 30)))  # type: ignore[arg-type]


def test_processes_share_the_connections(database: Database) -> None:
    connections = found(5)
    accept_all()
    for connection in connections:
        read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    ranges = shares(count=2)
    assert ranges[0][1] == ranges[1][0]
    made = [bill(SEPTEMBER, ISSUED, low=low, high=high).bills for low, high in ranges]
    assert sum(made) == 5
    assert min(made) >= 2


def test_an_advance_held_all_the_month_bears_its_rebate(database: Database) -> None:
    """From 2026 1.25 % a month: Rs 2,000 all of February are 25.00; Rs 500 that came within it count for nothing."""
    (connection,) = found()
    accept_all()
    february, march = date(2026, 2, 1), date(2026, 3, 1)
    read(connection, {february: 0, march: 250})
    for key, paise, day in (("a", 2_000_00, date(2026, 1, 20)), ("b", 500_00, date(2026, 2, 10))):
        take_payment(key=key, connection=connection, paise=paise, channel="upi", actor="x", business_at=billed.at(day))
    bill(february, date(2026, 3, 6))
    number = f"202602-{connection}"
    assert -25_00 in amounts(number)
    due = bill_by_number(number=number).paise
    assert balance(connection=connection) == (0, 2_500_00 - due)
