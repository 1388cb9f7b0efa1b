"""Complaints: raise one, see how it stands, close it or open it again. And what a deposit under protest would be."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from bahal.domains.complaints.errors import ComplaintEmpty, TooManyComplaints
from bahal.domains.complaints.models import KINDS
from bahal.edges.clock import clock
from bahal.edges.portal.page import Seen, account_page, shown
from bahal.journeys import complain as journey
from bahal.shared.money import rupees
from bahal.shared.text import instant
from bahal.shared.words import word


def complaints(request: HttpRequest, seen: Seen) -> HttpResponse:
    """The list, and by POST a new one."""
    wrong, status = "", HTTPStatus.OK
    said = {"kind": request.POST.get("kind", ""), "text": request.POST.get("text", "")}
    if request.method == "POST":
        at = clock()
        try:
            number = journey.complain(
                connection=seen.visit.connection, kind=said["kind"], text=said["text"], at=at.wall(),
                business_at=at.now(),
            )  # fmt: skip
        except (ComplaintEmpty, TooManyComplaints) as refusal:
            wrong, status = refusal.text(seen.language), HTTPStatus.UNPROCESSABLE_ENTITY
        else:
            return HttpResponseRedirect(f"{seen.root}/complaints/{number}", status=HTTPStatus.SEE_OTHER)
    found = journey.own_complaints(connection=seen.visit.connection)
    context = {
        "here": "complaints",
        "wrong": wrong,
        "said": said,
        "kinds": [(kind, word("complaint kinds", kind, seen.language)) for kind in KINDS],
        "complaints": [
            {
                "id": each.id,
                "kind": word("complaint kinds", each.kind, seen.language),
                "state": word("complaint states", each.state, seen.language),
                "at": instant(each.business_at)[:-3],
            }
            for each in found.complaints
        ],
        "protest": ""
        if found.stay is None
        else seen.say("protest_sum").format(
            paise=rupees(found.stay.paise),
            claim=rupees(found.stay.claim_paise),
            average=rupees(found.stay.by_average_paise),
            months=found.stay.months,
        ),
    }
    return shown(request, "complaints", seen.language, context, seen=seen, status=status)


def complaint(request: HttpRequest, seen: Seen, *, number: int) -> HttpResponse:
    """One complaint with its steps; by POST its consumer closes it or opens it again."""
    wrong, status = "", HTTPStatus.OK
    if request.method == "POST":
        at = clock()
        try:
            journey.answer_back(
                connection=seen.visit.connection, complaint=number, closes=request.POST.get("act") == "close",
                text=request.POST.get("text", ""), at=at.wall(), business_at=at.now(),
            )  # fmt: skip
        except ComplaintEmpty as refusal:
            wrong, status = refusal.text(seen.language), HTTPStatus.UNPROCESSABLE_ENTITY
        else:
            return HttpResponseRedirect(f"{seen.root}/complaints/{number}", status=HTTPStatus.SEE_OTHER)
    found = journey.own_complaint(connection=seen.visit.connection, complaint=number)
    context = {
        "here": "complaints",
        "wrong": wrong,
        "number": number,
        "kind": word("complaint kinds", found.complaint.kind, seen.language),
        "text": found.complaint.text,
        "state": word("complaint states", found.complaint.state, seen.language),
        "answered": found.complaint.state == "answered",
        "open": found.complaint.state != "closed",
        "steps": [
            {
                "at": instant(each.business_at)[:-3],
                "what": word("complaint states", each.event, seen.language),
                "who": seen.say(f"side_{each.side}"),
                "text": each.text,
            }
            for each in found.steps
        ],
    }
    return shown(request, "complaint", seen.language, context, seen=seen, status=status)


show_complaints, show_complaint = account_page(complaints), account_page(complaint)
