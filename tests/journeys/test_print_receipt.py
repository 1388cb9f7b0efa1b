"""A receipt on paper says what was paid, what it settled, and how the account stood then."""

from datetime import date

from bahal.journeys.print_receipt import print_receipt, receipt_sheet
from bahal.journeys.show_receipt import show_receipt
from bahal.journeys.take_payment import take_payment
from tests.journeys import billed
from tests.journeys.billed import OCTOBER, SEPTEMBER, accept_all, bill, found, read
from tests.plugin.databases import Database

PAID = billed.at(date(2025, 10, 8))


def pay(connection: int, key: str, paise: int) -> str:
    return take_payment(
        key=key, connection=connection, paise=paise, channel="counter", actor="x", business_at=PAID
    ).receipt


def test_a_receipt_says_how_the_account_stood_when_it_was_given(database: Database) -> None:
    (connection,) = found()
    accept_all()
    read(connection, {SEPTEMBER: 0, OCTOBER: 250})
    bill(SEPTEMBER, date(2025, 10, 6))
    first, second = pay(connection, "a", 1_000_00), pay(connection, "b", 500_00)
    one, two = (receipt_sheet(show_receipt(receipt=each)) for each in (first, second))
    assert (one.due_paise, one.advance_paise) == (232_00, 0)
    assert (two.due_paise, two.advance_paise) == (0, 268_00)
    assert [paise for _, paise in one.shares] == [1_000_00]
    assert f"202509-{connection}" in one.shares[0][0].hi
    assert sum(paise for _, paise in two.shares) == two.paise
    for width in ("a4", "roll"):
        assert print_receipt(receipt=first, width=width).startswith(b"%PDF")  # type: ignore[arg-type]
