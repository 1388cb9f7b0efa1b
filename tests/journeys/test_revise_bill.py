"""A period that is rated again: only the difference is billed or credited, and a credit acts like money."""

from datetime import date

import pytest

from bahal.domains.billing.errors import NothingToRevise, PeriodNotBilled, ReasonWanted, RegisterUnknown
from bahal.domains.billing.queries import bill_by_number
from bahal.domains.ledger.queries import balance
from bahal.domains.tariffs.determinants import Facts
from bahal.foundation.rows import one, value
from bahal.journeys.change_terms import change_terms
from bahal.journeys.import_registers import correct_register
from bahal.journeys.print_bill import CreditNoteHasNoPage, print_bill
from bahal.journeys.revise_bill import revise_bill
from bahal.journeys.show_bill import show_bill
from bahal.journeys.take_payment import take_payment
from tests.journeys import billed, town
from tests.journeys.billed import OCTOBER, SEPTEMBER, accept_all, bill, found, read, times
from tests.plugin.databases import Database

ISSUED = date(2025, 10, 6)
LATER = date(2025, 10, 20)


def september(kwh: int) -> int:
    """One connection billed for September by so many units."""
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 1000, OCTOBER: 1000 + kwh})
    bill(SEPTEMBER, ISSUED)
    return connection


def corrected(connection: int, kwh: int) -> None:
    correct_register(
        connection=connection, read_on=OCTOBER, kwh=str(1000 + kwh), reason="misread", actor="ee", **times(LATER)
    )


def revise(connection: int, reason: str = "register corrected"):  # type: ignore[no-untyped-def]
    return revise_bill(connection=connection, period_from=SEPTEMBER, reason=reason, actor="ee", **times(LATER))


def test_more_is_a_supplementary_bill_for_the_difference_alone(database: Database) -> None:
    """250 units are 1,232.00 (test_bill_cycle); 300 are 410 + 420 + 560 = 1,390.00, duty 152.90, 1,542.90 -> 1,543.00;
    the difference is 311.00."""
    connection = september(250)
    corrected(connection, 300)
    revised = revise(connection)
    assert (revised.number, revised.paise) == (f"202509-{connection}-1", 311_00)
    made = bill_by_number(number=revised.number)
    assert (made.paise, made.supplementary, made.kind, made.consumption_wh) == (311_00, True, "revised", 300_000)
    assert bill_by_number(number=f"202509-{connection}").paise == 1_232_00
    assert balance(connection=connection).due_paise == 1_543_00
    shown = show_bill(number=revised.number)
    assert shown.lines[-1].line.paise == -1_232_00
    assert f"202509-{connection}" in shown.lines[-1].words["en"]
    assert sum(each.line.paise for each in shown.lines) == 311_00
    # What stands in each account is what one bill of 300 units would have posted.
    assert value("SELECT sum(paise) FROM ledger_posting WHERE account = 'duty'") == -152_90


def test_less_is_a_credit_note_and_what_was_paid_too_much_is_held(database: Database) -> None:
    connection = september(300)
    take_payment(
        key="k", connection=connection, paise=1_543_00, channel="upi", actor="x", business_at=billed.at(ISSUED)
    )
    corrected(connection, 250)
    revised = revise(connection)
    assert (revised.number, revised.paise) == (f"CN-202509-{connection}-1", -311_00)
    assert balance(connection=connection) == (0, 311_00)
    assert one("SELECT paise, reason FROM billing_creditnote") == (311_00, "register corrected")
    assert value("SELECT sum(paise) FROM ledger_posting") == 0
    # The note explains itself as a bill does: what the period costs, and what was billed for it before.
    shown = show_bill(number=revised.number)
    assert sum(each.line.paise for each in shown.lines) == shown.bill.paise == -311_00
    assert shown.lines[-1].line.paise == -1_543_00
    assert shown.registers == [(f"M{connection}", SEPTEMBER, 1_000_000, OCTOBER, 1_250_000, 250_000)]
    assert "Credit note" in shown.text("en")
    assert "-₹311.00  आपके खाते में जमा" in shown.text("hi")
    with pytest.raises(CreditNoteHasNoPage):
        print_bill(number=revised.number, payee=None)


def test_a_period_can_be_revised_again_and_again(database: Database) -> None:
    connection = september(250)
    for kwh, number, due in ((300, "-1", 1_543_00), (80, "-2", 200_00), (250, "-3", 1_232_00)):
        corrected(connection, kwh)
        assert revise(connection).number.endswith(f"{connection}{number}")
        assert balance(connection=connection).due_paise == due
    with pytest.raises(NothingToRevise):
        revise(connection)
    assert value("SELECT count(*) FROM billing_bill") == 3
    assert value("SELECT -sum(paise) FROM ledger_posting WHERE account = 'duty'") == 122_10
    assert value("SELECT coalesce(sum(paise), 0) FROM ledger_posting WHERE account = 'subsidy'") == 0


def test_terms_set_late_are_revised_by_days(database: Database) -> None:
    connection = september(250)
    change_terms(
        connection=connection, effective_from=date(2025, 9, 16), facts=Facts("LV-2", 1, 5000), reason="shop opened",
        actor="ee", **times(LATER),
    )  # fmt: skip
    revised = revise(connection, "category changed")
    assert revised.paise > 0
    assert {piece.category for piece in show_bill(number=revised.number).rating.pieces} == {"LV-1", "LV-2"}


def test_a_credit_that_clears_the_dues_brings_the_supply_back(database: Database) -> None:
    (connection,) = town.found(connections=1, due=0).connections
    accept_all()
    read(connection, {SEPTEMBER: 0, OCTOBER: 700})
    bill(SEPTEMBER, ISSUED, rates=billed.NEVER_UNUSUAL)
    with database.connect("owner") as owner:
        owner.execute("UPDATE supply_fence SET desired = 'off' WHERE connection = %s", [connection])
    take_payment(key="k", connection=connection, paise=3_000_00, channel="upi", actor="x",
                 business_at=billed.at(ISSUED))  # fmt: skip
    assert balance(connection=connection).due_paise > 0
    correct_register(connection=connection, read_on=OCTOBER, kwh="250", reason="misread", actor="ee", **times(LATER))
    assert revise(connection).order is not None
    assert value("SELECT state FROM supply_order WHERE kind = 'restore'") == "authorised"


def test_what_cannot_be_revised_is_refused(database: Database) -> None:
    connection = september(250)
    with pytest.raises(NothingToRevise):
        revise(connection)
    with pytest.raises(ReasonWanted):
        revise(connection, " ")
    with pytest.raises(PeriodNotBilled):
        revise_bill(connection=connection, period_from=OCTOBER, reason="x", actor="ee", **times(LATER))
    with pytest.raises(RegisterUnknown):
        correct_register(connection=connection, read_on=LATER, kwh="1", reason="x", actor="ee", **times(LATER))
    with pytest.raises(ReasonWanted):
        correct_register(connection=connection, read_on=OCTOBER, kwh="1", reason="", actor="ee", **times(LATER))
    assert value("SELECT count(*) FROM billing_register") == 2
