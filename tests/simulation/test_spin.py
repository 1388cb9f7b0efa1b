"""Two models, of a cut against a payment and of a lease's takeover: their promises hold, and each fails when its guard
is taken away.

Spin searches every order of steps. A fault is a death, a takeover from a worker that goes on, a lost frame, an answer
or a sending that comes too late; two of them may meet in any way in the quick runs, three in the slow ones. In the
takeover's model leases that run out under a worker that lives have a budget of their own.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

PAYMENT = Path(__file__).parent / "cut_versus_payment.pml"
TAKEOVER = Path(__file__).parent / "lease_takeover.pml"
DEEPEST = 200_000
"""Steps in one run; a search that meets this limit says so, and its test fails."""

pytestmark = pytest.mark.needs("spin")


@dataclass(frozen=True, slots=True)
class Search:
    """What pan reported."""

    errors: int
    states: int
    report: str


def search(
    folder: Path, *flags: str, faults: int, forever: str = "", model: Path = PAYMENT, whole: bool = False
) -> Search:
    """Search a model with these flags; `forever` names the property over endless, fair runs.

    :param whole: nothing is to be found: worth compiling well.
    """
    defines = [f"-DFAULTS={faults}", *(f"-D{flag}" for flag in flags), *(["-DFOREVER"] if forever else ["-DNONCES"])]
    _run(folder, "spin", *defines, "-a", str(model))
    kind = ["-DNFAIR=3"] if forever else ["-DSAFETY", "-DNOCLAIM"]
    # A search that ends at the first error is shorter than the compiler's best effort.
    effort = "-O0" if flags and not whole else "-O2"
    _run(folder, "gcc", effort, "-w", "-DCOLLAPSE", *kind, "-o", "pan", "pan.c")
    report = _run(folder, "./pan", f"-m{DEEPEST}", *(["-a", "-f", "-N", forever] if forever else []))
    errors = re.search(r"errors: (\d+)", report)
    states = re.search(r"(\d+) states, stored", report)
    assert errors is not None, report
    assert states is not None, report
    return Search(int(errors[1]), int(states[1]), report)


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def _holds(found: Search, *, at_least: int) -> None:
    assert found.errors == 0, found.report
    # An error is not the only way to find none: the search must have been whole, and wide.
    assert "Search not completed" not in found.report
    assert "max search depth too small" not in found.report
    assert found.states > at_least, found.report


def test_no_cut_after_a_payment_no_second_repeat_no_nonce_twice_no_deadlock(tmp_path: Path) -> None:
    """I1 and I2 over every meeting of two faults."""
    _holds(search(tmp_path, faults=2), at_least=1_000_000)


@pytest.mark.parametrize("promise", ["lit", "settled"])
def test_every_fair_run_ends_lit_and_settled(tmp_path: Path, promise: str) -> None:
    """A payer has light in the end, and every order comes to an end."""
    _holds(search(tmp_path, faults=1, forever=promise), at_least=100_000)


def test_a_part_payment_is_kept_by_the_fence_alone(tmp_path: Path) -> None:
    """Nothing but the fence stands between a part payment and the cut."""
    _holds(search(tmp_path, "PART", faults=1), at_least=10_000)


def test_two_attempts_of_one_process_are_told_apart_by_the_token(tmp_path: Path) -> None:
    """Two workers of one name keep every promise that two of different names keep."""
    _holds(search(tmp_path, "ONE_NAME", faults=1), at_least=100_000)


GUARDS = [
    (("ONE_STATEMENT", "PART"), 0, "assertion violated !(paid)"),
    (("ONE_STATEMENT",), 1, "assertion violated !(paid)"),
    (("NO_FENCE_LOCK", "PART"), 0, "assertion violated !(paid)"),
    (("NO_FENCE_LOCK",), 1, "assertion violated !(paid)"),
    (("COUNTER_PER_FRAME",), 1, "assertion violated (restore_order!="),
    (("RESYNC",), 1, "assertion violated !((used&"),
    (("CLAIM_WAITS",), 1, "invalid end state"),
    (("NO_LIMIT",), 2, "assertion violated (sends<=2)"),
    (("REACH_DARK",), 0, "assertion violated 0"),
    (("REACH_LIT",), 0, "assertion violated (relay=="),
]


@pytest.mark.parametrize(("flags", "faults", "why"), GUARDS, ids=["-".join(flags) for flags, _, _ in GUARDS])
def test_without_its_guard_it_fails(tmp_path: Path, flags: tuple[str, ...], faults: int, why: str) -> None:
    """Each guard is needed: the search finds what it keeps away."""
    found = search(tmp_path, *flags, faults=faults)
    assert found.errors == 1, found.report
    assert _plain(why) in _plain(found.report)


@pytest.mark.parametrize(("flag", "promise"), [("NO_RESTORE", "lit"), ("NO_EXPIRY", "lit"), ("NO_EXPIRY", "settled")])
def test_without_its_guard_it_never_ends_well(tmp_path: Path, flag: str, promise: str) -> None:
    """The properties over endless runs can fail as well."""
    found = search(tmp_path, flag, faults=1, forever=promise)
    assert found.errors == 1, found.report
    assert "acceptance cycle" in found.report


def test_a_stopped_worker_that_wakes_up_after_its_lease_was_taken_over(tmp_path: Path) -> None:
    """Counters, token, no double send, nothing unfinished: two leases run out under one that lives, and one fault."""
    _holds(search(tmp_path, "STOPS=2", faults=1, model=TAKEOVER, whole=True), at_least=300_000)


def test_every_takeover_comes_to_an_end(tmp_path: Path) -> None:
    """In every fair run the order ends, and no lease is held."""
    _holds(search(tmp_path, "STOPS=1", faults=1, forever="ends", model=TAKEOVER, whole=True), at_least=100_000)


TAKEOVER_GUARDS = [
    ("SAME_COUNTERS", 0, "assertion violated !((used&"),
    ("LOWER_COUNTERS", 0, "assertion violated (at!=token)"),
    ("NO_TOKEN", 0, "assertion violated (token==mine)"),
    ("NO_HOLDER", 0, "assertion violated ((lease==me)&&"),
    ("NO_READ", 0, "assertion violated (relay=="),
    ("ANY_COUNTER", 0, "assertion violated (relay=="),
    ("NO_EXPIRY", 1, "invalid end state"),
    ("NO_UNKNOWN", 0, "assertion violated (((order=="),
    ("REACH_STALE", 0, "assertion violated (wire[at]!="),
]


@pytest.mark.parametrize(("flag", "faults", "why"), TAKEOVER_GUARDS, ids=[flag for flag, *_ in TAKEOVER_GUARDS])
def test_a_takeover_without_its_guard_fails(tmp_path: Path, flag: str, faults: int, why: str) -> None:
    """One stop is enough to show what each guard keeps away."""
    found = search(tmp_path, flag, "STOPS=1", faults=faults, model=TAKEOVER)
    assert found.errors == 1, found.report
    assert _plain(why) in _plain(found.report)


@pytest.mark.slow
def test_every_takeover_of_two_comes_to_an_end(tmp_path: Path) -> None:
    """The same where leases run out twice under one that lives."""
    _holds(search(tmp_path, "STOPS=2", faults=1, forever="ends", model=TAKEOVER, whole=True), at_least=300_000)


@pytest.mark.slow
def test_two_stops_and_two_faults(tmp_path: Path) -> None:
    """The takeover's promises over every meeting of two stops and two faults."""
    _holds(search(tmp_path, "STOPS=2", faults=2, model=TAKEOVER, whole=True), at_least=3_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("promise", ["lit", "settled"])
def test_two_faults_end_lit_and_settled(tmp_path: Path, promise: str) -> None:
    """The same over every meeting of two faults."""
    _holds(search(tmp_path, faults=2, forever=promise), at_least=2_000_000)


@pytest.mark.slow
def test_three_faults(tmp_path: Path) -> None:
    """I1 and I2 over every meeting of three faults (some 1.5 GB)."""
    _holds(search(tmp_path, faults=3), at_least=10_000_000)


def _plain(text: str) -> str:
    return text.replace(" ", "")
