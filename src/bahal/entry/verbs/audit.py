"""The audit: exported, checked without the database, its day's root published, one act proved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.foundation.audit.checking import Finding, Root, check, read_outside
from bahal.foundation.audit.errors import AuditAltered
from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.home import Home

AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]


class RootsUnreadable(Refusal):
    """The second place's file cannot be read."""

    code = "roots_unreadable"
    exit_code = ENVIRONMENT
    hi = "दूसरे स्थान की फ़ाइल {path} पढ़ी नहीं जा सकी: {why}"
    en = "The second place's file {path} cannot be read: {why}"


def add_to(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    audit = typer.Typer(no_args_is_help=True, help="The audit: export it, check it anywhere, prove one act.")
    for verb in (export, verify, root, prove):
        audit.command()(verb)
    app.add_typer(audit, name="audit")


def export(
    file: Annotated[Path, typer.Argument(help="Where to write it: one JSON object a line.")], as_json: AsJson = False
) -> None:
    """Write the sealed audit to a file that anybody can check without this database."""
    clock = enter()
    from bahal.foundation.audit import roots

    lines = 0
    with file.open("w", encoding="utf-8") as out:
        for line in roots.export(at=clock.wall()):
            out.write(line + "\n")
            lines += 1
    answering.answer(
        {"path": str(file), "lines": lines},
        as_json=as_json,
        hi="{path}: {lines} पंक्तियाँ",
        en="{path}: {lines} lines",
    )


def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; the instance's own database unless given.")] = None,
    outside: Annotated[
        Path | None,
        typer.Option("--roots", help="The second place's roots. Without them a rewritten audit looks like a true one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an export against itself and the second place's roots, and name every row and batch that was altered."""
    if file is None:
        clock = enter()
        from bahal.foundation.audit import roots as ours

        default = Home.of().logs / "audit_roots.jsonl"
        outside = outside or (default if default.exists() else None)
        # The roots first: what is rooted while the export is read must not look as if it were missing.
        kept = _outside(outside)
        findings = check(ours.export(at=clock.wall()), roots=kept)
    else:
        kept = _outside(outside)
        findings = check(_lines(file), roots=kept)
    if findings:
        if not as_json:
            for each in findings[:50]:
                typer.echo(_said(each), err=True)
        raise AuditAltered(
            count=len(findings), first=_said(findings[0]), findings=[asdict(each) for each in findings[:1000]]
        )
    answering.answer(
        {"whole": True, "roots": len(kept)},
        as_json=as_json,
        hi="लेखा-परीक्षा अक्षुण्ण है; बाहर के {roots} मूल मिलते हैं।",
        en="The audit is whole; {roots} roots kept outside agree.",
    )


def root(
    day: Annotated[str, typer.Option(help="YYYY-MM-DD in India; the latest root unless given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print a day's root as it may be published: the last one of that day."""
    enter()
    from bahal.foundation.audit.errors import DayNotRooted
    from bahal.foundation.audit.roots import roots

    found = roots(day=day or None)
    if not found:
        raise DayNotRooted(day=day)
    answering.answer(
        asdict(found[-1]),
        as_json=as_json,
        hi="{day}: {size} प्रविष्टियाँ, SHA-256 मूल {sha256}",
        en="{day}: {size} entries, SHA-256 root {sha256}",
    )


def prove(entry: Annotated[int, typer.Argument(help="The entry's number.")], as_json: AsJson = False) -> None:
    """Prove that one act is in the audit: its entry, the hashes beside its way up, and the root (RFC 6962)."""
    enter()
    from bahal.foundation.audit.roots import prove as proof_of

    answering.answer(
        asdict(proof_of(entry=entry)),
        as_json=as_json,
        hi="{entry}\nस्थान {index}, पथ {path}\nमूल {root}",
        en="{entry}\nleaf {index}, path {path}\nroot {root}",
    )


def _outside(path: Path | None) -> list[Root]:
    if path is None:
        return []
    try:
        return list(read_outside(path.read_text(encoding="utf-8").splitlines()))
    except OSError as failure:
        raise RootsUnreadable(path=str(path), why=failure.strerror or "") from failure
    except ValueError as wrong:
        raise RootsUnreadable(path=str(path), why=str(wrong)[:200]) from wrong


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", errors="replace") as export:
        yield from export


def _said(finding: Finding) -> str:
    return " ".join(
        f"{name} {datum}" if name != "what" else str(datum)
        for name, datum in asdict(finding).items()
        if datum is not None
    )
