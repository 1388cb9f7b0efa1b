"""Drives: who would be cut and why others not, the signatures, the funnel as it runs, every list behind a number.

Nothing here cuts. What a page sets running was signed by two officers on the interlock's own page.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as time_of_day
from http import HTTPStatus
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from bahal.edges.clock import clock
from bahal.edges.gate import Visit, may, page, refused_page, said
from bahal.edges.showing import language, office_word
from bahal.journeys import dry_run as journey_dry_run
from bahal.journeys.pause_drive import pause_drive
from bahal.journeys.run_drive import run_drive
from bahal.journeys.show_dry_run import LISTED, Run, latest_runs, open_reason, show_dry_run
from bahal.journeys.stop_drive import stop_drive
from bahal.journeys.watch_drive import Watched, list_drives, open_stage, watch_drive
from bahal.shared.csv_cells import table
from bahal.shared.errors import Refusal
from bahal.shared.home import Home, read_json
from bahal.shared.money import rupees
from bahal.shared.text import INDIA, grouped, instant
from bahal.shared.words import CAUSES

EVERY_S = 2
OVER = ("stopped", "finished", "expired")
TEN = time_of_day(10)


@require_safe
def drives(request: Visit) -> HttpResponse:
    """The drives of the officer's circles, the newest first, and their latest dry runs."""
    circles = request.present.circles
    context = {
        "here": "drives",
        "circle": min(circles, default=None),
        "may_dry_run": may(request, "dry-run"),
        "drives": [
            {
                "id": each.id,
                "name": each.name,
                "state": office_word("drive states", each.state),
                "office": each.office_hi if language() == "hi" else each.office,
                "orders": grouped(each.orders),
                "confirmed": grouped(each.confirmed),
                "sum": rupees(each.sum_paise),
                "maker": each.maker,
                "checker": each.checker or "—",
                "not_before": instant(each.not_before),
            }
            for each in list_drives(circles=circles)
        ],
    }
    return page(request, "control_room/drives.html", context)


@require_safe
def dry_runs(request: Visit) -> HttpResponse:
    """The latest dry runs."""
    runs = [_run_shown(run) for run in latest_runs(circles=request.present.circles)]
    return page(request, "control_room/dry_runs.html", {"here": "drives", "runs": runs})


@require_POST
def dry_run(request: Visit, circle: int) -> HttpResponse:
    """Judge everybody of a circle for ten o'clock of the next working hours, keep it and show it."""
    at = clock()
    now = at.now()
    try:
        done = journey_dry_run.dry_run(
            office=circle,
            maker=request.present.officer.login,
            cut_at=next_ten(now),
            at=at.wall(),
            business_at=now,
        )
    except Refusal as refusal:
        return refused_page(request, refusal)
    return HttpResponseRedirect(reverse("dry-run-shown", args=[done.run]), status=HTTPStatus.SEE_OTHER)


@require_safe
def dry_run_shown(request: Visit, run: int) -> HttpResponse:
    """A dry run: how many are in, and how many each reason keeps out; each number opens to its people."""
    shown = show_dry_run(run=run)
    context = {
        "here": "drives",
        "run": _run_shown(shown.run),
        "reasons": [(code, office_word("verdicts", code), grouped(count)) for code, count in shown.counts.items()],
    }
    return page(request, "control_room/dry_run.html", context)


@require_safe
def dry_run_people(request: Visit, run: int) -> HttpResponse:
    """Those who are in, or whom a reason keeps out, each with all that stands against his cut; as CSV too."""
    reason = request.GET.get("reason", LISTED)
    as_csv = request.GET.get("as") == "csv"
    nth = max(0, int(request.GET.get("page", "0"))) if request.GET.get("page", "0").isdecimal() else 0
    opened = open_reason(run=run, reason=reason, page=min(nth, 100_000), limit=None if as_csv else 100)
    rows = [
        {
            "connection": each.connection,
            "name": each.name_hi if language() == "hi" else each.name,
            "due_paise": each.due_paise,
            "due": rupees(each.due_paise),
            "reasons": "; ".join(office_word("verdicts", code) for code in each.reasons or ("cut",)),
        }
        for each in opened.rows
    ]
    if as_csv:
        cells = [(row["connection"], row["name"], row["due_paise"], row["reasons"]) for row in rows]
        return _sheet(f"dry-run-{run}-{opened.reason}", ("consumer", "name", "paise", "reasons"), cells)
    context = {
        "here": "drives",
        "run": _run_shown(opened.run),
        "reason": opened.reason,
        "reason_words": office_word("verdicts", "cut" if opened.reason == LISTED else opened.reason),
        "rows": rows,
        "next": nth + 1 if opened.more else None,
    }
    return page(request, "control_room/dry_run_people.html", context)


@require_safe
def drive(request: Visit, drive: int) -> HttpResponse:
    """One drive: its signatures, its funnel, what each division recovered, and what may be done to it now."""
    return _drive(request, drive)


def _drive(request: Visit, drive: int, *, refusal: Refusal | None = None) -> HttpResponse:
    watched = watch_drive(drive=drive)
    found = watched.drive
    signing = str((read_json(Home.of().run / "endpoints.json") or {}).get("interlock", ""))
    acts = may(request, "drive-stop")
    context = {
        "here": "drives",
        "may_act": acts,
        "may_run": acts and found.state == "authorised",
        "may_resume": acts and found.state == "paused",
        "may_pause": acts and found.state == "running",
        "may_stop": acts and found.state not in OVER,
        "signing": f"{signing}/warrants/{found.warrant}" if signing and found.state == "proposed" else "",
        "refused": said(refusal) if refusal is not None else "",
        "every": EVERY_S,
        **_funnel(watched),
    }
    status = HTTPStatus.OK if refusal is None else HTTPStatus.UNPROCESSABLE_ENTITY
    return page(request, "control_room/drive.html", context, status=status)


@require_safe
def drive_funnel(request: Visit, drive: int) -> HttpResponse:
    """The funnel alone, for the page that asks by itself."""
    watched = watch_drive(drive=drive)
    response = page(request, "control_room/funnel.html", _funnel(watched))
    if watched.drive.state in OVER and not watched.funnel["waiting"]:
        response["X-Part-Over"] = "1"
    return response


@require_safe
def drive_people(request: Visit, drive: int) -> HttpResponse:
    """Those behind a number of the funnel; as CSV too."""
    stage = request.GET.get("stage", "listed")
    as_csv = request.GET.get("as") == "csv"
    given = request.GET.get("after", "")
    after = int(given) if given.isdecimal() and len(given) < 10 else -1
    opened = open_stage(drive=drive, stage=stage, after=after, limit=None if as_csv else 100)
    rows = [
        {
            "position": each.position,
            "connection": each.connection,
            "name": each.name_hi if language() == "hi" else each.name,
            "meter": each.meter,
            "state": office_word("order states", each.state),
            "reason": CAUSES[each.reason][language() == "en"] if each.reason in CAUSES else each.reason or "—",
            "due_paise": each.due_paise,
            "due": rupees(each.due_paise),
        }
        for each in opened.rows
    ]
    if as_csv:
        names = ("position", "connection", "name", "meter", "state", "reason", "due_paise")
        return _sheet(f"drive-{drive}-{opened.stage}", names, [[row[name] for name in names] for row in rows])
    context = {
        "here": "drives", "drive": opened.drive, "stage": opened.stage, "rows": rows, "after": opened.after,
    }  # fmt: skip
    return page(request, "control_room/drive_people.html", context)


@require_POST
def drive_run(request: Visit, drive: int) -> HttpResponse:
    """Set a signed drive running, or let a paused one go on."""
    at = clock()
    login = request.present.officer.login
    return _acted(
        request, drive, lambda: run_drive(drive=drive, actor=login, at=at.wall(), business_at=at.now())
    )  # fmt: skip


@require_POST
def drive_pause(request: Visit, drive: int) -> HttpResponse:
    """Pause it, with a reason; restores go on."""
    at = clock()
    login, reason = request.present.officer.login, _reason(request)
    return _acted(
        request, drive,
        lambda: pause_drive(drive=drive, actor=login, reason=reason, at=at.wall(), business_at=at.now()),
    )  # fmt: skip


@require_POST
def drive_stop(request: Visit, drive: int) -> HttpResponse:
    """Stop it for good, with a reason."""
    at = clock()
    login, reason = request.present.officer.login, _reason(request)
    return _acted(
        request, drive,
        lambda: stop_drive(drive=drive, actor=login, reason=reason, at=at.wall(), business_at=at.now()),
    )  # fmt: skip


def next_ten(now: datetime) -> datetime:
    """Now, if it is past ten and before two in India; else the next ten o'clock."""
    here = now.astimezone(INDIA)
    ten = datetime.combine(here.date(), TEN, INDIA)
    if here < ten:
        return ten
    return here if here < ten + timedelta(hours=4) else ten + timedelta(days=1)


def _funnel(watched: Watched) -> dict[str, Any]:
    found, counts = watched.drive, watched.funnel
    return {
        "drive": found,
        "state": office_word("drive states", found.state),
        "over": found.state in OVER,
        "sum": rupees(found.sum_paise),
        "not_before": instant(found.not_before),
        "expires_at": instant(found.expires_at),
        "funnel": {stage: grouped(count) for stage, count in counts.items()},
        "divisions": [
            {
                "name": each.name_hi if language() == "hi" else each.name,
                "listed": grouped(each.listed),
                "confirmed": grouped(each.confirmed),
                "restored": grouped(each.restored),
                "paid": grouped(each.paid),
                "rupees": rupees(each.paise),
            }
            for each in watched.divisions
        ],
        "recovered": rupees(sum(each.paise for each in watched.divisions)),
    }


def _run_shown(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "office": run.office_name_hi if language() == "hi" else run.office_name,
        "cut_at": instant(run.cut_at),
        "made_at": instant(run.business_at),
        "maker": run.maker,
        "policies": ", ".join(run.policies),
        "connections": grouped(run.connections),
        "listed": grouped(run.listed),
        "left_out": grouped(run.connections - run.listed),
        "sum": rupees(run.sum_paise),
        "list_sha256": run.list_sha256,
    }


def _reason(request: Visit) -> str:
    return request.POST.get("reason", "").strip()[:500]


def _acted(request: Visit, drive: int, act: Callable[[], object]) -> HttpResponse:
    try:
        act()
    except Refusal as refusal:
        return _drive(request, drive, refusal=refusal)
    return HttpResponseRedirect(reverse("drive", args=[drive]), status=HTTPStatus.SEE_OTHER)


def _sheet(name: str, head: Any, rows: Any) -> HttpResponse:
    response = HttpResponse(table(head, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
