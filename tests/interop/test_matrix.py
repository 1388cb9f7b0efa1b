"""Every session with every peer, every service in it: as it should be, or red for a reason that is written down."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.known import by_chance, everything, known
from interop.rows import SERVICES, Row, rows
from tools import peers as installed

from interop import __main__ as command
from interop import peer
from interop.running import Outcome, Result, run
from tests.plugin.machine import NEEDS, PEERS

PLAN = list(rows())
BY_KEY = {row.key: row for row in PLAN}
HEALTHY = BY_KEY["gurux-dlms as client, wrapper, none plain"]
SICK = BY_KEY["dlms-cosem as client, hdlc, LLS plain"]

needs_peers = pytest.mark.needs("peers")


@pytest.fixture(scope="module")
def result() -> Iterator[Result]:
    """One run of all of it."""
    return run(PLAN)


def told(found: list[tuple[Row, str, Outcome]]) -> list[str]:
    """Cells for a person."""
    return [f"{row.key}: {name}: {cell.detail[:300]}" for row, name, cell in found]


@needs_peers
def test_every_cell_is_as_it_should_be_or_its_red_is_explained(result: Result) -> None:
    assert result.missing == ()
    assert {row for row, _ in result.cells} == set(PLAN)
    assert told(result.unexplained()) == []


@needs_peers
def test_what_is_explained_is_still_there(result: Result) -> None:
    assert told(result.healed()) == []


@needs_peers
def test_most_of_it_was_really_tried(result: Result) -> None:
    kinds = [cell.kind for cell in result.cells.values()]
    assert kinds.count("ok") > 700
    assert kinds.count("refused") > 90
    for name in ("pydlms-client", "gurux-dlms", "dlms-cosem"):
        moved = [
            row
            for (row, service), cell in result.cells.items()
            if (row.peer, row.at, service, cell.kind) == (name, "fleet", "relay", "ok")
        ]
        assert len(moved) >= 3, name


@needs_peers
def test_the_page_tells_what_the_run_told(result: Result) -> None:
    assert command.PAGE.read_text("utf-8") == command.page(result)


def test_the_page_has_every_session_and_every_fact() -> None:
    lines = command.PAGE.read_text("utf-8").splitlines()
    sessions = [
        line.split(" | ")[0].removeprefix("| ") for line in lines if " as client, " in line or " as meter, " in line
    ]
    assert sessions == [row.key for row in PLAN]
    facts = [line for line in lines if line.startswith("- **")]
    assert len(facts) == len(everything())
    for fact, line in zip(everything(), facts, strict=True):
        assert f"{fact.peer} {fact.version}" in line
        assert fact.why in line


def test_every_fact_speaks_of_a_cell() -> None:
    for fact in everything():
        assert any(fact.holds(row, name) for row in PLAN for name in row.services), fact.id
    assert len(BY_KEY) == len(PLAN)


def test_a_cell_that_nobody_foresaw_is_unexplained_and_one_that_works_again_has_healed() -> None:
    defect = known(SICK, "release")
    assert defect is not None
    found = Result(
        cells={
            (HEALTHY, "get"): Outcome("red", "nothing came"),
            (HEALTHY, "open"): Outcome("ok"),
            (SICK, "release"): Outcome("ok", "", defect),
        }
    )
    assert told(found.unexplained()) == [f"{HEALTHY.key}: get: nothing came"]
    assert told(found.healed()) == [f"{SICK.key}: release: "]
    foreseen = Result(cells={(SICK, "release"): Outcome("red", "it waits", defect)})
    assert foreseen.unexplained() == []
    assert foreseen.healed() == []


@pytest.mark.parametrize(
    ("outcome", "row", "code"),
    [
        (Outcome("ok"), HEALTHY, 0),
        (Outcome("refused"), HEALTHY, 0),
        (Outcome("red"), HEALTHY, 1),
        (Outcome("red", "", known(SICK, "release")), SICK, 0),
        (Outcome("ok", "", known(SICK, "release")), SICK, 1),
    ],
    ids=["ok", "refused", "red", "explained", "healed"],
)
def test_the_command_ends_with_what_became_of_its_cells(
    outcome: Outcome, row: Row, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run", lambda plan, told: Result(cells={(row, "release"): outcome}))
    assert command.main(["--json"]) == code
    assert f'"outcome": "{outcome.kind}"' in capsys.readouterr().out


def test_a_missing_peer_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peer, "PEERS", tmp_path)
    monkeypatch.setattr(command, "rows", lambda: [HEALTHY])
    assert command.main([]) == 3
    assert "missing: gurux-dlms: make peers" in capsys.readouterr().err
    assert command.main(["--write"]) == 3
    assert len(command.PAGE.read_text("utf-8").splitlines()) > len(PLAN), "a run without peers must not be written down"


def test_the_machine_asks_for_every_peer_of_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {row.peer for row in PLAN}
    monkeypatch.setattr("tests.plugin.machine.PEERS", tmp_path)
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / ".ready").touch()
    assert NEEDS["peers"].present()
    for name in names:
        (tmp_path / name / ".ready").unlink()
        assert not NEEDS["peers"].present(), name
        (tmp_path / name / ".ready").touch()
    assert peer.PEERS == PEERS


def test_only_octets_of_the_defect_excuse_a_cell() -> None:
    bad, good = (
        bytes.fromhex("7ea0106103106a83e6e700017e7e02ce907e"),
        bytes.fromhex("7ea00f61031032f2e6e700017e02ba117e"),
    )
    fact = by_chance(SICK, [good, bad])
    assert fact is not None
    assert fact.id == "cosem-hdlc-flags"
    assert by_chance(SICK, [good]) is None
    assert by_chance(dataclasses.replace(SICK, framing="wrapper"), [bad]) is None
    assert by_chance(HEALTHY, [bad]) is None


def test_what_is_known_is_known_of_the_versions_that_are_installed() -> None:
    spoken_of = {(fact.peer, fact.version) for fact in everything()}
    pinned = {tuple(packages[0].split("==")) for packages in installed.PEERS.values()}
    assert spoken_of <= pinned
    assert {row.peer for row in PLAN} <= set(installed.PEERS)


def test_each_driver_stands_under_its_peers_licence() -> None:
    licences = {"dlms-cosem": "MIT", "gurux-dlms": "GPL-2.0-only", "pydlms-client": "GPL-3.0-only"}
    assert {row.peer for row in PLAN} == set(licences)
    opening = {"MIT": "MIT License", "GPL-2.0-only": "Version 2, June 1991", "GPL-3.0-only": "Version 3, 29 June 2007"}
    for name, licence in licences.items():
        folder = peer.SCRIPTS / name
        assert opening[licence] in (folder / "LICENSE").read_text("utf-8")[:200]
        assert licence.split("-")[0] in (folder / "README.md").read_text("utf-8")
        scripts = list(folder.glob("*.py"))
        assert folder / "client.py" in scripts
        for script in scripts:
            assert script.read_text("utf-8").startswith(f"# SPDX-License-Identifier: {licence}\n"), script


def test_the_services_of_the_plan_are_the_columns() -> None:
    assert {name for row in PLAN for name in row.services} == set(SERVICES)
