"""Signing in and out of the office's pages."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from bahal.domains.staff.errors import TooManyTries
from bahal.edges import gate
from bahal.edges.clock import clock
from bahal.journeys import sign_in as journey
from bahal.shared.errors import Refusal


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name, password and the code of the second factor."""
    language = gate.language_of(request)
    with translation.override(language):
        return gate.dressed(request, _sign_in(request), language)


def _sign_in(request: HttpRequest) -> HttpResponse:
    if gate.unreadable(request, {}):
        return gate.refused_page(request, gate.TextUnreadable())
    asked = request.POST.get("next", "") or request.GET.get("next", "")
    context = {"next": gate.safe_next(request, asked), "was_here": bool(asked), "login": ""}
    if request.method != "POST":
        return gate.page(request, "control_room/sign_in.html", context)
    at = clock()
    try:
        officer = journey.sign_in(
            login=request.POST.get("login", ""),
            password=request.POST.get("password", ""),
            code=request.POST.get("code", ""),
            address=request.META.get("REMOTE_ADDR", ""),
            at=at.wall(),
            business_at=at.now(),
        )
    except Refusal as refusal:
        many = isinstance(refusal, TooManyTries)
        status = HTTPStatus.TOO_MANY_REQUESTS if many else HTTPStatus.UNPROCESSABLE_ENTITY
        context |= {"refused": gate.said(refusal), "login": request.POST.get("login", "")[:64], "was_here": False}
        return gate.page(request, "control_room/sign_in.html", context, status=status)
    gate.remember(request, login=officer.login, at=at.wall())
    request.session.clear_expired()
    return HttpResponseRedirect(str(context["next"]), status=HTTPStatus.SEE_OTHER)


@csrf_protect
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """The session ends here and now."""
    request.session.flush()
    return HttpResponseRedirect(reverse("sign-in"), status=HTTPStatus.SEE_OTHER)
