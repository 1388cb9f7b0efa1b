"""Every crash point is named once in the list and called in the code under that name."""

import ast
from pathlib import Path

import bahal
from bahal.shared.crash import CRASH_POINTS

SOURCE = Path(bahal.__file__).parent


def called() -> list[tuple[str, ast.expr]]:
    return [
        (f"{path.relative_to(SOURCE)}:{node.lineno}", node.args[0])
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "crash_point"
    ]


def test_points_are_named_in_plain_words_where_they_are_passed() -> None:
    assert [where for where, name in called() if not isinstance(name, ast.Constant)] == []


def test_the_list_is_what_the_code_passes() -> None:
    assert {name.value for _, name in called() if isinstance(name, ast.Constant)} == CRASH_POINTS
