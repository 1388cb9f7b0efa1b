"""What outside services tell us by themselves: signed, recent, and safe to hear twice."""

import hmac
from collections.abc import Sequence

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.http import require_http_methods, require_POST

from bahal.domains.notices.operations import Report
from bahal.edges.answers import DatabaseAway, refused
from bahal.edges.clock import clock
from bahal.gateways.bank.webhooks import EVENT_HEADER, LONGEST_BODY, WebhookMalformed, read_event
from bahal.gateways.bank.webhooks import SIGNATURE_HEADER as GATEWAY_SIGNATURE
from bahal.gateways.sms.reports import SIGNATURE_HEADER, TIME_HEADER, DeliveryReport, ReportUnsigned, read_reports
from bahal.gateways.whatsapp.statuses import SIGNATURE_HEADER as STATUS_SIGNATURE
from bahal.gateways.whatsapp.statuses import read_statuses
from bahal.journeys.hear_gateway import hear
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
    return _taken(reports, "sms")


@require_http_methods(["GET", "POST"])
def whatsapp_statuses(request: HttpRequest) -> HttpResponse:
    """Statuses of the WhatsApp platform; by GET it asks once whether this address is ours, and hears its own word."""
    kept = Home.of().secret("whatsapp") or {}
    if request.method == "GET":
        word = kept.get("verify_token", "")
        asked = request.GET.get("hub.verify_token", "")
        if not word or not hmac.compare_digest(word.encode(), asked.encode()):
            return refused(ReportUnsigned(why="verify_token"))
        return HttpResponse(request.GET.get("hub.challenge", ""), content_type="text/plain")
    try:
        reports = read_statuses(
            secret=kept.get("app_secret", ""),
            signature=request.headers.get(STATUS_SIGNATURE, ""),
            body=request.body,
        )
    except Refusal as refusal:
        return refused(refusal)
    return _taken(reports, "whatsapp")


def _taken(reports: Sequence[DeliveryReport], provider: str) -> JsonResponse:
    at, business_at = clock().wall(), clock().now()
    ours = [
        Report(
            int(each.reference),
            each.receipt,
            each.delivered,
            each.at,
            each.code,
            each.at + (business_at - at),
            each.expired,
        )
        for each in reports
        if each.reference.isascii() and each.reference.isdigit() and len(each.reference) <= 18
    ]
    taken = take_delivery_reports(ours, actor=provider, at=at, business_at=business_at)
    return JsonResponse({"taken": taken})


@require_POST
def bank(request: HttpRequest) -> HttpResponse:
    """The payment gateway's events: kept and answered at once; the worker asks about the payment and books it."""
    now = clock().wall()
    try:
        if len(request.body) > LONGEST_BODY:
            raise WebhookMalformed(why="too long")
        event = read_event(
            secret=(Home.of().secret("bank") or {}).get("webhook_secret", ""),
            signature=request.headers.get(GATEWAY_SIGNATURE, ""),
            event=request.headers.get(EVENT_HEADER, ""),
            body=request.body,
            now=now,
        )
    except Refusal as refusal:
        return refused(refusal)
    except (RequestDataTooBig, UnreadablePostError):
        return refused(WebhookMalformed(why="too long"))
    if event is None:
        return JsonResponse({"heard": False})
    try:
        heard = hear(event, body=request.body.decode(errors="replace"), at=now)
    except (OperationalError, InterfaceError):
        return refused(DatabaseAway())  # it is told again
    return JsonResponse({"heard": heard})
