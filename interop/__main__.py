"""Who understands whom: `make interop` or `python -m interop [--json] [--write]`.

Every cell is one service in one way to associate, between our client or meters and an implementation that others wrote,
in a process and an environment of its own. Exit 0 when each is as it should be or its red is explained in `known.toml`,
1 when not, 3 when a peer is not installed (`make peers`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from interop.known import everything
from interop.rows import SERVICES, WORDS, Row, rows
from interop.running import Outcome, Result, run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "interop.md"
_SIGNS = {
    "ok": "[green]ok[/]",
    "refused": "[green]no[/]",
    "absent": "[dim]-[/]",
    "closed": "[dim].[/]",
    "red": "[red]RED[/]",
}


def table(result: Result) -> Table:
    """The matrix for a terminal."""
    found = Table(
        title="ok, no: refused as it should be, -: not offered by the peer, .: no association, def: its defect"
    )
    found.add_column("peer and association", overflow="fold")
    for name in SERVICES:
        found.add_column(name, justify="center")
    for row in dict.fromkeys(row for row, _ in result.cells):
        found.add_row(row.key, *(_sign(result.cells.get((row, name))) for name in SERVICES))
    return found


def _sign(found: Outcome | None) -> str:
    if found is None:
        return ""
    return "[yellow]def[/]" if found.kind == "red" and found.explained else _SIGNS[found.kind]


def as_json(result: Result) -> dict[str, Any]:
    """The matrix for programs."""
    cells = [
        {"row": row.key, "service": name, "outcome": found.kind, "detail": found.detail,
         "explained": found.fact.id if found.fact else None}
        for (row, name), found in result.cells.items()
    ]  # fmt: skip
    return {
        "cells": cells,
        "missing": list(result.missing),
        "unexplained": len(result.unexplained()),
        "healed": len(result.healed()),
    }


def page(plan: list[Row]) -> str:
    """`docs/interop.md`: what is tried and what is known, without anything that differs from run to run."""
    lines = [
        "# Who understands whom",
        "",
        "`make interop` holds every session below with implementations that others wrote, each in a process and an",
        "environment of its own (`make peers`), and prints the matrix; `.ci/run` fails on a cell that is red and not",
        "explained here, and on an explained one that has healed. No Indian meter is among them.",
        "",
        "## Services",
        "",
        "| column | what is asked |",
        "|---|---|",
        *(f"| `{name}` | {WORDS[name]} |" for name in SERVICES),
        "",
        "## Sessions",
        "",
        *(f"- {row.key}" + ("" if row.expected == "ok" else " (must be refused)") for row in plan),
        "",
        "## What a peer does not offer, and its defects",
        "",
    ]
    for fact in everything():
        where = ", ".join(f"{name} {'/'.join(map(str, values))}" for name, values in fact.where.items())
        of = ", ".join(fact.services) or "all"
        kind = "defect" if fact.kind == "defect" else "not offered"
        lines.append(f"- **{fact.peer} {fact.version}** ({kind}; {of}{'; ' + where if where else ''}): {fact.why}.")
        lines.append(f"  {fact.evidence}.")
        if fact.bytes:
            lines.append(f"  `{fact.bytes}`. {fact.clause}.")
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Run and print; the exit code."""
    plan = list(rows())
    if "--write" in words:
        PAGE.write_text(page(plan), "utf-8")
        return 0
    told = Console(stderr=True)
    with told.status("") as status:
        result = run(plan, told=lambda row, name, _: status.update(f"{row.key}: {name}"))
    if "--json" in words:
        sys.stdout.write(json.dumps(as_json(result)) + "\n")
    else:
        Console(width=190).print(table(result))
    for row, name, found in result.unexplained():
        told.print(f"red: {row.key}: {name}: {found.detail}", markup=False)
    for row, name, found in result.healed():
        told.print(f"healed: {row.key}: {name}: {found.fact.id if found.fact else ''}", markup=False)
    for peer in result.missing:
        told.print(f"missing: {peer}: make peers", markup=False)
    return 3 if result.missing else 1 if result.unexplained() or result.healed() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
