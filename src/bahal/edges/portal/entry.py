"""The consumer's way in and out: a number, a code, a session that ends by itself."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_POST

from bahal.domains.consumers.errors import CodeWrong
from bahal.edges.clock import clock
from bahal.edges.entrance import caller
from bahal.edges.portal.page import COOKIE, asked_language, drop_session, hold_session, refused, sealed, shown
from bahal.journeys import sign_in_consumer
from bahal.shared.errors import Refusal


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Asks for the number; by POST has a code sent, and asks for that. The answer is the same for anybody's number."""
    language = asked_language(request)
    if request.method != "POST":
        return shown(request, "enter", language, {"over": "over" in request.GET})
    at = clock()
    address = caller(remote=request.META.get("REMOTE_ADDR", ""), forwarded=request.headers.get("X-Forwarded-For", ""))
    try:
        sign_in = sign_in_consumer.ask_code(
            given=request.POST.get("number", "")[:40], address=address, at=at.wall(), business_at=at.now()
        )
    except Refusal as refusal:
        status = HTTPStatus.TOO_MANY_REQUESTS if "many" in refusal.code else HTTPStatus.UNPROCESSABLE_ENTITY
        return shown(request, "enter", language, {"wrong": refusal.text(language)}, status=status)
    return shown(request, "code", language, {"sign_in": sign_in})


@csrf_protect
@require_POST
def code(request: HttpRequest) -> HttpResponse:
    """The code that came. A right one opens the account."""
    language, at = asked_language(request), clock()
    sign_in = request.POST.get("sign_in", "")[:40]
    try:
        token = sign_in_consumer.enter_code(
            given=sign_in, code=request.POST.get("code", "")[:20], at=at.wall(), business_at=at.now()
        )
    except CodeWrong as wrong:
        context = {"sign_in": sign_in, "wrong": wrong.text(language)}
        return shown(request, "code", language, context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refusal as refusal:
        return refused(request, refusal, language)
    response = HttpResponseRedirect(reverse("my"), status=HTTPStatus.SEE_OTHER)
    hold_session(response, token)
    return sealed(response, language)


@csrf_protect
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Ends the session here and on our side."""
    sign_in_consumer.leave(token=request.COOKIES.get(COOKIE, ""), at=clock().wall())
    response = HttpResponseRedirect(f"{reverse('my-enter')}", status=HTTPStatus.SEE_OTHER)
    drop_session(response)
    return sealed(response, asked_language(request))
