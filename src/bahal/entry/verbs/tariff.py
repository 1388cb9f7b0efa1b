"""Tariffs in the running product: proposed by one officer, accepted by another; who answers for an unverified rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.text import day, language_of

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Officer = Annotated[str, typer.Option("--as", help="The officer who acts, for the audit.")]
Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    tariff = typer.Typer(no_args_is_help=True, help="Tariffs: a document is in force when two officers say so.")
    tariff.command("propose")(propose)
    tariff.command("accept")(accept)
    tariff.command("accept-rate")(accept_rate)
    tariff.command("list")(list_versions)
    app.add_typer(tariff, name="tariff")


def propose(
    file: Annotated[Path, typer.Argument(help="The tariff document, TOML.")], officer: Officer, as_json: AsJson = False
) -> None:
    """Propose a tariff document: it is checked whole, and waits for a second officer."""
    text = file.read_text(encoding="utf-8")
    clock = enter()
    from bahal.journeys.propose_tariff import propose_tariff

    version = propose_tariff(
        text=text, file=file.name, officer=officer, at=clock.wall(), business_at=clock.now()
    )  # fmt: skip
    hi, en = "संस्करण {version} प्रस्तावित", "Version {version} is proposed"
    answering.answer({"version": version}, as_json=as_json, hi=hi, en=en)


def accept(
    version: Annotated[int, typer.Argument(help="The version's number.")],
    officer: Officer,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Accept a proposed document: from its day on bills are rated by it."""
    clock = enter()
    from bahal.journeys.accept_tariff import accept_tariff

    accept_tariff(version=version, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    hi, en = "संस्करण {version} स्वीकृत", "Version {version} is accepted"
    answering.answer({"version": version}, as_json=as_json, hi=hi, en=en)


def accept_rate(
    path: Annotated[str, typer.Argument(help="The rate, as a bill's list of unverified rates names it.")],
    officer: Officer,
    reason: Reason,
    as_json: AsJson = False,
) -> None:
    """Answer for a rate that nobody has verified, so that bills which took it may be issued."""
    clock = enter()
    from bahal.journeys import accept_rate as journey

    journey.accept_rate(path=path, officer=officer, reason=reason, at=clock.wall(), business_at=clock.now())
    answering.answer({"path": path}, as_json=as_json, hi="दर {path} स्वीकृत", en="The rate {path} is accepted")


def list_versions(as_json: AsJson = False) -> None:
    """The documents in force, and those that wait for a second officer."""
    enter()
    from bahal.domains.tariffs.queries import book, versions

    proposed = versions()
    by_name = {each.name: each for each in proposed}
    rows = [
        {
            "name": each.name, "family": each.family, "from": each.start, "to": each.end, "sha256": each.sha256,
            "version": by_name[each.name].id if each.name in by_name else None, "in_force": True,
        }
        for each in book().documents
    ]  # fmt: skip
    rows += [
        {
            "name": each.name, "family": None, "from": each.effective_from, "to": None, "sha256": each.sha256,
            "version": each.id, "in_force": False,
        }
        for each in proposed
        if each.accepted_by is None
    ]  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, default=str))
        return
    hi = language_of() == "hi"
    for row in rows:
        state = ("लागू" if hi else "in force") if row["in_force"] else ("प्रतीक्षा में" if hi else "waits")
        since = day(row["from"])  # type: ignore[arg-type]  # a day in every row
        number = "" if row["version"] is None else f" #{row['version']}"
        typer.echo(f"{since}  {row['name']}{number}  {state}")
