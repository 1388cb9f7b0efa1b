"""Meters: import a manufacturer's file, or an operator's list of SIMs; look at their clocks and have them set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.errors import REFUSED
from bahal.shared.home import Home
from bahal.shared.text import instant, language_of
from bahal.shared.words import CAUSES, word

if TYPE_CHECKING:
    from bahal.domains.meters.clocks import Drift

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Officer = Annotated[str, typer.Option("--as", help="The officer who orders it.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    meter = typer.Typer(no_args_is_help=True, help="Meters: import them and their SIMs, set their clocks.")
    meter.command("import")(import_file)
    meter.command("sims")(import_sim_file)
    meter.command()(clock)
    meter.command()(clocks)
    app.add_typer(meter, name="meter")


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV with keys in hex.")],
    actor: Annotated[str, typer.Option("--as", help="Who imports, for the audit.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Import meters from CSV; their keys are sealed to the interlock and the head-end at once. Bad rows are named."""
    clock = enter()
    from bahal.journeys.import_meters import import_meters

    home = Home.of()
    with file.open(encoding="utf-8-sig", newline="") as rows:
        done = import_meters(
            rows=rows,
            interlock_public=bytes.fromhex((home.path / "interlock" / "sealing.pub").read_text()),
            headend_public=bytes.fromhex((home.path / "headend" / "sealing.pub").read_text()),
            actor=actor,
            at=clock.wall(),
            business_at=clock.now(),
        )
    if as_json:
        typer.echo(json.dumps(done.as_json(), ensure_ascii=False))
    else:
        for bad in done.refused:
            typer.echo(f"{file}:{bad.line}: {bad.refusal.text(language_of())}", err=True)
        answering.answer(
            {"file": str(file), "loaded": done.loaded, "refused": len(done.refused)},
            as_json=False,
            hi="{file}: {loaded} मीटर जुड़े, {refused} पंक्तियाँ छोड़ी गईं",
            en="{file}: {loaded} meters imported, {refused} rows refused",
        )
    if done.refused and not done.loaded:
        raise typer.Exit(REFUSED)


def import_sim_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV of SIMs.")],
    actor: Annotated[str, typer.Option("--as", help="Who imports, for the audit.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Import which SIM is in which meter, its cell and signal, from CSV. Bad rows are named; twice changes nothing."""
    clock = enter()
    from bahal.journeys.import_sims import import_sims

    with file.open(encoding="utf-8-sig", newline="") as rows:
        done = import_sims(rows=rows, actor=actor, at=clock.wall(), business_at=clock.now())
    if as_json:
        typer.echo(json.dumps(done.as_json(), ensure_ascii=False))
    else:
        for bad in done.refused:
            typer.echo(f"{file}:{bad.line}: {bad.refusal.text(language_of())}", err=True)
        answering.answer(
            {"file": str(file), "good": done.good, "changed": done.changed, "refused": len(done.refused)},
            as_json=False,
            hi="{file}: {good} सिम ठीक, {changed} में बदलाव, {refused} पंक्तियाँ छोड़ी गईं",
            en="{file}: {good} SIMs good, {changed} of them changed, {refused} rows refused",
        )
    if done.refused and not done.good:
        raise typer.Exit(REFUSED)


def clock(
    serial: Annotated[str, typer.Argument(help="The meter's serial.")],
    set_it: Annotated[bool, typer.Option("--set", help="Order that it be set, by the interlock, within its limits.")]
    = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Withdraw its order, if the interlock has not begun.")]
    = False,
    officer: Officer = "ee",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """How far a meter's clock is off and what was ordered about it; order that it be set, or withdraw that."""
    if set_it and cancel:
        raise typer.BadParameter("--set / --cancel", param_hint="--set")
    time = enter()
    from bahal.domains.meters import clocks as known
    from bahal.domains.meters.errors import ClockUnmeasured
    from bahal.journeys.order_clocks import order_clocks
    from bahal.journeys.withdraw_clock import withdraw_clock

    if set_it:
        done = order_clocks(meters=[serial], officer=officer, at=time.wall(), business_at=time.now())
        _say_ordered(done.sent_on, done.waiting, as_json=as_json)
        return
    if cancel:
        order = withdraw_clock(meter=serial, officer=officer, at=time.wall(), business_at=time.now())
        answering.answer(
            {"withdrawn": order, "meter": serial},
            as_json=as_json,
            hi="मीटर {meter} की घड़ी का आदेश {withdrawn} वापस लिया गया",
            en="Order {withdrawn} for the clock of meter {meter} is withdrawn",
        )
        return
    drift = known.drift_of(meter=serial)
    if drift is None:
        raise ClockUnmeasured(meter=serial)
    history = known.clock_history(meter=serial)
    if as_json:
        orders = [dict(zip(_HISTORY, row, strict=True)) for row in history]
        answer = {"meter": serial, "drift_s": drift.drift_s, "measured_at": drift.measured_at, "orders": orders}
        typer.echo(json.dumps(answer, ensure_ascii=False, default=str))
        return
    typer.echo(_drift_line(drift))
    for number, state, reason, moment, before, step, after, *officers in history:
        moved = "" if step is None or before is None else f"{before:+.0f} s {step:+d} s"
        back = "" if after is None else f" -> {after:+.0f} s"
        by = ", ".join(each for each in officers if each)
        why = f" ({_reason(reason)})" if reason else ""
        typer.echo(
            f"  {number}  {instant(moment)}  {word('clock states', state, language_of())}{why}  {moved}{back}  {by}"
        )


def clocks(
    office: Annotated[int | None, typer.Option(help="This office and all below it.")] = None,
    order: Annotated[bool, typer.Option("--order", help="Order all that is proposed; many want a second officer.")]
    = False,
    officer: Officer = "ee",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The clocks that are off, the farthest first; with --order have those set that are proposed."""
    time = enter()
    from bahal.domains.meters import clocks as known
    from bahal.journeys.order_clocks import order_clocks

    if order:
        done = order_clocks(meters=None, office=office, officer=officer, at=time.wall(), business_at=time.now())
        _say_ordered(done.sent_on, done.waiting, as_json=as_json)
        return
    found = known.drifting(at=time.now(), limits=known.clock_limits(), office=office)
    if as_json:
        typer.echo(json.dumps({"clocks": [each._asdict() for each in found]}, ensure_ascii=False, default=str))
        return
    for each in found:
        typer.echo(_drift_line(each))
    if not found:
        typer.echo({"hi": "सब घड़ियाँ ठीक", "en": "all clocks are right"}[language_of()])


_HISTORY = ("order", "state", "reason", "at", "before_s", "step_s", "after_s", "ordered_by", "checked_by")


def _drift_line(drift: Drift) -> str:
    hindi = language_of() == "hi"
    state = "" if drift.state is None else "  " + word("clock states", drift.state, language_of())
    if drift.state == "proposed" and drift.ordered_by:
        state += f", {drift.ordered_by} · दूसरे अधिकारी की प्रतीक्षा" if hindi else f", {drift.ordered_by} · second awaited"
    elif drift.reason:
        until = "" if drift.not_until is None else f", {instant(drift.not_until)}"
        state += f" ({_reason(drift.reason)}{until})"
    way = ("आगे" if hindi else "ahead") if drift.drift_s > 0 else ("पीछे" if hindi else "behind")
    return f"{drift.meter}  {abs(drift.drift_s)} {'सेकंड' if hindi else 's'} {way}  {instant(drift.measured_at)}{state}"


def _reason(code: str) -> str:
    hindi, english = CAUSES.get(code, (code, code))
    return hindi if language_of() == "hi" else english


def _say_ordered(sent_on: list[str], waiting: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"ordered": sent_on, "waiting_for_second": waiting}, ensure_ascii=False))
        return
    answering.answer(
        {"ordered": len(sent_on), "waiting": len(waiting)},
        as_json=False,
        hi="{ordered} घड़ियों का आदेश इंटरलॉक को गया, {waiting} दूसरे अधिकारी की प्रतीक्षा में",
        en="{ordered} clocks ordered, {waiting} wait for a second officer",
    )
