"""What the machine has beyond Python: a browser, Spin, independent peers of the meters' protocol, a soft HSM.

A test says `@pytest.mark.needs("spin")`. On a machine without it the test is left out and the run's end says so with
the remedy: nothing is skipped in silence. Under `CI=true` what is missing, and any skip, fails the run.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
PEERS = Path(os.environ.get("BAHAL_PEERS") or TOP / "var" / "peers")


@dataclass(frozen=True, slots=True)
class Need:
    """Something a test may need, whether it is here, and how to get it."""

    present: Callable[[], bool]
    remedy: str


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def _spin() -> bool:
    """Spin, and the compiler for the verifier that it writes."""
    return shutil.which("spin") is not None and shutil.which("gcc") is not None


def _peers() -> bool:
    return all((PEERS / name / ".ready").exists() for name in ("dlms-cosem", "gurux-dlms", "pydlms-client"))


NEEDS: Mapping[str, Need] = {
    "browser": Need(_program("chromium", "chromium-browser", "google-chrome"), "apt-get install chromium"),
    "spin": Need(_spin, "apt-get install spin gcc"),
    "peers": Need(_peers, "make peers"),
    "softhsm": Need(_program("softhsm2-util"), "apt-get install softhsm2"),
}


class Machine:
    """One run's account of what was missing and what was skipped."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.missing = [name for name, need in NEEDS.items() if not need.present()]
        self.left_out: Counter[str] = Counter()
        self.skipped: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out what cannot run here."""
        kept: list[pytest.Item] = []
        out: list[pytest.Item] = []
        for item in items:
            lacking = [name for name in _needs(item) if name in self.missing]
            self.left_out.update(lacking)
            (out if lacking else kept).append(item)
        if out:
            if self.strict:
                lines = [f"{name}: {NEEDS[name].remedy}" for name in self.left_out]
                raise pytest.UsageError("CI=true, and this machine lacks what tests need", *lines)
            config.hook.pytest_deselected(items=out)
            items[:] = kept

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count modules that skip themselves."""
        if report.skipped:
            self.skipped.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count tests that skip themselves."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """Of several processes each has collected all tests: what one left out, all did."""
        self.left_out |= Counter(getattr(node, "workeroutput", {}).get("bahal_left_out", {}))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A skip fails a strict run; a process of several tells the one that sums up."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["bahal_left_out"] = dict(self.left_out)
        if self.strict and self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what this machine lacks, and what was left out for it."""
        if self.missing:
            terminalreporter.section("missing on this machine")
            for name in self.missing:
                count = self.left_out[name]
                tests = f"{count} test{'' if count == 1 else 's'} left out" if count else "no test needs it yet"
                terminalreporter.line(f"{name}: {tests}; {NEEDS[name].remedy}")
        if self.strict and self.skipped:
            terminalreporter.section("skipped, which fails this run")
            for nodeid in self.skipped:
                terminalreporter.line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Look at the machine once."""
    config.addinivalue_line("markers", "needs(name, ...): what the machine must have beyond Python for this test")
    config.pluginmanager.register(Machine(strict=os.environ.get("CI") == "true"), "bahal-machine")


def _needs(item: pytest.Item) -> list[str]:
    names = [name for marker in item.iter_markers("needs") for name in marker.args]
    unknown = [name for name in names if name not in NEEDS]
    if unknown:
        raise pytest.UsageError(f"{item.nodeid} needs {', '.join(unknown)}; known are {', '.join(NEEDS)}")
    return names
