"""`bahal report`: the recovery report of a drive, in the terminal, as JSON, or as an HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.text import Language, language_of


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(report)


def report(
    drive: Annotated[int, typer.Argument(help="The drive's number.")],
    html: Annotated[Path | None, typer.Option(help="Write it to this file too.")] = None,
    lang: Annotated[str, typer.Option(help="hi or en; BAHAL_LANG unless given.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Show what came of a drive: listed, cut, paid, restored, still dark."""
    enter()
    from bahal.journeys.recovery_report import recovery_report
    from bahal.rehearsal.recovery import details_of, show, write_page

    language: Language = "hi" if (lang or language_of()) == "hi" else "en"
    result = recovery_report(drive=drive)
    if html is not None:
        write_page(html, result, language=language, details=details_of(drive=drive))
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, default=str))
    else:
        show(result, language=language, console=Console(), details=details_of(drive=drive))
    if html is not None and not as_json:
        answering.answer({"path": str(html)}, as_json=False, hi="प्रतिवेदन: {path}", en="Report: {path}", lang=language)
