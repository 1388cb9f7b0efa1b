"""A guard is taken out of a copy of the product, and the same judgement that passes the product must name the harm."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.crash import scene, template
from tests.crash.conftest import played
from tests.crash.invariants import violations

pytestmark = pytest.mark.slow

DOOR = "bahal/journeys/sql/50_interlock.sql"
SESSION = "bahal/interlock/session.py"
DELIVER = "bahal/journeys/deliver_messages.py"
CENTRE = "bahal/gateways/sms/centre.py"

QUIET_S = 20.0
"""A mutant may never come to rest."""


class Edit(NamedTuple):
    """`old`, which stands `times` in `file`, becomes `new`."""

    file: str
    old: str
    new: str
    times: int = 1


class Mutant(NamedTuple):
    """A guard gone: what shows it, and where a room is killed for it, if anywhere. No `harm`: nothing may be wrong."""

    edits: tuple[Edit, ...]
    harm: str
    crash_at: str = ""


# Delivery reports come too late to spare anybody a second message, and leases on messages run out soon.
LATE_REPORTS = (
    Edit(DELIVER, "LEASE = timedelta(seconds=30)", "LEASE = timedelta(seconds=2)"),
    Edit(CENTRE, "REPORT_AFTER_S = 0.2", "REPORT_AFTER_S = 6.0"),
)

MUTANTS = {
    "counters are not reserved before use": Mutant(
        (
            Edit(DOOR, "next_counter = m.next_counter + p_block", "next_counter = m.next_counter"),
            Edit(DOOR, "l.next_counter - p_block, l.meter_counter", "l.next_counter, l.meter_counter"),
        ),
        r"became a field task \(counter_refused\)",
        "interlock.action_written:13",
    ),
    "the cut is written before its commit": Mutant(
        (Edit(SESSION, "self._desk.ready_to_send(self)", 'self.verdict("send", "", time.monotonic())'),),
        "was cut before any commit said so",
    ),
    "a resend does not believe the relay it read": Mutant(
        (Edit(SESSION, "sent_before = self.claim.sends > 0", "sent_before = False", times=2),),
        r"became a field task \(already_off\)",
        "interlock.action_written:13",
    ),
    "a resend reads no relay": Mutant(
        (
            Edit(
                SESSION,
                "        self._ask(Step.OUTPUT, 2)",
                "        self._reach_sending() if self.claim.sends else self._ask(Step.OUTPUT, 2)",
            ),
        ),
        "was sent again though the relay of .* had moved",
        "interlock.action_written:13",
    ),
    "the fence is not compared": Mutant(
        (Edit(DOOR, "WHEN coalesce(a.generation, 0) <> a.signed_fence THEN", "WHEN false THEN"),),
        "was cut though its account changed after the signatures",
    ),
    "a lease that ran out is not taken over": Mutant(
        (
            Edit(
                DOOR,
                "OR (o.state IN ('claimed', 'sent', 'unknown') AND o.lease_until < clock_timestamp()))\n",
                "OR false)\n",
            ),
        ),
        "is still claimed",
        "interlock.claimed:1",
    ),
    "money does not undo a cut that went out": Mutant(
        (Edit("bahal/domains/supply/queries.py", "if order.state in _UNDER_WAY:", "if False:"),),
        "has paid and is dark",
        "interlock.action_written:13",
    ),
    "reports of delivery come late": Mutant(LATE_REPORTS, "", "worker.messages_posted:2"),
    "a message has another reference each time": Mutant(
        (
            *LATE_REPORTS,
            Edit(DELIVER, "Outgoing(str(message.id),", "Outgoing(f\"{message.id}-{__import__('time').time_ns()}\","),
            Edit(DELIVER, "int(each.reference)", 'int(each.reference.split("-")[0])', times=2),
            Edit(CENTRE, 'owed = {"reference": reference,', 'owed = {"reference": reference.split("-")[0],'),
        ),
        "was told 2 times",
        "worker.messages_posted:2",
    ),
}


def mutated(mutant: Mutant, folder: Path) -> Path:
    """A copy of the sources without the guard."""
    source = folder / "src"
    shutil.copytree(template.source(), source, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits:
        file = source / edit.file
        text = file.read_text(encoding="utf-8")
        assert text.count(edit.old) == edit.times, f"the guard stands elsewhere now: {edit.old}"
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
    return source


@pytest.mark.parametrize("name", MUTANTS)
def test_without_its_guard_the_judgement_names_the_harm(
    name: str, tmp_path: Path, stage: Path, make: Callable[[Path], Path]
) -> None:
    mutant = MUTANTS[name]
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    source = mutated(mutant, tmp_path)
    folder = stage / f"m{list(MUTANTS).index(name)}"
    came = played(folder, make(source), mutant.crash_at, source, quiet_s=QUIET_S if mutant.harm else scene.QUIET_S)
    assert [f"{hit['point']}:{hit['pass']}" for hit in came.strikes] == [mutant.crash_at][: bool(mutant.crash_at)]
    wrong = violations(came.evidence)
    if mutant.harm:
        assert [each for each in wrong if re.search(mutant.harm, each)], wrong
    else:
        assert (wrong, came.quiet) == ([], True)
