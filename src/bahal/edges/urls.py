"""Every door of the web process."""

from django.urls import include, path

from bahal.edges.api.v1 import api
from bahal.edges.control_room import views as control_room
from bahal.edges.health import healthz
from bahal.edges.office import urlpatterns as office
from bahal.edges.portal import pay
from bahal.edges.webhooks import bank, sms_reports, whatsapp_statuses

urlpatterns = [
    path("", control_room.latest_drive, name="control-room"),
    path("assets/<str:name>", control_room.asset, name="asset"),
    path("office/", include(office)),
    path("healthz", healthz),
    path("api/v1/", api.urls),
    path("webhooks/sms", sms_reports),
    path("webhooks/whatsapp", whatsapp_statuses),
    path("webhooks/bank", bank),
    path("pay/style.css", pay.style, name="pay-style"),
    path("pay/<str:token>", pay.pay, name="pay"),
    path("pay/<str:token>/<str:tr>", pay.attempt, name="pay-attempt"),
    path("", include("bahal.edges.portal.urls")),
]
