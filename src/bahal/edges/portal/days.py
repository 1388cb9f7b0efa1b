"""The days of a month beside those of the month before, and the half hours of one: pictures, each with its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse

from bahal.edges.clock import clock
from bahal.edges.portal.page import Seen, account_page, shown
from bahal.shared.home import Home
from bahal.shared.text import day, day_in_words

WIDTH, HEIGHT, FOOT = 640, 220, 24


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the picture, in its own units; `kind` is now or before."""

    x: float
    y: float
    width: float
    height: float
    kind: str


def days(request: HttpRequest, seen: Seen) -> HttpResponse:
    """This month beside the last, the projection, and the half hours of a day (`?day=2025-11-23`)."""
    # The lake's libraries are loaded by the first who asks, not by every web process.
    from bahal.journeys.show_days import show_days
    from bahal.lake.layout import LakeUnknown, lake_uri, open_lake

    try:
        lake = open_lake(lake_uri(Home.of().path))
    except LakeUnknown:
        return shown(request, "days", seen.language, {"here": "days", "nothing": True}, seen=seen)
    found = show_days(
        connection=seen.visit.connection, lake=lake, day=_day(request.GET.get("day", "")), business_at=clock().now()
    )
    now = [each.wh for each in found.pairs]
    before = [each.before_wh for each in found.pairs]
    slots = [f"{nth // 2:02d}:{nth % 2 * 30:02d}" for nth in range(48)]
    context = {
        "here": "days",
        "said": found.today.text(seen.language).splitlines(),
        "against": seen.say("same_days").format(units=_units(found.same_days_wh))
        if found.same_days_wh is not None
        else "",
        "month": _month(found.month, seen),
        "before": _month(found.before, seen),
        "bars": _pairs(now, before),
        "most": _units(max((each for each in [*now, *before] if each is not None), default=0)),
        "marks": [(round(WIDTH * (nth + 0.5) / len(found.pairs), 1), nth + 1) for nth in range(0, len(found.pairs), 5)],
        "rows": [
            (each.nth, _or_dash(each.wh), _or_dash(each.before_wh), found.month.replace(day=each.nth).isoformat())
            if each.wh is not None
            else (each.nth, _or_dash(each.wh), _or_dash(each.before_wh), "")
            for each in found.pairs
        ],
        "day": day_in_words(found.day, seen.language),
        "iso": found.day.isoformat(),
        "half_bars": _pairs(list(found.half_hours), []),
        "half_most": _units(max(found.half_hours, default=0)),
        "half_marks": [(round(WIDTH * nth / 24, 1), f"{nth:02d}:00") for nth in range(0, 24, 6)],
        "half_rows": list(zip(slots, [_units(each, 2) for each in found.half_hours], strict=False)),
        "estimated": seen.say("half_estimated").format(count=found.estimated) if found.estimated else "",
        "choices": [
            (each.isoformat(), day(each))
            for each in (
                found.today.yesterday - timedelta(days=nth)
                for nth in range((found.today.yesterday - found.before).days + 1)
            )
        ],
    }
    return shown(request, "days", seen.language, context, seen=seen)


def _pairs(now: Sequence[int | None], before: Sequence[int | None]) -> list[Bar]:
    """Bars side by side; what is not known has none."""
    most = max((each for each in [*now, *before] if each), default=1)
    room = WIDTH / max(1, len(now))
    share = room * (0.45 if before else 0.85)
    bars = []
    for values, kind, offset in ((before, "before", 0.0), (now, "now", share if before else 0.0)):
        for nth, wh in enumerate(values):
            if wh:
                height = HEIGHT * wh / most
                bars.append(
                    Bar(
                        round(nth * room + offset, 1),
                        round(HEIGHT - height, 1),
                        round(share * 0.92, 1),
                        round(height, 1),
                        kind,
                    )
                )
    return bars


def _month(month: date, seen: Seen) -> str:
    return day_in_words(month, seen.language).split(" ", 1)[1]


def _day(given: str) -> date | None:
    """What was asked for, or None: the page has a day of its own then."""
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None


def _units(wh: int | None, places: int = 1) -> str:
    return "" if wh is None else f"{wh / 1000:.{places}f}"


def _or_dash(wh: int | None) -> str:
    return "—" if wh is None else _units(wh)


show_days = account_page(days)
