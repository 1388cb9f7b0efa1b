"""Consumers for whoever answers them: one search box, one account, one timeline; and a bill line by line."""

from http import HTTPStatus

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from bahal.edges.clock import clock
from bahal.edges.gate import Visit, page, said
from bahal.edges.showing import account_shown, language
from bahal.journeys.account_for_office import look_at_account
from bahal.journeys.find_consumer import Found, find_consumer
from bahal.journeys.show_bill import show_bill
from bahal.shared.errors import Refusal
from bahal.shared.money import rupees


@require_safe
def consumers(request: Visit) -> HttpResponse:
    """The search box; one who is found alone is opened at once."""
    text = request.GET.get("q", "").strip()[:100]
    found: list[Found] = []
    refused = ""
    if text:
        try:
            found = find_consumer(text, circles=request.present.circles)
        except Refusal as refusal:
            refused = said(refusal)
    if len(found) == 1:
        return HttpResponseRedirect(reverse("consumer", args=[found[0].connection]), status=HTTPStatus.SEE_OTHER)
    context = {
        "here": "consumers",
        "text": text,
        "refused": refused,
        "nobody": bool(text) and not found and not refused,
        "found": [
            {
                "connection": each.connection,
                "name": each.name_hi if language() == "hi" else each.name,
                "meter": each.meter or "—",
                "phone_ends": each.phone_ends,
                "due": rupees(each.due_paise),
            }
            for each in found
        ],
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.OK
    return page(request, "control_room/consumers.html", context, status=status)


@require_safe
def consumer(request: Visit, connection: int) -> HttpResponse:
    """An account: what is due and why, whether the supply is on and why, and everything that happened."""
    at = clock()
    shown = account_shown(
        look_at_account(connection=connection, officer=request.present.officer, at=at.wall(), business_at=at.now())
    )
    return page(request, "control_room/consumer.html", {"here": "consumers", "account": shown})


@require_safe
def bill(request: Visit, bill: str) -> HttpResponse:
    """A bill, line by line, each with its sentence."""
    shown = show_bill(number=bill)
    context = {"here": "consumers", "bill": bill, "text": shown.text(language()), "connection": shown.bill.connection}
    return page(request, "control_room/bill.html", context)
