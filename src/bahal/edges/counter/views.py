"""The cash counter: find, explain, take, receipt, and the clock that runs until the lamp is on. By keyboard alone."""

import uuid
from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from bahal.domains.payments.errors import ChequeMalformed
from bahal.domains.payments.operations import Cheque
from bahal.edges.clock import clock
from bahal.edges.gate import Visit, may, page, said
from bahal.edges.portal.pay import RupeesUnread
from bahal.edges.showing import account_shown, language, office_word
from bahal.gateways.paper.typesetting import Width
from bahal.journeys import keep_counter
from bahal.journeys.account_for_office import account_for_office
from bahal.journeys.counter_desk import counter_desk
from bahal.journeys.print_receipt import print_receipt
from bahal.journeys.watch_receipt import Watched, watch_receipt
from bahal.shared.errors import Refusal
from bahal.shared.money import read_rupees, rupees
from bahal.shared.text import instant
from bahal.shared.words import CAUSES

INSTRUMENTS = ("cash", "cheque", "draft", "card")
EVERY_S = 1


@require_safe
def desk(request: Visit) -> HttpResponse:
    """The day and the search box; one who is found alone is opened at once."""
    return _desk(request)


def _desk(request: Visit, *, refusal: Refusal | None = None) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:100]
    cashier, circles = request.present.officer.login, request.present.circles
    try:
        found = counter_desk(cashier=cashier, circles=circles, text=text)
    except Refusal as wrong:
        refusal, found = wrong, counter_desk(cashier=cashier, circles=circles)
    if len(found.found) == 1 and found.day is not None:
        return _to("counter-account", found.found[0].connection)
    context: dict[str, Any] = {
        "here": "counter",
        "text": text,
        "day": found.day,
        "opened_at": instant(found.day.opened_at) if found.day else "",
        "opening": rupees(found.day.opening_paise) if found.day else "",
        "counter": found.counter,
        "counters": [(code, name_hi if language() == "hi" else name) for code, name, name_hi in found.counters],
        "takings": [
            {
                "instrument": office_word("instruments", each.instrument),
                "receipts": each.receipts,
                "paise": rupees(each.paise),
                "cancelled": each.cancelled,
            }
            for each in found.takings
        ],
        "found": [
            {
                "connection": each.connection,
                "name": each.name_hi if language() == "hi" else each.name,
                "meter": each.meter or "—",
                "phone_ends": each.phone_ends,
                "due": rupees(each.due_paise),
            }
            for each in found.found
        ],
        "nobody": bool(text) and not found.found and refusal is None,
        "refused": said(refusal) if refusal is not None else "",
    }
    status = HTTPStatus.OK if refusal is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page(request, "counter/desk.html", context, status=status)


@require_POST
def open_day(request: Visit) -> HttpResponse:
    """Open the cashier's day with the cash that is in the drawer."""
    at = clock()
    return _acted(
        request,
        lambda: keep_counter.open_day(
            counter=request.POST.get("counter", ""),
            cashier=request.present.officer.login,
            count=request.POST.get("count", ""),
            at=at.wall(),
            business_at=at.now(),
        ),
    )


@require_POST
def close_day(request: Visit) -> HttpResponse:
    """Close it with the cash counted; the sheet is shown."""
    at = clock()
    try:
        closed = keep_counter.close_day(
            counter=request.POST.get("counter", ""),
            cashier=request.present.officer.login,
            count=request.POST.get("count", ""),
            reason=request.POST.get("reason", "")[:500],
            at=at.wall(),
            business_at=at.now(),
        )
    except Refusal as refusal:
        return _desk(request, refusal=refusal)
    context = {
        "here": "counter",
        "closed": closed,
        "day": f"{closed.business_on:%d-%m-%Y}",
        "opening": rupees(closed.opening_paise),
        "expected": rupees(closed.expected_paise),
        "counted": rupees(closed.counted_paise),
        "variance": rupees(closed.variance_paise),
        "takings": [
            (office_word("instruments", each.instrument), each.receipts, rupees(each.paise)) for each in closed.takings
        ],
    }
    return page(request, "counter/closed.html", context)


@require_safe
def account(request: Visit, connection: int) -> HttpResponse:
    """What one consumer owes, line by line, and the form that takes his money."""
    return _account(request, connection)


def _account(request: Visit, connection: int, *, refusal: Refusal | None = None) -> HttpResponse:
    shown = account_shown(account_for_office(connection=connection, business_at=clock().now()))
    due = shown["due_paise"]
    given = request.POST
    context = {
        "here": "counter",
        "account": shown,
        # The key is this form's: sent twice, it is one payment.
        "key": given.get("key") or f"counter:{uuid.uuid4()}",
        "rupees": given.get("rupees", f"{due // 100}.{due % 100:02d}" if due > 0 else ""),
        "instruments": [
            (code, office_word("instruments", code), code == given.get("instrument", "cash")) for code in INSTRUMENTS
        ],
        "given": given,
        "refused": said(refusal) if refusal is not None else "",
    }
    status = HTTPStatus.OK if refusal is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page(request, "counter/account.html", context, status=status)


@require_POST
def take(request: Visit, connection: int) -> HttpResponse:
    """Take the money, once per form; the receipt with its clock comes next."""
    given = request.POST
    try:
        taken = keep_counter.take_at_open_day(
            cashier=request.present.officer.login,
            key=given.get("key", "")[:200],
            connection=connection,
            paise=_paise(given.get("rupees", "")),
            instrument=given.get("instrument", ""),
            cheque=_cheque(given),
            business_at=clock().now(),
        )
    except Refusal as refusal:
        return _account(request, connection, refusal=refusal)
    return _to("receipt", taken.receipt)


@require_safe
def receipt(request: Visit, receipt: str) -> HttpResponse:
    """A receipt as it is printed, and the clock until the lamp is on."""
    watched = watch_receipt(receipt=receipt, at=clock().wall())
    found = watched.shown.receipt
    context = {
        "here": "counter",
        "receipt": found.receipt,
        "connection": found.connection,
        "lines": watched.shown.text(language()),
        "every": EVERY_S,
        "again": may(request, "counter"),
        **_clock(watched),
    }
    return page(request, "counter/receipt.html", context)


@require_safe
def receipt_clock(request: Visit, receipt: str) -> HttpResponse:
    """The clock alone, for the page that asks by itself."""
    watched = watch_receipt(receipt=receipt, at=clock().wall())
    response = page(request, "counter/clock.html", _clock(watched))
    if watched.over:
        response["X-Part-Over"] = "1"
    return response


@require_safe
def receipt_a4(_request: Visit, receipt: str) -> HttpResponse:
    """The receipt as PDF on a page of A4."""
    return _paper(receipt, "a4")


@require_safe
def receipt_roll(_request: Visit, receipt: str) -> HttpResponse:
    """The receipt as PDF on a roll of 80 mm."""
    return _paper(receipt, "roll")


def _paper(receipt: str, width: Width) -> HttpResponse:
    response = HttpResponse(print_receipt(receipt=receipt, width=width), content_type="application/pdf")
    response["Content-Disposition"] = 'inline; filename="receipt.pdf"'
    return response


def _clock(watched: Watched) -> dict[str, Any]:
    order = watched.order
    lit = watched.lit_at is not None
    return {
        "order": order,
        "lit": lit,
        "over": watched.over,
        "seconds": f"{watched.seconds:.1f}" if lit else f"{watched.seconds:.0f}",
        "lit_at": instant(watched.lit_at) if watched.lit_at else "",
        "state": office_word("order states", order.state) if order else "",
        "field": order is not None and order.state == "field_task",
        "reason": CAUSES[order.reason][language() == "en"] if order and order.reason in CAUSES else "",
    }


def _acted(request: Visit, act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        return _desk(request, refusal=refusal)
    return _to("counter")


def _to(name: str, *about: object) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(name, args=about), status=HTTPStatus.SEE_OTHER)


def _paise(given: str) -> int:
    try:
        return read_rupees(given)
    except ValueError:
        raise RupeesUnread(given=given[:20]) from None


def _cheque(given: Any) -> Cheque | None:
    if given.get("instrument") not in ("cheque", "draft"):
        return None
    dated = given.get("dated_on", "")
    try:
        dated_on = date.fromisoformat(dated)
    except ValueError:
        raise ChequeMalformed(field="dated_on", given=dated[:20]) from None
    return Cheque(given.get("number", "").strip(), given.get("bank", "").strip(), dated_on)
