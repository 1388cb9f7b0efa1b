"""Today: what needs somebody now. Every count opens to its people; whoever may not see people sees counts alone."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from bahal.edges.gate import Visit, may, page
from bahal.edges.showing import language, office_word
from bahal.journeys.needs_now import MOST, SECTIONS, needs_now, open_queue
from bahal.shared.text import grouped, instant


@require_safe
def today(request: Visit) -> HttpResponse:
    """The queues of the officer's circles, the drives that are not over, and whether cuts are stopped."""
    found = needs_now(circles=request.present.circles)
    stopped = found.switch.stopped_at
    context = {
        "here": "today",
        "queues": [{"name": name, "count": grouped(count), "any": count > 0} for name, count in found.counts.items()],
        "may_open": may(request, "queue"),
        "may_drives": may(request, "drives"),
        "drives": [(each, office_word("drive states", each.state), grouped(each.orders)) for each in found.drives],
        "stopped_at": instant(stopped) if stopped else "",
        "stopped_by": found.switch.stopped_by,
        "stopped_why": found.switch.stopped_why,
    }
    return page(request, "control_room/today.html", context)


@require_safe
def queue(request: Visit) -> HttpResponse:
    """Who stands in one queue, the longest first."""
    name = request.GET.get("name", "alerts")
    rows = [
        {
            "connection": each.connection,
            "name": each.name_hi if language() == "hi" else each.name,
            "at": instant(each.at),
            "what": office_word(SECTIONS[name], each.code) if each.code else "—",
            "told": each.told,
        }
        for each in open_queue(queue=name, circles=request.present.circles)
    ]
    context = {"here": "today", "queue": name, "rows": rows, "most": MOST if len(rows) == MOST else None}
    return page(request, "control_room/queue.html", context)
