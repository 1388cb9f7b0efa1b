"""The doors of the consumer's account."""

from django.urls import URLPattern, path

from bahal.edges.portal import complaints, days, entry, own, papers
from bahal.edges.portal.home import first, show_home
from bahal.edges.portal.page import View


def both_ways(page: str, view: View) -> list[URLPattern]:
    """A page of the account: by a session, and by a signed link."""
    return [path(f"my/<int:connection>/{page}", view), path(f"see/<str:token>/{page}", view)]


urlpatterns = [
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
    path("my/<int:connection>/data.json", own.show_data, {"form": "json"}),
    path("my/<int:connection>/data.csv", own.show_data, {"form": "csv"}),
]
