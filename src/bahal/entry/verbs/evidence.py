"""`bahal evidence`: the pack of one order, its check without the database, and the public keys to publish."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared import verify_evidence as checker
from bahal.shared.errors import USAGE, Refusal
from bahal.shared.home import Home

HOLDER = "evidence"
SCRIPT = "verify_evidence.py"
ROOTS = "audit_roots.jsonl"


class EvidenceRefused(Refusal):
    """A pack does not agree with itself, with the published keys, or with the second place; `wrong` names each."""

    code = "evidence_refused"
    hi = "साक्ष्य अस्वीकृत: {count} बातें मेल नहीं खातीं, पहली: {first}"
    en = "The evidence is refused: {count} points do not agree, the first: {first}"


class EvidenceUnreadable(Refusal):
    """The file is no evidence pack."""

    code = "evidence_unreadable"
    hi = "{path} साक्ष्य नहीं है: {why}"
    en = "{path} is no evidence pack: {why}"


class EvidenceWhat(Refusal):
    """The verb was asked for something that it does not do."""

    code = "evidence_what"
    exit_code = USAGE
    hi = "{what} न आदेश की संख्या है, न `verify FILE` या `keys`।"
    en = "{what} is neither an order's number nor `verify FILE` nor `keys`."


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(evidence)


def evidence(
    what: Annotated[str, typer.Argument(help="An order's number; `verify` and a file; or `keys`.")],
    file: Annotated[Path | None, typer.Argument(help="The pack to verify.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; `evidence/` of the instance unless given.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="verify: the published public keys.")] = None,
    roots: Annotated[Path | None, typer.Option(help="verify: the second place's roots of the audit.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Write an order's evidence as JSON and PDF, with the script that checks them; or check a pack offline."""
    if what == "verify" and file is not None:
        verify(file, keys=keys, roots=roots, as_json=as_json)
    elif what == "keys" and file is None:
        typer.echo(json.dumps(public_keys(Home.of()), indent=1, sort_keys=True))
    elif what.isdecimal() and file is None:
        written = write(int(what), folder=out)
        answering.answer(
            {"order": int(what), "path": str(written), "pdf": str(written.with_suffix(".pdf"))},
            as_json=as_json,
            hi="आदेश {order} का साक्ष्य: {path}, {pdf}",
            en="Evidence of order {order}: {path}, {pdf}",
        )
    else:
        raise EvidenceWhat(what=what)


def write(order: int, *, folder: Path | None = None) -> Path:
    """Write a pack with its PDF, the script that checks it and the keys to check it with; the pack's file.

    The acts it rests on are rooted first, so that each has its proof.

    :raises OrderUnknown: no such order.
    :raises SecondPlaceSilent: the second place did not take the root.
    """
    clock = enter()
    from bahal.gateways.witness.places import witness_at
    from bahal.journeys.cover_audit import cover_audit
    from bahal.journeys.write_evidence import write_evidence

    home = Home.of()
    cover_audit(witness_at(os.environ.get("BAHAL_AUDIT_ROOTS") or str(home.logs / ROOTS)), at=clock.wall())
    pack = write_evidence(order=order, key=evidence_key(home), at=clock.wall())
    folder = folder or home.path / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"evidence-{order}.json"
    path.write_bytes(pack.json)
    path.with_suffix(".pdf").write_bytes(pack.pdf)
    shutil.copyfile(checker.__file__, folder / SCRIPT)
    (folder / "keys.json").write_text(json.dumps(public_keys(home), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def verify(file: Path, *, keys: Path | None, roots: Path | None, as_json: bool) -> None:
    """Check a pack by the script that strangers are given; needs no instance.

    :raises EvidenceUnreadable: the file is no pack.
    :raises EvidenceRefused: something in it does not agree.
    """
    pdf = file.with_suffix(".pdf")
    try:
        found = checker.examine(
            file.read_bytes(),
            keys=None if keys is None else json.loads(keys.read_text(encoding="utf-8")),
            roots=None if roots is None else checker.read_roots(roots),
            pdf=pdf.read_bytes() if pdf.exists() else None,
        )
    except (checker.NotAPack, ValueError) as failure:
        raise EvidenceUnreadable(path=str(file), why=str(failure)) from failure
    if not as_json:
        for word, points in (("ok", found.right), ("note", found.remarks), ("WRONG", found.wrong)):
            for point in points:
                typer.echo(f"{word:6}{point}")
    if found.wrong:
        raise EvidenceRefused(count=len(found.wrong), first=found.wrong[0], wrong=found.wrong)
    answering.answer(
        {"agrees": True, "proved": found.right, "remarks": found.remarks},
        as_json=as_json,
        hi="सब मेल खाता है।",
        en="Everything agrees.",
    )


def evidence_key(home: Home) -> Ed25519PrivateKey:
    """The instance's evidence key; made at its first use."""
    kept = home.secret(HOLDER)
    if kept is None:
        key = Ed25519PrivateKey.generate()
        home.keep_secret(HOLDER, {"private": key.private_bytes_raw().hex()})
        return key
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept["private"]))


def public_keys(home: Home) -> dict[str, object]:
    """What the company publishes: the evidence key's public half, and those of the officers who sign drives."""
    enter()
    from bahal.domains.staff.queries import page_of_interlock, public_keys_of_signers

    published: dict[str, object] = {
        "evidence": evidence_key(home).public_key().public_bytes_raw().hex(),
        "officers": dict(public_keys_of_signers()),
    }
    page = page_of_interlock()
    return published if page is None else published | {"page": page}
