"""Bills and receipts: the list, a bill whose lines explain themselves, both on paper; the public check of a receipt."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from bahal.edges.gateway import GatewayNotSet, payee
from bahal.edges.portal.page import Seen, account_page, asked_language, sealed, shown
from bahal.journeys import own_papers
from bahal.journeys.show_bill import DUES
from bahal.journeys.verify_receipt import ReceiptNotOurs, verify_receipt
from bahal.shared.money import rupees
from bahal.shared.text import MONTHS, day, instant
from bahal.shared.words import word


def bills(request: HttpRequest, seen: Seen) -> HttpResponse:
    """What was billed and what was paid."""
    found = own_papers.own_papers(connection=seen.visit.connection)
    context = {
        "here": "bills",
        "bills": [
            {
                "number": each.bill.number,
                "opens": each.bill.kind != "opening",
                "month": f"{MONTHS[seen.language][each.bill.month.month - 1]} {each.bill.month.year}",
                "due_on": day(each.bill.due_on),
                "units": _units(each.bill.wh),
                "paise": rupees(each.bill.paise),
                "stands": seen.say("still_open").format(paise=rupees(each.open_paise))
                if each.open_paise > 0
                else seen.say("settled"),
            }
            for each in found.bills
        ],
        "receipts": [
            {
                "receipt": each.receipt,
                "at": instant(each.business_at)[:-3],
                "by": word("instruments", each.instrument, seen.language),
                "paise": rupees(each.paise),
                "gone": seen.say("receipt_cancelled" if each.cancelled else "receipt_bounced")
                if each.cancelled or each.bounced
                else "",
            }
            for each in found.receipts
        ],
    }
    return shown(request, "bills", seen.language, context, seen=seen)


def bill(request: HttpRequest, seen: Seen, *, number: str) -> HttpResponse:
    """A bill, each line with the sentence that explains it."""
    found = own_papers.own_bill(connection=seen.visit.connection, number=number)
    one, before, nth = found.bill, found.before, 0 if seen.language == "hi" else 1
    owed = [(DUES[account][nth], rupees(paise)) for account, paise in before.dues.items()]
    if before.advance_paise:
        owed.append((seen.say("account_advance"), rupees(-before.advance_paise)))
    context = {
        "here": "bills",
        "number": one.number,
        "period": seen.say("from_to").format(
            start=day(one.period_from) if one.period_from else "", end=day(one.period_to) if one.period_to else ""
        ),
        "facts": [
            (seen.say("meter"), found.meter),
            (seen.say("units"), _units(one.consumption_wh)),
            (seen.say("issued"), day(one.issued_on)),
            (seen.say("due_on"), day(one.due_on)),
        ],
        "registers": [
            (meter, day(start), _units(low), day(end), _units(high), _units(wh))
            for meter, start, low, end, high, wh in found.registers
        ],
        "lines": [(each.title[nth], each.words[seen.language], rupees(each.line.paise)) for each in found.lines],
        "paise": rupees(one.paise),
        "before": owed,
        "notes": [note[seen.language] for note in found.notes],
        "months": [
            (f"{MONTHS[seen.language][each.month.month - 1]} {each.month.year}", _units(each.wh), each.estimated)
            for each in found.months
        ],
    }
    return shown(request, "bill", seen.language, context, seen=seen)


def bill_pdf(_request: HttpRequest, seen: Seen, *, number: str) -> HttpResponse:
    """The bill on paper."""
    try:
        whom = payee()
    except GatewayNotSet:
        whom = None
    page = own_papers.own_bill_pdf(connection=seen.visit.connection, number=number, payee=whom)
    return _file(page, f"bill-{number}.pdf", seen)


def receipt_pdf(request: HttpRequest, seen: Seen, *, receipt: str) -> HttpResponse:
    """The receipt on paper, with the code by which anybody may check it."""
    site = request.build_absolute_uri("/").rstrip("/")
    page = own_papers.own_receipt_pdf(connection=seen.visit.connection, receipt=receipt, site=site)
    return _file(page, f"receipt-{receipt}.pdf", seen)


@require_safe
def check_receipt(request: HttpRequest, receipt: str = "", code: str = "") -> HttpResponse:
    """Open to anybody who holds a receipt: whether it stands."""
    language = asked_language(request)
    receipt, code = receipt or request.GET.get("receipt", "")[:40], code or request.GET.get("code", "")[:40]
    if not receipt and not code:
        return shown(request, "receipt", language, {})
    try:
        found = verify_receipt(receipt=receipt[:40], code=code[:40])
    except ReceiptNotOurs as refusal:
        refused = {"wrong": refusal.text(language), "receipt": receipt, "code": code}
        return shown(request, "receipt", language, refused, status=404)
    context: dict[str, object] = {
        "found": found,
        "paise": rupees(found.paise),
        "day": day(found.day),
        "by": word("instruments", found.instrument, language),
        "state": found.state,
    }
    return shown(request, "receipt", language, context)


def _file(content: bytes, name: str, seen: Seen) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return sealed(response, seen.language)


def _units(wh: int) -> str:
    return f"{wh / 1000:.1f}"


show_bills, show_bill = account_page(bills), account_page(bill)
show_bill_pdf, show_receipt_pdf = account_page(bill_pdf), account_page(receipt_pdf)
