"""Readings: fetch them now, look at how collecting stands, and take them out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.arrears import day_of
from bahal.shared.clock import Clock, day_in_india
from bahal.shared.errors import Refusal
from bahal.shared.home import Home
from bahal.shared.text import instant, language_of
from bahal.shared.wanted import wanted_of
from bahal.shared.words import CAUSES

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Office = Annotated[int | None, typer.Option(help="This office and all below it.")]

KINDS = ("daily", "load", "billing", "events", "now", "nameplate")
_POLL_S = 0.2


class ReadFailed(Refusal):
    """The meter could not be read now."""

    code = "read_failed"
    hi = "मीटर {meter} अभी नहीं पढ़ा जा सका: {why_hi}"
    en = "Meter {meter} could not be read now: {why}"


class ReadWaits(Refusal):
    """The meter has not answered within the time that was given; it is read when it can be."""

    code = "read_waits"
    hi = "मीटर {meter} ने {seconds} सेकंड में उत्तर नहीं दिया; उत्तर आते ही पढ़ लिया जाएगा।"
    en = "Meter {meter} has not answered in {seconds} s; it will be read as soon as it does."


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(read)
    reads = typer.Typer(no_args_is_help=True, help="Readings: ask for many, how collecting stands, take them out.")
    for verb in (ask, status, silent, export):
        reads.command()(verb)
    schedule = typer.Typer(invoke_without_command=True, help="What is read when; two officers change it.")
    schedule.callback()(list_schedules)
    schedule.command("propose")(propose_schedule)
    schedule.command("accept")(accept_schedule)
    reads.add_typer(schedule, name="schedule")
    edit = typer.Typer(invoke_without_command=True, help="Values put in by hand; by two officers.")
    edit.callback()(list_edits)
    edit.command("propose")(propose_edit)
    edit.command("accept")(accept_edit)
    reads.add_typer(edit, name="edit")
    app.add_typer(reads, name="reads")


def read(
    serial: Annotated[str, typer.Argument(help="The meter's serial.")],
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))] = "daily",
    days: Annotated[int, typer.Option(min=0, max=60, help="How many days back what is missing is fetched.")] = 7,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the meter; 0 shows what is there.")] = 60.0,
    actor: Annotated[str, typer.Option("--as", help="Who reads, for the audit.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Read a meter now: what is missing is fetched, and all of it shown."""
    if kind not in KINDS:
        raise typer.BadParameter(", ".join(KINDS), param_hint="KIND")
    clock = enter()
    reason = _fetch(clock, serial, kind, days=days, wait=wait, actor=actor) if wait > 0 else ""
    rows = _rows(serial, kind, today=day_in_india(clock.now()), days=days)
    if as_json:
        answer = {"meter": serial, "kind": kind, "rows": rows, "reason": reason}
        typer.echo(json.dumps(answer, ensure_ascii=False, default=str))
        return
    for row in rows:
        typer.echo(_line(row))
    if not rows:
        typer.echo({"hi": "कुछ नहीं मिला", "en": "nothing is there"}[language_of()])


def ask(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    office: Office = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Serials, one a line.")] = None,
    days: Annotated[int, typer.Option(min=0, max=60, help="How many days back what is missing is fetched.")] = 7,
    actor: Annotated[str, typer.Option("--as", help="Who reads, for the audit.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Ask for readings of all meters of an office, or of a list; nobody waits for them here."""
    if kind not in KINDS:
        raise typer.BadParameter(", ".join(KINDS), param_hint="KIND")
    if (office is None) == (file is None):
        raise typer.BadParameter("--office / --file", param_hint="--office")
    clock = enter()
    from bahal.journeys.ask_profiles import ask_profiles

    listed = [] if file is None else [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    asked = ask_profiles(
        listed, office=office, wanted=wanted_of(kind), back_days=days, actor=actor, at=clock.wall(),
        business_at=clock.now(),
    )  # fmt: skip
    answering.answer(
        {"asked": len(asked), "kind": kind},
        as_json=as_json,
        hi="{asked} मीटरों से {kind} माँगा गया",
        en="{kind} asked of {asked} meters",
    )


def status(office: Office = None, as_json: AsJson = False) -> None:
    """How collecting stands: meters, those due, in trouble and heard, and how much of the last days was in on time."""
    clock = enter()
    from bahal.domains.readings import queries
    from bahal.journeys.delivery_targets import targets_in_force

    now = clock.now()
    today = day_in_india(now)
    standing = queries.standing(at=now, office=office)
    delivered = queries.delivery(start=today - timedelta(days=7), end=today, office=office)
    rows = []
    for of in delivered:
        targets = targets_in_force(of.day)
        promised = {hours: targets.of(of.kind, hours) for hours in (8, 24)}
        came = {8: of.in_8h, 24: of.in_24h}
        met = {
            hours: None if promised[hours] is None or came[hours] is None or not of.expected
            else 1_000 * (came[hours] or 0) >= (promised[hours] or 0) * of.expected
            for hours in (8, 24)
        }  # fmt: skip
        rows.append((of, promised, met, targets.version))
    if as_json:
        answer = {
            "offices": [each._asdict() for each in standing],
            "delivery": [
                of._asdict() | {"target_8h_permille": promised[8], "target_24h_permille": promised[24],
                                "met_8h": met[8], "met_24h": met[24], "targets": version}
                for of, promised, met, version in rows
            ],
        }  # fmt: skip
        typer.echo(json.dumps(answer, ensure_ascii=False, default=str))
        return
    hindi = language_of() == "hi"
    for each in standing:
        typer.echo(
            f"{each.office}: {each.meters} मीटर, {each.heard} से 24 घंटे में संपर्क, {each.waiting} बाकी,"
            f" {each.troubled} में बाधा"
            if hindi
            else f"{each.office}: {each.meters} meters, {each.heard} heard within 24 h, {each.waiting} due,"
            f" {each.troubled} in trouble"
        )
    for of, promised, met, _ in rows:
        parts = [
            (f"{hours} घंटे में {_share(came, of.expected)}" if hindi else f"{_share(came, of.expected)} in {hours} h")
            + _against(promised[hours], met[hours], hindi=hindi)
            for hours, came in ((8, of.in_8h), (24, of.in_24h))
            if came is not None
        ]
        typer.echo(f"{of.day:%d-%m-%Y} {of.kind}: {', '.join(parts)}")


def list_schedules(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Reading schedules in force, and those that wait for a second officer."""
    if context.invoked_subcommand is not None:
        return
    clock = enter()
    from bahal.domains.readings import queries

    rows = queries.schedules(on=None if everything else day_in_india(clock.now()))
    if as_json:
        typer.echo(json.dumps({"schedules": [each._asdict() for each in rows]}, ensure_ascii=False, default=str))
        return
    hindi = language_of() == "hi"
    for each in rows:
        where = f"{'-' if each.office is None else each.office} / {each.make or '-'}"
        when = f"{each.offset_s // 3600:02}:{each.offset_s // 60 % 60:02}"
        often, spread = _duration(each.every_s), _duration(each.spread_s)
        until = "" if each.effective_to is None else f" - {each.effective_to:%d-%m-%Y}"
        head = f"#{each.id}  {each.kind:<10} {where:<16}"
        tail = f"{each.effective_from:%d-%m-%Y}{until}"
        if hindi:
            signed = f"स्वीकृत {each.accepted_by}" if each.accepted_by else "स्वीकृति बाकी"
            typer.echo(f"{head} {when} से हर {often}, {spread} में फैला, {each.back_days} दिन पीछे तक; {tail};"
                       f" बनाया {each.made_by}, {signed}")  # fmt: skip
        else:
            signed = f"accepted by {each.accepted_by}" if each.accepted_by else "waits for a second officer"
            typer.echo(f"{head} from {when} every {often}, spread over {spread}, {each.back_days} days back; {tail};"
                       f" made by {each.made_by}, {signed}")  # fmt: skip


def propose_schedule(
    kind: Annotated[
        str, typer.Argument(help="load, daily, billing, events, events_power, ..., now, nameplate, first.")
    ],
    every: Annotated[int, typer.Option(help="Minutes between firings.")],
    spread: Annotated[int, typer.Option(help="Minutes over which its meters are spread.")],
    from_: Annotated[str, typer.Option("--from", help="The first day, like 2025-12-01.")],
    source: Annotated[str, typer.Option(help="What it rests on: an order, an agreement, a judgement.")],
    officer: Annotated[str, typer.Option("--as", help="Who proposes.")],
    offset: Annotated[int, typer.Option(help="Minutes after midnight of the first firing.")] = 10,
    days: Annotated[int, typer.Option(help="How many days back what is missing is fetched.")] = 7,
    office: Office = None,
    make: Annotated[str | None, typer.Option(help="Only meters of this make.")] = None,
    open_day: Annotated[bool, typer.Option("--open-day", help="The day that still runs too.")] = False,
    at_once: Annotated[int, typer.Option(help="Kind `first`: up to so many new meters are called at once.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Propose a reading schedule; nothing is read by it before a second officer accepts it."""
    clock = enter()
    from bahal.domains.readings.operations import NewSchedule
    from bahal.journeys.set_schedule import propose_schedule as journey

    new = NewSchedule(
        kind, office, make, every * 60, offset * 60, spread * 60, days, open_day, at_once, day_of(from_), source
    )
    made = journey(new, officer=officer, at=clock.wall(), business_at=clock.now())
    hi, en = "पठन-कार्यक्रम {schedule} प्रस्तावित", "Reading schedule {schedule} is proposed"
    answering.answer({"schedule": made}, as_json=as_json, hi=hi, en=en)


def accept_schedule(
    schedule: Annotated[int, typer.Argument(help="Its number.")],
    officer: Annotated[str, typer.Option("--as", help="Who accepts: another than proposed it.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    as_json: AsJson = False,
) -> None:
    """Accept a proposed schedule: from its day on it counts, and the one before it ends."""
    clock = enter()
    from bahal.journeys.set_schedule import accept_schedule as journey

    journey(schedule=schedule, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    hi, en = "पठन-कार्यक्रम {schedule} स्वीकृत", "Reading schedule {schedule} is accepted"
    answering.answer({"schedule": schedule}, as_json=as_json, hi=hi, en=en)


def list_edits(context: typer.Context, as_json: AsJson = False) -> None:
    """Edits, those that wait for a second officer first."""
    if context.invoked_subcommand is not None:
        return
    enter()
    from bahal.domains.readings.edits import edits

    rows = edits(most=100)
    if as_json:
        typer.echo(json.dumps({"edits": [each._asdict() for each in rows]}, ensure_ascii=False, default=str))
        return
    hindi = language_of() == "hi"
    for each in rows:
        waits = "स्वीकृति बाकी" if hindi else "waits for a second officer"
        state = waits if each.accepted_by is None else f"{each.proposed_by} + {each.accepted_by}"
        typer.echo(f"#{each.id}  {each.meter}  {each.day:%d-%m-%Y}  {each.first}+{len(each.wh)}"
                   f"  {sum(each.was)} -> {sum(each.wh)} Wh  {state}: {each.reason}")  # fmt: skip


def propose_edit(
    meter: Annotated[str, typer.Argument(help="The meter's serial.")],
    day: Annotated[str, typer.Argument(help="The day, like 2025-11-20.")],
    first: Annotated[int, typer.Option(help="The first interval, counted from 0 at midnight.")],
    wh: Annotated[str, typer.Option(help="Wh of it and of those after it, like 120,115,130.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    officer: Annotated[str, typer.Option("--as", help="Who proposes.")],
    as_json: AsJson = False,
) -> None:
    """Propose values for intervals of a validated day; nothing changes before a second officer accepts them."""
    clock = enter()
    from bahal.journeys.edit_readings import propose_edit as journey
    from bahal.lake.layout import lake_uri, open_lake

    try:
        values = [int(each) for each in wh.split(",")]
    except ValueError:
        raise typer.BadParameter(wh, param_hint="--wh") from None
    made = journey(
        lake=open_lake(lake_uri(Home.of().path)), meter=meter, day=day_of(day), first=first, wh=values, reason=reason,
        officer=officer, at=clock.wall(), business_at=clock.now(),
    )  # fmt: skip
    answering.answer({"edit": made}, as_json=as_json, hi="संशोधन {edit} प्रस्तावित", en="Edit {edit} is proposed")


def accept_edit(
    edit: Annotated[int, typer.Argument(help="Its number.")],
    officer: Annotated[str, typer.Option("--as", help="Who accepts: another than proposed it.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")],
    as_json: AsJson = False,
) -> None:
    """Accept an edit: the worker validates its day again with it."""
    clock = enter()
    from bahal.journeys.edit_readings import accept_edit as journey

    journey(edit=edit, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer({"edit": edit}, as_json=as_json, hi="संशोधन {edit} स्वीकृत", en="Edit {edit} is accepted")


def silent(office: Office = None, as_json: AsJson = False) -> None:
    """Meters not heard for 24 hours, each with its cell and how many of that cell are silent too."""
    clock = enter()
    from bahal.domains.readings import queries

    rows = queries.silent(at=clock.now(), office=office)
    if as_json:
        typer.echo(json.dumps({"silent": [each._asdict() for each in rows]}, ensure_ascii=False, default=str))
        return
    for each in rows:
        heard = "-" if each.heard_at is None else instant(each.heard_at)
        typer.echo(f"{each.meter}  {each.cell} {each.cell_silent}/{each.cell_meters}  {heard}  {each.reason}")


def export(
    from_: Annotated[str, typer.Option("--from", help="The first day, like 2025-11-01.")],
    to: Annotated[str, typer.Option("--to", help="The day after the last.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    as_json: AsJson = False,
) -> None:
    """Write the interval readings of days to a file, a line an interval."""
    from bahal.lake.export import export as write
    from bahal.lake.layout import lake_uri, open_lake

    start, end = day_of(from_), day_of(to)
    if end <= start:
        raise typer.BadParameter(f"{start} - {end}", param_hint="--to")
    if form not in ("parquet", "csv"):
        raise typer.BadParameter("parquet, csv", param_hint="--format")
    lines = write(
        open_lake(lake_uri(Home.of().path)), out, start=start, end=end, form="csv" if form == "csv" else "parquet"
    )
    answering.answer(
        {"lines": lines, "path": str(out)}, as_json=as_json, hi="{path}: {lines} अंतराल", en="{path}: {lines} intervals"
    )


# --- one meter -------------------------------------------------------------------------------------------------------


def _fetch(clock: Clock, serial: str, kind: str, *, days: int, wait: float, actor: str) -> str:
    """Have it fetched and wait; the reason if only part of it came."""
    from bahal.domains.readings.queries import waiting_for
    from bahal.journeys.ask_profiles import ask_profiles

    wanted = wanted_of(kind)
    ask_profiles([serial], wanted=wanted, back_days=days, actor=actor, at=clock.wall(), business_at=clock.now())
    until = time.monotonic() + wait
    while time.monotonic() < until:
        (state,) = waiting_for(meters=[serial])
        if not state.wants & wanted:
            return state.reason
        if state.tries and state.reason:
            hindi, english = CAUSES.get(state.reason, (state.reason, state.reason))
            raise ReadFailed(meter=serial, reason=state.reason, why_hi=hindi, why=english)
        time.sleep(_POLL_S)
    raise ReadWaits(meter=serial, seconds=round(wait))


def _rows(serial: str, kind: str, *, today: date, days: int) -> Sequence[Mapping[str, Any]]:
    from bahal.domains.readings import queries

    start, end = today - timedelta(days=days), today + timedelta(days=1)
    if kind == "load":
        return [each._asdict() for each in queries.meter_days(meter=serial, start=start, end=end)]
    if kind == "daily":
        return [each._asdict() for each in queries.stands(meter=serial, kind="daily", start=start, end=end)]
    if kind == "billing":
        year = today - timedelta(days=400)
        return [each._asdict() for each in queries.stands(meter=serial, kind="billing", start=year, end=end)]
    if kind == "events":
        return [each._asdict() for each in queries.events(meter=serial)]
    shown = queries.latest_shown(meter=serial, kind="now" if kind == "now" else "nameplate")
    return [] if shown is None else [{"at": shown[0], **shown[1]}]


def _line(row: Mapping[str, Any]) -> str:
    """A row for people: what is empty is left out, lists are shown in one line."""
    parts = []
    for name, value in row.items():
        if value is None or value == {} or name in ("noted", "slots"):
            continue
        if isinstance(value, list):
            shown = " ".join("·" if each is None else str(each) for each in value)
        elif isinstance(value, datetime):
            shown = instant(value)
        elif isinstance(value, Mapping):
            shown = " ".join(f"{key} {each}" for key, each in value.items())
        else:
            shown = str(value)
        parts.append(f"{name} {shown}")
    return "  ".join(parts)


def _against(target: int | None, met: bool | None, *, hindi: bool) -> str:
    """A share beside what was promised of it."""
    if target is None or met is None:
        return ""
    said = ("पूरा" if met else "अधूरा") if hindi else ("met" if met else "missed")
    return f" ({'लक्ष्य' if hindi else 'target'} {target / 10:g} %: {said})"


def _duration(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02} h"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
