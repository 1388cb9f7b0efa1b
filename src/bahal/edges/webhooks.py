"""What outside services tell us by themselves: signed, recent, and safe to hear twice."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from bahal.domains.notices.operations import Report
from bahal.edges.answers import refused
from bahal.edges.clock import clock
from bahal.gateways.sms.reports import SIGNATURE_HEADER, TIME_HEADER, read_reports
from bahal.journeys.take_delivery_reports import take_delivery_reports
from bahal.shared.errors import Refusal
from bahal.shared.home import Home


@require_POST
def sms_reports(request: HttpRequest) -> HttpResponse:
    """Delivery reports of the SMS centre, in batches."""
    secret = Home.of().secret("sms") or {}
    try:
        reports = read_reports(
            key=bytes.fromhex(secret.get("hmac", "")),
            stamp=request.headers.get(TIME_HEADER, ""),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            body=request.body,
            now=clock().wall(),
        )
    except Refusal as refusal:
        return refused(refusal)
    ours = [
        Report(int(each.reference), each.receipt, each.delivered, each.at)
        for each in reports
        if each.reference.isascii() and each.reference.isdigit() and len(each.reference) <= 18
    ]
    return JsonResponse({"taken": take_delivery_reports(ours)})
