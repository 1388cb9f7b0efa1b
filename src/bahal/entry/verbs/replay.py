"""`bahal replay`: a drive's list derived again from the facts kept at its proposal."""

from __future__ import annotations

from typing import Annotated

import typer

from bahal.entry import answering
from bahal.entry.business import enter
from bahal.shared.errors import Refusal


class ReplayDiffers(Refusal):
    """What is derived again is not what was signed; `differs` names each difference."""

    code = "replay_differs"
    hi = "अभियान {drive} की सूची वही नहीं निकली: {count} अंतर, पहला: {first}"
    en = "The list of drive {drive} did not come out the same: {count} differences, the first: {first}"


def add_to(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command()(replay)


def replay(
    drive: Annotated[int, typer.Argument(help="The drive's number.")],
    as_json: Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")] = False,
) -> None:
    """Derive a drive's list again: same people, same reasons, same hash, or every difference by name."""
    enter()
    from bahal.journeys.replay_drive import replay_drive

    found = replay_drive(drive=drive)
    if found.differs:
        raise ReplayDiffers(drive=drive, count=len(found.differs), first=found.differs[0], differs=found.differs[:1000])
    answering.answer(
        found.as_json(),
        as_json=as_json,
        hi="अभियान {drive}: {candidates} में से {listed}, वही कारण, वही छाप {list_sha256}",
        en="Drive {drive}: {listed} of {candidates}, same reasons, same hash {list_sha256}",
    )
