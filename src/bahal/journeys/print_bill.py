"""Bills on paper: the sheet is filled from what a bill is told by, and set; arrears stand apart from the bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from bahal.domains.billing.queries import CREDIT_NOTE
from bahal.domains.tariffs.telling import thousandths
from bahal.gateways.paper.sheets import BillSheet, Line, Month, Slab, Words
from bahal.gateways.paper.typesetting import bill_pdf
from bahal.journeys.pay_online import Payee
from bahal.journeys.show_bill import DUES, MONTHS_SHOWN, Shown, show_bills
from bahal.shared.errors import Refusal

COMPANY = Words("बहाल विद्युत वितरण", "Bahal electricity distribution")
COMPLAINT = "शिकायत · complaint: 1912"

_CATEGORIES = {
    "LV-1": Words("घरेलू", "domestic"),
    "LV-2": Words("गैर-घरेलू", "non-domestic"),
    "LV-3": Words("कृषि", "agriculture"),
}
_ESTIMATED = Words(
    "यह बिल अनुमानित है; इसके आधार पर बिजली नहीं काटी जाएगी।", "This bill is an estimate; no supply is cut for it."
)
_SUPPLEMENTARY = Words(
    "यह पूरक बिल है; इसके आधार पर बिजली नहीं काटी जाएगी।", "This is a supplementary bill; no supply is cut for it."
)
_ADVANCE = Words("अग्रिम जमा", "paid in advance")
_WH = 1000
_RATE_IN_PAISE = 100  # a rate is in ten-thousandths of a rupee


class CreditNoteHasNoPage(Refusal):
    """The page of a bill asks for money; a credit note gives some."""

    code = "credit_note_has_no_page"
    hi = "{number} क्रेडिट नोट है, बिल नहीं: इसे `bahal bill show {number}` से देखें।"
    en = "{number} is a credit note and no bill: read it by `bahal bill show {number}`."


def print_bill(*, number: str, payee: Payee | None) -> bytes:
    """A bill as PDF, one page of A4.

    :raises BillUnknown: there is none.
    :raises BillHasNoLines: it came in with the books.
    :raises CreditNoteHasNoPage: it is a credit note.
    :raises PageFailed: it could not be set.
    """
    return print_bills(numbers=[number], payee=payee)[0]


def print_bills(*, numbers: Sequence[str], payee: Payee | None) -> list[bytes]:
    """Bills as PDF, in the order of their numbers.

    :raises BillUnknown: one of them does not exist.
    :raises BillHasNoLines: one came in with the books.
    :raises CreditNoteHasNoPage: one is a credit note.
    :raises PageFailed: one could not be set.
    """
    shown = show_bills(numbers=numbers)
    for each in shown:
        if each.bill.kind == CREDIT_NOTE:
            raise CreditNoteHasNoPage(number=each.bill.number)
    return [bill_pdf(sheet_of(each, payee=payee)) for each in shown]


def sheet_of(shown: Shown, *, payee: Payee | None) -> BillSheet:
    """The sheet of a bill; without a payee it has no code to pay by."""
    bill, place, before = shown.bill, shown.standing, shown.before
    assert bill.period_from is not None
    assert bill.period_to is not None
    notes = [Words(note["hi"], note["en"]) for note in shown.notes]
    if bill.supplementary:
        notes.insert(0, _SUPPLEMENTARY)
    if bill.estimated:
        notes.insert(0, _ESTIMATED)
    arrears = [(Words(*DUES[account]), paise) for account, paise in before.dues.items()]
    if before.advance_paise > 0:
        arrears.append((_ADVANCE, -min(before.advance_paise, bill.paise + sum(before.dues.values()))))
    sheet = BillSheet(
        company=COMPANY,
        office=Words(f"{place.centre_hi} वितरण केंद्र", f"{place.centre} distribution centre"),
        number=bill.number,
        consumer=bill.connection,
        name=Words(shown.name_hi, shown.name),
        address=f"{place.centre_hi} · {place.centre} · {place.transformer}",
        category=_category(place.category),
        load=f"{thousandths(place.load_w)} kW, {place.phases}-phase",
        meter=shown.meter,
        period_from=bill.period_from,
        period_to=bill.period_to - timedelta(days=1),
        issued_on=bill.issued_on,
        due_on=bill.due_on,
        reading_from=shown.registers[0][2] // _WH if shown.registers else None,
        reading_to=shown.registers[-1][4] // _WH if shown.registers else None,
        units=bill.consumption_wh // _WH,
        lines=[
            Line(Words(*each.title), Words(each.words["hi"], each.words["en"]), each.line.paise)
            for each in shown.lines
            if each.line.paise
        ],
        paise=bill.paise,
        arrears=arrears,
        slabs=_slabs(shown),
        months=_bars(shown),
        notes=notes,
        upi="",
        complaint=COMPLAINT,
    )
    if payee is None or sheet.payable_paise <= 0:
        return sheet
    return replace(sheet, upi=_upi(sheet, payee))


def _category(code: str) -> Words:
    name = _CATEGORIES.get(code[:4], Words("", ""))
    return Words(f"{code} {name.hi}".strip(), name.en)


def _slabs(shown: Shown) -> list[Slab]:
    """The energy slabs of the bill as they were used; those of two parts of a period at one rate are one bar."""
    found: dict[tuple[int, int | None, int], int] = {}
    for each in shown.lines:
        line = each.line
        if line.component == "energy" and line.unit == "kWh":
            key = (line.above // _WH, line.upto // _WH or None, line.rate // _RATE_IN_PAISE)
            found[key] = found.get(key, 0) + line.quantity
    return [Slab(above, upto, wh // _WH, paise) for (above, upto, paise), wh in found.items()]


def _bars(shown: Shown) -> list[Month]:
    """Thirteen months up to the bill's; one of which nothing is known is empty."""
    known = {each.month: Month(each.month, each.wh // _WH, each.estimated) for each in shown.months}
    bars: list[Month] = []
    month = shown.bill.month
    while len(bars) < MONTHS_SHOWN:
        bars.insert(0, known.get(month, Month(month, 0)))
        month = (month - timedelta(days=1)).replace(day=1)
    return bars


def _upi(sheet: BillSheet, payee: Payee) -> str:
    """What a payer's application opens (NPCI's linking specification); the bill's number is its reference."""
    whole, rest = divmod(sheet.payable_paise, 100)
    fields = {
        "pa": payee.address,
        "pn": payee.name,
        "tr": f"BHL{sheet.number.replace('-', '')}",
        "tn": f"Electricity {sheet.consumer}",
        "am": f"{whole}.{rest:02d}",
        "cu": "INR",
    }
    return "upi://pay?" + "&".join(f"{name}={quote(value, safe='@.')}" for name, value in fields.items())
