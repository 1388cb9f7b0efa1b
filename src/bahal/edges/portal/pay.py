"""The pay page behind a signed link: what is due, a UPI code and link, and the receipt. Plain HTML, no script at all.

Nothing that a browser sends, returns with or asks for marks anything paid.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from bahal.domains.payments.errors import LinkWrong
from bahal.edges.clock import clock
from bahal.edges.gateway import gateway, payee
from bahal.edges.portal.words import WORDS
from bahal.gateways.bank.interface import BankUnreachable
from bahal.journeys import pay_online
from bahal.shared.errors import Refusal
from bahal.shared.money import read_rupees, rupees
from bahal.shared.text import LANGUAGES, Language, instant

STYLE = Path(__file__).parent / "portal.css"
REFRESH_S = 5


class RupeesUnread(Refusal):
    """Not an amount of money."""

    code = "rupees_unread"
    hi = "`{given}` राशि नहीं है: रुपये लिखें, जैसे 5123 या 5123.50।"
    en = "`{given}` is not an amount: write rupees, such as 5123 or 5123.50."


@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """What is due; by POST an attempt to pay begins, with `rupees`."""

    def answer(language: Language) -> HttpResponse:
        at = clock()
        connection = pay_online.read_link(token, at=at.wall())
        if request.method == "POST":
            attempt = pay_online.start_attempt(
                gateway(),
                connection=connection,
                paise=_paise(request.POST.get("rupees", "")),
                at=at.wall(),
                business_at=at.now(),
            )
            there = reverse("pay-attempt", args=[token, attempt.tr])
            return HttpResponseRedirect(f"{there}?lang={language}", status=HTTPStatus.SEE_OTHER)
        page = pay_online.show_page(connection=connection)
        return _page(
            request,
            language,
            {
                "page": page,
                "due": rupees(page.due_paise),
                "advance": rupees(page.advance_paise) if page.advance_paise else "",
                "pending": rupees(page.pending_paise) if page.pending_paise else "",
                "parts": [(WORDS[account][_nth(language)], rupees(paise)) for account, paise in page.parts],
                "wanted": f"{page.due_paise // 100}.{page.due_paise % 100:02d}" if page.due_paise else "",
            },
        )

    return _answered(request, token, answer)


@require_safe
def attempt(request: HttpRequest, token: str, tr: str) -> HttpResponse:
    """One attempt: its code and link until it is paid or its time is over; then the receipt."""

    def answer(language: Language) -> HttpResponse:
        now = clock().wall()
        connection = pay_online.read_link(token, at=now)
        stands = pay_online.show_attempt(tr=tr, connection=connection)
        uri = pay_online.upi_uri(stands.attempt, payee())
        waiting = stands.receipt is None and now < stands.attempt.expires_at
        context: dict[str, Any] = {
            "amount": rupees(stands.attempt.paise),
            "connection": connection,
            "receipt": stands.receipt,
            "waiting": waiting,
            "expires": instant(stands.attempt.expires_at),
            "tr": tr,
            "refresh": REFRESH_S if waiting else None,
            "again": reverse("pay", args=[token]),
        }
        if waiting:
            context |= {"uri": uri, "code": segno.make(uri, error="m", micro=False).svg_inline(scale=4, border=4)}
        return _page(request, language, context)

    return _answered(request, token, answer)


@require_safe
def style(_request: HttpRequest) -> HttpResponse:
    """The page's style."""
    response = HttpResponse(STYLE.read_bytes(), content_type="text/css")
    response["Cache-Control"] = "public, max-age=3600"
    return response


def _answered(request: HttpRequest, token: str, answer: Callable[[Language], HttpResponse]) -> HttpResponse:
    language = _language(request, token)
    try:
        return answer(language)
    except Refusal as refusal:
        gone = isinstance(refusal, LinkWrong)
        away = isinstance(refusal, BankUnreachable) or refusal.code in ("gateway_not_set", "supply_busy")
        status = (
            HTTPStatus.GONE if gone else HTTPStatus.SERVICE_UNAVAILABLE if away else HTTPStatus.UNPROCESSABLE_ENTITY
        )
        # What the bank's address is, is nobody's business here.
        text = WORDS["away"][_nth(language)] if isinstance(refusal, BankUnreachable) else refusal.text(language)
        back = "" if gone else reverse("pay", args=[token])
        return _page(request, language, {"refused": text, "again": back}, status=status)


def _page(
    request: HttpRequest, language: Language, context: Mapping[str, Any], *, status: int = HTTPStatus.OK
) -> HttpResponse:
    words = {name: pair[_nth(language)] for name, pair in WORDS.items()}
    other: Language = "en" if language == "hi" else "hi"
    response = render(
        request,
        "portal/pay.html",
        {"words": words, "language": language, "other": other, **context},
        status=status,
    )
    response["Content-Language"] = language
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response["Referrer-Policy"] = "no-referrer"  # the link is the key
    response["Cache-Control"] = "no-store"
    return response


def _language(request: HttpRequest, token: str) -> Language:
    asked = request.GET.get("lang", "")
    for each in LANGUAGES:
        if asked == each:
            return each
    try:
        return pay_online.language_of_link(token, at=clock().wall())
    except LinkWrong:
        return "hi"


def _nth(language: Language) -> int:
    return 0 if language == "hi" else 1


def _paise(given: str) -> int:
    try:
        return read_rupees(given)
    except ValueError:
        raise RupeesUnread(given=given[:20]) from None
