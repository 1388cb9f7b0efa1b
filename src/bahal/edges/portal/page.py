"""What every page of the consumer's account shares: who looks, in which language, and what the browser may do with it.

One set of pages, two ways in: `/my/NUMBER/` by a session, `/see/TOKEN/` by a signed link, which only shows. The token
of a session stands in a cookie of its own under `/my`; no page has a script.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect

from bahal.domains.consumers.errors import NotYours, SignedOut, ViewLinkWrong
from bahal.edges.clock import clock
from bahal.edges.entrance import door
from bahal.edges.portal.account_words import WORDS
from bahal.journeys.sign_in_consumer import Visit, visit, visit_by_link
from bahal.shared.errors import Refusal
from bahal.shared.text import LANGUAGES, Language, instant

COOKIE = "bahal_my"
LANGUAGE_COOKIE = "bahal_lang"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATUS: Mapping[str, int] = {
    "bill_unknown": 404, "bill_has_no_lines": 404, "receipt_unknown": 404, "connection_not_yours": 404,
    "complaint_unknown": 404, "view_link_wrong": 410, "supply_busy": 503, "sign_in_too_many_codes": 429,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as it is looked at: by whom, under which address, in which language."""

    visit: Visit
    root: str
    language: Language

    def say(self, word: str) -> str:
        """A word of the portal in this page's language."""
        return WORDS[word][0 if self.language == "hi" else 1]


View = Callable[..., HttpResponse]


def account_page(view: Callable[..., HttpResponse], *, writes: bool = False) -> View:
    """A view of one connection's account: `view(request, seen, ...)`. One that `writes` opens to a session alone."""

    @csrf_protect
    @functools.wraps(view)
    def answered(request: HttpRequest, *, token: str = "", connection: int | None = None, **more: Any) -> HttpResponse:
        at = clock().wall()
        try:
            if token:
                who, root = visit_by_link(token, at=at), f"/see/{token}"
                if writes or request.method not in ("GET", "HEAD"):
                    raise NotYours()
            else:
                who = visit(token=request.COOKIES.get(COOKIE, ""), connection=connection, at=at)
                root = f"/my/{who.connection}"
        except SignedOut:
            return HttpResponseRedirect(f"{reverse('my-enter')}?over=1", status=HTTPStatus.SEE_OTHER)
        except (NotYours, ViewLinkWrong) as refusal:
            return refused(request, refusal, asked_language(request))
        seen = Seen(who, root, asked_language(request, who.language))
        try:
            return view(request, seen, **more)
        except Refusal as refusal:
            return refused(request, refusal, seen.language, seen)

    return answered


def asked_language(request: HttpRequest, usual: Language = "hi") -> Language:
    """What was asked for now, what was asked for before, or the usual."""
    for given in (request.GET.get("lang", ""), request.COOKIES.get(LANGUAGE_COOKIE, "")):
        for each in LANGUAGES:
            if given == each:
                return each
    return usual


def refused(request: HttpRequest, refusal: Refusal, language: Language, seen: Seen | None = None) -> HttpResponse:
    """A refusal in the consumer's own words."""
    status = _STATUS.get(refusal.code, HTTPStatus.UNPROCESSABLE_ENTITY)
    return shown(request, "refused", language, {"refused": refusal.text(language)}, seen=seen, status=status)


def shown(
    request: HttpRequest,
    template: str,
    language: Language,
    context: Mapping[str, Any],
    *,
    seen: Seen | None = None,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """A page. What it shows is of this moment, and for its reader alone."""
    other: Language = "en" if language == "hi" else "hi"
    nth = 0 if language == "hi" else 1
    response = render(
        request,
        f"portal/{template}.html",
        {
            "words": {name: pair[nth] for name, pair in WORDS.items()},
            "language": language,
            "other": other,
            "seen": seen,
            "root": "" if seen is None else seen.root,
            "shown_at": instant(clock().now())[:-3],
            **context,
        },
        status=status,
    )
    asked = request.GET.get("lang", "")
    if asked in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, asked, max_age=31_536_000, httponly=True, samesite="Lax")
    return sealed(response, language)


def sealed(response: HttpResponse, language: Language) -> HttpResponse:
    """The headers of everything that is a consumer's own."""
    response["Content-Language"] = language
    response["Content-Security-Policy"] = POLICY
    # Not `no-referrer`: with it a browser sends `Origin: null`, and every form would be taken for a forged one.
    response["Referrer-Policy"] = "same-origin"
    response["Cache-Control"] = "no-store"
    return response


def hold_session(response: HttpResponse, token: str) -> None:
    """Give the browser a session's token, to be sent to these pages alone."""
    response.set_cookie(COOKIE, token, path="/my", httponly=True, samesite="Lax", secure=not door().rehearsal)


def drop_session(response: HttpResponse) -> None:
    """Take it away."""
    response.delete_cookie(COOKIE, path="/my", samesite="Lax")
