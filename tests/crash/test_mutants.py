"""A guard is taken out of a copy of the product, and the same judgement that passes the product must name the harm."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash import template
from tests.crash.conftest import played
from tests.crash.invariants import violations

pytestmark = pytest.mark.slow

DOOR = "bahal/journeys/sql/50_interlock.sql"


class Mutant(NamedTuple):
    """One guard gone: `old`, which stands `times` in `file`, becomes `new`; killed at `crash_at`, if anywhere."""

    file: str
    old: str
    new: str
    crash_at: str
    times: int = 1


MUTANTS = {
    "counters begin anew in each session": Mutant(
        "bahal/interlock/session.py", "            counter=claim.counter,", "            counter=1,", ""
    ),
    "a resend does not believe the relay it read": Mutant(
        "bahal/interlock/session.py", "sent_before = self.claim.sends > 0", "sent_before = False",
        "interlock.action_written:13", times=2,
    ),
    "the fence is not compared": Mutant(
        DOOR, "WHEN coalesce(a.generation, 0) <> a.signed_fence THEN", "WHEN false THEN", ""
    ),
    "a lease that ran out is not taken over": Mutant(
        DOOR, "AND o.state IN ('claimed', 'sent', 'unknown') AND o.lease_until < clock_timestamp()",
        "AND o.state IN ('claimed', 'sent', 'unknown') AND false", "interlock.claimed:1",
    ),
    "money does not undo a cut that went out": Mutant(
        "bahal/domains/supply/queries.py", "if order.state in _UNDER_WAY:", "if False:", ""
    ),
}  # fmt: skip


def mutated(mutant: Mutant, folder: Path) -> Path:
    """A copy of the sources without the guard."""
    source = folder / "src"
    shutil.copytree(template.source(), source, ignore=shutil.ignore_patterns("__pycache__"))
    file = source / mutant.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.old) == mutant.times, "the guard stands elsewhere now"
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return source


@pytest.mark.parametrize("name", MUTANTS)
def test_without_its_guard_the_judgement_names_the_harm(
    name: str, tmp_path: Path, stage: Path, make: Callable[[Path], Path]
) -> None:
    mutant = MUTANTS[name]
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    source = mutated(mutant, tmp_path)
    came = played(stage / f"m{list(MUTANTS).index(name)}", make(source), mutant.crash_at, source)
    assert violations(came.evidence) or not came.quiet
