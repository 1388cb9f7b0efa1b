"""Whether this room can work: its database answers."""

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse

from bahal.edges.answers import DatabaseAway, refused
from bahal.foundation.rows import value


def healthz(_request: HttpRequest) -> HttpResponse:
    """200 while the database answers, else 503."""
    try:
        value("SELECT 1")
    except (DatabaseError, InterfaceError):
        return refused(DatabaseAway())
    return JsonResponse({"status": "ok", "room": "web"})
