"""Meters are exchanged, occupiers move out, deposits bear interest: by hand figures, and every paisa somewhere."""

from datetime import date

import pytest

from bahal.domains.billing.errors import DepositMalformed, DepositRateUnknown, NothingToBill, ReasonWanted
from bahal.domains.billing.queries import bill_by_number
from bahal.domains.billing.registers import Stand
from bahal.domains.ledger.errors import ReferencePosted
from bahal.domains.ledger.queries import balance, held
from bahal.foundation.rows import value
from bahal.journeys.final_bill import exchange_meter, move_out
from bahal.journeys.keep_deposit import credit_interest, take_deposit
from tests.journeys.billed import OCTOBER, SEPTEMBER, accept_all, bill, found, read, times
from tests.plugin.databases import Database

SIXTEENTH = date(2025, 9, 16)
MOVED = date(2025, 9, 17)


def former(connection: int) -> int:
    return int(value("SELECT coalesce(sum(paise), 0) FROM ledger_posting WHERE account = 'former' AND connection = %s",
                     connection))  # fmt: skip


def out(connection: int, reason: str = "moved"):  # type: ignore[no-untyped-def]
    return move_out(connection=connection, on=SIXTEENTH, next_owner="next", reason=reason, actor="ee", **times(MOVED))


def test_the_old_meter_is_billed_to_the_day_and_the_new_one_from_it(database: Database) -> None:
    """15 of 30 days, 100 units: half slabs 50 x 4.10 + 50 x 4.20 = 415.00; duty 45.65; 460.65 -> 461.00."""
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000})
    old, new = Stand(SIXTEENTH, f"M{connection}", 1_100_000), Stand(SIXTEENTH, "NEW", 3_000)
    number = exchange_meter(
        connection=connection, on=SIXTEENTH, old=old, new=new, reason="burnt", actor="ee", **times(MOVED)
    )
    made = bill_by_number(number=number)
    assert (made.kind, made.paise, made.consumption_wh) == ("final", 461_00, 100_000)
    read(connection, {OCTOBER: 43}, meter="NEW")
    assert bill(SEPTEMBER, date(2025, 10, 6)).bills == 1
    rest = bill_by_number(number=f"202509-{connection}")
    assert (rest.period_from, rest.period_to, rest.consumption_wh) == (SIXTEENTH, OCTOBER, 40_000)


def test_who_moves_out_takes_his_dues_with_him(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000, SIXTEENTH: 1100})
    take_deposit(connection=connection, paise=300_00, reference="D1", actor="x", **times(SEPTEMBER))
    final = out(connection)
    assert (final.paise, final.settled_paise, final.refund_paise, final.former_paise) == (461_00, 300_00, 0, 161_00)
    assert balance(connection=connection) == (0, 0)
    assert former(connection) == 161_00
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    # The next occupier's month begins with slabs of its own, and owes only his part.
    read(connection, {OCTOBER: 1140})
    bill(SEPTEMBER, date(2025, 10, 6))
    assert bill_by_number(number=f"202509-{connection}").consumption_wh == 40_000
    assert balance(connection=connection).due_paise == bill_by_number(number=f"202509-{connection}").paise


def test_what_is_left_of_his_money_is_to_be_paid_back(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000, SIXTEENTH: 1100})
    take_deposit(connection=connection, paise=1_000_00, reference="D1", actor="x", **times(SEPTEMBER))
    final = out(connection)
    assert (final.settled_paise, final.refund_paise, final.former_paise) == (461_00, 539_00, 0)
    assert held(connection=connection) == {"refund": 539_00}


def test_a_final_bill_needs_its_register_and_a_reason(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000})
    with pytest.raises(NothingToBill):
        out(connection)
    with pytest.raises(ReasonWanted):
        out(connection, " ")
    assert value("SELECT count(*) FROM billing_bill") == 0


def test_a_deposit_bears_interest_by_the_day_and_once_a_year(database: Database) -> None:
    """6.5 % a year: 30 days on Rs 1,000 are 5.34, then 182 days on Rs 1,500 are 48.62; 53.96 in all."""
    (connection,) = found()
    accept_all()
    year = date(2025, 4, 1)
    take_deposit(connection=connection, paise=1_000_00, reference="D1", actor="x", **times(SEPTEMBER))
    take_deposit(connection=connection, paise=500_00, reference="D2", actor="x", **times(OCTOBER))
    with pytest.raises(ReferencePosted):
        take_deposit(connection=connection, paise=500_00, reference="D2", actor="x", **times(OCTOBER))
    with pytest.raises(DepositMalformed):
        take_deposit(connection=connection, paise=0, reference="D3", actor="x", **times(OCTOBER))
    done = credit_interest(year_from=year, actor="x", **times(date(2026, 4, 2)))
    assert done == (1, 53_96)
    assert balance(connection=connection) == (0, 53_96)
    assert credit_interest(year_from=year, actor="x", **times(date(2026, 4, 3))) == (0, 0)


def test_no_interest_by_a_rate_that_nobody_answers_for(database: Database) -> None:
    (connection,) = found()
    take_deposit(connection=connection, paise=1_000_00, reference="D1", actor="x", **times(SEPTEMBER))
    with pytest.raises(DepositRateUnknown):
        credit_interest(year_from=date(2025, 4, 1), actor="x", **times(date(2026, 4, 2)))
