"""The lineman on the command line: his round, a task, and his report of it."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import AsJson, moment_of
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.home import Home
from bahal.shared.text import instant, language_of
from bahal.shared.words import word

Task = Annotated[int, typer.Argument(help="The task's number.")]
Lineman = Annotated[str, typer.Option("--as", help="Who is on the spot.")]


class ReadingWrong(Refusal):
    """Not a register's reading."""

    code = "reading_wrong"
    exit_code = USAGE
    hi = "`{given}` पठन नहीं है: 1234.5kWh या 1234500Wh जैसा दें।"
    en = "`{given}` is no reading: give it like 1234.5kWh or 1234500Wh."


class PositionWrong(Refusal):
    """Not a position."""

    code = "position_wrong"
    exit_code = USAGE
    hi = "`{given}` स्थान नहीं है: अक्षांश,देशांतर दें, जैसे 22.0797,82.1391।"
    en = "`{given}` is no position: give latitude,longitude such as 22.0797,82.1391."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    field = typer.Typer(no_args_is_help=True, help="A lineman's tasks and his reports.")
    field.command("list")(list_tasks)
    for verb in (show, report, settle):
        field.command()(verb)
    field.command("may-cut")(may_cut)
    app.add_typer(field, name="field")


def wh_of(given: str) -> int:
    """A reading in Wh, from `1234.5kWh`, `1234500Wh`, or figures alone, which are kWh as on the display.

    :raises ReadingWrong: it is none, or finer than a Wh.
    """
    text = given.strip().lower()
    factor = 1 if text.endswith("wh") and not text.endswith("kwh") else 1000
    try:
        wh = Decimal(text.removesuffix("kwh").removesuffix("wh").strip().replace(",", "")) * factor
    except InvalidOperation:
        raise ReadingWrong(given=given) from None
    if not wh.is_finite() or wh != wh.to_integral_value() or wh < 0:
        raise ReadingWrong(given=given)
    return int(wh)


def position_of(given: str) -> tuple[float, float]:
    """Latitude and longitude in degrees.

    :raises PositionWrong: it is no position.
    """
    try:
        latitude, longitude = (float(part) for part in given.split(","))
    except ValueError:
        raise PositionWrong(given=given) from None
    return latitude, longitude


def list_tasks(
    office: Annotated[int | None, typer.Option(help="Only tasks under this office.")] = None,
    kind: Annotated[str | None, typer.Option(help="visit, cut or restore.")] = None,
    start: Annotated[str, typer.Option("--from", help="Where the round starts: latitude,longitude.")] = "",
    as_json: AsJson = False,
) -> None:
    """The open tasks: restores first, then the nearest next."""
    here = position_of(start) if start else None
    enter()
    from bahal.journeys.field_round import field_round

    stops = field_round(office=office, kind=kind, start=here)
    if as_json:
        typer.echo(json.dumps({"tasks": [_stop(each) for each in stops]}, ensure_ascii=False, default=str))
        return
    for each in stops:
        place = "" if each.position is None else f"{each.position.latitude:.5f},{each.position.longitude:.5f}"
        leg = "" if each.leg_m is None else f"{each.leg_m:.0f} m"
        typer.echo(
            f"{each.task.id:>6}  {each.task.connection}  {each.task.meter:<12} {place:<20} {leg:>8}"
            f"  {each.sentence(language_of())}"
        )


def show(task: Task, as_json: AsJson = False) -> None:
    """One task: where, why, and what was reported."""
    enter()
    from bahal.journeys.field_round import field_task

    story = field_task(task=task)
    shown = _stop(story.stop) | {"reports": [each._asdict() for each in story.reports]}
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, default=str))
        return
    typer.echo(f"{task}: {story.stop.task.connection} {story.stop.task.meter} {story.stop.sentence(language_of())}")
    for each in story.reports:
        said = ", ".join(word("mismatches", code, language_of()) for code in each.against)
        typer.echo(f"  {each.id} {each.lineman} {each.at.isoformat()} {each.outcome} {each.supply} {said}")


def report(
    task: Task,
    outcome: Annotated[str, typer.Option(help="done, not_needed or not_done.")],
    supply: Annotated[str, typer.Option(help="The supply as it was left: on, off or unknown.")] = "unknown",
    reading: Annotated[str, typer.Option(help="The register, like 1234.5kWh or 1234500Wh.")] = "",
    seal: Annotated[str, typer.Option(help="The number of the seal put on.")] = "",
    photo: Annotated[Path | None, typer.Option(help="A photo's file.", exists=True, dir_okay=False)] = None,
    place: Annotated[str, typer.Option("--at", help="Where: latitude,longitude.")] = "",
    when: Annotated[str, typer.Option(help="When, ISO with zone; now unless given.")] = "",
    note: Annotated[str, typer.Option(help="What else was seen.")] = "",
    id_: Annotated[str, typer.Option("--id", help="The phone's UUID of this report; new unless given.")] = "",
    lineman: Lineman = "lineman",
    as_json: AsJson = False,
) -> None:
    """Report what was found and done. The same id sent twice is one report."""
    wh = wh_of(reading) if reading else None
    latitude, longitude = position_of(place) if place else (None, None)
    clock = enter()
    from bahal.gateways.photos.store import Photos
    from bahal.journeys.report_task import Told, keep_photo, report_task

    kept = keep_photo(photo.read_bytes(), photos=Photos(Home.of().path / "photos")) if photo else ""
    now = clock.now()
    told = Told(
        id=id_ or str(uuid.uuid4()), task=task, lineman=lineman, at=moment_of(when) if when else now, outcome=outcome,
        supply=supply, seal=seal, wh=wh, photo=kept, latitude=latitude, longitude=longitude, note=note,
    )  # fmt: skip
    _answer(asdict(report_task(told, at=clock.wall(), business_at=now)), as_json=as_json)


def may_cut(task: Task, lineman: Lineman = "lineman", as_json: AsJson = False) -> None:
    """Ask, immediately before cutting by hand, whether it may be done. A yes is good for some minutes."""
    clock = enter()
    from bahal.journeys.ask_leave import ask_leave

    leave = ask_leave(task=task, lineman=lineman, at=clock.wall(), business_at=clock.now())
    shown = asdict(leave) | {"until": leave.until.isoformat() if as_json else instant(leave.until)}
    answering.answer(
        shown,
        as_json=as_json,
        hi="कार्य {task}: उपभोक्ता {connection} को {until} तक काट सकते हैं",
        en="Task {task}: consumer {connection} may be cut until {until}",
    )


def settle(
    report: Annotated[str, typer.Argument(help="The report's id.")],
    accept: Annotated[bool, typer.Option("--accept/--decline", help="Whether the report is believed.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit.")],
    officer: Annotated[str, typer.Option("--as", help="The officer: not who reported.")] = "ee",
    as_json: AsJson = False,
) -> None:
    """Decide over a report that something contradicts."""
    clock = enter()
    from bahal.journeys.report_task import settle_report

    taken = settle_report(
        report=report, officer=officer, accepted=accept, reason=reason, at=clock.wall(), business_at=clock.now()
    )
    _answer(asdict(taken), as_json=as_json)


def _answer(taken: dict[str, Any], *, as_json: bool) -> None:
    codes = taken["against"]
    if not as_json:
        taken["against"] = ", ".join(word("mismatches", code, language_of()) for code in codes)
    if taken["closed"]:
        hi, en = "रिपोर्ट {report} दर्ज; कार्य {task} पूरा", "Report {report} taken; task {task} is closed"
    elif codes:
        hi = "रिपोर्ट {report} दर्ज; कार्य {task} खुला रहेगा: {against}"
        en = "Report {report} taken; task {task} stays open: {against}"
    else:
        hi, en = "रिपोर्ट {report} दर्ज; कार्य {task} खुला है", "Report {report} taken; task {task} stays open"
    answering.answer(taken, as_json=as_json, hi=hi, en=en)


def _stop(stop: Any) -> dict[str, Any]:
    task, position = stop.task, stop.position
    return {
        **task._asdict(),
        "latitude": None if position is None else position.latitude,
        "longitude": None if position is None else position.longitude,
        "leg_m": None if stop.leg_m is None else round(stop.leg_m),
        "hi": stop.sentence("hi"),
        "en": stop.sentence("en"),
    }
