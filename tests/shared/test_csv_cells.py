"""No cell of a table that we give out is a formula, and every other cell is what it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bahal.shared.csv_cells import FORMULA_STARTS, cell, table


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+91", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "  @x", "\0=1"]
)
def test_what_begins_like_a_formula_is_text(name: str) -> None:
    assert cell(name).startswith("'")


@given(st.text())
def test_a_cell_never_begins_like_a_formula_and_loses_nothing(name: str) -> None:
    shown = cell(name)
    assert not shown.lstrip(" ").startswith(FORMULA_STARTS)
    assert shown.removeprefix("'") in (name.replace("\0", ""), name.replace("\0", "").removeprefix("'"))


def test_numbers_stay_numbers() -> None:
    assert cell(-512_300) == "-512300"


@given(st.lists(st.tuples(st.text(alphabet=st.characters(exclude_characters="\0")), st.integers()), max_size=5))
def test_a_table_is_read_back_cell_by_cell(rows: list[tuple[str, int]]) -> None:
    text = table(("name", "paise"), rows)
    assert text.startswith("\ufeff")
    read = list(csv.reader(io.StringIO(text[1:], newline="")))
    assert read == [["name", "paise"], *([cell(name), str(paise)] for name, paise in rows)]
