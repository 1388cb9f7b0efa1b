"""Who understands whom: `make interop` or `python -m interop [--json | --write]`.

Every cell is one service in one way to associate, between our client or meters and an implementation that others wrote,
in a process and an environment of its own. Exit 0 when each is as it should be or its red is explained in `known.toml`,
1 when not, 3 when a peer is not installed (`make peers`). `--write` writes such a run down in `docs/interop.md`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from interop.known import everything
from interop.rows import SERVICES, WORDS, rows
from interop.running import Outcome, Result, run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "interop.md"
_WORDS = {"ok": "ok", "refused": "no", "absent": "-", "closed": ".", "red": "RED"}
_COLOURS = {"ok": "green", "refused": "green", "absent": "dim", "closed": "dim", "red": "red"}


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


def word(found: Outcome | None) -> str:
    """One cell in a word; empty for what is not asked."""
    if found is None:
        return ""
    return "def" if found.kind == "red" and found.explained else _WORDS[found.kind]


def _sign(found: Outcome | None) -> str:
    if found is None:
        return ""
    colour = "yellow" if found.kind == "red" and found.explained else _COLOURS[found.kind]
    return f"[{colour}]{word(found)}[/]"


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


def page(result: Result) -> str:
    """`docs/interop.md`: what became of each cell and what is known, without anything that differs from run to run."""
    lines = [
        "# Who understands whom",
        "",
        "`make interop` holds every session below with implementations that others wrote, each in a process and an",
        "environment of its own (`make peers`), and prints this matrix, which `python -m interop --write` wrote down.",
        "`.ci/run` fails on a peer that is missing, on a cell that is red and not explained below, on an explained one",
        "that has healed, and when this page says anything else than its run. No Indian meter is among them.",
        "",
        "## Services",
        "",
        "| column | what is asked |",
        "|---|---|",
        *(f"| `{name}` | {WORDS[name]} |" for name in SERVICES),
        "",
        "## Sessions",
        "",
        "ok; no: refused as it should be; -: not offered by the peer; .: no association to ask in; def: the peer's",
        "defect; RED: not explained; empty: not asked.",
        "",
        f"| session | {' | '.join(SERVICES)} |",
        f"|---|{'---|' * len(SERVICES)}",
        *(
            f"| {row.key} | {' | '.join(word(result.cells.get((row, name))) for name in SERVICES)} |"
            for row in dict.fromkeys(row for row, _ in result.cells)
        ),
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
    told = Console(stderr=True)
    with told.status("") as status:
        result = run(plan, told=lambda row, name, _: status.update(f"{row.key}: {name}"))
    if "--write" in words and not result.missing:
        PAGE.write_text(page(result), "utf-8")
    elif "--json" in words:
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
