"""What is the consumer's own: his language, and all his data to take away. By a session only."""

import json
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from bahal.edges.clock import clock
from bahal.edges.portal.page import LANGUAGE_COOKIE, Seen, account_page, sealed, shown
from bahal.journeys import own_data
from bahal.shared.text import LANGUAGES


def settings(request: HttpRequest, seen: Seen) -> HttpResponse:
    """The language of messages and pages; by POST it is chosen."""
    chosen = request.POST.get("language", "")
    for language in LANGUAGES:
        if request.method == "POST" and chosen == language:
            at = clock()
            own_data.prefer(connection=seen.visit.connection, language=language, at=at.wall(), business_at=at.now())
            response = HttpResponseRedirect(f"{seen.root}/settings?kept=1", status=HTTPStatus.SEE_OTHER)
            response.set_cookie(LANGUAGE_COOKIE, language, max_age=31_536_000, httponly=True, samesite="Lax")
            return sealed(response, language)
    context = {"here": "settings", "kept": "kept" in request.GET, "chosen": seen.visit.language}
    return shown(request, "settings", seen.language, context, seen=seen)


def data(request: HttpRequest, seen: Seen, *, form: str) -> HttpResponse:
    """All that is kept of him; by POST, because that he took it is recorded."""
    if request.method != "POST":
        return HttpResponseRedirect(f"{seen.root}/settings", status=HTTPStatus.SEE_OTHER)
    at = clock()
    found = own_data.own_data(
        connection=seen.visit.connection, language=seen.language, at=at.wall(), business_at=at.now()
    )
    if form == "csv":
        # With a mark of its encoding: a spreadsheet takes Devanagari for something else without it.
        content, kind = "\ufeff" + own_data.as_table(found), "text/csv; charset=utf-8"
    else:
        content, kind = json.dumps(found, ensure_ascii=False, indent=1, default=str), "application/json"
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="account-{seen.visit.connection}.{form}"'
    return sealed(response, seen.language)


show_settings, show_data = account_page(settings, writes=True), account_page(data, writes=True)
