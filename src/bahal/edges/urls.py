"""Every door of the web process."""

from django.urls import URLPattern, path

from bahal.edges.api.v1 import api
from bahal.edges.control_room import views as control_room
from bahal.edges.health import healthz
from bahal.edges.portal import complaints, days, entry, own, papers, pay
from bahal.edges.portal.home import first, show_home
from bahal.edges.portal.page import View
from bahal.edges.webhooks import bank, sms_reports, whatsapp_statuses


def both_ways(page: str, view: View) -> list[URLPattern]:
    """A page of the consumer's account: by a session, and by a signed link."""
    return [path(f"my/<int:connection>/{page}", view), path(f"see/<str:token>/{page}", view)]


urlpatterns = [
    path("", control_room.latest_drive, name="control-room"),
    path("assets/<str:name>", control_room.asset, name="asset"),
    path("healthz", healthz),
    path("api/v1/", api.urls),
    path("webhooks/sms", sms_reports),
    path("webhooks/whatsapp", whatsapp_statuses),
    path("webhooks/bank", bank),
    path("pay/style.css", pay.style, name="pay-style"),
    path("pay/<str:token>", pay.pay, name="pay"),
    path("pay/<str:token>/<str:tr>", pay.attempt, name="pay-attempt"),
    path("my/", first, name="my"),
    path("my/enter", entry.enter, name="my-enter"),
    path("my/code", entry.code, name="my-code"),
    path("my/leave", entry.leave, name="my-leave"),
    path("receipt/", papers.check_receipt, name="receipt"),
    path("receipt/<str:receipt>/<str:code>", papers.check_receipt),
    *both_ways("", show_home),
    *both_ways("bills", papers.show_bills),
    *both_ways("bills/<str:number>.pdf", papers.show_bill_pdf),
    *both_ways("bills/<str:number>", papers.show_bill),
    *both_ways("receipts/<str:receipt>.pdf", papers.show_receipt_pdf),
    *both_ways("days", days.show_days),
    *both_ways("complaints", complaints.show_complaints),
    *both_ways("complaints/<int:number>", complaints.show_complaint),
    path("my/<int:connection>/settings", own.show_settings),
    path("my/<int:connection>/data.<str:form>", own.show_data),
]
