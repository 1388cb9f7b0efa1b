"""The lake on the command line: make it, validate a day anew, compact, end old data, look for faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.entry.verbs.arrears import day_of
from bahal.shared.clock import clock_of, day_in_india
from bahal.shared.errors import REFUSED
from bahal.shared.home import Home
from bahal.shared.text import language_of

if TYPE_CHECKING:
    from bahal.lake.layout import Lake
    from bahal.lake.vee.run import Ran

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
From = Annotated[str, typer.Option("--from", help="The first day, like 2025-11-20; yesterday unless given.")]
To = Annotated[str, typer.Option("--to", help="The day after the last; one day unless given.")]

_FAULTS = {
    "not_validated": ("जाँचा नहीं गया", "not validated"),
    "twice": ("दो बार", "there twice"),
    "hole": ("अंतराल खाली", "an interval is empty"),
    "below_zero": ("शून्य से कम", "below zero"),
    "wrong_total": ("योग गलत", "wrong total"),
    "off_register": ("रजिस्टर से मेल नहीं", "off the register"),
}


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    lake = typer.Typer(no_args_is_help=True, help="Interval readings: the Delta tables and what is done with them.")
    for verb in (make, recompute, compact, retain, verify):
        lake.command()(verb)
    app.add_typer(lake, name="lake")


def make(
    buckets: Annotated[int, typer.Option(min=1, max=1024, help="Pieces of a day: 4 for a circle, 64 a state.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Make an empty lake at BAHAL_LAKE, or in the instance's own folder."""
    from bahal.lake.layout import lake_uri, make_lake

    made = make_lake(lake_uri(Home.of().path), buckets=buckets)
    answering.answer(
        {"uri": made.uri, "buckets": made.buckets},
        as_json=as_json,
        hi="पठन-भंडार {uri} बना, {buckets} खंड",
        en="A lake of {buckets} buckets is at {uri}",
    )


def recompute(
    from_: From = "",
    to: To = "",
    lake_only: Annotated[
        bool, typer.Option("--lake-only", help="By the rules that Bahal ships, without the business's database.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Validate and estimate days anew, as a new run; on the cluster at BAHAL_RAY if that is set. Nothing is edited.

    What the business knows (rules in force, exchanges, edits) counts, unless `--lake-only`.
    """
    from bahal.lake.vee.rules import SENTENCES, Rule

    lake = _opened()
    validate, run = _by_itself(lake) if lake_only else _by_the_business(lake)
    done = []
    for day in _days(from_, to):
        ran = validate(day)
        done.append({"day": day.isoformat(), "meters": ran.meters, "estimated": ran.estimated, "found": ran.findings})
        if not as_json:
            hindi = language_of() == "hi"
            typer.echo(
                f"{day:%d-%m-%Y}: {ran.meters} मीटर, {ran.estimated} में अनुमान"
                if hindi
                else f"{day:%d-%m-%Y}: {ran.meters} meters, estimates in {ran.estimated}"
            )
            for name, count in ran.findings.items():
                typer.echo(f"  {count:>10}  {SENTENCES[Rule[name.upper()]][0 if hindi else 1]}")
    if as_json:
        typer.echo(json.dumps({"run": run, "days": done}, ensure_ascii=False))


def compact(from_: From = "", to: To = "", as_json: AsJson = False) -> None:
    """Write the many small files of days into few large ones, and take away files unused for a week."""
    from bahal.lake.upkeep import compact as compact_day

    lake = _opened()
    parts = [compact_day(lake, day=day) for day in _days(from_, to)]
    answering.answer(
        {
            "before": sum(part.before for part in parts),
            "after": sum(part.after for part in parts),
            "removed": sum(part.removed for part in parts),
        },
        as_json=as_json,
        hi="{before} फ़ाइलों की {after} हुईं, {removed} हटाई गईं",
        en="{before} files became {after}, {removed} were taken away",
    )


def retain(
    before: Annotated[str, typer.Option(help="Days before this one go, like 2024-04-01.")],
    table: Annotated[str, typer.Option(help="interval, facts or validated.")] = "interval",
    as_json: AsJson = False,
) -> None:
    """End days that need not be kept any longer; their files go with the next compaction."""
    from bahal.lake.layout import SCHEMAS
    from bahal.lake.upkeep import retain as end

    if table not in SCHEMAS:
        raise typer.BadParameter(", ".join(SCHEMAS), param_hint="--table")
    rows = end(_opened(), name=table, before=day_of(before))
    answering.answer(
        {"table": table, "rows": rows}, as_json=as_json, hi="{rows} पंक्तियाँ हटीं", en="{rows} rows were ended"
    )


def verify(from_: From = "", to: To = "", as_json: AsJson = False) -> None:
    """Look at the latest run over each day; exit 1 and the faults by name if something is wrong."""
    from bahal.lake.upkeep import look

    lake = _opened()
    found = {day.isoformat(): look(lake, day=day) for day in _days(from_, to)}
    if as_json:
        days = {day: {"meters": looked.meters, "faults": looked.faults} for day, looked in found.items()}
        typer.echo(json.dumps({"days": days}, ensure_ascii=False))
    else:
        side = 0 if language_of() == "hi" else 1
        for day, looked in found.items():
            faults = ", ".join(f"{_FAULTS[name][side]} {count}" for name, count in looked.faults.items())
            typer.echo(f"{day}: {looked.meters} {('मीटर', 'meters')[side]}; {faults or ('ठीक', 'well')[side]}")
    if any(looked.faults for looked in found.values()):
        raise typer.Exit(REFUSED)


def _by_itself(lake: Lake) -> tuple[Callable[[date], Ran], int]:
    from bahal.lake.cluster import run_day
    from bahal.lake.vee.rules import Parameters

    run = int(clock_of().wall().timestamp() * 1_000)
    return lambda day: run_day(lake, day=day, run=run, parameters=Parameters()), run


def _by_the_business(lake: Lake) -> tuple[Callable[[date], Ran], int]:
    clock = enter()
    from bahal.journeys.validate_day import validate_day

    at, business_at = clock.wall(), clock.now()
    run = int(at.timestamp() * 1_000)
    return (
        lambda day: validate_day(lake=lake, day=day, actor="cli", at=at, business_at=business_at, run=run),
        run,
    )


def _opened() -> Lake:
    from bahal.lake.layout import lake_uri, open_lake

    home: Path = Home.of().path
    return open_lake(lake_uri(home))


def _days(first: str, end: str) -> list[date]:
    start = day_of(first) if first else day_in_india(clock_of().now()) - timedelta(days=1)
    stop = day_of(end) if end else start + timedelta(days=1)
    if stop <= start:
        raise typer.BadParameter(f"{start} - {stop}", param_hint="--to")
    return [start + timedelta(days=nth) for nth in range((stop - start).days)]
