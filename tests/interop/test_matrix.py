"""Every session with every peer, every service in it: as it should be, or red for a reason that is written down."""

from collections.abc import Iterator

import pytest
from interop.__main__ import PAGE, page
from interop.known import everything
from interop.rows import SERVICES, Row, rows

from interop.running import Outcome, Result, run

PLAN = list(rows())

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
    assert kinds.count("ok") > 600
    assert kinds.count("refused") > 80
    for peer in ("pydlms-client", "gurux-dlms", "dlms-cosem"):
        moved = [
            row for (row, name), cell in result.cells.items() if (row.peer, name, cell.kind) == (peer, "relay", "ok")
        ]
        assert len(moved) >= 5, peer


def test_the_page_says_what_is_tried_and_what_is_known() -> None:
    assert PAGE.read_text("utf-8") == page(PLAN)


def test_every_fact_speaks_of_a_cell() -> None:
    for fact in everything():
        assert any(fact.holds(row, name) for row in PLAN for name in SERVICES), fact.id
    assert len({row.key for row in PLAN}) == len(PLAN)
