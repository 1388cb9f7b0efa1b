"""The control room: the latest drive, by division, as it runs. The page works without its script, only less lively."""

import functools
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe

from bahal.edges.answers import refused
from bahal.edges.entrance import KeyMissing, admit
from bahal.journeys.drive_progress import latest_progress
from bahal.shared.home import Home, read_json
from bahal.shared.text import LANGUAGES

ASSETS = {
    "control_room.css": "text/css", "control_room.js": "text/javascript",
    "office.css": "text/css", "office.js": "text/javascript",
}  # fmt: skip


@require_safe
def latest_drive(request: HttpRequest) -> HttpResponse:
    """The latest drive's page; `?lang=hi` or `?lang=en` chooses the language."""
    try:
        admit(authorization=request.headers.get("Authorization", ""), remote=request.META.get("REMOTE_ADDR", ""))
    except KeyMissing as refusal:
        return refused(refusal)
    asked = request.GET.get("lang")
    language = asked if asked in LANGUAGES else translation.get_language() or "hi"
    live = str((read_json(Home.of().run / "endpoints.json") or {}).get("live", ""))
    with translation.override(language):
        context = {
            "drive": latest_progress(),
            "live": f"{live}/drive" if live else "",
            "other_language": "en" if language.startswith("hi") else "hi",
        }
        response = render(request, "control_room/latest_drive.html", context)
    response["Content-Language"] = language
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src {live or chr(39) + 'none' + chr(39)};"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def asset(_request: HttpRequest, name: str) -> HttpResponse:
    """One of the page's own files."""
    if name not in ASSETS:
        raise Http404
    response = HttpResponse(_asset(name), content_type=f"{ASSETS[name]}; charset=utf-8")
    response["Cache-Control"] = "max-age=300"
    return response


@functools.cache
def _asset(name: str) -> bytes:
    return (Path(__file__).parent / "assets" / name).read_bytes()
