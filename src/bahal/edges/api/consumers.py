"""What a consumer may know of his own use, for programs: the portal, the app, the call centre."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Path, Router, Schema

from bahal.edges.clock import clock
from bahal.edges.entrance import admit
from bahal.shared.home import Home

router = Router()


class ProjectionShown(Schema):
    """What the month comes to if it goes on so: Wh, and paise with the bounds of two times in three."""

    wh: int
    paise: int
    low_paise: int
    high_paise: int
    days: int
    unverified: int


class DayShown(Schema):
    """A consumer's use from validated data. `wh` null: yesterday is not known yet. `why_not`: the refusal that says why
    there is no projection. `hi` and `en` say the same in sentences."""

    consumer: int
    meter: str
    yesterday: date
    wh: int | None
    estimated_half_hours: int
    half_hours: list[int]
    month: date
    month_wh: int
    month_known: int
    month_days: int
    projection: ProjectionShown | None
    why_not: dict[str, Any] | None
    hi: str
    en: str


@router.get("/{consumer}/day", response=DayShown)
def show_day(request: HttpRequest, consumer: int = Path(ge=1, le=9_999_999_999)) -> object:
    """Yesterday, this month, and a projection of the bill."""
    admit(authorization=request.headers.get("Authorization", ""), remote=request.META.get("REMOTE_ADDR", ""))
    # The lake's libraries are loaded by the first who asks, not by every web process.
    from bahal.journeys.consumer_day import consumer_day
    from bahal.lake.layout import lake_uri, open_lake

    return consumer_day(
        connection=consumer, lake=open_lake(lake_uri(Home.of().path)), business_at=clock().now()
    ).as_json()
