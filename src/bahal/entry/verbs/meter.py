"""Meters: import a manufacturer's file, or an operator's list of SIMs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.errors import REFUSED
from bahal.shared.home import Home
from bahal.shared.text import language_of

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    meter = typer.Typer(no_args_is_help=True, help="Meters: import a manufacturer's file, or a list of SIMs.")
    meter.command("import")(import_file)
    meter.command("sims")(import_sim_file)
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
