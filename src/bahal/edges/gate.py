"""The gate of the office's pages. Every page stands in a table of doors; who is not signed in, has the wrong role, or
asks about another circle's people gets no further. A page without a door does not exist.

The gate also says, for every page alike, what a browser may do with it: no script and no style but our own files.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect

from bahal.domains.staff.errors import OfficerUnknown
from bahal.domains.staff.models import ROLES
from bahal.edges.answers import STATUS
from bahal.edges.clock import clock
from bahal.journeys.admit_officer import Present, admit_officer
from bahal.shared.errors import Refusal
from bahal.shared.text import LANGUAGES, Language
from bahal.shared.words import word

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
_NOTED_EVERY = timedelta(seconds=30)

EVERYBODY = frozenset(ROLES)
STATUS_HERE: Mapping[str, int] = {
    "not_in_your_circle": 404,
    "role_not_admitted": 403,
    "page_stale": 403,
    "text_unreadable": 400,
}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
NAVIGATION = (
    ("today", "today"), ("counter", "counter"), ("drives", "drives"), ("consumers", "consumers"),
)  # fmt: skip


class PageStale(Refusal):
    """A form came back without the mark that its page was given, or with another's."""

    code = "page_stale"
    hi = "यह प्रपत्र इस पृष्ठ का नहीं है या पुराना हो गया: पृष्ठ फिर से खोलें और दोबारा करें। कुछ नहीं बदला।"
    en = "This form is not of this page, or is too old: open the page again and repeat it. Nothing was changed."


class TextUnreadable(Refusal):
    """A request holds a byte that no text holds."""

    code = "text_unreadable"
    hi = "अनुरोध में ऐसा अक्षर है जो किसी पाठ में नहीं होता।"
    en = "The request holds a character that no text holds."


class Visit(HttpRequest):
    """A request that came through the gate."""

    present: Present


View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Door:
    """A page: its path, whom it is for, and whether asking for it is a sign that somebody is there (`quiet`: no)."""

    route: str
    view: View
    name: str
    roles: Collection[str]
    quiet: bool = False


_doors: dict[str, Door] = {}


def patterns(doors: Sequence[Door]) -> list[URLPattern]:
    """The doors as Django wants them, each behind the gate."""
    _doors.update({door.name: door for door in doors})
    return [path(door.route, csrf_protect(_Guarded(door)), name=door.name) for door in doors]


class _Guarded:
    """A view behind the gate. What its path names (`connection`, `drive` ...) must lie in the officer's circle."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.__name__ = door.name

    def __call__(self, request: HttpRequest, **about: Any) -> HttpResponse:
        language = language_of(request)
        with translation.override(language):
            response = self._answer(request, about)
        return dressed(request, response, language)

    def _answer(self, request: HttpRequest, about: Mapping[str, Any]) -> HttpResponse:
        if unreadable(request, about):
            return refused_page(request, TextUnreadable())
        login = signed_in(request, at=clock().wall(), quiet=self.door.quiet)
        if login is None:
            if self.door.quiet:
                return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
            return HttpResponseRedirect(
                f"{reverse('sign-in')}?{urlencode({'next': request.get_full_path()})}", status=HTTPStatus.SEE_OTHER
            )
        try:
            request.present = admit_officer(login=login, roles=self.door.roles, about=about)  # type: ignore[attr-defined]
            return self.door.view(request, **about)
        except OfficerUnknown:
            request.session.flush()
            return HttpResponseRedirect(reverse("sign-in"), status=HTTPStatus.SEE_OTHER)
        except Refusal as refusal:
            return refused_page(request, refusal)


def unreadable(request: HttpRequest, about: Mapping[str, Any]) -> bool:
    """Whether something in it holds the character zero, which PostgreSQL keeps in no text."""
    given = [*about.values()]
    for sent in (request.GET, request.POST):
        given += [value for values in sent.lists() for value in values[1]]
    return any("\0" in str(value) for value in given)


def signed_in(request: HttpRequest, *, at: datetime, quiet: bool) -> str | None:
    """Who is signed in here; None if nobody is, or he has not been seen for a quarter of an hour."""
    session = request.session
    login = session.get("login")
    if not login:
        return None
    since, seen = datetime.fromisoformat(session["since"]), datetime.fromisoformat(session["seen"])
    if at - seen > IDLE or at - since > LONGEST:
        session.flush()
        return None
    if not quiet and at - seen > _NOTED_EVERY:
        session["seen"] = at.isoformat()
    return str(login)


def remember(request: HttpRequest, *, login: str, at: datetime) -> None:
    """Begin a session of an officer who has just proved himself; whatever was there before is gone."""
    request.session.flush()
    request.session.update({"login": login, "since": at.isoformat(), "seen": at.isoformat()})


def language_of(request: HttpRequest) -> Language:
    """The language asked for, or the one that the browser keeps or prefers."""
    asked = request.GET.get("lang") or translation.get_language() or "hi"
    return next((each for each in LANGUAGES if asked.startswith(each)), "hi")


def dressed(request: HttpRequest, response: HttpResponse, language: Language) -> HttpResponse:
    """The answer with what a browser must know of every page of the office."""
    if request.GET.get("lang") in LANGUAGES:
        response.set_cookie("django_language", language, max_age=365 * 86_400, httponly=True, samesite="Lax")
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response["Content-Language"] = language
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "same-origin"
    response["Cross-Origin-Opener-Policy"] = "same-origin"
    patch_vary_headers(response, ("Cookie", "Accept-Language"))
    return response


def page(request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
    """A page in its frame: who is here, where he may go, and the same page in the other language."""
    language = translation.get_language() or "hi"
    other = "en" if language == "hi" else "hi"
    present: Present | None = getattr(request, "present", None)
    # A form that was refused is shown on the path that it was sent to; what can be asked for is the page above.
    sent = request.method == "POST" and request.path != reverse("sign-in")
    path_here = request.path.rpartition("/")[0] if sent else request.path
    shared: dict[str, Any] = {
        "language": language,
        "other_language": other,
        "other_url": f"{path_here}?{urlencode({**request.GET.dict(), 'lang': other})}",
    }
    if present is not None:
        officer = present.officer
        shared |= {
            "officer_name": officer.name_hi if language == "hi" else officer.name,
            "officer_role": word("roles", officer.role, "hi" if language == "hi" else "en"),
            "role": officer.role,
            "navigation": [
                (name, reverse(door))
                for name, door in NAVIGATION
                if door in _doors and officer.role in _doors[door].roles
            ],
        }
    return render(request, template, {**shared, **context}, status=status)


def may(request: HttpRequest, name: str) -> bool:
    """Whether the officer who is here may open a door, so that no button is shown to somebody whom it refuses."""
    present: Present = request.present  # type: ignore[attr-defined]
    return present.officer.role in _doors[name].roles


def refused_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A refusal in words, with the way back."""
    status = STATUS_HERE.get(refusal.code) or STATUS.get(refusal.code, HTTPStatus.UNPROCESSABLE_ENTITY)
    return page(request, "control_room/refused.html", {"text": said(refusal), "code": refusal.code}, status=status)


def said(refusal: Refusal) -> str:
    """A refusal's sentence in the language of this page."""
    return refusal.text("hi" if translation.get_language() == "hi" else "en")


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What a form without its page's mark is told."""
    language = language_of(request)
    with translation.override(language):
        return dressed(request, refused_page(request, PageStale()), language)


def safe_next(request: HttpRequest, given: str) -> str:
    """Where to go after signing in: a page of the office's own, else the first one."""
    ours = given.startswith("/office/") and url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    return given if ours else reverse("today")
