"""The examples of `docs/dlms.md` as they stand there: a meter and a client, each a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import bahal
from bahal import dlms

PAGE = (Path(bahal.__file__).parents[2] / "docs" / "dlms.md").read_text("utf-8")
LONGEST = 30


def example(name: str) -> str:
    """The block whose first line names this file."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(f'"""{name}:'))
    return str(found)


def test_the_page_meets_itself(tmp_path: Path) -> None:
    for name in ("meter.py", "client.py"):
        text = example(name)
        assert len(text.splitlines()) <= LONGEST
        (tmp_path / name).write_text(text, "utf-8")
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "meter.py"), "0"], stdout=subprocess.PIPE, text=True
    ) as meter:
        assert meter.stdout is not None
        port = meter.stdout.readline().strip()
        client = subprocess.run(
            [sys.executable, str(tmp_path / "client.py"), port], capture_output=True, text=True, check=False, timeout=30
        )
        if client.returncode:
            meter.kill()
        assert client.stdout == "1234567 Wh\n", client.stderr
    assert meter.returncode == 0


def test_every_public_name_is_there_and_on_the_page() -> None:
    for name in dlms.__all__:
        assert getattr(dlms, name) is not None
        assert re.search(rf"\b{name}\b", PAGE), name


def test_what_is_not_public_is_named() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        dlms.nothing_of_the_kind  # noqa: B018
