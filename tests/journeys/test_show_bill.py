"""A bill tells itself: lines with sentences that sum to it, what it rests on, and a page of paper."""

from datetime import date

import pypdfium2
import pytest

from bahal.domains.billing.errors import BillHasNoLines, BillUnknown
from bahal.domains.tariffs.lines import DIVISOR
from bahal.journeys.pay_online import Payee
from bahal.journeys.print_bill import print_bill, sheet_of
from bahal.journeys.show_bill import show_bill
from tests.journeys import town
from tests.journeys.billed import AUGUST, JULY, SEPTEMBER, accept_all, bill, found, read
from tests.plugin.databases import Database

PAYEE = Payee("bahal@upi", "Bahal")


def billed_twice() -> int:
    (connection,) = found()
    accept_all()
    read(connection, {JULY: 0, AUGUST: 180, SEPTEMBER: 430})
    bill(JULY, date(2025, 8, 6))
    bill(AUGUST, date(2025, 9, 6))
    return connection


def test_each_line_tells_how_it_came_about_and_they_sum_to_the_bill(database: Database) -> None:
    connection = billed_twice()
    shown = show_bill(number=f"202508-{connection}")
    assert sum(each.line.paise for each in shown.lines) == shown.bill.paise == 1_232_00
    for each in shown.lines:
        assert each.line.computed() == each.line.paise
        assert each.line.unit in DIVISOR
        assert each.words["hi"] != each.words["en"]
    assert "₹4.10" in shown.lines[0].words["en"]
    assert shown.registers == [(f"M{connection}", AUGUST, 180_000, SEPTEMBER, 430_000, 250_000)]
    assert [(each.month, each.wh) for each in shown.months] == [(JULY, 180_000), (AUGUST, 250_000)]


def test_arrears_stand_apart_and_unchecked_rates_name_who_answers(database: Database) -> None:
    """July: 180 units, 410.00 + 80 x 4.20 = 746.00, duty 82.06; scheme until 31-07: half of 746.00; 455.06 -> 455."""
    connection = billed_twice()
    shown = show_bill(number=f"202508-{connection}")
    assert shown.before.dues == {"receivable": 455_00}
    assert any("ee" in note["en"] and "for the test" in note["en"] for note in shown.notes)
    sheet = sheet_of(shown, payee=PAYEE)
    assert (sheet.paise, sheet.payable_paise) == (1_232_00, 1_687_00)
    assert "am=1687.00" in sheet.upi
    assert [(slab.above, slab.upto, slab.units, slab.paise_a_unit) for slab in sheet.slabs] == [
        (0, 100, 100, 410), (100, 200, 100, 420), (200, 400, 50, 560),
    ]  # fmt: skip


def test_a_bill_is_one_page_whose_words_can_be_copied(database: Database) -> None:
    connection = billed_twice()
    document = pypdfium2.PdfDocument(print_bill(number=f"202508-{connection}", payee=PAYEE))
    assert len(document) == 1
    text = document[0].get_textpage().get_text_range()
    document.close()
    for words in ("बिजली बिल", "Electricity bill", "ऊर्जा प्रभार", f"202508-{connection}", "₹1,687.00"):
        assert words in text


def test_what_has_no_lines_is_refused(database: Database) -> None:
    (connection,) = found()
    town.bill_and_notice([connection], due=town.DUE)
    with pytest.raises(BillHasNoLines):
        show_bill(number=f"B{connection}-7")
    with pytest.raises(BillUnknown):
        show_bill(number="202508-1")
