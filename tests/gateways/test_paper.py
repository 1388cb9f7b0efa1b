"""Bills and receipts as PDF: one page, every word on it, in both scripts, and text that can be copied."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pypdfium2
import pytest

from bahal.gateways.paper.sheets import BillSheet, Line, Month, ReceiptSheet, Slab, Words
from bahal.gateways.paper.typesetting import bill_pdf, picture, receipt_pdf
from bahal.shared.money import rupees

A4_PT = (595, 842)
ROLL_PT = 227

BILL = BillSheet(
    company=Words("विद्युत वितरण कंपनी", "Power Distribution Company"),
    office=Words("बिलासपुर संभाग", "Bilaspur division"),
    number="202510-2200000001",
    consumer=2_200_000_001,
    name=Words("रामप्रसाद साहू", "Ramprasad Sahu"),
    address="वार्ड 12, सिरगिट्टी",
    category=Words("घरेलू", "domestic"),
    load="2 kW",
    meter="SHV10000001",
    period_from=date(2025, 10, 1),
    period_to=date(2025, 11, 1),
    issued_on=date(2025, 11, 3),
    due_on=date(2025, 11, 18),
    reading_from=12_034,
    reading_to=12_471,
    units=437,
    lines=(
        Line(Words("ऊर्जा प्रभार", "Energy charge"), Words("पहले 100 यूनिट", "first 100 units"), 410_00),
        Line(Words("विद्युत शुल्क", "Electricity duty"), Words("₹410.00 का 11 %", "11 % of Rs 410.00"), 45_10),
        Line(Words("पूर्णांकन", "Rounding"), Words("रुपये तक", "to the rupee"), -10),
    ),
    paise=455_00,
    arrears=((Words("पिछला बकाया", "Arrears"), 28_00_000_00),),
    slabs=(Slab(0, 100, 100, 410), Slab(400, None, 37, 610)),
    months=tuple(Month(date(2024 + (9 + n) // 12, (9 + n) % 12 + 1, 1), 100 + n, n == 4) for n in range(13)),
    notes=(Words("दर की जाँच नहीं हुई।", "The rate was not verified."),),
    upi="upi://pay?pa=company@bank&am=455.00&tr=1&cu=INR",
    complaint="शिकायत · Complaints: 1912",
)

RECEIPT = ReceiptSheet(
    company=BILL.company,
    office=BILL.office,
    receipt="K1-2025-000123",
    consumer=2_200_000_001,
    name=BILL.name,
    paise=7_240_00,
    channel=Words("काउंटर, नकद", "counter, cash"),
    taken_at=datetime(2025, 11, 24, 6, 2, 3, tzinfo=UTC),
    shares=((Words("विलंब अधिभार", "Surcharge"), 75_00), (Words("बिल", "Bill"), 7_165_00)),
    due_paise=0,
    advance_paise=0,
    order=Words("बिजली बहाली का आदेश 812", "Restore order 812"),
    check="https://localhost/r/K1-2025-000123",
)


def read(pdf: bytes) -> tuple[str, list[tuple[float, float]]]:
    """The text as a reader copies it, and the size of each page in points."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [document[nth] for nth in range(len(document))]
    text = "\n".join(page.get_textpage().get_text_range() for page in pages)
    sizes = [page.get_size() for page in pages]
    document.close()
    return text, sizes


def test_a_bill_is_one_page_and_says_all_of_it_in_both_languages() -> None:
    text, sizes = read(bill_pdf(BILL))
    assert [(round(width), round(height)) for width, height in sizes] == [A4_PT]
    for word in (
        "202510-2200000001", "2200000001", "रामप्रसाद साहू", "Ramprasad Sahu", "विद्युत वितरण कंपनी", "₹28,00,455.00",
        "18-11-2025", "12,034", "12,471", "ऊर्जा प्रभार", "Energy charge", "11 % of Rs 410.00", "-₹0.10", "₹455.00",
        "पिछला बकाया", "₹28,00,000.00", "401+", "37 × ₹6.10", "The rate was not verified.", "शिकायत",
    ):  # fmt: skip
        assert word in text, word
    assert BILL.payable_paise == 28_00_455_00


def test_a_bill_of_many_lines_and_long_names_still_fits_one_page() -> None:
    long = replace(
        BILL,
        name=Words("अत्यंत लंबे नाम वाले श्री रामप्रसाद साहू पिता श्री देवप्रसाद साहू", "Mr Ramprasad Sahu of a very long name"),
        lines=tuple(
            Line(
                Words(f"पंक्ति {n}", f"Line {n}"),
                Words("दर, मात्रा और राशि का पूरा विवरण", "rate and quantity in full"),
                100,
            )
            for n in range(18)
        ),
    )
    text, sizes = read(bill_pdf(long))
    assert len(sizes) == 1
    assert "Line 17" in text


@pytest.mark.parametrize("hostile", ["#import", "$x^2$", "<script>", "*_`@[]", "\\ \" ' {}", "‮abc"])
def test_a_name_is_text_and_never_a_command(hostile: str) -> None:
    text, sizes = read(bill_pdf(replace(BILL, name=Words(hostile, hostile))))
    assert len(sizes) == 1
    assert [letter for letter in hostile if letter.isalnum() and letter not in text] == []


def test_a_bill_without_slabs_arrears_notes_or_upi_is_a_bill_too() -> None:
    text, sizes = read(bill_pdf(replace(BILL, slabs=(), arrears=(), notes=(), upi="", months=BILL.months[:1])))
    assert len(sizes) == 1
    assert "₹455.00" in text


def test_a_receipt_is_a_page_or_as_long_as_the_roll() -> None:
    for width, wide in (("a4", A4_PT[0]), ("roll", ROLL_PT)):
        text, sizes = read(receipt_pdf(RECEIPT, width=width))  # type: ignore[arg-type]
        assert [round(size[0]) for size in sizes] == [wide]
        for word in ("K1-2025-000123", "₹7,240.00", "24-11-2025 11:32:03", "विलंब अधिभार", "बिजली बहाली का आदेश 812"):
            assert word in text, word


def test_pages_can_be_looked_at() -> None:
    for png in (picture(BILL), picture(RECEIPT), picture(RECEIPT, width="roll")):
        assert png.startswith(b"\x89PNG")


@pytest.mark.parametrize("paise", [455_00, 1_94_660_00, 28_00_455_00, 12_34_56_789_00])
def test_no_amount_runs_into_the_code_beside_it(paise: int) -> None:
    """The code begins 43 mm from the right edge of the page (found on the page; it is 25 mm wide)."""
    document = pypdfium2.PdfDocument(bill_pdf(replace(BILL, paise=paise, arrears=())))
    text = document[0].get_textpage()
    found = text.search(rupees(paise)).get_next()
    assert found is not None
    right = max(text.get_charbox(found[0] + nth)[2] for nth in range(found[1]))
    document.close()
    assert right < A4_PT[0] - 43 / 25.4 * 72
