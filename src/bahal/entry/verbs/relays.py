"""Relays on the command line: their three truths, and the queue of those that do not agree."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.counter import AsJson
from bahal.shared.text import language_of
from bahal.shared.words import word


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    relays = typer.Typer(no_args_is_help=True, help="What is known of relays, and what does not agree.")
    for verb in (mismatches, show, close):
        relays.command()(verb)
    app.add_typer(relays, name="relays")


def mismatches(as_json: AsJson = False) -> None:
    """The queue: relays whose truths do not agree, and reports that something contradicts."""
    enter()
    from bahal.domains.meters.queries import open_mismatches

    found = open_mismatches()
    if as_json:
        rows = [
            each._asdict() | {"hi": word("mismatches", each.kind, "hi"), "en": word("mismatches", each.kind, "en")}
            for each in found
        ]
        typer.echo(json.dumps({"mismatches": rows}, ensure_ascii=False, default=str))
        return
    for each in found:
        typer.echo(f"{each.id:>6}  {each.connection}  {each.meter:<12} {word('mismatches', each.kind, language_of())}")


def show(meter: Annotated[str, typer.Argument(help="The meter's serial.")], as_json: AsJson = False) -> None:
    """The three truths of one relay: acknowledged, read, load."""
    enter()
    from bahal.domains.meters.queries import truths_of

    truths = {name: value if isinstance(value, bool | None) else str(value) for name, value in
              truths_of(meter=meter)._asdict().items()}  # fmt: skip
    answering.answer(
        truths | {"meter": meter},
        as_json=as_json,
        hi="{meter}: कहा {acknowledged} ({acknowledged_at}), पढ़ी गई {closed} ({seen_at}), भार {load} ({load_at})",
        en="{meter}: said {acknowledged} ({acknowledged_at}), read {closed} ({seen_at}), load {load} ({load_at})",
    )


def close(
    mismatch: Annotated[int, typer.Argument(help="The mismatch's number.")],
    outcome: Annotated[str, typer.Option(help="What it was.")],
    officer: Annotated[str, typer.Option("--as", help="Who looked into it.")] = "vigilance",
    as_json: AsJson = False,
) -> None:
    """Take a mismatch off the queue with what was found."""
    clock = enter()
    from bahal.journeys.close_mismatch import close_mismatch

    close_mismatch(mismatch=mismatch, officer=officer, outcome=outcome, at=clock.wall(), business_at=clock.now())
    answering.answer(
        {"mismatch": mismatch}, as_json=as_json, hi="बेमेल {mismatch} बंद", en="Mismatch {mismatch} is closed"
    )
